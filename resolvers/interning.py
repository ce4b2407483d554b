"""Permission states in the database: each distinct content is one row, so that everything else holds only its number.

The built-in sets, whose contents are states too, come into the database here as well (`publish_catalogue`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Pool, Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.dialect import insert_many, insert_or_ignore
from models.permission.built_in import BUILT_IN_SETS, BuiltInSet
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from models.permission_state import digest_of, permission_states
from models.sqlite import WRITING
from models.table import now
from models.text import fold
from resolvers.catalogue_gain import SetVersion, partner_admin_gains, write_gains

_T = TypeVar("_T")

CHUNK = 1_000
"""Values in one IN list."""

_known: WeakKeyDictionary[Pool, dict[int, State]] = WeakKeyDictionary()
"""What committed rows say; a row never changes, so this is kept until the database's connections are disposed of."""


async def intern_states(connection: AsyncConnection, states: Iterable[State]) -> dict[State, int]:
    """Returns the key of each state's row, writing the rows that are missing.

    Three statements per thousand states; two transactions that intern the same state get the same row.
    """
    contents = {digest_of(content): (state, content) for state in states for content in [catalogue.encode(state)]}
    digests = sorted(contents)  # one order for all writers, so that two of them cannot wait for each other
    found: dict[State, int] = {}
    for chunk in _chunks(digests):
        keys = await _keys(connection, chunk)
        missing = [digest for digest in chunk if digest not in keys]
        if missing:
            rows = [{"digest": digest, "content": contents[digest][1]} for digest in missing]
            await insert_many(connection, insert_or_ignore(connection, permission_states), rows)
            keys |= await _keys(connection, missing)
        found |= {contents[digest][0]: key for digest, key in keys.items()}
    return found


async def state_contents(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, State]:
    """Returns the states of these rows; keys that have left the catalogue are not in them (E22).

    Rows that were seen before cost no statement.
    """
    known = _known.setdefault(connection.sync_engine.pool, {})
    wanted = set(ids)
    found = {key: known[key] for key in wanted if key in known}
    fresh: dict[int, State] = {}
    for chunk in _chunks(sorted(wanted - found.keys())):
        columns = permission_states.c
        rows = await connection.execute(select(columns.id, columns.content).where(columns.id.in_(chunk)))
        fresh |= {key: catalogue.decode(content) for key, content in rows}
    if not _may_roll_back(connection):
        known |= fresh
    return found | fresh


def _may_roll_back(connection: AsyncConnection) -> bool:
    """Says whether a row seen here can vanish and its key be given to another: only in SQLite's writing transactions."""
    return bool(connection.sync_connection and connection.sync_connection.get_execution_options().get(WRITING))


async def _keys(connection: AsyncConnection, digests: Sequence[str]) -> dict[str, int]:
    columns = permission_states.c
    rows = await connection.execute(select(columns.digest, columns.id).where(columns.digest.in_(digests)))
    return {row.digest: row.id for row in rows}


def _chunks(values: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


async def publish_catalogue(connection: AsyncConnection, built_in: Sequence[BuiltInSet] = BUILT_IN_SETS) -> None:
    """Makes the built-in sets rows, and a changed content a new version (F06, P12); run by `cam migrate`.

    What the Partner Admin set gains, the present partner admins gain too (E21). Running it again changes nothing.
    """
    missing = {built.key for built in built_in} - {row.key for row in await _built_in_rows(connection)}
    rows = [
        {**_words(built), "origin": PermissionSetOrigin.BUILT_IN, "key": built.key, "version": 1}
        for built in built_in
        if built.key in missing
    ]
    await insert_many(connection, insert_or_ignore(connection, permission_sets), rows)
    # Two processes that start at once: the second waits here and then finds everything done.
    present = await _built_in_rows(connection)
    wanted = {built.key: built for built in built_in}
    versions = await _current_versions(connection)
    states = await intern_states(connection, [built.state for built in built_in])
    for row in present:
        built = wanted.get(row.key)
        if built is None:
            await _change(connection, row, archived_at=row.archived_at or now())
            continue
        before = versions.get(row.id)
        if before is None or before.state_id != states[built.state]:
            after = await _add_version(connection, row.id, before.version + 1 if before else 1, states[built.state])
            await _change(connection, row, **_words(built), version=after.version, archived_at=None)
            if before and built.is_partner_admin:
                gains = await partner_admin_gains(connection, before, after, built.state)
                if gains:
                    await write_gains(
                        connection, gains, await intern_states(connection, [gain.state for gain in gains])
                    )
        else:
            await _change(connection, row, **_words(built), archived_at=None)


async def _built_in_rows(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Returns the rows of the built-in sets, and holds them until the transaction ends."""
    sets = permission_sets.c
    statement = select(permission_sets).where(sets.origin == PermissionSetOrigin.BUILT_IN).order_by(sets.id)
    return (await connection.execute(statement.with_for_update(key_share=True))).all()


def _words(built: BuiltInSet) -> dict[str, Any]:
    return {"name": built.name, "name_key": fold(built.name), "description": built.description}


async def _current_versions(connection: AsyncConnection) -> dict[int, SetVersion]:
    columns = permission_set_versions.c
    rows = await connection.execute(
        select(columns.set_id, columns.id, columns.version, columns.state_id)
        .join(permission_sets, permission_sets.c.id == columns.set_id)
        .where(permission_sets.c.origin == PermissionSetOrigin.BUILT_IN)
        .order_by(columns.version)
    )
    return {row.set_id: SetVersion(row.id, row.version, row.state_id) for row in rows}


async def _add_version(connection: AsyncConnection, set_id: int, version: int, state_id: int) -> SetVersion:
    values = {"set_id": set_id, "version": version, "state_id": state_id, "created_at": now()}
    made = await connection.execute(
        permission_set_versions.insert().values(values).returning(permission_set_versions.c.id)
    )
    return SetVersion(made.scalar_one(), version, state_id)


async def _change(connection: AsyncConnection, row: Row[Any], **values: Any) -> None:
    """Writes what differs from the row; for nothing, no statement."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    if differing:
        await connection.execute(update(permission_sets).where(permission_sets.c.id == row.id).values(differing))
