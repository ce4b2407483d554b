"""What the tests of activity have in common: events as a tool sends them, and what is kept of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self, TypeAlias

from sqlalchemy import select

from models.activity import activity_days, activity_events, last_activities
from models.database import Database
from schema.node import encode
from tests.api.caller import Caller
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow

NOON = datetime(2026, 10, 14, 12, tzinfo=UTC)
"""A Wednesday."""
RECORD = """mutation($input: RecordActivityInput!) { recordActivity(input: $input) {
  counts { recorded repeated refused } refused { index field code message } userErrors { code message field } } }"""
EVENT = """{ id at kind subject source eventId partnerName personName personEmail permission { key } client { id } member { id } }"""
_PAGE = "filter: $filter, first: $first, after: $after, last: $last, before: $before"
_ARGUMENTS = "$filter: ActivityFilter, $first: Int, $after: String, $last: Int, $before: String"
_LISTED = (
    f"activity({_PAGE}) {{ totalCount pageInfo {{ hasNextPage endCursor startCursor hasPreviousPage }} nodes {EVENT} }}"
)
FEED = f"query({_ARGUMENTS}) {{ partner {{ {_LISTED} }} }}"
NODE_FEED = f"""query($id: ID!, {_ARGUMENTS}) {{ node(id: $id) {{
  ... on Client {{ {_LISTED} }} ... on Member {{ {_LISTED} }} ... on Account {{ {_LISTED} }} ... on Partner {{ {_LISTED} }} }} }}"""
SUMMARY = """query($by: [ActivityDimension!]!, $filter: ActivityFilter) { partner { activitySummary(by: $by, filter: $filter) {
  total lastAt kind day week month client { id } member { id } } } }"""

Kept: TypeAlias = tuple[dict[tuple[Any, ...], tuple[int, datetime]], dict[tuple[int, int], datetime]]


@dataclass(frozen=True, slots=True)
class ActivityStory:
    """An agency with one person, who may act for it, and one client."""

    partner: PartnerRow
    actor: MemberRow
    client: ClientRow
    caller: Caller

    @classmethod
    async def begin(cls, factory: Factory) -> Self:
        partner = await factory.partner()
        actor, client = await factory.member(partner), await factory.client(partner)
        return cls(partner, actor, client, await Caller.signed_in(factory, actor))


def told(moment: datetime) -> str:
    """A moment as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def event(client: ClientRow, member: MemberRow, event_id: str, at: datetime = NOON, **values: Any) -> dict[str, Any]:
    """An event that names client and person by their ids."""
    where = {"client": encode("Client", client.id), "member": encode("Member", member.id)}
    return {**where, "kind": "UPDATED", "at": told(at), "eventId": event_id, **values}


async def record(caller: Caller, events: Sequence[Mapping[str, Any]], source: str = "crm", **values: Any) -> Any:
    """What recordActivity answers."""
    data = await caller.data(RECORD, input={"source": source, "events": events, **values})
    return data["recordActivity"]


async def recorded(caller: Caller, events: Sequence[Mapping[str, Any]], source: str = "crm") -> tuple[int, int]:
    """How many events were new and how many repeated; none may be refused."""
    answer = await record(caller, events, source)
    assert (answer["userErrors"], answer["refused"]) == ([], [])
    return answer["counts"]["recorded"], answer["counts"]["repeated"]


async def kept(database: Database) -> Kept:
    """The totals by day and the last moments, as they are kept."""
    async with database.read() as connection:
        days = (await connection.execute(select(activity_days))).all()
        last = (await connection.execute(select(last_activities))).all()
    return (
        {tuple(row[:6]): (row.total, row.last_at) for row in days},
        {(row.client_id, row.member_id): row.at for row in last},
    )


async def counted(database: Database) -> Kept:
    """The same, counted anew from the events."""
    async with database.read() as connection:
        rows = (await connection.execute(select(activity_events))).all()
    days: defaultdict[tuple[Any, ...], list[datetime]] = defaultdict(list)
    last: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    for row in rows:
        day: date = row.at.date()
        days[row.partner_id, day, row.client_id, row.member_id, row.kind, row.permission or ""].append(row.at)
        last[row.client_id, row.member_id].append(row.at)
    return {key: (len(at), max(at)) for key, at in days.items()}, {key: max(at) for key, at in last.items()}


async def check_kept(database: Database) -> None:
    """What is kept is what the events give."""
    assert await kept(database) == await counted(database)


def later(**span: float) -> datetime:
    """A moment so long after ``NOON``."""
    return NOON + timedelta(**span)
