"""Loads the demo agency into a new database."""

from datetime import timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.database import Database, before_commit
from models.member import members
from models.operation import OperationKind, OperationState, operations
from models.partner import partners
from resolvers.demo.access import RunWriter
from resolvers.demo.activity import write_activity
from resolvers.demo.blueprint import BEGINNING, DAYS, Blueprint, Run, blueprints
from resolvers.demo.hand_off import write_hand_offs
from resolvers.demo.life import write_life
from resolvers.demo.pod import write_pod
from resolvers.demo.population import Troupe, write_clients, write_defaults, write_people
from resolvers.demo.size import THE_AGENCY
from resolvers.demo.template import Templates, write_templates
from resolvers.error import RefusalCode, refuse
from resolvers.import_result import Progress
from resolvers.interning import publish_catalogue
from resolvers.issuer import EPHEMERAL, Issuer
from resolvers.timeline_chain.window import seal_the_rest

MARK = '{"demo": '
"""So begins the request of the operation that says which demo a database holds."""


async def is_new(database: Database) -> bool:
    """Says whether the database has no partner yet."""
    async with database.read() as connection:
        return not await connection.scalar(select(func.count()).select_from(partners))


async def load_demo(database: Database, progress: Progress | None = None, *, issuer: Issuer = EPHEMERAL) -> bool:
    """Loads the demo agency in one transaction and returns True; if it is there already, changes nothing and returns False.

    It has access links too, whose tokens the issuer makes.

    Raises:
        RefusedError: INVALID_INPUT, if the database has something else in it.
    """
    plans = blueprints()
    total, done = sum(plan.clients for plan in plans), 0
    async with database.write() as session:
        connection = await session.connection()
        if await _is_there(connection):
            return False
        await publish_catalogue(connection)
        mark = await _begin(connection)
        for plan in plans:
            troupe, templates = await _people(connection, plan)
            for run in plan.runs():
                await _run(connection, troupe, templates, run, mark)
                done += run.end - run.first
                if progress:
                    progress(done, total)
            if plan.index == 0:
                await write_life(connection, troupe, issuer)
                await write_activity(connection, troupe)
                await write_hand_offs(connection, troupe)
                await write_pod(connection, troupe)
        await connection.execute(
            update(operations).where(operations.c.id == mark).values(state=OperationState.COMPLETED)
        )
        # After what the verbs of the service have written, which is sealed before.
        before_commit(connection, ("rest", 0), seal_the_rest)
    return True


async def _is_there(connection: AsyncConnection) -> bool:
    if not await connection.scalar(select(func.count()).select_from(partners)):
        return False
    ours = operations.c.partner_id.is_(None) & (operations.c.request == THE_AGENCY.as_json)
    if await connection.scalar(select(operations.c.id).where(ours).limit(1)) is None:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "This database has partners already, and a demo goes into a new one only. Name another in CAM_DATABASE_URL.",
        )
    return True


async def is_untouched_demo(connection: AsyncConnection) -> bool:
    """Says whether there is the demo agency and nothing else, and nobody has done anything in it yet."""
    ours = operations.c.partner_id.is_(None) & (operations.c.request == THE_AGENCY.as_json)
    if await connection.scalar(select(operations.c.id).where(ours).limit(1)) is None:
        return False
    plans = blueprints()
    expected = {
        partners: len(plans),
        members: sum(plan.people for plan in plans),
        clients: sum(plan.clients for plan in plans),
        accounts: sum(plan.clients - plan.shared for plan in plans),
    }
    counts = [await connection.scalar(select(func.count()).select_from(table)) for table in expected]
    later = operations.c.created_at > BEGINNING + timedelta(days=DAYS + 1)
    return (
        counts == [*expected.values()]
        and await connection.scalar(select(operations.c.id).where(later).limit(1)) is None
    )


async def _begin(connection: AsyncConnection) -> int:
    """Writes the operation that marks the demo and holds the access of the accounts' own people."""
    values = {
        "kind": OperationKind.GRANT,
        "state": OperationState.RUNNING,
        "mode": "CLAMP",
        "atomic": False,
        "reason": "The demo: what the accounts' own people have.",
        "request": THE_AGENCY.as_json,
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
