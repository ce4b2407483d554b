"""Why an outcome is rejected, or changes nothing, and what each code says to a person: what happened, and what to do next."""

from enum import StrEnum


class OutcomeCode(StrEnum):
    """One code for each way in which a single outcome can be refused."""

    ALREADY_GRANTED = "ALREADY_GRANTED"
    NO_CHANGE = "NO_CHANGE"
    NOT_PARTNER_ADMIN = "NOT_PARTNER_ADMIN"
    NOT_VERIFIED = "NOT_VERIFIED"
    NOT_A_MEMBER = "NOT_A_MEMBER"
    NOT_A_PARTNER = "NOT_A_PARTNER"
    DEACTIVATED = "DEACTIVATED"
    NOT_ACTIVE = "NOT_ACTIVE"
    EXPIRED = "EXPIRED"
    EXCEEDS_AUTHORITY = "EXCEEDS_AUTHORITY"
    NON_DELEGABLE = "NON_DELEGABLE"
    UNKNOWN_PERMISSION = "UNKNOWN_PERMISSION"
    INVALID_LEVEL = "INVALID_LEVEL"
    INVALID_PREREQUISITE = "INVALID_PREREQUISITE"
    NO_PERMISSION_SET = "NO_PERMISSION_SET"
    SOURCE_IS_SUPER_ADMIN = "SOURCE_IS_SUPER_ADMIN"
    TARGET_IS_SUPER_ADMIN = "TARGET_IS_SUPER_ADMIN"
    LAST_SUPER_ADMIN = "LAST_SUPER_ADMIN"
    NOT_SUPER_ADMIN = "NOT_SUPER_ADMIN"
    WOULD_LOCK_OUT = "WOULD_LOCK_OUT"
    NOT_FOR_CONTRACTORS = "NOT_FOR_CONTRACTORS"
    STALE_REVIEW = "STALE_REVIEW"
    REASSIGNEE_NOT_ACTIVE = "REASSIGNEE_NOT_ACTIVE"
    CONFLICT = "CONFLICT"
    TEAM_NOT_HELD = "TEAM_NOT_HELD"
    TEAM_GONE = "TEAM_GONE"
    SEAT_NOT_ELIGIBLE = "SEAT_NOT_ELIGIBLE"
    ACTOR_LOST_AUTHORITY = "ACTOR_LOST_AUTHORITY"
    NOT_FOUND = "NOT_FOUND"
    SELF_EXCLUDED = "SELF_EXCLUDED"
    ATOMIC_REJECTED = "ATOMIC_REJECTED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    CHUNK_SET_ASIDE = "CHUNK_SET_ASIDE"
    REMOVAL_NEEDS_REVIEW = "REMOVAL_NEEDS_REVIEW"
    NOT_BY_MATRIX = "NOT_BY_MATRIX"
    EXPIRY_TOO_LATE = "EXPIRY_TOO_LATE"
    EXPIRY_SET = "EXPIRY_SET"
    LOCKED_TO_SETS = "LOCKED_TO_SETS"
    CHANGED_SINCE = "CHANGED_SINCE"
    NO_WAY_BACK = "NO_WAY_BACK"
    TEAMS_DIFFER = "TEAMS_DIFFER"
    OWNS_ASSETS = "OWNS_ASSETS"
    SET_EDITED = "SET_EDITED"


MESSAGES: dict[OutcomeCode, str] = {
    OutcomeCode.ALREADY_GRANTED: "Has access here already. To change it, ask with onExisting: CHANGE.",
    OutcomeCode.NO_CHANGE: (
        "Nothing to change: the access is as requested already, as far as you may set it, or there is none to take away."
    ),
    OutcomeCode.NOT_PARTNER_ADMIN: (
        "You are not an active partner admin in this client. Ask one of its partner admins to do it, or become one yourself: by "
        "migration if you are super admin here, else by an access link that the client approves."
    ),
    OutcomeCode.NOT_VERIFIED: (
        "The Partner Admin permission can be held only by a verified person of the partner: have the person verified first."
    ),
    OutcomeCode.NOT_A_MEMBER: (
        "This person is not one of the partner's people here: they have left, or are one of the client's own people."
    ),
    OutcomeCode.NOT_A_PARTNER: "Only a partner in an eligible program can have access here.",
    OutcomeCode.DEACTIVATED: "The person's access here is deactivated. Reactivate it first, then change it.",
    OutcomeCode.NOT_ACTIVE: "This person is deactivated in the partner. Activate the person first.",
    OutcomeCode.EXPIRED: (
        "This access has expired. Extend it with extendAccess, then reactivate it if it is deactivated as well."
    ),
    OutcomeCode.EXCEEDS_AUTHORITY: (
        "This would give or take more than you have here yourself: by its permissions in mode STRICT or when reactivating, or by "
        "its seat or expiry. See withheld and retained, and ask somebody who has them; when granting or changing with mode CLAMP, "
        "and without seat and expiry, the rest is carried out. What only a super admin had comes back through nobody: remove it and "
        "grant access anew."
    ),
    OutcomeCode.NON_DELEGABLE: "This permission can be held by a super admin only.",
    OutcomeCode.UNKNOWN_PERMISSION: "There is no such permission: permissionCatalog lists them all.",
    OutcomeCode.INVALID_LEVEL: "This permission has no such level: permissionCatalog lists its levels.",
    OutcomeCode.INVALID_PREREQUISITE: "A permission that another one requires is missing.",
    OutcomeCode.NO_PERMISSION_SET: (
        "There is no permission set to take the access from: give the person a default set, or name a set that this client can use."
    ),
    OutcomeCode.SOURCE_IS_SUPER_ADMIN: "A super admin's access cannot be copied.",
    OutcomeCode.TARGET_IS_SUPER_ADMIN: (
        "This person is a super admin here. Only a migration to partner admin, or one of the account's own super admins, changes that."
    ),
    OutcomeCode.LAST_SUPER_ADMIN: (
        "This is the account's last active super admin, and one always remains. "
        "Have the client make somebody else super admin first."
    ),
    OutcomeCode.NOT_SUPER_ADMIN: (
        "This person is not an active super admin here, so there is nothing to migrate. Where there is no access, give it with "
        "grantAccess; where it is deactivated or has expired, ask the client to approve an access link; else use changeAccess."
    ),
    OutcomeCode.WOULD_LOCK_OUT: (
        "This would leave the client with people but without an active partner admin, and nobody could change their access. "
        "Make somebody else partner admin first, or say acceptLockout: true."
    ),
    OutcomeCode.NOT_FOR_CONTRACTORS: "A contractor's access can only be removed, not deactivated.",
    OutcomeCode.STALE_REVIEW: (
        "Access or assets here have changed since the review, or were not part of it. Review again, then remove with the new token."
    ),
    OutcomeCode.REASSIGNEE_NOT_ACTIVE: (
        "The assets are to go to somebody who is not active in this client or loses access here by the same request, or to its lead "
        "person, and there is none or the same is true of them. Choose somebody active there who stays, or leave the reassignment "
        "out."
    ),
    OutcomeCode.CONFLICT: "The access has changed since you read it, or since the matrix was planned. Read it again, and send the version that you then see; or plan the matrix again.",
    OutcomeCode.TEAM_NOT_HELD: (
        "A team is concerned that you are not in yourself: giving or taking it, or bringing somebody back into it, needs the right "
        "to edit teams here, and so does giving its people a permission at TEAM level. Leave the team out, ask for OWNED, or ask "
        "somebody who may edit teams."
    ),
    OutcomeCode.TEAM_GONE: (
        "A team that was asked for, or is to be put back, has been deleted since then, so nothing was changed here. Ask anew, without it "
        "or with another team of this client."
    ),
    OutcomeCode.SEAT_NOT_ELIGIBLE: (
        "This seat does not fit: the PARTNER seat is for verified people, and a partner admin takes no other."
    ),
    OutcomeCode.ACTOR_LOST_AUTHORITY: (
        "Whoever asked for this no longer had the authority when it was carried out. Somebody who has it can try again, with "
        "retryOperation and includeRejected."
    ),
    OutcomeCode.NOT_FOUND: "This person has no access in this client to change: grant access first.",
    OutcomeCode.SELF_EXCLUDED: "Your own access is left alone unless you say includeSelf: true.",
    OutcomeCode.ATOMIC_REJECTED: (
        "Nothing was changed, because another outcome of this operation was rejected and it was asked to be atomic."
    ),
    OutcomeCode.INTERNAL_ERROR: (
        "This could not be carried out because of an error in the service, which is in its log. Try it again with retryOperation; if "
        "it fails again, tell whoever runs the service."
    ),
    OutcomeCode.CHUNK_SET_ASIDE: (
        "The part of the operation with this outcome stopped the service each time it was tried, so it was set aside. Tell whoever "
        "runs the service, then try it again with retryOperation."
    ),
    OutcomeCode.REMOVAL_NEEDS_REVIEW: (
        "The matrix says that this person should have no access here, and there is some. A matrix takes no access away: look at "
        "removalReview, which says what the person owns here, and remove the access with removeAccess and its token."
    ),
    OutcomeCode.EXPIRY_TOO_LATE: (
        "Access may not last so long here: the client, or the partner, has set a limit, see client.accessLimit. Choose an expiresAt "
        "no later than its latestEnd; what is there can be extended again before it ends."
    ),
    OutcomeCode.EXPIRY_SET: (
        "Access may not last for ever here, and no expiry was asked for: it ends at the latest moment that is allowed, see "
        "grant.expiresAt and client.accessLimit."
    ),
    OutcomeCode.NOT_BY_MATRIX: (
        "The row describes access that a matrix can only leave as it is, and what is here is something else: customised, single "
        "permissions, a super admin's, of an archived set, or deactivated. Name a permission set, with customised false and an "
        "empty status; or use changeAccess with permissions, deactivateAccess or migrateToPartnerAdmin."
    ),
    OutcomeCode.LOCKED_TO_SETS: (
        "Access here is locked to permission sets: client.templateLockdowns says by whom, and which sets may be given. Give one of "
        "these sets as it is: no single permissions, no copy of access that differs from its set, and no migration that keeps "
        "billing. If withheld or retained list something, you cannot give the set whole: ask somebody who has all of it."
    ),
    OutcomeCode.CHANGED_SINCE: (
        "Somebody has changed this access since the operation that is to be undone, so it is left as it is. The timeline says who; "
        "change it with changeAccess if it should be another."
    ),
    OutcomeCode.NO_WAY_BACK: (
        "This cannot be undone: nobody becomes super admin again through the manager, and access that was removed while it was "
        "deactivated or expired is not brought back. Ask the client, or grant access anew."
    ),
    OutcomeCode.TEAMS_DIFFER: (
        "The person's teams here are not as the operation left them, although nobody has changed the access since: a team was deleted, "
        "or is kept elsewhere. Give access and teams with changeAccess or assignTeams; the timeline says what they were."
    ),
    OutcomeCode.OWNS_ASSETS: (
        "The access that the operation gave has come to own assets here, so taking it away needs the review that says what becomes of "
        "them: see removalReview, then removeAccess."
    ),
    OutcomeCode.SET_EDITED: (
        "The client has edited its permission set since the operation that is undone, so the person has the set as it is now, and not "
        "as it was then."
    ),
}
"""For each code of an outcome, its message."""
