"""The elevated-access report: who held partner admin, super admin or a sensitive permission, when, by whom and why (P23)."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from models.database import Database
from models.grant import AccessType, GrantStatus, Seat, grants
from models.operation import OperationKind, OperationState, RuleMode, cell_key, operations
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.demo.cast import DEMO_PEOPLE
from resolvers.elevated_access.report import (
    ElevatedAccessFilter,
    ElevatedAccessRecord,
    elevated_access_by_partner,
    elevated_access_total_by_partner,
)
from resolvers.export.elevated_access import export_elevated_access
from resolvers.export.source import ExportSource
from resolvers.page import PageRequest
from resolvers.partner_creation import user_by_email
from resolvers.reader import Reader
from resolvers.sign_in import viewer_of
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import REVOKE, ClientStory
from tests.api.elevated_oracle import SENSITIVE, Span, spans
from tests.api.write_story import Story, permissions
from tests.factory import Factory, GrantRow
from tests.statement_recorder import StatementRecorder

ROW = """{ id accessType since until begunAt endedAt stillHeld expired personName personEmail partnerName
  sensitivePermissions { key } client { id } member { id }
  grantedIn { id kind askedFor askedByName reason } endedIn { id kind askedFor askedByName reason } }"""
ARGUMENTS = "$filter: ElevatedAccessFilter, $first: Int, $after: String, $last: Int, $before: String"
PAGE = f"""elevatedAccess(filter: $filter, first: $first, after: $after, last: $last, before: $before) {{
  totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {ROW} }}"""
OF_PARTNER = f"query($partner: ID, {ARGUMENTS}) {{ partner(id: $partner) {{ {PAGE} }} }}"
OF_ACCOUNT = f"query($hubId: String!, {ARGUMENTS}) {{ account(by: {{hubId: $hubId}}) {{ {PAGE} }} }}"


async def of_partner(caller: Caller, **arguments: Any) -> Any:
    return (await caller.data(OF_PARTNER, **arguments))["partner"]["elevatedAccess"]


async def of_account(story: ClientStory, **arguments: Any) -> Any:
    data = await story.caller.data(OF_ACCOUNT, hubId=str(story.account.hub_id), **arguments)
    return data["account"]["elevatedAccess"]


def told(row: Any) -> tuple[str, str, set[str]]:
    return row["personName"], row["accessType"], {permission["key"] for permission in row["sensitivePermissions"]}


async def retime(database: Database, *moments: datetime) -> None:
    """Gives the entries of the timeline, in their order, these moments."""
    async with database.write() as session:
        connection = await session.connection()
        keys = (await connection.execute(select(timeline_entries.c.id).order_by(timeline_entries.c.id))).scalars().all()
        for key, moment in zip(keys, moments, strict=True):
            await connection.execute(update(timeline_entries).where(timeline_entries.c.id == key).values(at=moment))


def day(number: int) -> datetime:
    return datetime(2026, 3, number, 12, tzinfo=UTC)


async def test_p23_since_when_by_whom_why_and_ended_by_whom(factory: Factory, database: Database) -> None:
    """Billing is given, taken again, and given to somebody who becomes partner admin; ordinary access is no row."""
    story = await Story.begin(factory)
    vera = await factory.member(story.partner, "Vera Vance")
    ordinary = await factory.member(story.partner, "Olaf Ordinary")
    await story.grant(ordinary, permissions({"contacts.view": "ALL"}))
    await story.grant(vera, permissions({"export": "ALL", "contacts.view": "ALL"}), options={"reason": "Moving data."})
    await story.change(vera, permissions({"export": "ALL", "contacts.edit": "ALL", "contacts.view": "ALL"}))
    await story.change(vera, permissions({"contacts.view": "ALL"}), options={"reason": "Moved."})
    caller = Caller(database, story.viewer)
    page = await of_partner(caller)
    export, boss = page["nodes"]
    assert page["totalCount"] == 2
    assert told(export) == ("Vera Vance", "STANDARD", {"export"})
    assert (export["personEmail"], export["partnerName"]) == (vera.email, story.partner.name)
    assert (export["member"]["id"], export["client"]["id"]) == (
        encode("Member", vera.id),
        encode("Client", story.client.id),
    )
    asked = {
        "askedFor": "PARTNER",
        "askedByName": (await caller.data("{ viewer { user { name } } }"))["viewer"]["user"]["name"],
    }
    given, ended = export["grantedIn"], export["endedIn"]
    assert {"kind": "GRANT", "reason": "Moving data.", **asked} == {key: given[key] for key in given if key != "id"}
    assert {"kind": "CHANGE", "reason": "Moved.", **asked} == {key: ended[key] for key in ended if key != "id"}
    assert (export["stillHeld"], export["expired"], export["since"], export["until"]) == (
        False,
        False,
        export["begunAt"],
        export["endedAt"],
    )
    assert (boss["accessType"], boss["stillHeld"], boss["endedIn"], boss["until"]) == (
        "PARTNER_ADMIN",
        True,
        None,
        None,
    )
    assert {"billing", "super_admins"} & told(boss)[2] == set()
    assert {"export", "users.add"} <= told(boss)[2]


async def test_the_period_cuts_what_is_told_and_says_what_really_was(factory: Factory, database: Database) -> None:
    story = await ClientStory.begin(factory)
    admin = await factory.partner_admin(story.client, await story.someone(name="Ada Admin"))
    admin = await factory.move(admin, GrantStatus.DEACTIVATED)
    await factory.move(admin, GrantStatus.ACTIVE)
    await retime(database, day(1), day(10), day(20), day(25))
    caller = await Caller.signed_in(factory, await story.someone())

    async def found(since: int | None, until: int | None) -> list[tuple[str, str | None, str, str | None, bool]]:
        filter_ = {
            name: day(number).isoformat() for name, number in (("since", since), ("until", until)) if number is not None
        }
        page = await of_partner(caller, filter=filter_)
        assert page["totalCount"] == len(page["nodes"])
        return [
            (
                row["since"][8:10],
                row["until"] and row["until"][8:10],
                row["begunAt"][8:10],
                row["endedAt"] and row["endedAt"][8:10],
                row["stillHeld"],
            )
            for row in page["nodes"]
        ]

    first, second = ("10", "20", "10", "20", False), ("25", None, "25", None, True)
    assert await found(None, None) == [second, first]
    assert await found(12, 15) == [("12", "15", "10", "20", False)]
    assert await found(5, 15) == [("10", "15", "10", "20", False)]
    assert await found(15, 28) == [("25", "28", "25", None, True), ("15", "20", "10", "20", False)]
    assert await found(20, 25) == []
    assert await found(1, 10) == []
    assert await found(26, None) == [("26", None, "25", None, True)]
    assert (
        await caller.code(OF_PARTNER, filter={"since": "2026-03-10T00:00:00Z", "until": "2026-03-10T00:00:00Z"})
        == "BAD_INPUT"
    )
    assert await caller.code(OF_PARTNER, filter={"since": "2126-03-10T00:00:00Z"}) == "BAD_INPUT"


async def test_p04_what_expired_is_not_held_though_nobody_ended_it(factory: Factory, database: Database) -> None:
    story = await ClientStory.begin(factory)
    past, future = now() - timedelta(hours=1), now() + timedelta(days=1)
    for name, end in (("Past Person", past), ("Future Person", future)):
        grant = await factory.grant(story.client, await story.someone(name=name), {"billing": "ALL"}, expires_at=end)
        async with database.write() as session:
            of_grant = update(timeline_entries).where(timeline_entries.c.grant_id == grant.id)
            await (await session.connection()).execute(of_grant.values(after_expires_at=end))
    caller = await Caller.signed_in(factory, await story.someone())
    to_come, over = (await of_partner(caller))["nodes"]
    assert (to_come["personName"], to_come["stillHeld"], to_come["expired"]) == ("Future Person", True, False)
    assert (to_come["endedAt"], to_come["until"], to_come["endedIn"]) == (None, None, None)
    assert (over["personName"], over["stillHeld"], over["expired"], over["endedIn"]) == (
        "Past Person",
        False,
        True,
        None,
    )
    assert datetime.fromisoformat(over["endedAt"]) == past
    held = await of_partner(caller, filter={"stillHeld": True})
    assert [row["personName"] for row in held["nodes"]] == ["Future Person"]
    ended = await of_partner(caller, filter={"stillHeld": False})
    assert [row["personName"] for row in ended["nodes"]] == ["Past Person"]


async def test_the_filter_is_by_access_type_permission_person_and_client(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    second = await factory.client(story.partner)
    ada, bea, cleo = [await story.someone(name=name) for name in ("Ada Ångström", "Bea Billing", "Cleo Crown")]
    await factory.partner_admin(story.client, ada)
    await factory.grant(second, bea, {"billing": "ALL"})
    await factory.super_admin(second, cleo)
    caller = await Caller.signed_in(factory, ada)

    async def found(**filter_: Any) -> list[str]:
        page = await of_partner(caller, filter=filter_)
        assert page["totalCount"] == len(page["nodes"])
        return [row["personName"].split()[0] for row in page["nodes"]]

    assert await found() == ["Cleo", "Bea", "Ada"]
    assert await found(accessTypes=["PARTNER_ADMIN", "SUPER_ADMIN"]) == ["Cleo", "Ada"]
    assert await found(accessTypes=["STANDARD"]) == ["Bea"]
    assert await found(accessTypes=[]) == []
    assert await found(permissions=["billing"]) == ["Cleo", "Bea"]
    assert await found(permissions=["security.edit", "billing"]) == ["Cleo", "Bea", "Ada"]
    assert await found(permissions=[]) == []
    assert await found(members=[encode("Member", ada.id), encode("Member", bea.id), "nonsense"]) == ["Bea", "Ada"]
    assert await found(clients=[encode("Client", second.id)], accessTypes=["STANDARD"]) == ["Bea"]
    assert await found(clients=[]) == []
    assert await found(search="angstrom") == ["Ada"]
    assert await caller.code(OF_PARTNER, filter={"permissions": ["contacts.view"]}) == "BAD_INPUT"
    assert await caller.code(OF_PARTNER, filter={"members": ["x"] * 1_001}) == "BAD_INPUT"
    assert await caller.code(OF_PARTNER, filter={"search": "x" * 201}) == "BAD_INPUT"


async def test_n08_t1_the_account_sees_everybodys_and_no_partner_anybody_elses(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    south = await story.other_agency()
    ada, sam = await story.someone(name="Ada Admin"), await story.someone(south, "Sam South")
    await factory.partner_admin(story.client, ada)
    await factory.super_admin(south, sam)
    elsewhere = await factory.client(story.partner)
    await factory.partner_admin(elsewhere, ada)
    assert (await story.decide(REVOKE, reason="Enough."))["revoked"] == 1
    page = await of_account(story)
    assert [(row["partnerName"], row["personName"], row["stillHeld"]) for row in page["nodes"]] == [
        ("South Agency", "Sam South", True),
        ("North Agency", "Ada Admin", False),
        (None, story.owner.email, True),
    ]
    assert page["totalCount"] == 3
    assert {(row["client"], row["member"]) for row in page["nodes"]} == {(None, None)}
    (ended,) = [row["endedIn"] for row in page["nodes"] if row["endedIn"]]
    assert (ended["askedFor"], ended["askedByName"], ended["reason"]) == ("CLIENT", story.owner.email, "Enough.")
    north = await Caller.signed_in(factory, ada)
    told_north = (await of_partner(north))["nodes"]
    assert [row["stillHeld"] for row in told_north] == [True, False]
    assert told_north[1]["endedIn"]["askedByName"] is None
    assert not any(foreign in str(told_north) for foreign in ("South", story.owner.email))
    for filter_ in (
        {"members": [encode("Member", sam.id)]},
        {"clients": [encode("Client", south.id)]},
        {"search": "South"},
        {"members": [encode("Member", 10**9)]},
    ):
        assert (await of_partner(north, filter=filter_))["totalCount"] == 0, filter_
    # What a partner calls its people and clients are no words of the account's.
    assert (await of_account(story, filter={"members": [encode("Member", ada.id)]}))["nodes"] == []
    south_caller = await Caller.signed_in(factory, sam)
    key = encode("Partner", story.partner.id)
    assert (await south_caller.data(OF_PARTNER, partner=key))["partner"] is None
    assert (await of_partner(south_caller))["totalCount"] == 1


async def test_f02_it_needs_the_manager_and_of_an_account_to_decide_for_it(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    closed = await Caller.signed_in(factory, await story.someone(manager_rights="NONE"))
    assert await closed.code(OF_PARTNER) == "FORBIDDEN"
    reader = await factory.user()
    await factory.own_person(story.account, reader, {"contacts.view": "ALL"})
    caller = await Caller.signed_in(factory, reader)
    assert await caller.code(OF_ACCOUNT, hubId=str(story.account.hub_id)) == "FORBIDDEN"
    stranger = await Caller.signed_in(factory, await factory.user())
    assert (await stranger.data(OF_ACCOUNT, hubId=str(story.account.hub_id)))["account"] is None


async def test_t4_pages_go_both_ways_and_t3_take_as_many_statements_however_long(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await ClientStory.begin(factory)
    caller = await Caller.signed_in(factory, await story.someone())

    async def add(number: int) -> None:
        for person in await factory.members(story.partner, number):
            await factory.partner_admin(story.client, person)

    await add(2)
    counts = []
    for _ in range(2):
        with recorder:
            await of_partner(caller, first=100)
            await of_account(story, first=100)
        counts.append(recorder.count)
        await add(3)
    assert counts[0] == counts[1]
    everything = [row["id"] for row in (await of_partner(caller, first=100))["nodes"]]
    assert len(set(everything)) == 8
    pages = [await of_partner(caller, first=3)]
    await add(1)
    while pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(await of_partner(caller, first=3, after=pages[-1]["pageInfo"]["endCursor"]))
    assert [row["id"] for page in pages for row in page["nodes"]] == everything
    back = [await of_partner(caller, last=3)]
    while back[-1]["pageInfo"]["hasPreviousPage"]:
        back.append(await of_partner(caller, last=3, before=back[-1]["pageInfo"]["startCursor"]))
    assert [row["id"] for page in reversed(back) for row in page["nodes"]][1:] == everything
    for cursor in ("", "x", pages[0]["pageInfo"]["endCursor"][:-4]):
        assert await caller.code(OF_PARTNER, after=cursor) == "BAD_CURSOR"


async def report(reader: Reader, partner_id: int, filter_: ElevatedAccessFilter) -> list[ElevatedAccessRecord]:
    """All rows, page by page."""
    found: list[ElevatedAccessRecord] = []
    after = None
    while True:
        request = PageRequest(100, after=after)
        (page,) = await elevated_access_by_partner(reader, [partner_id], filter=filter_, page=request)
        found += page.items
        if not page.has_next:
            break
        after = page.cursor(len(page.items) - 1)
    assert await elevated_access_total_by_partner(reader, [partner_id], filter=filter_) == [len(found)]
    return found


def compared(records: Sequence[ElevatedAccessRecord]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            *(record.id, record.access_type, {key.key for key in record.sensitive_permissions} == set()),
            *(
                sorted(permission.key for permission in record.sensitive_permissions),
                record.begun_at,
                str(record.ended_at),
            ),
            *(record.since, str(record.until), record.ended and record.ended.id, record.begun.id),
        )
        for record in records
    )


def expected(found: Sequence[Span], since: datetime | None, until: datetime | None) -> list[tuple[Any, ...]]:
    return sorted(
        (
            *(span.entry_id, span.access_type, not span.permissions, sorted(span.permissions)),
            *(span.begun_at, str(span.ended_at), span.clipped(since, until)[0], str(span.clipped(since, until)[1])),
            *(span.ended_id, span.entry_id),
        )
        for span in found
        if span.during(since, until)
    )


@pytest.mark.parametrize("demo_url", ["sqlite"], indirect=True)
async def test_p23_the_report_of_the_demo_agency_is_the_one_made_of_raw_rows(demo_agency: Database) -> None:
    """As the API and as the exported file tell it, for several periods; on SQLite, for the random lives below are on both."""
    async with demo_agency.read() as connection:
        viewer = await viewer_of(connection, await user_by_email(connection, DEMO_PEOPLE[0].email))
    reader, partner_id = Reader(demo_agency, viewer), viewer.meant_partner_id or 0
    raw = await spans(demo_agency, now(), partner_id=partner_id)
    source = ExportSource(partner_id=partner_id)
    for since, until in (
        (None, None),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)),
        (datetime(2026, 6, 18, tzinfo=UTC), datetime(2026, 6, 18, 13, 30, tzinfo=UTC)),
    ):
        wanted, filter_ = expected(raw, since, until), ElevatedAccessFilter(since=since, until=until)
        assert compared(await report(reader, partner_id, filter_)) == wanted
        assert len(wanted) > 100
        assert since is None or len(wanted) < len(raw)
        exported = [
            row
            async for part in export_elevated_access(reader, source, filter_, lambda _, key: str(key))
            for row in part
        ]
        assert sorted((int(str(row["id"])), row["since"], str(row["until"])) for row in exported) == [
            (row[0], row[6], row[7]) for row in wanted
        ]


KINDS = (AccessType.STANDARD, AccessType.PARTNER_ADMIN, AccessType.SUPER_ADMIN)
LEVELS: tuple[dict[str, str], ...] = (
    {},
    {"contacts.view": "ALL"},
    {"billing": "ALL"},
    {"export": "ALL", "contacts.view": "ALL"},
    {"billing": "ALL", "export": "ALL"},
)


async def live(database: Database, grant: GrantRow, states: Sequence[int], chance: random.Random) -> None:
    """Writes a random life of a grant: what follows its first entry, and what it is in the end."""
    async with database.write() as session:
        connection = await session.connection()
        row, at = grant, day(1)
        first = update(timeline_entries).where(timeline_entries.c.grant_id == grant.id)
        expires = chance.choice([None, None, day(4)])
        await connection.execute(first.values(at=at, after_expires_at=expires))
        for _ in range(chance.randrange(6)):
            before, at = row, at + timedelta(days=chance.randrange(1, 5))
            row = replace(
                before,
                status=chance.choice([GrantStatus.ACTIVE, GrantStatus.ACTIVE, GrantStatus.DEACTIVATED]),
                access_type=chance.choice(KINDS),
                state_id=chance.choice(states),
                version=before.version + 1,
            )
            expires = chance.choice([expires, None, at + timedelta(days=chance.randrange(1, 6))])
            asked = insert(operations).values(
                partner_id=row.partner_id,
                kind=OperationKind.CHANGE,
                state=OperationState.COMPLETED,
                mode=RuleMode.CLAMP,
                created_at=at,
                atomic=False,
                request="{}",
                **dict.fromkeys(("total", "applied", "noop", "rejected", "failed"), 0),
            )
            number = (await connection.execute(asked.returning(operations.c.id))).scalar_one()
            await connection.execute(
                insert(timeline_entries).values(
                    id=cell_key(number, 0),
                    operation_id=number,
                    at=at,
                    grant_id=row.id,
                    **{key: getattr(row, key) for key in ("partner_id", "account_id", "client_id", "member_id")},
                    before_status=before.status,
                    before_access_type=before.access_type,
                    before_state_id=before.state_id,
                    after_status=row.status,
                    after_access_type=row.access_type,
                    after_seat=Seat.PARTNER,
                    after_state_id=row.state_id,
                    after_expires_at=expires,
                )
            )
        left = {key: getattr(row, key) for key in ("status", "access_type", "state_id", "version")}
        await connection.execute(
            update(grants).where(grants.c.id == grant.id).values(**left, seat=Seat.PARTNER, expires_at=expires)
        )


async def test_p23_random_lives_are_told_as_raw_rows_tell_them(
    factory: Factory,
    database: Database,
    thorough: bool,  # noqa: FBT001 a fixture
) -> None:
    """Every order of kinds, states, deactivation and expiry, and periods that begin and end anywhere among them."""
    story = await ClientStory.begin(factory)
    chance = random.Random(20261122)  # noqa: S311 the same lives each time
    states = [await factory.state(levels) for levels in LEVELS]
    for person in await factory.members(story.partner, 300 if thorough else 20):
        grant = await factory.grant(story.client, person, chance.choice(LEVELS))
        await live(database, grant, states, chance)
    caller = await Caller.signed_in(factory, await story.someone())
    reader = Reader(database, caller.viewer)
    raw = await spans(database, now(), partner_id=story.partner.id)
    assert {span.access_type for span in raw} == set(KINDS)
    assert {(span.ended_id is None, span.ended_at is None) for span in raw} == {
        (True, True),
        (True, False),
        (False, False),
    }
    for since, until in ((None, None), (day(3), day(4)), (day(5), None), (None, day(6)), (day(10), day(30))):
        found = await report(reader, story.partner.id, ElevatedAccessFilter(since=since, until=until))
        assert compared(found) == expected(raw, since, until), (since, until)


def test_what_is_sensitive_is_in_the_catalogue() -> None:
    assert {"billing", "export", "users.add", "super_admins"} <= SENSITIVE
