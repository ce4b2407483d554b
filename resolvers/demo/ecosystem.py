"""Loads an ecosystem: hundreds of agencies with all that has happened in their clients."""

from collections.abc import Sequence

from sqlalchemy import case, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.operation import OperationKind, OperationState, operations
from models.partner import partners
from models.permission.built_in import SUPER_ADMIN_STATE
from models.permission.catalogue import catalogue
from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from resolvers.demo.agency import FIRST_AGENCY, Agency, agencies
from resolvers.demo.assignment import assign
from resolvers.demo.blueprint import BEGINNING
from resolvers.demo.clientele import Clientele
from resolvers.demo.course import every_state
from resolvers.demo.ecosystem_size import EcosystemSize
from resolvers.demo.history import History
from resolvers.demo.house import BuiltInSet, Shelf, Workshop, write_house
from resolvers.demo.layout import LAYOUTS, NUMBERED
from resolvers.demo.load import MARK, is_untouched_demo
from resolvers.demo.row_stream import ROWS_AT_ONCE, Keys, RowStream
from resolvers.error import RefusalCode, refuse
from resolvers.import_result import Progress
from resolvers.interning import intern_states, publish_catalogue
from resolvers.timeline_chain.window import seal_everything

CLIENTS_OF_A_TRANSACTION = 1_000
"""Agencies with about so many clients together are one transaction; a larger agency is one of its own."""


async def load_ecosystem(database: Database, size: EcosystemSize, progress: Progress | None = None) -> bool:
    """Loads the ecosystem and returns True; if it is there already, changes nothing and returns False.

    The database must be new, or hold the demo agency as it was loaded. Each transaction writes whole agencies. After an
    interruption the database says that the ecosystem is not complete, and the same call goes on with the first agency that is
    missing.

    Raises:
        RefusedError: INVALID_INPUT, if the database has something else in it.
    """
    mark = await _mark(database, size)
    if mark is None:
        return False
    planned = agencies(size)
    next_one = await _loaded(database)
    while next_one < len(planned):
        async with database.write() as session:
            connection = await session.connection()
            batch = _batch(planned[next_one:])
            if await _count(connection) != next_one:
                raise refuse(
                    RefusalCode.INVALID_INPUT, "Another process is loading this ecosystem. Wait until it is done."
                )
            await _write(
                connection, batch, progress, sum(agency.clients for agency in planned[:next_one]), size.clients
            )
        next_one += len(batch)
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(
            update(operations).where(operations.c.id == mark).values(state=OperationState.COMPLETED.value)
        )
        if not database.is_sqlite:
            await connection.execute(text("ANALYZE"))
    await seal_everything(database)
    return True


async def _mark(database: Database, size: EcosystemSize) -> int | None:
    """Returns the key of the operation that says what is loaded, written if need be; None if all is there."""
    async with database.write() as session:
        connection = await session.connection()
        found = await connection.execute(
            select(operations.c.id, operations.c.request, operations.c.state)
            .where(operations.c.partner_id.is_(None), operations.c.request.startswith(MARK, autoescape=True))
            .order_by(operations.c.id)
        )
        for row in found:
            if row.request == size.as_json:
                return None if row.state == OperationState.COMPLETED else int(row.id)
            if row.state != OperationState.COMPLETED:
                raise refuse(
                    RefusalCode.INVALID_INPUT,
                    f"Another ecosystem was interrupted in this database: {row.request}. Load that one to its end, or name a "
                    "new database in CAM_DATABASE_URL.",
                )
        has_partners = await connection.scalar(select(partners.c.id).limit(1)) is not None
        if has_partners and not await is_untouched_demo(connection):
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "This database has partners already. An ecosystem goes into a new one, or beside the demo agency as it was "
                "loaded. Name another in CAM_DATABASE_URL.",
            )
        await publish_catalogue(connection)
        values = {
            "kind": OperationKind.GRANT.value,
            "state": OperationState.RUNNING.value,
            "reason": "The ecosystem: what was loaded.",
            "request": size.as_json,
            "created_at": BEGINNING,
            "finished_at": BEGINNING,
        }
        made = await connection.execute(insert(operations).values(values).returning(operations.c.id))
        return int(made.scalar_one())


async def _count(connection: AsyncConnection) -> int:
    ours = partners.c.hub_id >= FIRST_AGENCY
    return await connection.scalar(select(func.count(case((ours, 1)))).select_from(partners)) or 0


async def _loaded(database: Database) -> int:
    """Returns how many agencies are there: they are loaded in order."""
    async with database.read() as connection:
        return await _count(connection)


def _batch(rest: Sequence[Agency]) -> Sequence[Agency]:
    total = 0
    for number, agency in enumerate(rest):
        total += agency.clients
        if total >= CLIENTS_OF_A_TRANSACTION:
            return rest[: number + 1]
    return rest


async def _write(
    connection: AsyncConnection, batch: Sequence[Agency], progress: Progress | None, done: int, total: int
) -> None:
    rows, keys = RowStream(connection, LAYOUTS), Keys(connection, NUMBERED)
    await keys.read()
    workshop = Workshop(connection, rows, keys, await _shelf(connection))
    for agency in batch:
        assignment = assign(agency)
        house = await write_house(workshop, agency, assignment.active_clients)
        clientele = Clientele(workshop, house, assignment)
        history = History(workshop, house, assignment)
        for run in assignment.runs:
            history.write(run, await clientele.write(run))
            if rows.waiting >= ROWS_AT_ONCE:
                await rows.flush()
            done += run.end - run.first
            if progress:
                progress(done, total)
    await rows.flush()
    await keys.leave()


async def _shelf(connection: AsyncConnection) -> Shelf:
    sets, versions = permission_sets.c, permission_set_versions.c
    found = await connection.execute(
        select(sets.key, sets.id, versions.id.label("version_id"))
        .join(permission_set_versions, (versions.set_id == sets.id) & (versions.version == sets.version))
        .where(sets.origin == PermissionSetOrigin.BUILT_IN)
    )
    built_in = {row.key: BuiltInSet(row.id, row.version_id) for row in found}
    states = {0, SUPER_ADMIN_STATE, catalogue.everything, *every_state()}
    return Shelf(built_in, await intern_states(connection, states))
