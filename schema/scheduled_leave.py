"""Leavings that were planned."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.member import members_by_id
from resolvers.operation.record import operations_by_id
from resolvers.schedule.record import LeaveState, ScheduledLeaveRecord
from resolvers.user import users_by_id
from schema.connection import Connection
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.record import shown, shows
from schema.user import User

if TYPE_CHECKING:
    from schema.member import Member
    from schema.operation import Operation

described(
    LeaveState,
    "How far a planned leaving is.",
    "ScheduledLeaveState",
    WAITING="Its time has not come.",
    LEFT="The person has left.",
    REFUSED="The person has not left: see `code` and `message`.",
    CANCELLED="Was taken back before.",
)


@shows(ScheduledLeaveRecord)
@strawberry.type(description="That somebody leaves the partner on a day to come.")
class ScheduledLeave:
    """A planned leaving (P14)."""

    record: strawberry.Private[ScheduledLeaveRecord]
    state: LeaveState = column("How far it is.")
    run_at: datetime = column("When the person leaves.")
    created_at: datetime = column("When it was planned.")
    ended_at: datetime | None = column("When the person left, or did not, or it was taken back.")
    code: str | None = column(
        "Why the person has not left, for programs: a UserErrorCode or an OutcomeCode, such as ACTOR_LOST_AUTHORITY."
    )
    message: str | None = column("The same for people.")

    @field("Who is to leave.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        found: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return found

    @field("Who planned it.")
    async def requested_by(self, info: Info) -> User | None:
        """Returns who planned it."""
        found: User | None = shown(await info.context.load(users_by_id, self.record.requested_by_id))
        return found

    @field("Who took it back.")
    async def cancelled_by(self, info: Info) -> User | None:
        """Returns who took it back."""
        key = self.record.cancelled_by_id
        found: User | None = None if key is None else shown(await info.context.load(users_by_id, key))
        return found

    @field(
        "The operation that has ended the person's access, or whose outcomes say why it could not; null without any access."
    )
    async def operation(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")] | None:
        """Returns the operation."""
        key = self.record.operation_id
        found: Operation | None = None if key is None else shown(await info.context.load(operations_by_id, key))
        return found


@strawberry.type(description="One page of a list of planned leavings, the earliest first.")
class ScheduledLeaveConnection(Connection[ScheduledLeave]):
    """A page of planned leavings."""
