"""Assets: recording what the partner's people own in client accounts, and what became of it in an operation (F38, F39)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, and_, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind, asset_transfers, assets
from models.client import clients
from models.database import Database
from models.dialect import create_temporary, insert_many, lock_rows
from models.member import MemberStatus, members
from models.table import BigKey, now
from resolvers.acting_partner import check_acting
from resolvers.asset_holding import Held, move_holdings
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.free_text import one_line
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.import_result import ImportStatus
from resolvers.operation.removal import AssetTransferRecord
from resolvers.operation.request import Key
from resolvers.outcome import OutcomeRecord
from resolvers.readable import readable_clients, readable_members, readable_operations
from resolvers.reader import Reader
from resolvers.viewer import Viewer

MOST_ASSETS = 1_000
"""The most assets in one request; a file can hold any number."""
LONGEST_TEXT = 200
"""Characters of a name, and of an asset's id in the client's account."""

_recorded = Table(
    "recorded_asset",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("client_id", BigKey, nullable=False),
    Column("kind", String, nullable=False),
    Column("external_id", String, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


@dataclass(frozen=True, slots=True)
class AssetDraft:
    """An asset as the caller writes it."""

    client_id: Key
    owner_id: Key
    kind: AssetKind
    external_id: str
    name: str


@dataclass(frozen=True, slots=True)
class OwnedAsset:
    """An asset of a client of the partner, and who of the partner's people owns it."""

    client_id: int
    owner_id: int
    kind: AssetKind
    external_id: str
    name: str


@dataclass(frozen=True, slots=True)
class RecordedCounts:
    """How many assets of a request were new, had changed, and were there just so."""

    created: int
    updated: int
    unchanged: int


async def record_assets(
    database: Database,
    viewer: Viewer,
    partner_id: int,
    drafts: Sequence[AssetDraft],
    call: IdempotentCall | None = None,
) -> RecordedCounts:
    """Records who owns what in the partner's clients, all of it or nothing; recording the same again changes nothing.

    An owner needs no access in the client, and may be deactivated, but must not have left the partner: somebody who is gone owns
    nothing that could still be reviewed.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, NOT_FOUND, or INVALID_INPUT.
    """
    viewer.acting(partner_id)
    if not 1 <= len(drafts) <= MOST_ASSETS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"Send 1 to {MOST_ASSETS:,} assets in one request; cam import assets takes any number.",
            "input",
            "assets",
        )
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return RecordedCounts(*first)
        connection = await session.connection()
        owned = await _checked(connection, viewer, partner_id, drafts)
        statuses = await write_assets(connection, partner_id, owned)
        counts = RecordedCounts(
            statuses.count(ImportStatus.CREATED),
            statuses.count(ImportStatus.UPDATED),
            statuses.count(ImportStatus.UNCHANGED),
        )
        await remember(session, call, list(astuple(counts)))
    return counts


async def _checked(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, drafts: Sequence[AssetDraft]
) -> list[OwnedAsset]:
    """Returns the assets with known clients and owners, both locked: nobody is removed there, or leaves, meanwhile."""
    client_ids = {draft.client_id for draft in drafts if draft.client_id is not None}
    owner_ids = {draft.owner_id for draft in drafts if draft.owner_id is not None}
    ours = and_(clients.c.id.in_(client_ids), clients.c.id.in_(readable_clients(viewer)))
    theirs = and_(members.c.id.in_(owner_ids), members.c.id.in_(readable_members(viewer)))
    await lock_rows(connection, select(clients.c.id).where(ours).order_by(clients.c.id))
    await lock_rows(connection, select(members.c.id).where(theirs).order_by(members.c.id))
    await check_acting(connection, viewer, partner_id)
    places = await connection.execute(select(clients.c.id, clients.c.partner_id).where(ours))
    people = await connection.execute(select(members.c.id, members.c.partner_id, members.c.status).where(theirs))
    known = {row.id for row in places if row.partner_id == partner_id}
    statuses = {row.id: row.status for row in people if row.partner_id == partner_id}
    refusals: list[Refusal] = []
    owned: list[OwnedAsset] = []
    first_at: dict[tuple[Key, AssetKind, str], int] = {}
    for index, draft in enumerate(drafts):
        problems = _problems(draft, known, statuses)
        external_id = " ".join(draft.external_id.split())
        first = first_at.setdefault((draft.client_id, draft.kind, external_id), index)
        if first != index and draft.client_id is not None:
            told = f"This is the same asset as number {first} of the list: send each asset once."
            problems.append((RefusalCode.INVALID_INPUT, told, "externalId"))
        refusals += [Refusal(code, told, ("input", "assets", str(index), part)) for code, told, part in problems]
        if not problems and draft.client_id is not None and draft.owner_id is not None:
            name = " ".join(draft.name.split())
            owned.append(OwnedAsset(draft.client_id, draft.owner_id, draft.kind, external_id, name))
    if refusals:
        raise RefusedError(refusals)
    return owned


def _problems(draft: AssetDraft, known: set[int], statuses: dict[int, str]) -> list[tuple[RefusalCode, str, str]]:
    """Returns why an asset cannot be recorded, and at which of its fields."""
    problems = []
    if draft.client_id not in known:
        problems.append((RefusalCode.NOT_FOUND, "There is no such client.", "client"))
    if draft.owner_id not in statuses:
        problems.append((RefusalCode.NOT_FOUND, "There is no such member.", "owner"))
    elif statuses[draft.owner_id] == MemberStatus.LEFT.value:
        told = "This person has left the partner and owns nothing any more: name who owns it now."
        problems.append((RefusalCode.INVALID_INPUT, told, "owner"))
    for part, text in (("externalId", draft.external_id), ("name", draft.name)):
        try:
            one_line(text, LONGEST_TEXT)
        except ValueError as error:
            problems.append((RefusalCode.INVALID_INPUT, f"{part} cannot be used. {error}", part))
    return problems


async def write_assets(connection: AsyncConnection, partner_id: int, owned: Sequence[OwnedAsset]) -> list[ImportStatus]:
    """Writes the assets and the holdings that follow, and says what became of each; the caller has locked the clients.

    The number of statements does not depend on the number of assets. Former owners stay: they belong to a removal of access.
    """
    moment, statuses = now(), []
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    moves: defaultdict[Held, int] = defaultdict(int)
    found = await _found(connection, owned)
    for position, asset in enumerate(owned):
        row = found.get(position)
        now_held = (asset.client_id, asset.owner_id, asset.kind)
        if row is None:
            columns = {"client_id": asset.client_id, "kind": asset.kind.value, "external_id": asset.external_id}
            owner = {"name": asset.name, "owner_id": asset.owner_id}
            new.append({"partner_id": partner_id, "recorded_at": moment, **columns, **owner})
            moves[now_held] += 1
            statuses.append(ImportStatus.CREATED)
        elif (row.owner_id, row.name) == (asset.owner_id, asset.name):
            statuses.append(ImportStatus.UNCHANGED)
        else:
            changed.append({"key": row.id, "new_name": asset.name, "new_owner_id": asset.owner_id, "moment": moment})
            if row.owner_id is not None:
                moves[asset.client_id, row.owner_id, asset.kind] -= 1
            moves[now_held] += 1
            statuses.append(ImportStatus.UPDATED)
    await insert_many(connection, assets, new)
    if changed:
        values: dict[str, Any] = {
            "name": bindparam("new_name"),
            "owner_id": bindparam("new_owner_id"),
            "recorded_at": bindparam("moment"),
        }
        await connection.execute(update(assets).where(assets.c.id == bindparam("key")).values(values), changed)
    await move_holdings(connection, moves)
    return statuses


async def _found(connection: AsyncConnection, owned: Sequence[OwnedAsset]) -> dict[int, Any]:
    """Returns those that are there already, by their position in the list."""
    await create_temporary(connection, _recorded)
    listed = [
        {
            "position": position,
            "client_id": asset.client_id,
            "kind": asset.kind.value,
            "external_id": asset.external_id,
        }
        for position, asset in enumerate(owned)
    ]
    await insert_many(connection, _recorded, listed)
    same = and_(*(assets.c[name] == _recorded.c[name] for name in ("client_id", "kind", "external_id")))
    statement = select(_recorded.c.position, assets.c.id, assets.c.owner_id, assets.c.name).join(assets, same)
    found = {row.position: row for row in await connection.execute(statement)}
    # PostgreSQL keeps the table until the transaction ends, and an import writes many parts in one.
    await connection.execute(delete(_recorded))
    return found


async def asset_transfers_by_outcome(
    reader: Reader, parents: Sequence[OutcomeRecord]
) -> list[Sequence[AssetTransferRecord]]:
    """Returns what became of the assets in each outcome, by kind; dry runs have it in memory (F39, P15, N01)."""
    stored = {(parent.operation_id, parent.position) for parent in parents if parent.operation_id is not None}
    found: dict[tuple[int | None, int], list[AssetTransferRecord]] = defaultdict(list)
    if stored:
        rows = await reader.rows(
            select(asset_transfers)
            .where(asset_transfers.c.operation_id.in_({operation_id for operation_id, _ in stored}))
            .where(asset_transfers.c.operation_id.in_(readable_operations(reader.viewer)))
            .where(asset_transfers.c.position.in_({position for _, position in stored}))
        )
        for row in rows:
            transfer = AssetTransferRecord(AssetKind(row.kind), row.total, row.to_id)
            found[row.operation_id, row.position].append(transfer)
    listed = [
        parent.foreseen_transfers if parent.operation_id is None else found[parent.operation_id, parent.position]
        for parent in parents
    ]
    kinds = list(AssetKind)
    return [sorted(transfers, key=lambda transfer: kinds.index(transfer.kind)) for transfers in listed]
