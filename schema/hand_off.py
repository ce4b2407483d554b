"""Hand-offs: what somebody asks a colleague to do who could (N02)."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from models.hand_off import HandOffState
from resolvers.hand_off import record as hand_off_rows
from resolvers.hand_off.record import HandOffRecord, HandOffSide, hand_offs_by_id, outcomes_by_hand_off
from resolvers.member import members_by_id
from resolvers.operation.record import operations_by_id
from schema.connection import After, Before, Connection, First, Last, connection, given, requested, several
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.member import Member
from schema.node import Node, decode_key
from schema.operation import Operation
from schema.outcome import OutcomeConnection
from schema.record import shown, shows

described(
    HandOffState,
    "How far a hand-off is.",
    OPEN="Awaits the colleague's answer.",
    ACCEPTED="The colleague has accepted it: `accepted` is the operation that it has become.",
    DECLINED="The colleague has declined it; `reply` says why.",
    WITHDRAWN="Whoever asked has taken it back.",
    EXPIRED="Was not answered in time, or whoever asked or was asked has left the agency.",
)
described(
    HandOffSide,
    "On which side of hand-offs you are.",
    TO_ME="What you are asked to do.",
    BY_ME="What you have asked others to do.",
)


@shows(HandOffRecord, hand_offs_by_id)
@strawberry.type(
    description="Outcomes of an operation that somebody could not do for lack of authority, and that a colleague is asked to do."
)
class HandOff(Node):
    """A hand-off (N02)."""

    record: strawberry.Private[HandOffRecord]
    state: HandOffState = column("How far it is.")
    note: str = column("What whoever asks has written to the colleague.")
    reply: str = column("Why the colleague has declined it; empty otherwise.")
    created_at: datetime = column("When it was asked.")
    expires_at: datetime = column("Until when it can be answered.")
    answered_at: datetime | None = column("When it was answered or taken back.")
    total: int = column("How many outcomes it is about.")
    left_out: int = column(
        "Once it is accepted: of how many outcomes the colleague's operation is not about, because the access that was there was "
        "removed since, or something else would have been given than was asked for."
    )

    @field("Who asks.")
    async def asked_by(self, info: Info) -> Member:
        """Returns whoever asks."""
        member: Member = shown(await info.context.load(members_by_id, self.record.asker_id))
        return member

    @field("Who is asked.")
    async def to(self, info: Info) -> Member:
        """Returns whoever is asked."""
        member: Member = shown(await info.context.load(members_by_id, self.record.asked_id))
        return member

    @field("The operation in which it could not be done.")
    async def operation(self, info: Info) -> Operation:
        """Returns the operation."""
        operation: Operation = shown(await info.context.load(operations_by_id, self.record.operation_id))
        return operation

    @field("The operation under the colleague's own authority; null unless it was accepted.")
    async def accepted(self, info: Info) -> Operation | None:
        """Returns the operation that it has become."""
        key = self.record.accepted_id
        found: Operation | None = None if key is None else shown(await info.context.load(operations_by_id, key))
        return found

    @field("The outcomes that it is about: what was withheld or retained there, or refused.")
    async def outcomes(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> OutcomeConnection:
        """Returns one page of the outcomes."""
        page = requested(first, after, last, before)

        async def total() -> int:
            return self.record.total

        found: OutcomeConnection = connection(
            await info.context.load(outcomes_by_hand_off, self.record, page=page), total
        )
        return found


@strawberry.type(description="One page of a list of hand-offs, the newest first.")
class HandOffConnection(Connection[HandOff]):
    """A page of hand-offs."""


@strawberry.input(
    description="Which hand-offs: every field must fit. Fields that are left out do not filter; an empty list finds nothing."
)
class HandOffFilter:
    """The filter of a list of hand-offs."""

    states: list[HandOffState] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    side: HandOffSide | None = strawberry.field(
        default=strawberry.UNSET, description="Only those that ask you, or only those by which you ask."
    )
    operation: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Only those of this operation."
    )


HandOffFilterArgument: TypeAlias = Annotated[
    HandOffFilter | None, strawberry.argument(description="Which hand-offs; all if left out.")
]


def hand_off_filter(filter: HandOffFilter | None) -> hand_off_rows.HandOffFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    operation = given(filter.operation)
    return hand_off_rows.HandOffFilter(
        states=several(filter.states),
        side=given(filter.side),
        operation_id=None if operation is None else decode_key(str(operation), "Operation") or 0,
    )
