"""An ecosystem: as large as asked for, the same each time, true in all that it says, and never mistaken for whole."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.database import Database
from models.grant import grants
from models.lifetime import fork
from models.member import members
from models.operation import CELLS, OutcomeStatus, decisions, operations
from models.outcome import outcomes
from models.partner import partners
from models.permission_set import permission_sets
from models.table import now
from models.team import grant_teams
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers.consistency.ledger import findings
from resolvers.demo import ecosystem
from resolvers.demo.agency import FIRST_AGENCY, agencies
from resolvers.demo.course import Fate, Way, course, every_state
from resolvers.demo.ecosystem import load_ecosystem
from resolvers.demo.ecosystem_size import EcosystemSize, apportioned, ecosystem_size, shares
from resolvers.demo.house_set import templates
from resolvers.demo.load import load_demo
from resolvers.demo.row_stream import RowStream
from resolvers.demo.sign_in import demo_people, demo_tokens
from resolvers.error import RefusedError
from resolvers.sign_in import sign_in
from tests.factory import Factory
from tests.storage.test_demo import check_counters, check_history, check_states, everything

SIZE = ecosystem_size(people=150, clients=120, agencies=5, grants=1_000)
TINY = ecosystem_size(people=40, clients=12, agencies=3, grants=60)


async def count(connection: AsyncConnection, table: Any) -> int:
    return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def check_outcomes(connection: AsyncConnection) -> None:
    """Each outcome is of its decision and about its grant, and each operation counts its own by status."""
    told = await connection.execute(
        select(
            outcomes,
            decisions.c.status.label("decided"),
            grants.c.client_id.label("place"),
            grants.c.member_id.label("who"),
        )
        .outerjoin(
            decisions,
            (decisions.c.operation_id == outcomes.c.operation_id) & (decisions.c.number == outcomes.c.decision),
        )
        .outerjoin(grants, grants.c.id == outcomes.c.grant_id)
    )
    counts: Counter[tuple[int, str]] = Counter()
    applied = set()
    for row in told:
        assert row.status == row.decided
        assert row.grant_id is None or (row.place, row.who) == (row.client_id, row.member_id)
        counts[row.operation_id, row.status] += 1
        if row.status == OutcomeStatus.APPLIED:
            applied.add(row.operation_id * CELLS + row.position)
    for operation in await connection.execute(select(operations).where(operations.c.partner_id.is_not(None))):
        kept = (operation.applied, operation.noop, operation.rejected)
        assert kept == tuple(counts[operation.id, status] for status in ("APPLIED", "NOOP", "REJECTED"))
    entries = select(timeline_entries.c.id).where(timeline_entries.c.client_id.is_not(None))
    assert set(await connection.scalars(entries)) == applied
    first_entries = select(grants.c.id, timeline_entries.c.grant_id).outerjoin(
        timeline_entries, timeline_entries.c.id == grants.c.id
    )
    assert all(key == grant_id for key, grant_id in await connection.execute(first_entries))


async def check_versions_and_teams(connection: AsyncConnection) -> None:
    """A grant has a version for each entry, and the teams that its first entry gave."""
    entries: Counter[int] = Counter()
    given: dict[int, str] = {}
    last: dict[int, datetime] = {}
    for row in await connection.execute(select(timeline_entries).order_by(timeline_entries.c.id)):
        entries[row.grant_id] += 1
        last[row.grant_id] = row.at
        if row.after_teams is not None:
            given[row.grant_id] = row.after_teams
    for row in await connection.execute(select(grants)):
        assert row.version == entries[row.id]
        assert row.ended == (row.id if row.status == "REMOVED" else 0)
        assert row.removed_at == (last[row.id] if row.status == "REMOVED" else None)
        assert row.fork == (row.removed_at and fork(row.since, row.removed_at))
    teams: dict[int, set[str]] = {}
    for row in await connection.execute(select(grant_teams)):
        teams.setdefault(row.grant_id, set()).add(f"{row.team_id}*" if row.is_primary else str(row.team_id))
    assert teams
    assert teams == {key: set(text.split()) for key, text in given.items()}


async def test_an_ecosystem_is_as_large_as_asked_for_and_true(database: Database) -> None:
    told: list[tuple[int, int]] = []
    assert await load_ecosystem(database, SIZE, lambda done, total: told.append((done, total)))
    assert told[-1] == (120, 120)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert [(found.check.key, found.told) async for found in findings(database) if found.faults] == []
    async with database.read() as connection:
        assert await count(connection, partners) == 5
        assert await count(connection, members) == 150
        assert await count(connection, clients) == 120
        assert await count(connection, grants.select().where(grants.c.client_id.is_not(None)).subquery()) == 1_000
        sizes = await connection.execute(
            select(func.count()).select_from(clients).group_by(clients.c.partner_id).order_by(clients.c.partner_id)
        )
        assert list(sizes.scalars()) == [share.clients for share in shares(SIZE)]
        # Accounts that two agencies work in, and people who work for two.
        assert 0 < 120 - await count(connection, accounts) < 20
        workers = select(func.count(members.c.user_id.distinct()))
        assert 0 < 150 - (await connection.scalar(workers) or 0) < 10
        assert await count(
            connection, permission_sets.select().where(permission_sets.c.partner_id.is_not(None)).subquery()
        )
        await check_counters(connection)
        await check_history(connection)
        await check_states(connection)
        await check_outcomes(connection)
        await check_versions_and_teams(connection)
        kinds: dict[str, int] = dict(
            (await connection.execute(select(grants.c.access_type, func.count()).group_by(grants.c.access_type))).all()
        )
        assert kinds["STANDARD"] > kinds["PARTNER_ADMIN"] > kinds["SUPER_ADMIN"] - 120 > 0
        statuses = await connection.execute(select(grants.c.status, func.count()).group_by(grants.c.status))
        assert set(dict(statuses.all())) == {"ACTIVE", "DEACTIVATED", "REMOVED"}
        addresses = (await connection.scalars(select(users.c.email))).all()
        assert all(address.endswith(".example") for address in addresses)


SEEN: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
"""The first ecosystem of the test below, which each later one must equal."""


class StopError(Exception):
    pass


def stopping_in_the_second_agency() -> Any:
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        told.append(done)
        if len(told) == 2:
            raise StopError

    return progress


async def test_an_ecosystem_is_the_same_on_both_databases_and_each_time_even_if_it_is_interrupted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if SEEN:
        monkeypatch.setattr(ecosystem, "CLIENTS_OF_A_TRANSACTION", 1)
        for whole in (1, 2):
            with pytest.raises(StopError):
                await load_ecosystem(database, TINY, stopping_in_the_second_agency())
            async with database.read() as connection:
                assert await count(connection, partners) == whole
                assert not await demo_people(connection)
                await check_counters(connection)
                await check_history(connection)
        with pytest.raises(RefusedError, match="interrupted"):
            await load_ecosystem(database, SIZE)
    assert await load_ecosystem(database, TINY)
    async with database.read() as connection:
        assert len(await demo_people(connection)) == 2
        found = await everything(connection)
    first = SEEN.setdefault("ecosystem", found)
    assert found.keys() == first.keys()
    for name, rows in found.items():
        assert rows == first[name], name
    assert not await load_ecosystem(database, TINY)
    async with database.read() as connection:
        assert await everything(connection) == found


def test_another_seed_gives_other_people_and_clients_of_the_same_size() -> None:
    one, other = (agencies(ecosystem_size(40, 12, 3, 60, seed)) for seed in (1, 2))
    assert [agency.clients for agency in one] == [agency.clients for agency in other]
    assert [agency.staff for agency in one] != [agency.staff for agency in other]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_it_goes_beside_the_demo_agency_as_long_as_nobody_has_worked_in_it(database: Database) -> None:
    await load_demo(database)
    async with database.write() as session:
        connection = await session.connection()
        worked = {"kind": "REMOVE", "state": "COMPLETED", "created_at": now()}
        await connection.execute(insert(operations).values(worked))
    with pytest.raises(RefusedError, match="partners already"):
        await load_ecosystem(database, TINY)
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(delete(operations).where(operations.c.kind == "REMOVE", operations.c.total == 0))
    assert await load_ecosystem(database, TINY)
    async with database.read() as connection:
        assert await count(connection, partners) == 2 + TINY.agencies
        assert len(await demo_people(connection)) == 8 + 2
        await check_counters(connection)
        await check_history(connection)


async def test_a_database_with_partners_of_its_own_is_left_alone(database: Database, factory: Factory) -> None:
    await factory.partner()
    with pytest.raises(RefusedError, match="partners already"):
        await load_ecosystem(database, TINY)
    async with database.read() as connection:
        ours = select(func.count(case((partners.c.hub_id >= FIRST_AGENCY, 1))))
        assert await connection.scalar(ours) == 0


async def test_the_owner_of_the_largest_agency_can_sign_in_and_act(database: Database, factory: Factory) -> None:
    await load_ecosystem(database, TINY)
    async with database.write() as session:
        owner, office = await demo_tokens(await session.connection())
    assert "largest agency, Amber Badger Agency" in owner.who
    (membership,) = (await sign_in(database, owner.secret)).memberships
    assert membership.acts
    assert not (await sign_in(database, office.secret)).memberships
    # The database counts on behind the keys that were given.
    partner = await factory.partner()
    await factory.member(partner)
    with pytest.raises(RefusedError, match="partners already"):
        await load_ecosystem(database, SIZE)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_rows_go_into_the_database_in_parts_of_bounded_size(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ecosystem, "ROWS_AT_ONCE", 300)
    monkeypatch.setattr("resolvers.demo.assignment.CELLS_OF_A_RUN", 50)
    waiting: list[int] = []
    flush = RowStream.flush

    async def watched(self: RowStream) -> None:
        waiting.append(self.waiting)
        await flush(self)

    monkeypatch.setattr(RowStream, "flush", watched)
    await load_ecosystem(database, SIZE)
    assert len(waiting) > 10
    # A run's cells, with up to four operations for each, and its clients with accounts, people and teams.
    assert max(waiting) < 300 + 50 * 20


def test_whatever_can_happen_to_a_person_is_decided_by_the_rules() -> None:
    """Only somebody who is not verified is refused, and then nothing more happens."""
    assert not course(Way.DEPUTY, 0, Fate.REMOVED, verified=False).is_grant
    for way in Way:
        of_admins = way in {Way.ADMITTED, Way.SUPER_ADMIN, Way.DEPUTY, Way.REDUCED}
        for template in templates()[:1] if of_admins else templates()[1:]:
            for fate in Fate:
                made = course(way, template.number, fate)
                assert made.is_grant
                assert made is course(way, template.number, fate)
                assert made.is_active == (
                    fate in {Fate.KEPT, Fate.NARROWED, Fate.RETURNED}
                    and not (way is Way.SUPER_ADMIN and fate is Fate.RETURNED)
                )
    assert 0 in every_state()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"people": 3}, "--people can be 4 to"),
        ({"people": 1_000_001}, "--people can be 4 to"),
        ({"clients": 0}, "--clients can be 1 to"),
        ({"clients": 5_000_001}, "can be"),
        ({"people": 40, "agencies": 11}, "at least 4 people"),
        ({"people": 40, "agencies": 0}, "--agencies can be 1"),
        ({"people": 40, "clients": 3, "agencies": 4}, "--agencies can be 1"),
        ({"people": 40, "grants": -1}, "--grants can be 0"),
        ({"people": 40, "clients": 3, "agencies": 1, "grants": 79}, "at most 78"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(numbers: dict[str, int], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        ecosystem_size(**numbers)


def test_what_is_not_said_follows_from_the_rest() -> None:
    assert ecosystem_size(28_000, 55_000) == EcosystemSize(28_000, 55_000, 600, 1_000_000, 1)
    assert ecosystem_size(clients=55_000) == ecosystem_size(28_000)
    assert EcosystemSize.of_json(SIZE.as_json) == SIZE
    assert EcosystemSize.of_json('{"demo": {"people": 3}}') is None


def test_a_few_agencies_are_large_and_many_are_small() -> None:
    size = ecosystem_size(28_000, 55_000)
    made = agencies(size)
    assert sum(agency.people for agency in made) == 28_000
    assert sum(agency.clients for agency in made) == 55_000
    assert sum(agency.grants for agency in made) == 1_000_000
    assert made[0].people > 2_000
    assert 20 < made[100].people < 100
    assert made[-1].people < 20
    assert len({agency.name for agency in made}) == len({agency.domain for agency in made}) == 600


def test_what_is_divided_keeps_to_its_limits_and_is_all_given_away() -> None:
    assert apportioned(10, [1, 1, 0, 2], [1, 9, 9, 9]) == [1, 3, 0, 6]
    assert apportioned(0, [1, 2]) == [0, 0]
    assert sum(apportioned(7, [1] * 3, [3, 3, 1])) == 7
