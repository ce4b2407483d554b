"""How many assets of each kind people own in clients, kept by the transaction that writes the assets (F38).

Counts move by differences and never by what was read before, and whoever moves them has locked the clients: two recordings at
once lose nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind, asset_holdings
from models.dialect import insert_many, insert_or_ignore

Held: TypeAlias = tuple[int, int, AssetKind]
"""Whose assets of which kind, and where: client, member, kind."""

_KEYS = ("client_id", "member_id", "kind")


async def move_holdings(connection: AsyncConnection, moves: Mapping[Held, int]) -> None:
    """Adds to each holding what it has gained, less what it has lost; each gets a new version, also where both are equal."""
    if not moves:
        return
    # One order for all writers.
    held = [dict(zip(_KEYS, key, strict=True)) for key in sorted(moves)]
    await _begin(connection, held)
    by_key = [asset_holdings.c[name] == bindparam(f"of_{name}") for name in _KEYS]
    await connection.execute(
        update(asset_holdings)
        .where(*by_key)
        .values(total=asset_holdings.c.total + bindparam("gained"), version=asset_holdings.c.version + 1),
        [
            {**{f"of_{name}": row[name] for name in _KEYS}, "gained": moves[key]}
            for key, row in zip(sorted(moves), held, strict=True)
        ],
    )


async def _begin(connection: AsyncConnection, held: Sequence[Mapping[str, object]]) -> None:
    """Makes the rows that are missing, with nothing in them."""
    rows = [{**row, "total": 0, "version": 0} for row in held]
    await insert_many(connection, insert_or_ignore(connection, asset_holdings), rows)


async def add_holdings(connection: AsyncConnection, gains: Select[tuple[int, int, str, int]]) -> None:
    """Adds what a statement selects: client, member, kind and how many more; each of the three together once."""
    gained = gains.subquery("gained")
    client_id, member_id, kind, more = gained.c
    # The WHERE lets SQLite tell the ON CONFLICT that follows from a join's ON.
    missing = select(client_id, member_id, kind, more - more, more - more).where(more > 0)
    await connection.execute(
        insert_or_ignore(connection, asset_holdings).from_select([*_KEYS, "total", "version"], missing)
    )
    await connection.execute(
        update(asset_holdings)
        .where(
            asset_holdings.c.client_id == client_id,
            asset_holdings.c.member_id == member_id,
            asset_holdings.c.kind == kind,
        )
        .values(total=asset_holdings.c.total + more, version=asset_holdings.c.version + 1)
    )
