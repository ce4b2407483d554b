"""The mutations that plan somebody's leaving, and take it back."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.member_removal import MemberRemoval
from resolvers.schedule.leave import LeavePlan, cancel_leave, schedule_leave
from resolvers.schedule.moment import time_ahead
from resolvers.schedule.record import scheduled_leaves_by_id
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.reassignment import REASSIGN, ReassignInput, reassignments_of
from schema.record import shown
from schema.requested_access import LONGEST_REASON
from schema.scheduled_leave import ScheduledLeave


@strawberry.input(description="Who leaves the partner when, and what becomes of their assets.")
class ScheduleLeaveInput:
    """What scheduleLeave takes (P14)."""

    member: strawberry.ID = strawberry.field(description="The person.")
    run_at: datetime = strawberry.field(description="When: in the future, at most a year ahead.")
    review_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The `token` of member.removalReview of all clients; needed if the person has access anywhere.",
    )
    reassign: list[ReassignInput] | None = strawberry.field(default=strawberry.UNSET, description=REASSIGN)
    accept_changes: bool | None = strawberry.field(
        default=False,
        description="What changes between now and then ends as well: access that comes, and assets. Otherwise, if anything has "
        "changed, nobody leaves: STALE_REVIEW. What is there now has to be as reviewed either way.",
    )
    accept_lockout: bool | None = strawberry.field(
        default=False, description="Accepts that clients are left with people but without an active partner admin."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for the record: at most 1,000 characters.")


@strawberry.input(description="Whose leaving is taken back.")
class CancelLeaveInput:
    """What cancelLeave takes."""

    member: strawberry.ID = strawberry.field(description="The person.")


@strawberry.type(description="The answer to planning somebody's leaving.")
class ScheduleLeavePayload(Payload):
    """What scheduleLeave answers with."""

    scheduled_leave: ScheduledLeave | None = strawberry.field(default=None, description="What is planned now.")


@strawberry.type(description="The answer to taking somebody's leaving back.")
class CancelLeavePayload(Payload):
    """What cancelLeave answers with."""

    scheduled_leave: ScheduledLeave | None = strawberry.field(default=None, description="What was planned.")


async def _shown(info: Info, key: int) -> ScheduledLeave:
    info.context.loaders.clear()
    record = await info.context.load(scheduled_leaves_by_id, key)
    if record is None:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "This was carried out before, but you may not see it any more: ask for your rights again.",
        )
    found: ScheduledLeave = shown(record)
    return found


@strawberry.type
class ScheduledLeaveMutation:
    """The part of the root of all writes that plans people's leaving."""

    @field(
        "Plans that a person leaves the partner, as removeMember would let them. Whoever plans it must be able to do that now; "
        "whether they still are, and all else, is judged when the time comes. Then all of it is done, or nothing: "
        "`Member.scheduledLeave` says what came of it, and who has planned it gets a mail if the person has not left. cancelLeave "
        "takes it back. Needs EDIT in the manager; only a super admin of the partner account removes another."
    )
    @refusing(ScheduleLeavePayload)
    async def schedule_leave(
        self, info: Info, input: Annotated[ScheduleLeaveInput, strawberry.argument(description="Who leaves, and when.")]
    ) -> ScheduleLeavePayload:
        """Plans a leaving (P14, R8, R13)."""
        context = info.context
        with refusing_at("The reason", "input", "reason"):
            reason = several_lines(input.reason or "", LONGEST_REASON) or None
        run_at = time_ahead(input.run_at, "input", "runAt")
        if run_at is None:
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "This moment has passed: choose a later one, or use removeMember to do it at once.",
                "input",
                "runAt",
            )
        removal = MemberRemoval(
            member_id=decode_key(str(input.member), "Member"),
            issuer=context.issuer,
            review_token=given(input.review_token),
            reassign=reassignments_of(input.reassign),
            accept_lockout=bool(input.accept_lockout),
            reason=reason,
            changed_too=bool(input.accept_changes),
        )
        plan, call = LeavePlan(removal, run_at), idempotent_call(info, input)
        key = await schedule_leave(context.database, context.reader.viewer, plan, call)
        return ScheduleLeavePayload(scheduled_leave=await _shown(info, key))

    @field("Takes back that a person is to leave the partner. Needs EDIT in the manager.")
    @refusing(CancelLeavePayload)
    async def cancel_leave(
        self, info: Info, input: Annotated[CancelLeaveInput, strawberry.argument(description="Whose leaving.")]
    ) -> CancelLeavePayload:
        """Takes a planned leaving back (P14)."""
        context = info.context
        member_id, call = decode_key(str(input.member), "Member"), idempotent_call(info, input)
        key = await cancel_leave(context.database, context.reader.viewer, member_id, call)
        return CancelLeavePayload(scheduled_leave=await _shown(info, key))
