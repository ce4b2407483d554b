"""Activity summed up, people who are not active, and when each was last active."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.activity import ActivityKind
from resolvers.activity.summary import ActivityDimension, ActivitySummaryRecord
from resolvers.client import clients_by_id
from resolvers.error import InputError
from resolvers.member import members_by_id
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.record import shown, shows

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member

described(
    ActivityDimension,
    "By what activity is summed up. Days, weeks and months are those of UTC.",
    PERSON="Each of the partner's people.",
    CLIENT="Each client.",
    KIND="What was done.",
    DAY="Each day.",
    WEEK="Each week, which begins on a Monday.",
    MONTH="Each month.",
)


@shows(ActivitySummaryRecord)
@strawberry.type(description="One group of a summary. What it is not summed up by is null.")
class ActivitySummary:
    """A group and its total (F52)."""

    record: strawberry.Private[ActivitySummaryRecord]
    total: int = column("How many events.")
    last_at: datetime = column("When the last of them happened.")
    kind: ActivityKind | None = column("What was done, if it is summed up by KIND.")
    day: date | None = column("The day, if it is summed up by DAY.")
    week: date | None = column("The Monday of the week, if it is summed up by WEEK.")
    month: date | None = column("The first day of the month, if it is summed up by MONTH.")

    @field("The client, if it is summed up by CLIENT.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client."""
        key = self.record.client_id
        found: Client | None = None if key is None else shown(await info.context.load(clients_by_id, key))
        return found

    @field("The person, if it is summed up by PERSON.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the person."""
        key = self.record.member_id
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found


By: TypeAlias = Annotated[
    list[ActivityDimension],
    strawberry.argument(
        description="By what, in any combination; by nothing gives one group of all. A summary with more than 10,000 groups is refused."
    ),
]


def dimensions(by: list[ActivityDimension]) -> tuple[ActivityDimension, ...]:
    """Returns the dimensions, each once.

    Raises:
        InputError: for more of them than there are.
    """
    if len(by) > len(ActivityDimension):
        raise InputError("by takes each dimension once.")
    return tuple(dict.fromkeys(by))
