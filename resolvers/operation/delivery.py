"""Who hears that a partner has work in the queue.

On PostgreSQL a job of procrastinate's tells the workers, on whatever machine: it is written by the transaction that has the work,
so there is never one without the other. A job says no more than *look at this partner*: which chunk is next, and that it is done
once, is the affair of ``resolvers.operation.chunk``. There is one waiting job a partner, at the end of the queue, so that partners
take turns. On SQLite the runner in the process looks for itself, and is woken by ``Database.on_commit``.
"""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database

QUEUE = "operation"
TASK = "work"

_INSERT = """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
VALUES (:queue, :task, :lock, :lock, jsonb_build_object('partner_id', CAST(:partner_id AS bigint), 'failures', CAST(:failures AS int)),
        {when})
ON CONFLICT (queueing_lock) WHERE status = 'todo' {otherwise}
"""
# A job that waits already is locked until we commit: nobody takes it before what we have written can be seen.
_NOW = text(_INSERT.format(when="NULL", otherwise="DO UPDATE SET scheduled_at = NULL"))
_LATER = text(_INSERT.format(when="clock_timestamp() + :delay", otherwise="DO NOTHING")).bindparams(
    bindparam("delay", type_=INTERVAL)
)
_KNOWN = text("SELECT lock FROM procrastinate_jobs WHERE queue_name = :queue AND status IN ('todo', 'doing')")
_LENT = 20_000
"""Milliseconds between two statements of a chunk, however small it is."""
_LENT_A_CELL = 0.5
_LONGEST_LENT = 120_000
"""However large it is: that long its people and clients are locked when its machine hangs or is lost."""
_LEND = text("SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true)")


async def announce(connection: AsyncConnection, partner_id: int) -> None:
    """Sees to it that a worker comes for a partner's operations, once the transaction is committed."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_NOW, _job(partner_id, 0))


async def announce_again(database: Database, partner_id: int, failures: int, delay: float) -> None:
    """Sees to it that a worker comes again in so many seconds, after so many failures; sooner, if there is something new for the partner."""
    async with database.write() as session:
        await (await session.connection()).execute(
            _LATER, {**_job(partner_id, failures), "delay": timedelta(seconds=delay)}
        )


async def announce_forgotten(database: Database, partner_ids: Iterable[int]) -> list[int]:
    """Announces those of the partners that no job tells of, as after a restored backup, and returns them."""
    async with database.read() as connection:
        known = set((await connection.execute(_KNOWN, {"queue": QUEUE})).scalars())
    forgotten = [partner_id for partner_id in partner_ids if _lock(partner_id) not in known]
    for partner_id in forgotten:
        async with database.write() as session:
            await announce(await session.connection(), partner_id)
    return forgotten


async def lend(connection: AsyncConnection, cells: int) -> None:
    """Lets PostgreSQL undo the transaction of a machine that is lost: nobody closes its connection, and it holds the operation.

    Between two statements a chunk of that many cells may take its time; most of its work is the statements themselves.
    """
    if connection.dialect.name == "postgresql":
        milliseconds = min(_LENT + int(_LENT_A_CELL * cells), _LONGEST_LENT)
        await connection.execute(_LEND, {"milliseconds": str(milliseconds)})


def _job(partner_id: int, failures: int) -> dict[str, object]:
    return {"queue": QUEUE, "task": TASK, "lock": _lock(partner_id), "partner_id": partner_id, "failures": failures}


def _lock(partner_id: int) -> str:
    return f"partner:{partner_id}"
