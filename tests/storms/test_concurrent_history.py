"""Eight people who work on the same clients at once, while the service and its workers are killed: no grant is lost or invented."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import URL

from models.database import Database
from models.operation_chunk import operation_chunks, queued_operations
from tests.api.caller import Caller as Insider
from tests.api.write_story import node_id, product
from tests.cluster import Cluster, copied
from tests.factory import AccountRow, Factory, MemberRow
from tests.pristine import Pristine
from tests.server.queued_work import until
from tests.storms.caller import Agency, Caller
from tests.storms.journal import Journal
from tests.storms.nursery import Nursery, nursery
from tests.storms.site import Site, running
from tests.storms.soundness import assert_sound

AGENCIES, ACTORS = 2, 4
PEOPLE, PLACES = 12, 12
"""Of each agency; both work in the same accounts."""
SERVICES = 2
WORKERS = {"sqlite": 1, "postgresql": 2}
DATABASE_GONE = frozenset(
    {
        "database unavailable",
        "the database cannot be asked for changes; trying again",
        "other processes were not told of a change; they will find it by themselves",
        "outbox out of reach",
    }
)
"""What the log tells of a database that is away, with where it was missed."""
GRANT = "mutation($input: GrantAccessInput!) { grantAccess(input: $input) { operation { counts { applied } } } }"


@dataclass(frozen=True)
class Size:
    """How long a history is."""

    requests: int
    """Of each person."""
    faults: int


SHORT = Size(requests=6, faults=4)
LONG = Size(requests=40, faults=20)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.thorough)]


@dataclass
class Storm:
    """What happens to the site while people work."""

    site: Site
    database: Database
    journal: Journal
    random: Random
    attempts: int = 0
    """The most at one chunk."""

    async def rage(self, size: Size, requests: int, strike: Callable[["Storm", int], Awaitable[None]]) -> None:
        """Strikes as often as it is said, spread over the requests."""
        for number, share in enumerate(sorted(self.random.uniform(0, 0.9) for _ in range(size.faults))):
            while len(self.journal.requests) < share * requests:
                await self._look()
            await asyncio.sleep(self.random.uniform(0, 0.1))
            await strike(self, number)

    async def is_over(self) -> bool:
        """Says whether nothing waits to be carried out."""
        await self._look()
        async with self.database.read() as connection:
            return not await connection.scalar(select(func.count()).select_from(queued_operations))

    async def _look(self) -> None:
        async with self.database.read() as connection:
            attempts = await connection.scalar(select(func.max(operation_chunks.c.attempts)))
        self.attempts = max(attempts or 0, self.attempts)
        await asyncio.sleep(0.1)


@dataclass
class World:
    """Two agencies that work in the same accounts, with the tokens of those who act."""

    agencies: list[Agency]
    actors: list[tuple[Agency, MemberRow, str]]

    @classmethod
    async def begin(cls, factory: Factory) -> "World":
        accounts = [await factory.account() for _ in range(PLACES)]
        agencies = [await agency(factory, accounts) for _ in range(AGENCIES)]
        actors = [(at, person, await factory.api_token(person)) for at in agencies for person in at.actors]
        return cls(agencies, actors)

    async def live(
        self, site: Site, database: Database, size: Size, strike: Callable[[Storm, int], Awaitable[None]]
    ) -> Counter[str]:
        """Everybody works while there is a storm; then the rows must be what was asked for and answered."""
        journal, seed = Journal(), f"{database.engine.dialect.name} {size}"
        storm = Storm(site, database, journal, Random(seed))  # noqa: S311 no secret
        callers = [
            Caller(at, person, token, site.address, journal, Random(f"{seed} {number}"))  # noqa: S311 as above
            for number, (at, person, token) in enumerate(self.actors)
        ]
        working = [caller.work(size.requests) for caller in callers]
        await asyncio.gather(*working, storm.rage(size, len(callers) * size.requests, strike))
        await until(storm.is_over)
        counted = await journal.compare(database)
        assert counted["APPLIED"] > len(callers) * size.requests
        counted["attempts at one chunk"] = storm.attempts
        return counted


async def agency(factory: Factory, accounts: Sequence[AccountRow]) -> Agency:
    """An agency whose partner admins may do the same everywhere."""
    partner = await factory.partner()
    actors, people = await factory.members(partner, ACTORS), await factory.members(partner, PEOPLE)
    places = [await factory.client(partner, account=account) for account in accounts]
    for place in places:
        await factory.partner_admin(place, actors[0])
    first = await Insider.signed_in(factory, actors[0])
    access = {"permissionSet": node_id(await factory.built_in_set())}
    told = await first.data(GRANT, input={"targets": product(actors[1:], places), "access": access})
    assert told["grantAccess"]["operation"]["counts"]["applied"] == (ACTORS - 1) * PLACES
    return Agency(people, actors, places)


@pytest.fixture(scope="module")
def born(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("site"), services=True) as born:
        yield born


@pytest.fixture
async def restartable(postgresql_server: URL, postgresql_pristine: Pristine) -> AsyncIterator[tuple[Cluster, Database]]:
    """A server of its own, and a database there that keeps what it has committed."""
    postgresql_pristine.restore()
    there = postgresql_pristine.service_url
    with copied(postgresql_server, streaming=False) as cluster:
        cluster.run(f'ALTER DATABASE "{there.database}" SET synchronous_commit = on')
        url = cluster.url(there.database).update_query_dict({"options": there.query.get("options", "")})
        database = Database(url)
        yield cluster, database
        await database.dispose()


def tell(what: str, counted: Counter[str], began: float) -> None:
    """Shown with -rP."""
    sys.stdout.write(f"{what}, {time.monotonic() - began:.1f} s: {dict(counted)}\n")


@pytest.mark.parametrize(
    "database_url", ["postgresql", pytest.param("sqlite", marks=pytest.mark.thorough)], indirect=True
)
@pytest.mark.parametrize("size", SIZES)
async def test_no_grant_is_lost_or_invented(database: Database, factory: Factory, born: Nursery, size: Size) -> None:
    """Whatever was answered is there, whatever is there was asked for, and each grant is what its requests made of it."""

    async def kill(storm: Storm, number: int) -> None:
        if number % 2:
            await storm.site.replace_worker(storm.random.choice(storm.site.workers))
        else:
            await storm.site.replace_service(storm.random.choice(list(storm.site.services)))

    dialect, began = database.engine.dialect.name, time.monotonic()
    world = await World.begin(factory)
    async with running(born, database.url, services=SERVICES, workers=WORKERS[dialect]) as site:
        counted = await world.live(site, database, size, kill)
    if size is LONG:
        assert counted["sent again"] + counted["never answered"] >= size.faults // 4
    await assert_sound(database)
    tell(f"{dialect}, {size.faults} kills", counted, began)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(requests=5, faults=1), id="short"),
        pytest.param(Size(requests=25, faults=5), id="long", marks=pytest.mark.thorough),
    ],
)
async def test_nothing_is_lost_or_done_twice_when_the_database_is_restarted(
    restartable: tuple[Cluster, Database], born: Nursery, size: Size
) -> None:
    """It is stopped at once, in the middle of everything: whoever asks is told so, and work goes on by itself afterwards."""
    cluster, database = restartable

    async def restart(storm: Storm, _number: int) -> None:
        told = storm.journal.unavailable

        async def somebody_is_told() -> bool:
            return storm.journal.unavailable > told

        await asyncio.to_thread(cluster.crash)
        await until(somebody_is_told)
        await asyncio.to_thread(cluster.start)

    began = time.monotonic()
    world = await World.begin(Factory(database))
    async with running(born, database.url, services=1, workers=WORKERS["postgresql"], foreseen=DATABASE_GONE) as site:
        counted = await world.live(site, database, size, restart)
    assert counted["told that the database is gone"] >= size.faults
    await assert_sound(database)
    tell(f"{size.faults} restarts", counted, began)
