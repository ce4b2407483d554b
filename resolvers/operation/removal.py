"""What removing access adds to the pipeline: the check of the review, and the assets of whoever goes (F38, F39)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind, asset_holdings, asset_transfers, assets
from models.dialect import create_temporary, insert_many
from models.grant import GrantStatus, grants, unexpired
from models.member import MemberStatus, members
from models.operation import OutcomeStatus, decisions
from models.table import now
from resolvers.asset_holding import add_holdings
from resolvers.error import RefusalCode, refuse
from resolvers.operation.cell import (
    blocked_grants,
    cells,
    reassignments,
    reviewed_grants,
    target_clients,
    target_members,
    target_pairs,
)
from resolvers.operation.reassignment import Leavers, check_reassignments, find_reassignments
from resolvers.operation.request import Removal
from resolvers.operation.review_stamp import LONGEST_TOKEN, StampedGrant, stamped_grants, stamped_rows, stamps_of
from resolvers.operation.scope import Scope
from resolvers.operation.verdict import Verdicts
from resolvers.viewer import Viewer

_taker = grants.alias("taker")


@dataclass(frozen=True, slots=True)
class AssetTransferRecord:
    """What becomes of a person's assets of one kind in a client when their access there is removed."""

    kind: AssetKind
    total: int
    to_id: int | None
    """Who takes them over; none where they keep the person as former owner."""


async def lay_out_removal(
    connection: AsyncConnection, viewer: Viewer, removal: Removal, scope: Scope, *, checked: bool = False
) -> None:
    """Fills ``reviewed_grants``, ``blocked_grants`` and ``reassignments`` of ``resolvers.operation.cell``.

    The targets lie in ``target_clients`` and ``target_members`` (and ``target_pairs``) already. A rule is worked out only for
    grants that are as reviewed: the others are refused anyway.

    Raises:
        RefusedError: as ``check_removal``, unless it was checked before.
    """
    if not checked:
        await check_removal(connection, viewer, removal, scope)
    rules = None
    if removal.reassign:
        rules = await find_reassignments(connection, removal.reassign, Leavers.of(scope), target_clients)
    reviewed = await _reviewed(connection, removal, paired=scope.pairs is not None)
    await insert_many(connection, reviewed_grants, [{"grant_id": grant.row.id} for grant in reviewed])
    if rules is None:
        return
    rows = [
        {
            "client_id": grant.row.client_id,
            "member_id": grant.row.member_id,
            "kind": holding.kind.value,
            "to_id": to_id,
        }
        for grant in reviewed
        for holding in grant.holdings
        if holding.total and (to_id := rules.taker(grant.row.client_id, holding.kind)) is not None
    ]
    await insert_many(connection, reassignments, rows)
    await connection.execute(insert(blocked_grants).from_select(["grant_id"], _blocked(now())))


async def check_removal(connection: AsyncConnection, viewer: Viewer, removal: Removal, scope: Scope) -> None:
    """Refuses what cannot be a removal from these targets.

    Raises:
        RefusedError: NOT_FOUND or INVALID_INPUT, for a rule of reassignment that names an unknown client or person, or a leaver;
            INVALID_INPUT for what is too long for a token.
    """
    check_token(removal.review_token)
    if removal.reassign:
        await check_reassignments(connection, viewer, removal.reassign, Leavers.of(scope))


def check_token(token: str) -> None:
    """Refuses what is too long for a token of a review.

    Raises:
        RefusedError: INVALID_INPUT.
    """
    if len(token) > LONGEST_TOKEN:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "This is no token of a review: send the one that removalReview has given.",
            "input",
            "reviewToken",
        )


async def check_planned(connection: AsyncConnection, removal: Removal, scope: Scope) -> None:
    """Refuses to plan a removal from targets that were not reviewed as they are now, whatever may change until it is due (F38, P14).

    Raises:
        RefusedError: STALE_REVIEW.
    """
    await create_temporary(connection, target_clients, target_members, target_pairs)
    if scope.pairs is None:
        unknown = {"position": 0, "class": 0, "has_teams": False, "edits_teams": False, "latest": None}
        places = [{**unknown, "id": client.id, "account_id": client.account_id} for client in scope.clients]
        people = [{"id": member.id, "position": 0, "user_id": member.user_id, "class": 0} for member in scope.members]
        await insert_many(connection, target_clients, places)
        await insert_many(connection, target_members, people)
    else:
        pairs = [
            {"position": position, "member_id": member_id, "client_id": client_id, "class": 0, "expires_at": None}
            for position, (member_id, client_id) in enumerate(scope.pairs)
        ]
        await insert_many(connection, target_pairs, pairs)
    await check_reviewed(connection, removal, _target_grants(paired=scope.pairs is not None))


async def check_reviewed(connection: AsyncConnection, removal: Removal, chosen: Select[Any]) -> None:
    """Refuses grants, selected by their keys, that are not all as the review showed them (F38).

    Raises:
        RefusedError: STALE_REVIEW.
    """
    stamps = stamps_of(removal.issuer, removal.review_token)
    other = 0
    # To the end, even if there are others: drivers keep a cursor open that was not read to its end.
    async for grant in stamped_grants(connection, stamped_rows(chosen)):
        other += grant.stamp(removal.issuer) not in stamps
    if other:
        raise refuse(
            RefusalCode.STALE_REVIEW,
            "Access or assets have changed since the review, or were not part of it. Read removalReview again, and send its new "
            "token; what changes from then on is what acceptChanges is about.",
            "input",
            "reviewToken",
        )


async def _reviewed(connection: AsyncConnection, removal: Removal, *, paired: bool) -> list[StampedGrant]:
    """Returns the targets' grants that are as the review showed them."""
    stamps = stamps_of(removal.issuer, removal.review_token)
    if not stamps and not removal.changed_too:
        return []
    present = stamped_grants(connection, stamped_rows(_target_grants(paired=paired)))
    return [grant async for grant in present if removal.changed_too or grant.stamp(removal.issuer) in stamps]


def _target_grants(*, paired: bool) -> Select[Any]:
    """Selects the living grants of the targets, and NULL for those that have none.

    From the targets outwards: asked for the grants that are targets, SQLite goes through all there are.
    """
    if paired:
        client_id, member_id = target_pairs.c.client_id, target_pairs.c.member_id
        return select(grants.c.id).select_from(target_pairs.outerjoin(grants, _living(client_id, member_id)))
    living = _living(target_clients.c.id, target_members.c.id)
    return select(grants.c.id).select_from(target_clients.join(target_members, true()).outerjoin(grants, living))


def _living(client_id: ColumnElement[int], member_id: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(grants.c.client_id == client_id, grants.c.member_id == member_id, grants.c.ended == 0)


def takes_over(transfers: FromClause, at: datetime) -> ColumnElement[bool]:
    """Says whether whoever is to take over, ``to_id``, is active in the client of a transfer (F39)."""
    return (
        exists()
        .where(_taker.c.client_id == transfers.c.client_id, _taker.c.member_id == transfers.c.to_id)
        .where(_taker.c.ended == 0, _taker.c.status == GrantStatus.ACTIVE.value, unexpired(_taker, at))
        .where(members.c.id == _taker.c.member_id, members.c.status == MemberStatus.ACTIVE.value)
        .correlate(transfers)
    )


def _blocked(at: datetime) -> Select[Any]:
    """Selects the grants some of whose holder's assets are to go to somebody who is not active in the client."""
    theirs = reassignments.outerjoin(grants, _living(reassignments.c.client_id, reassignments.c.member_id))
    return select(grants.c.id).select_from(theirs).where(~takes_over(reassignments, at)).distinct()


def _transfers(removed: ColumnElement[bool]) -> Select[Any]:
    """Selects what becomes of the assets of whoever loses access by the cells for which the condition holds."""
    held = and_(
        asset_holdings.c.client_id == cells.c.client_id,
        asset_holdings.c.member_id == cells.c.member_id,
        asset_holdings.c.total > 0,
    )
    reassigned = and_(
        reassignments.c.client_id == cells.c.client_id,
        reassignments.c.member_id == cells.c.member_id,
        reassignments.c.kind == asset_holdings.c.kind,
    )
    return (
        select(cells.c.position, asset_holdings.c.kind, asset_holdings.c.total, reassignments.c.to_id)
        .select_from(cells)
        .join(asset_holdings, held)
        .outerjoin(reassignments, reassigned)
        .where(removed)
    )


async def foresee_transfers(
    connection: AsyncConnection, verdicts: Verdicts
) -> dict[int, Sequence[AssetTransferRecord]]:
    """Returns, by position, what would become of the assets in the cells of a dry run (N01, P02)."""
    removing = [
        number
        for number, decision in verdicts.numbered()
        if decision.status is OutcomeStatus.APPLIED and decision.after_status is GrantStatus.REMOVED
    ]
    if not removing:
        return {}
    found: dict[int, list[AssetTransferRecord]] = {}
    for row in await connection.execute(_transfers(cells.c.decision.in_(removing))):
        transfer = AssetTransferRecord(AssetKind(row.kind), row.total, row.to_id)
        found.setdefault(row.position, []).append(transfer)
    return dict(found)


async def settle_assets(connection: AsyncConnection, operation_id: int, at: datetime) -> None:
    """Gives the assets of everybody whose grant the operation's cells have REMOVED to whom ``reassignments`` says.

    All others keep the person as former owner. Writes ``asset_transfer`` and keeps ``asset_holding``. Assets belong to one
    partner's client, so those that a contractor owns for another partner stay (R9).
    """
    removed = select(decisions.c.number).where(
        decisions.c.operation_id == operation_id,
        decisions.c.status == OutcomeStatus.APPLIED.value,
        decisions.c.after_status == GrantStatus.REMOVED.value,
    )
    transfers = _transfers(cells.c.decision.in_(removed))
    names = ["position", "kind", "total", "to_id", "operation_id"]
    settled = await connection.execute(
        insert(asset_transfers).from_select(names, transfers.add_columns(literal(operation_id, BigInteger))),
        execution_options={"preserve_rowcount": True},
    )
    if not settled.rowcount:
        return
    ours = and_(asset_transfers.c.operation_id == operation_id, asset_transfers.c.position == cells.c.position)
    await connection.execute(
        update(assets)
        .where(ours)
        .where(assets.c.client_id == cells.c.client_id, assets.c.owner_id == cells.c.member_id)
        .where(assets.c.kind == asset_transfers.c.kind)
        .values(owner_id=asset_transfers.c.to_id, former_owner_id=cells.c.member_id, recorded_at=at)
    )
    await connection.execute(
        update(asset_holdings)
        .where(ours)
        .where(asset_holdings.c.client_id == cells.c.client_id, asset_holdings.c.member_id == cells.c.member_id)
        .where(asset_holdings.c.kind == asset_transfers.c.kind)
        .values(total=0, version=asset_holdings.c.version + 1)
    )
    taken = (cells.c.client_id, asset_transfers.c.to_id, asset_transfers.c.kind)
    gains = (
        select(*taken, func.sum(asset_transfers.c.total).label("more"))
        .join_from(asset_transfers, cells, ours)
        .where(asset_transfers.c.to_id.is_not(None))
        .group_by(*taken)
    )
    await add_holdings(connection, gains)
