"""Activity: events read from a file, checked, and written with their totals, beside a bare insert of the same rows.

    python -m benchmarks.activity [--events 1000000] [--database sqlite] [--people 200] [--clients 400]

Both ways begin with the same content and take turns, 10,000 events at a time, so that the neighbours on the machine disturb both
alike. The bare insert is the quickest that each database knows of rows that are ready: executemany on SQLite, COPY on PostgreSQL,
into the same table with its keys and indexes. The service reads JSON lines, looks clients and people up, checks each event, and
passes over those that are repeated, of which there are some; its events come a little out of order, as they do.

Afterwards a year is summed up by client and month, from the totals and, for comparison, from the events. PostgreSQL is the server of
the tests, without flushing to disk.
"""

import argparse
import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import migration
from models.activity import activity_days, activity_events, activity_sources
from models.database import Database
from models.plain_insert import insert_new
from resolvers.activity.directory import Directory
from resolvers.activity.draft import Draft
from resolvers.activity.event_file import EventFile, EventFormat, read_events
from resolvers.activity.record import take_events
from resolvers.activity.summary import ActivityDimension, summary_by_partner
from resolvers.activity.write import MOST_AT_ONCE, Event
from resolvers.interning import publish_catalogue
from resolvers.reader import Reader
from resolvers.sign_in import sign_in
from tests import postgresql
from tests.factory import Factory

LEAST_RATIO = 1 / 3
REPEATED = 0.005
BEGIN = datetime(2025, 11, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
SOURCE = "crm"
DEEDS = (
    ("VIEWED", "contacts.view", 8),
    ("UPDATED", "contacts.edit", 5),
    ("UPDATED", "deals.edit", 4),
    ("COMMUNICATED", "contacts.communicate", 3),
    ("CREATED", "deals.edit", 2),
    ("SIGNED_IN", None, 1),
)


@dataclass(frozen=True, slots=True)
class World:
    """An agency that is ready to be told of."""

    database: Database
    partner_id: int
    source_id: int
    token: str
    clients: Sequence[tuple[int, int]]
    """Keys and Hub IDs."""
    people: Sequence[tuple[int, str]]
    """Keys and addresses."""


async def world(database: Database, people: int, clients: int) -> World:
    """Makes an agency with so many people and clients; the same each time."""
    await migration.upgrade(database)
    async with database.write() as session:
        await publish_catalogue(await session.connection())
    factory = Factory(database)
    partner = await factory.partner()
    members = await factory.members(partner, people)
    places = await factory.clients(partner, clients)
    async with database.write() as session:
        made = await (await session.connection()).execute(
            activity_sources.insert().values(partner_id=partner.id, name=SOURCE).returning(activity_sources.c.id)
        )
        source_id: int = made.scalar_one()
    return World(
        database,
        partner.id,
        source_id,
        await factory.api_token(members[0]),
        [(place.id, place.hub_id) for place in places],
        [(member.id, member.email) for member in members],
    )


def events(world: World, number: int) -> Iterator[Event]:
    """Yields a year of events: each person works in a dozen clients, a few things in a row, now and then out of order."""
    chance, made = Random(1), 0
    kinds, weights = [deed[:2] for deed in DEEDS], [deed[2] for deed in DEEDS]
    while made < number:
        person = chance.randrange(len(world.people))
        client = (person * 7 + chance.randrange(12) * 31) % len(world.clients)
        at = BEGIN + YEAR * (made / number)
        for kind, permission in chance.choices(kinds, weights, k=min(chance.randrange(4, 20), number - made)):
            at += timedelta(seconds=chance.randrange(5, 200))
            late = timedelta(days=chance.randrange(1, 20)) if chance.random() < 0.01 else timedelta()
            place = (world.partner_id, world.source_id, world.clients[client][0], world.people[person][0])
            yield Event(*place, f"event-{made:09}", kind, permission, f"Deal {made % 5000}", max(at - late, BEGIN))
            made += 1


def lines(world: World, told: Sequence[Event], chance: Random) -> bytes:
    """Returns the events as a tool writes them into a file, a few of them twice."""
    hub_ids, addresses = dict(world.clients), dict(world.people)
    written = [
        orjson.dumps(
            {
                "hub_id": hub_ids[event.client_id],
                "email": addresses[event.member_id],
                "kind": event.kind,
                "at": event.at.isoformat().replace("+00:00", "Z"),
                "event_id": event.event_id,
                "permission": event.permission,
                "subject": event.subject,
            }
        )
        for event in told
    ]
    return b"\n".join([*written, *chance.sample(written, int(len(written) * REPEATED))])


async def insert_bare(connection: AsyncConnection, rows: Sequence[Event]) -> None:
    """Inserts ready rows and nothing else."""
    if connection.dialect.name == "sqlite":
        await insert_new(connection, activity_events, Event._fields, ("source_id", "event_id"), rows)
        return
    driver: Any = (await connection.get_raw_connection()).driver_connection
    async with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY activity_event ({', '.join(Event._fields)}) FROM STDIN") as copy,
    ):
        for row in rows:
            await copy.write_row(row)


async def ingest(world: World, directory: Directory, file: bytes) -> int:
    """Reads a part of a file and writes it as `cam import activity` does; returns how many events were new."""
    part = EventFile(io.BytesIO(file), EventFormat.JSONL, SOURCE)
    new = 0
    for batch in read_events(part, MOST_AT_ONCE):
        drafts = [line for line in batch if isinstance(line, Draft)]
        async with world.database.write() as session:
            done = await take_events(await session.connection(), directory, SOURCE, drafts)
        if done.refused:
            raise RuntimeError(f"Refused: {done.refused[0].message}")
        new += done.recorded
    return new


@dataclass(slots=True)
class Times:
    """Seconds of both ways."""

    bare: float = 0.0
    service: float = 0.0

    @property
    def ratio(self) -> float:
        """Returns the service's speed over the bare insert's."""
        return self.bare / self.service


async def compare(bare: World, ours: World, number: int) -> Times:
    """Lets both take the same events by turns."""
    times, directory, chance = Times(), Directory(ours.partner_id), Random(2)
    source = events(bare, number)
    turn = new = 0
    while rows := list(islice(source, MOST_AT_ONCE)):
        file = lines(ours, rows, chance)
        for is_bare in (turn % 2 == 0, turn % 2 == 1):
            begun = perf_counter()
            if is_bare:
                async with bare.database.write() as session:
                    await insert_bare(await session.connection(), rows)
                times.bare += perf_counter() - begun
            else:
                new += await ingest(ours, directory, file)
                times.service += perf_counter() - begun
        turn += 1
    counts = [await _count(each.database) for each in (bare, ours)]
    if not new == number == counts[0] == counts[1]:
        raise RuntimeError(f"{new} events were new of {number}, and {counts} are there.")
    return times


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(activity_events)) or 0)


async def summarise(world: World) -> tuple[float, float, int, int]:
    """Returns the seconds of a summary by client and month, the same from the events, its groups, and how many totals there are."""
    reader = Reader(world.database, await sign_in(world.database, world.token))
    by = (ActivityDimension.CLIENT, ActivityDimension.MONTH)
    begun = perf_counter()
    (groups,) = await summary_by_partner(reader, [world.partner_id], by=by)
    quick = perf_counter() - begun
    event, month = activity_events.c, func.substr(activity_events.c.at, 1, 7)
    if not world.database.is_sqlite:
        month = func.date_trunc("month", event.at)
    begun = perf_counter()
    async with world.database.read() as connection:
        slow = (
            await connection.execute(
                select(event.client_id, month, func.count())
                .where(event.partner_id == world.partner_id)
                .group_by(event.client_id, month)
            )
        ).all()
        days = await connection.scalar(select(func.count()).select_from(activity_days)) or 0
    if len(slow) != len(groups) or sum(row[2] for row in slow) != sum(group.total for group in groups):
        raise RuntimeError("The summary is not that of the events.")
    return quick, perf_counter() - begun, len(groups), days


@contextmanager
def addresses(database: str) -> Iterator[list[str]]:
    """Yields the addresses of two new databases."""
    with ExitStack() as stack:
        if database == "sqlite":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cam-bench-")))
            yield [f"sqlite:///{folder / name}.sqlite3" for name in ("bare", "service")]
            return
        server = stack.enter_context(postgresql.server())
        names = [f"cam_bench_{os.getpid()}_{name}" for name in ("bare", "service")]
        for name in names:
            postgresql.administer(server, f"CREATE DATABASE {name}")
            stack.callback(postgresql.administer, server, f"DROP DATABASE {name} WITH (FORCE)")
        yield [server.set(database=name).render_as_string(hide_password=False) for name in names]


@asynccontextmanager
async def worlds(urls: Sequence[str], people: int, clients: int) -> AsyncIterator[list[World]]:
    """Yields an agency in each of the databases."""
    databases = [Database(url) for url in urls]
    try:
        yield [await world(database, people, clients) for database in databases]
    finally:
        for database in databases:
            await database.dispose()


async def run(database: str, number: int, people: int, clients: int) -> Times:
    """Measures and prints."""
    with addresses(database) as urls:
        async with worlds(urls, people, clients) as (bare, ours):
            times = await compare(bare, ours, number)
            quick, slow, groups, days = await summarise(ours)
    print(f"\n{database}: {number:,} events of {people:,} people in {clients:,} clients, {days:,} totals by day")
    print(f"bare insert of the same rows: {times.bare:,.1f} s, {number / times.bare:,.0f} events/s")
    print(f"file read, checked, written with totals: {times.service:,.1f} s, {number / times.service:,.0f} events/s")
    met = "met" if times.ratio >= LEAST_RATIO else "NOT MET"
    print(f"speed × bare insert: {times.ratio:.2f}, demanded ≥ {LEAST_RATIO:.2f}: {met}")
    print(
        f"a year by client and month ({groups:,} groups): {quick * 1000:,.0f} ms, from the events {slow * 1000:,.0f} ms"
    )
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.activity", description="Activity, beside a bare insert."
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--clients", type=int, default=400)
    options = parser.parse_args(arguments)
    asyncio.run(run(options.database, options.events, options.people, options.clients))


if __name__ == "__main__":
    main()
