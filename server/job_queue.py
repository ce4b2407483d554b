"""Carries out queued operations as procrastinate's jobs tell (PostgreSQL): any number of processes, on any number of machines.

A job only says that a partner has work. So nothing depends on how often it comes: the jobs of a process that is gone are deleted,
and partners with work that no job tells of are announced anew, by a periodic task.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.worker import Worker
from psycopg_pool import AsyncConnectionPool

from models.database import Database
from resolvers.issuer import Issuer
from resolvers.operation.chunk import waiting_partners, work_once
from resolvers.operation.delivery import QUEUE, TASK, announce_again, announce_forgotten
from resolvers.operation.passing_error import PASSING
from resolvers.worker import WorkerError
from server.operation_runner import LOOK_EVERY, Check, delay_after, one_line

log = structlog.stdlib.get_logger(__name__)

CONNECTIONS = 4
"""The most that the job queue opens, besides the one that it is woken by."""
OPENING_SECONDS = 5.0
GIVE_BACK_SECONDS = 5.0
AGAIN_SECONDS = 1.0
"""How long a partner waits at whose operations somebody else is."""
LONGEST_INTERVAL = 30
"""Seconds between two looks for jobs that nobody works on, at most."""


class _Jobs(JobManager):
    """Lets go of a job that somebody else has taken over, or that cannot be finished because the database is gone."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 procrastinate's signature
        with suppress(ConnectorException):
            await super().finish_job(job, status, delete_job)


class JobQueue:
    """Works on the jobs of operations, one at a time."""

    def __init__(
        self, database: Database, issuer: Issuer, check: Check, *, stalled_after: int, stop_seconds: float
    ) -> None:
        # What goes wrong is told once, by whoever runs this; and that a job begins and ends is no news.
        for name in ("procrastinate", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._database = database
        self._issuer = issuer
        self._check = check
        self._stalled_after = stalled_after
        self._stop_seconds = stop_seconds
        self._left_behind: int | None = None
        """The place of the last worker of this process, if the database was gone before it could be given up."""
        self._end: asyncio.Event
        self._error: Exception | None

    async def run(self, ending: asyncio.Event) -> None:
        """Works until told to end.

        Raises:
            ConnectionError: if the database is gone.
            WorkerError: if this process may not go on.
        """
        self._end, self._error = asyncio.Event(), None
        try:
            async with self._opened() as app:
                await self._clear(app)
                await self._work_jobs(app, ending)
        except (ConnectorException, psycopg.Error) as error:
            raise ConnectionError(str(error.__cause__ or error)) from error
        if self._error is not None:
            raise self._error

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[App]:
        _, arguments = self._database.engine.dialect.create_connect_args(self._database.direct_url)
        # Without prepared statements, for a pooler that gives each transaction another connection.
        pool = AsyncConnectionPool(
            kwargs={**arguments, "prepare_threshold": None},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=OPENING_SECONDS,
            reconnect_timeout=OPENING_SECONDS,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        app = self._app()
        try:
            await pool.open(wait=True, timeout=OPENING_SECONDS)
            async with app.open_async(pool):
                yield app
        finally:
            await pool.close()

    def _app(self) -> App:
        app = App(connector=PsycopgConnector())
        app.job_manager = _Jobs(app.connector)
        app.task(name=TASK, queue=QUEUE)(self._work)

        async def tend(timestamp: int) -> None:  # noqa: ARG001 what a periodic task gets
            try:
                await self._tend(app)
            except (ConnectorException, *PASSING) as error:
                log.warning("lost workers are not looked for", reason=one_line(error))
            except Exception:
                log.exception("lost workers are not looked for")

        # Before the partners' jobs; without a lock, as nobody would take it from a worker that was lost while it had it.
        task = app.task(name="tend", queue=QUEUE, queueing_lock="tend", priority=1)(tend)
        interval = max(1, min(self._stalled_after // 3, LONGEST_INTERVAL))
        app.periodic(cron=f"* * * * * */{interval}")(task)
        return app

    async def _clear(self, app: App) -> None:
        """Gives up what this process left behind when the database was gone."""
        if self._left_behind is not None:
            await app.job_manager.unregister_worker(self._left_behind)
            self._left_behind = None
        await self._tend(app)

    async def _tend(self, app: App) -> None:
        """Deletes the jobs of workers that are gone, and announces the partners that nobody comes for then."""
        for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._stalled_after):
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
            log.warning("the worker of an operation was lost, and another takes over", **job.task_kwargs)
        await announce_forgotten(self._database, await waiting_partners(self._database))

    async def _work_jobs(self, app: App, ending: asyncio.Event) -> None:
        # Its methods have no types.
        worker: Any = Worker(
            app,
            queues=[QUEUE],
            concurrency=1,
            delete_jobs="always",
            fetch_job_polling_interval=LOOK_EVERY,
            shutdown_graceful_timeout=self._stop_seconds,
            install_signal_handlers=False,
            update_heartbeat_interval=self._stalled_after / 3,
            stalled_worker_timeout=self._stalled_after,
        )
        running = asyncio.create_task(worker.run())
        told = [asyncio.create_task(event.wait()) for event in (ending, self._end)]
        try:
            await asyncio.wait([running, *told], return_when=asyncio.FIRST_COMPLETED)
            alone = running.done()
            worker.stop()
            await running
        finally:
            for wait in told:
                wait.cancel()
            self._left_behind = worker.worker_id
        if alone:
            raise ConnectionError("the job queue has lost the database")

    async def _work(self, partner_id: int, failures: int = 0) -> None:
        """Does a chunk of a partner's; whatever goes wrong, the partner is announced again."""
        try:
            await self._check()
            worked = await work_once(self._database, self._issuer, partner_id)
            if worked is None and partner_id in await waiting_partners(self._database):
                # Somebody else is at it, who may be lost: nobody would come again before the next look for forgotten partners.
                await self._announce_again(partner_id, 0, AGAIN_SECONDS)
        except asyncio.CancelledError:
            # Told to stop; whoever is there takes over at once.
            with suppress(*PASSING):
                async with asyncio.timeout(GIVE_BACK_SECONDS):
                    await announce_again(self._database, partner_id, failures, delay=0)
            raise
        except WorkerError as error:
            await self._announce_again(partner_id, failures, 0)
            self._stop(error)
        except PASSING as error:
            delay = delay_after(failures + 1)
            log.warning("operation interrupted", partner=partner_id, reason=one_line(error), again_in_seconds=delay)
            await self._announce_again(partner_id, failures + 1, delay)
        except Exception:
            delay = delay_after(failures + 1)
            log.exception("operation interrupted", partner=partner_id, again_in_seconds=delay)
            await self._announce_again(partner_id, failures + 1, delay)

    async def _announce_again(self, partner_id: int, failures: int, delay: float) -> None:
        try:
            await announce_again(self._database, partner_id, failures, delay)
        except PASSING as error:
            # The database is gone: this job stays behind, and is cleared away as soon as the database is there again.
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        self._error = self._error or error
        self._end.set()
