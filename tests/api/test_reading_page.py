"""Pages: sizes, directions, cursors, and rows that come and go between them (F23, T4, R4 to R7)."""

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, update

from models.client import clients
from models.database import Database
from models.text import fold
from resolvers.cursor import SortKind, encode_cursor
from tests.api.caller import Caller
from tests.factory import Factory, PartnerRow

PAGE = """
query Page($first: Int, $after: String, $last: Int, $before: String, $orderBy: ClientOrder, $filter: ClientFilter) {
  partner {
    clients(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy, filter: $filter) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { displayName } }
      nodes { displayName }
    }
  }
}
"""
ORDERS: list[dict[str, str]] = [
    {"field": field, "direction": direction}
    for field in ("NAME", "HUB_ID", "MANAGED_MRR", "TOTAL_EMPLOYEES", "SINCE")
    for direction in ("ASC", "DESC")
]


class Agency:
    """A partner with clients "c00", "c01", …, and somebody who looks at them."""

    def __init__(self, factory: Factory, partner: PartnerRow, caller: Caller) -> None:
        self.factory = factory
        self.partner = partner
        self.caller = caller

    @classmethod
    async def of(cls, factory: Factory, count: int) -> "Agency":
        partner = await factory.partner()
        caller = await Caller.signed_in(factory, await factory.member(partner))
        made = cls(factory, partner, caller)
        for number in range(count):
            amount = None if number % 3 == 0 else number % 4
            await made.add(f"c{number:02}", managed_mrr=amount)
        return made

    async def add(self, name: str, managed_mrr: Any = None) -> None:
        amount = None if managed_mrr is None else Decimal(managed_mrr)
        await self.factory.client(self.partner, name, managed_mrr=amount)

    async def page(self, **variables: Any) -> Any:
        found = (await self.caller.data(PAGE, **variables))["partner"]["clients"]
        assert [edge["node"] for edge in found["edges"]] == found["nodes"]
        return found


def names(page: Any) -> list[str]:
    return [node["displayName"] for node in page["nodes"]]


async def test_a_page_has_25_items_unless_asked_otherwise(factory: Factory) -> None:
    """F23: next and previous, and a total."""
    agency = await Agency.of(factory, 30)
    page = await agency.page()
    assert (len(page["nodes"]), page["totalCount"]) == (25, 30)
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (True, False)
    rest = await agency.page(after=page["pageInfo"]["endCursor"])
    assert (names(rest), rest["totalCount"]) == ([f"c{number}" for number in range(25, 30)], 30)
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    back = await agency.page(last=25, before=rest["pageInfo"]["startCursor"])
    assert names(back) == names(page)
    assert (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"]) == (True, False)
    end = await agency.page(last=2)
    assert (names(end), end["pageInfo"]["hasPreviousPage"]) == (["c28", "c29"], True)
    between = await agency.page(after=page["edges"][3]["cursor"], before=page["edges"][6]["cursor"])
    assert names(between) == ["c04", "c05"]
    empty = await agency.page(after=rest["pageInfo"]["endCursor"])
    assert (empty["nodes"], empty["totalCount"]) == ([], 30)
    assert (empty["pageInfo"]["startCursor"], empty["pageInfo"]["endCursor"]) == (None, None)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: f"{order['field']}-{order['direction']}")
async def test_pages_forwards_and_backwards_give_each_row_once_in_every_order(
    factory: Factory, order: dict[str, str]
) -> None:
    """R7: equal values and NULLs are sorted by key, so that no row is repeated or skipped."""
    agency = await Agency.of(factory, 11)
    whole = names(await agency.page(first=100, orderBy=order))
    assert sorted(whole) == [f"c{number:02}" for number in range(11)]
    for size, direction in ((1, "after"), (3, "after"), (4, "before")):
        found: list[str] = []
        cursor = None
        while True:
            sized = {"first": size} if direction == "after" else {"last": size}
            page = await agency.page(orderBy=order, **sized, **{direction: cursor})
            found = found + names(page) if direction == "after" else names(page) + found
            info = page["pageInfo"]
            if not info["hasNextPage" if direction == "after" else "hasPreviousPage"]:
                break
            cursor = info["endCursor" if direction == "after" else "startCursor"]
        assert found == whole


async def test_rows_that_were_there_throughout_are_neither_repeated_nor_skipped(factory: Factory) -> None:
    """T4: others come, go and are renamed between the pages, the row of the cursor among them."""
    agency = await Agency.of(factory, 20)
    stable = {f"c{number:02}" for number in range(20)} - {"c03", "c07", "c09"}
    changes: Iterator[Any] = iter(
        (
            lambda: agency.add("c00a"),
            lambda: _remove(factory.database, "c03", "c07"),
            lambda: agency.add("c07a"),
            lambda: _rename(factory.database, "c09", "a-first"),
        )
    )
    seen: list[str] = []
    cursor = None
    while True:
        page = await agency.page(first=4, after=cursor)
        seen += names(page)
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]
        if change := next(changes, None):
            await change()
    assert [name for name in seen if name in stable] == sorted(stable)
    assert next(changes, None) is None


@pytest.mark.parametrize("sizes", [{"first": 0}, {"first": 101}, {"last": -1}, {"first": 1, "last": 1}])
async def test_sizes_outside_the_bounds_are_refused(factory: Factory, sizes: dict[str, int]) -> None:
    """R4."""
    agency = await Agency.of(factory, 0)
    assert await agency.caller.code(PAGE, **sizes) == "BAD_INPUT"


def _packed(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "AAAA",
        "a" * 30_000,
        _packed(None),
        _packed([]),
        _packed([1, "client.NAME", "c", "1"]),
        _packed([1, "client.NAME", 7, 1]),
        _packed([1, "client.NAME", "c", 2**63]),
        _packed([1, "client.NAME", "c", True]),
        _packed([1, "client.NAME", "c\0", 1]),
        _packed([1, "client.NAME", "\ud800", 1]),
        _packed([2, "client.NAME", "c", 1]),
        _packed([1, "client.NAME", "c", 1, 1]),
        encode_cursor("client.HUB_ID", SortKind.NUMBER, 7, 1),
        encode_cursor("member.NAME", SortKind.TEXT, "c", 1),
        base64.urlsafe_b64encode(b"[" * 15_000).decode(),
    ],
)
async def test_a_cursor_of_another_list_or_none_at_all_is_a_bad_cursor(factory: Factory, cursor: str) -> None:
    """R5."""
    agency = await Agency.of(factory, 1)
    assert await agency.caller.code(PAGE, after=cursor) == "BAD_CURSOR"
    assert await agency.caller.code(PAGE, before=cursor, last=1) == "BAD_CURSOR"


@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [
        ("HUB_ID", SortKind.TEXT, "7"),
        ("HUB_ID", SortKind.TEXT, None),
        ("MANAGED_MRR", SortKind.AMOUNT, "NaN"),
        ("MANAGED_MRR", SortKind.AMOUNT, "1e400"),
        ("MANAGED_MRR", SortKind.AMOUNT, "x"),
        ("SINCE", SortKind.TEXT, "yesterday"),
        ("SINCE", SortKind.TEXT, "2026-11-01T09:00:00"),
        ("SINCE", SortKind.TEXT, "0001-01-01T00:00:00+23:00"),
    ],
)
async def test_a_cursor_with_a_wrong_value_is_a_bad_cursor(
    factory: Factory, field: str, kind: SortKind, value: Any
) -> None:
    """R5: nothing that is not of the order's kind reaches the database."""
    agency = await Agency.of(factory, 1)
    cursor = encode_cursor(f"client.{field}", kind, value, 1)
    assert await agency.caller.code(PAGE, after=cursor, orderBy={"field": field}) == "BAD_CURSOR"


async def test_the_first_of_each_of_several_parents_are_their_own(factory: Factory) -> None:
    """F29, T3: nested pages are cut for each parent alone, forwards and backwards."""
    partner = await factory.partner()
    people = await factory.members(partner, 4)
    rows = [await factory.client(partner, f"c{number}") for number in range(3)]
    for number, client in enumerate(rows):
        for person in people[number:]:
            await factory.grant(client, person)
    caller = await Caller.signed_in(factory, people[0])
    query = """query($first: Int, $last: Int) { partner { clients { nodes {
      grants(first: $first, last: $last) { totalCount pageInfo { hasNextPage } nodes { member { user { email } } } } } } } }"""
    for sizes, part in (({"first": 2}, slice(0, 2)), ({"last": 2}, slice(-2, None))):
        found = (await caller.data(query, **sizes))["partner"]["clients"]["nodes"]
        for number, client in enumerate(found):
            wanted = [person.email for person in people[number:]]
            assert [node["member"]["user"]["email"] for node in client["grants"]["nodes"]] == wanted[part]
            assert client["grants"]["totalCount"] == len(wanted)
            assert client["grants"]["pageInfo"]["hasNextPage"] == ("first" in sizes and len(wanted) > 2)


async def _remove(database: Database, *found: str) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(delete(clients).where(clients.c.sort_name.in_([fold(name) for name in found])))


async def _rename(database: Database, old: str, new: str) -> None:
    async with database.write() as session:
        connection = await session.connection()
        statement = update(clients).where(clients.c.sort_name == fold(old))
        await connection.execute(statement.values(display_name=new, sort_name=fold(new)))
