"""Loads a demo into a new database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.operation import OperationKind, OperationState, operations
from models.partner import partners
from resolvers.demo.access import RunWriter
from resolvers.demo.blueprint import BEGINNING, Blueprint, Run, blueprints
from resolvers.demo.life import write_life
from resolvers.demo.population import Troupe, write_clients, write_defaults, write_people
from resolvers.demo.size import DemoSize
from resolvers.demo.template import Templates, write_templates
from resolvers.error import RefusalCode, refuse
from resolvers.import_result import Progress
from resolvers.interning import publish_catalogue
from resolvers.issuer import EPHEMERAL, Issuer

_MARK = '{"demo": '


async def is_new(database: Database) -> bool:
    """Says whether the database has no partner yet."""
    async with database.read() as connection:
        return not await connection.scalar(select(func.count()).select_from(partners))


async def load_demo(
    database: Database, size: DemoSize, progress: Progress | None = None, *, issuer: Issuer = EPHEMERAL
) -> bool:
    """Loads the demo and returns True; if it is there already, changes nothing and returns False.

    The demo agency is one transaction. A larger one is written in runs of clients, so that memory stays bounded; if it is
    interrupted, the database is to be thrown away, and a next call says so. The demo agency has access links too, whose tokens
    the issuer makes.

    Raises:
        RefusedError: INVALID_INPUT, if the database has something else in it.
    """
    if await _is_there(database, size):
        return False
    plans = blueprints(size)
    once = _Steps(database, whole=plans[0].story)
    total, done = sum(plan.clients for plan in plans), 0
    async with once.all():
        async with once.step() as connection:
            await publish_catalogue(connection)
            mark = await _begin(connection, size)
        for plan in plans:
            async with once.step() as connection:
                troupe, templates = await _people(connection, plan)
            for run in plan.runs():
                async with once.step() as connection:
                    await _run(connection, troupe, templates, run, mark)
                done += run.end - run.first
                if progress:
                    progress(done, total)
            if plan.story and plan.index == 0:
                async with once.step() as connection:
                    await write_life(connection, troupe, issuer)
        async with once.step() as connection:
            await connection.execute(
                update(operations).where(operations.c.id == mark).values(state=OperationState.COMPLETED)
            )
    return True


class _Steps:
    """Transactions: one for each step, or one around all of them."""

    def __init__(self, database: Database, *, whole: bool) -> None:
        self._database = database
        self._whole = whole
        self._connection: AsyncConnection | None = None

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        if not self._whole:
            yield
            return
        async with self._database.write() as session:
            self._connection = await session.connection()
            yield

    @asynccontextmanager
    async def step(self) -> AsyncIterator[AsyncConnection]:
        if self._connection is not None:
            yield self._connection
            return
        async with self._database.write() as session:
            yield await session.connection()


async def _is_there(database: Database, size: DemoSize) -> bool:
    async with database.read() as connection:
        if not await connection.scalar(select(func.count()).select_from(partners)):
            return False
        mark = (
            await connection.execute(
                select(operations.c.request, operations.c.state)
                .where(operations.c.partner_id.is_(None), operations.c.request.startswith(_MARK, autoescape=True))
                .order_by(operations.c.id)
                .limit(1)
            )
        ).first()
    if mark is not None and mark.state != OperationState.COMPLETED:
        raise refuse(
            RefusalCode.INVALID_INPUT, "A demo was interrupted in this database. Name a new one in CAM_DATABASE_URL."
        )
    if mark is None or mark.request != size.as_json:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "This database has partners already, and a demo goes into a new one only. Name another in CAM_DATABASE_URL.",
        )
    return True


async def _begin(connection: AsyncConnection, size: DemoSize) -> int:
    """Writes the operation that marks the demo and holds the access of the accounts' own people."""
    values = {
        "kind": OperationKind.GRANT,
        "state": OperationState.RUNNING,
        "mode": "CLAMP",
        "atomic": False,
        "reason": "The demo: what the accounts' own people have.",
        "request": size.as_json,
        "created_at": BEGINNING,
        "finished_at": BEGINNING,
        "total": 0,
        "applied": 0,
        "noop": 0,
        "rejected": 0,
        "failed": 0,
    }
    made = await connection.execute(insert(operations).values(values).returning(operations.c.id))
    key: int = made.scalar_one()
    return key


async def _people(connection: AsyncConnection, plan: Blueprint) -> tuple[Troupe, Templates]:
    troupe = await write_people(connection, plan)
    templates = await write_templates(connection, troupe.partner_id, troupe.places[0].user_id)
    await write_defaults(connection, troupe, [template.set_id for template in templates.late])
    return troupe, templates


async def _run(connection: AsyncConnection, troupe: Troupe, templates: Templates, run: Run, mark: int) -> None:
    found = await write_clients(connection, troupe, run, mark)
    await RunWriter(connection, troupe, templates).write(run, found)
