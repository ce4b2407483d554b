"""Reactivating access: it counts again as it was, as far as somebody gives it who has all of it (F35, F40, F41, R10)."""

from collections.abc import Iterator
from dataclasses import replace

from models.grant import AccessType, GrantStatus
from models.member import MemberStatus
from models.operation import OutcomeStatus
from models.permission.catalogue import Catalogue
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision, Situation


def reactivate(situation: Situation, catalogue: Catalogue) -> Decision:
    """Returns what reactivating makes of every cell in a situation.

    Whoever reactivates gives all of the access again, so it must lie inside their authority (I1). Whose own access is
    deactivated has none, so nobody reactivates themselves (F35); a super admin's access always exceeds it (M11).
    """
    known = situation.known()
    refusal = next(_refusals(situation, catalogue), None)
    if refusal is OutcomeCode.NO_CHANGE:
        return replace(known, status=OutcomeStatus.NOOP, code=refusal)
    if refusal in {OutcomeCode.NOT_PARTNER_ADMIN, OutcomeCode.EXCEEDS_AUTHORITY}:
        # Deactivated access holds nothing: what the actor lacks of it is withheld.
        return replace(known, code=refusal, before=0, after=0)
    if refusal is not None:
        return replace(known, code=refusal)
    return replace(known, status=OutcomeStatus.APPLIED, after_status=GrantStatus.ACTIVE)


def _refusals(situation: Situation, catalogue: Catalogue) -> Iterator[OutcomeCode]:
    member, grant = situation.member, situation.grant
    if situation.client.authority is None:
        yield OutcomeCode.NOT_PARTNER_ADMIN
    if member.status is not MemberStatus.ACTIVE:
        yield OutcomeCode.NOT_A_MEMBER if member.status is MemberStatus.LEFT else OutcomeCode.NOT_ACTIVE
    if grant is None:
        yield OutcomeCode.NOT_FOUND
        return
    if grant.expired:
        yield OutcomeCode.EXPIRED
    if grant.status is GrantStatus.ACTIVE:
        yield OutcomeCode.NO_CHANGE
    if grant.conflict:
        yield OutcomeCode.CONFLICT
    if grant.access_type is AccessType.PARTNER_ADMIN and not member.verified:
        yield OutcomeCode.NOT_VERIFIED
    if situation.reaches_by_team(situation.before, situation.before, catalogue):
        yield OutcomeCode.TEAM_NOT_HELD
    if situation.before & ~(situation.client.authority or 0):
        yield OutcomeCode.EXCEEDS_AUTHORITY
