"""The mutation by which somebody leaves the partner."""

from typing import Annotated

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.member import members_by_id
from resolvers.member_removal import MemberRemoval, preview_removal, remove_member
from resolvers.operation.record import OperationRecord, of_dry_run, operations_by_id
from resolvers.removal_refusal import removal_refusals
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing, user_error
from schema.field import field
from schema.idempotency import idempotent_call
from schema.member import Member
from schema.node import decode_key
from schema.operation import Operation
from schema.reassignment import REASSIGN, ReassignInput, reassignments_of
from schema.record import shown
from schema.requested_access import LONGEST_REASON


@strawberry.input(description="How somebody's leaving is carried out.")
class RemoveMemberOptions:
    """It is always atomic, and means the caller's own access as well."""

    dry_run: bool | None = strawberry.field(
        default=False, description="Answers with the exact outcomes and writes nothing."
    )
    accept_lockout: bool | None = strawberry.field(
        default=False, description="Accepts that clients are left with people but without an active partner admin."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for the record: at most 1,000 characters.")


@strawberry.input(description="Who leaves the partner, and what becomes of their assets.")
class RemoveMemberInput:
    """R8."""

    member: strawberry.ID = strawberry.field(description="The person.")
    review_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The `token` of member.removalReview of all clients; needed if the person has access anywhere. If anything "
        "has changed since the review: STALE_REVIEW. The review counts the assets in the clients where the person has access; "
        "what they own elsewhere is counted by `leaverReport.assets` only, which counts all. More than 10,000 clients are too many "
        "for one review: remove access in parts with removeAccess first.",
    )
    reassign: list[ReassignInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"{REASSIGN} The rules are also about what the person owns in clients where they have no access, of which no "
        "outcome tells: if whoever is to take it over is not active there, all is refused with CONFLICT.",
    )
    options: RemoveMemberOptions | None = strawberry.field(
        default=strawberry.UNSET, description="How it is carried out."
    )


@strawberry.type(description="The answer to somebody's leaving.")
class RemoveMemberPayload(Payload):
    """What removeMember answers with."""

    member: Member | None = strawberry.field(default=None, description="The person as they are now.")
    operation: Operation | None = strawberry.field(
        default=None,
        description="What became of the access in each client; null if there was none. It is here also when it was refused, and "
        "its outcomes say where.",
    )


def _removal(info: Info, input: RemoveMemberInput) -> MemberRemoval:
    options = given(input.options) or RemoveMemberOptions()
    with refusing_at("The reason", "input", "options", "reason"):
        reason = several_lines(options.reason or "", LONGEST_REASON) or None
    return MemberRemoval(
        member_id=decode_key(str(input.member), "Member"),
        issuer=info.context.issuer,
        review_token=given(input.review_token),
        reassign=reassignments_of(input.reassign),
        accept_lockout=bool(options.accept_lockout),
        reason=reason,
    )


async def _payload(info: Info, member_id: int, record: OperationRecord | None) -> RemoveMemberPayload:
    context = info.context
    refusals = [] if record is None else await context.load(removal_refusals, record)
    return RemoveMemberPayload(
        user_errors=[user_error(refusal) for refusal in refusals],
        member=shown(await context.load(members_by_id, member_id)),
        operation=shown(record),
    )


@strawberry.type
class MemberRemovalMutation:
    """The part of the root of all writes by which people leave."""

    @field(
        "Lets a person leave the partner: all of their access ends in one operation, and with it their rights, their default set "
        "and their lead of clients; their links are suspended. All or nothing: if one client cannot be left, nothing changes, "
        "userErrors has each reason once, with how many clients it is about, and the operation says where. What they have with other partners stays. Somebody who has left already is left alone. See "
        "`Member.leaverReport` and `Member.removalReview` first. Needs EDIT in the manager, and no access of your own in the "
        "clients; only a super admin of the partner account removes another."
    )
    @refusing(RemoveMemberPayload)
    async def remove_member(
        self,
        info: Info,
        input: Annotated[RemoveMemberInput, strawberry.argument(description="Who leaves, as reviewed.")],
    ) -> RemoveMemberPayload:
        """Lets somebody leave (R8, R9, R12, R14, N04)."""
        context = info.context
        viewer, removal = context.reader.viewer, _removal(info, input)
        if (given(input.options) or RemoveMemberOptions()).dry_run:
            member_id, dry_run = await preview_removal(context.database, viewer, removal)
            return await _payload(info, member_id, None if dry_run is None else of_dry_run(dry_run))
        removed = await remove_member(context.database, viewer, removal, idempotent_call(info, input))
        context.loaders.clear()
        if await context.load(members_by_id, removed.member_id) is None:
            raise refuse(
                RefusalCode.FORBIDDEN,
                "This was carried out before, but you may not see it any more: ask for your rights again.",
            )
        key = removed.operation_id
        return await _payload(
            info, removed.member_id, None if key is None else await context.load(operations_by_id, key)
        )
