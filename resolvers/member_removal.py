"""Somebody leaves the partner: all access ends in one operation, and the membership with it (R8, R9, R12, R14)."""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.asset import asset_holdings, assets
from models.client import clients
from models.database import Database
from models.grant import grants
from models.member import ManagerRights, MemberStatus, members
from models.operation import OperationKind, operations
from models.schedule import scheduled_leaves
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.issuer import Issuer
from resolvers.last_editor import check_other_editor
from resolvers.locked_member import member_to_change
from resolvers.operation.execute import DryRun, preview, run
from resolvers.operation.request import Existing, Key, OperationRequest, Reassignment, Removal, WriteOptions
from resolvers.operation.review_stamp import MOST_GRANTS
from resolvers.pod.group import leave_pods
from resolvers.remaining_asset import hand_over_remaining, lay_out_remaining
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class MemberRemoval:
    """Who is to leave, as reviewed, and what becomes of the assets."""

    member_id: Key
    issuer: Issuer
    review_token: str | None = None
    """Needed for somebody with access anywhere (F38)."""
    reassign: tuple[Reassignment, ...] = ()
    accept_lockout: bool = False
    reason: str | None = None
    changed_too: bool = False
    """For a leaving that was planned: whether what has changed since the review ends as well (P14)."""

    def request(self, *, dry_run: bool) -> OperationRequest:
        """Returns the one operation that ends all of the person's access in this partner, all or nothing (R8, R9)."""
        return OperationRequest(
            kind=OperationKind.REMOVE,
            targets=Existing(members=(self.member_id,)),
            removal=Removal(self.issuer, self.review_token or "", self.reassign, self.changed_too),
            repeatable=False,
            options=WriteOptions(
                dry_run=dry_run,
                atomic=True,
                accept_lockout=self.accept_lockout,
                include_self=True,
                reason=self.reason,
            ),
        )


@dataclass(frozen=True, slots=True)
class RemovedMember:
    """Whom a removal was about, and its operation; none where there was no access to end."""

    member_id: int
    operation_id: int | None


async def remove_member(
    database: Database, viewer: Viewer, removal: MemberRemoval, call: IdempotentCall | None = None
) -> RemovedMember:
    """Ends all access of a person and lets them leave; if any of it cannot end, only the operation that says so is written.

    Who has left already stays so (R6).

    Raises:
        RefusedError: NOT_FOUND, NOT_A_PARTNER, FORBIDDEN, LAST_EDITOR; INVALID_INPUT without a review token, for more access
            than can be reviewed, or for a rule of reassignment that cannot be used; CONFLICT for one by which assets would go to
            somebody who is not active, in a client where the person has no access.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return RemovedMember(*first)
        removed = await remove_in(session, viewer, removal)
        await remember(session, call, [removed.member_id, removed.operation_id])
    return removed


async def remove_in(session: AsyncSession, viewer: Viewer, removal: MemberRemoval) -> RemovedMember:
    """Does what ``remove_member`` does inside a transaction; what it refuses, it refuses before anything is written.

    Raises:
        RefusedError: as ``remove_member``.
    """
    connection = await session.connection()
    member_id, has_access = await check_leaving(connection, viewer, removal, locked=True)
    operation_id = await run(session, viewer, removal.request(dry_run=False)) if has_access else None
    if operation_id is None or await _all_applied(connection, operation_id):
        if removal.reassign:
            await hand_over_remaining(connection, member_id)
        await _leave(connection, member_id)
    return RemovedMember(member_id, operation_id)


async def preview_removal(database: Database, viewer: Viewer, removal: MemberRemoval) -> tuple[int, DryRun | None]:
    """Returns the person's key and what ``remove_member`` would do; None where there is no access to end (P02).

    Raises:
        RefusedError: as ``remove_member``.
    """
    async with database.snapshot() as connection:
        member_id, has_access = await check_leaving(connection, viewer, removal, locked=False)
    return member_id, await preview(database, viewer, removal.request(dry_run=True)) if has_access else None


async def check_leaving(
    connection: AsyncConnection, viewer: Viewer, removal: MemberRemoval, *, locked: bool
) -> tuple[int, bool]:
    """Returns the person's key and whether there is access to end, if whoever asks may remove the person.

    Raises:
        RefusedError: as ``remove_member``.
    """
    found = await member_to_change(
        connection, viewer, removal.member_id, demotes=True, with_clients=True, locked=locked
    )
    await check_other_editor(connection, found.id, "input", "member")
    living = select(grants.c.id).where(grants.c.member_id == found.id, grants.c.ended == 0).limit(MOST_GRANTS + 1)
    count = await connection.scalar(select(func.count()).select_from(living.subquery("living"))) or 0
    if count > MOST_GRANTS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"The person has access in more than {MOST_GRANTS:,} clients, the most that one review is about. Remove it in parts with "
            "removeAccess first, each by a member.removalReview of some clients; then review what is left, and remove the person.",
            "input",
            "member",
        )
    if count and not removal.review_token and not removal.changed_too:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "The person has access in clients. Read member.removalReview first: it lists the access and the assets, and its token "
            "belongs here.",
            "input",
            "reviewToken",
        )
    if removal.reassign:
        await lay_out_remaining(connection, viewer, removal.reassign, found.partner_id, found.id)
    key: int = found.id
    return key, count > 0


async def _all_applied(connection: AsyncConnection, operation_id: int) -> bool:
    counts = select(operations.c.total, operations.c.applied).where(operations.c.id == operation_id)
    total, applied = (await connection.execute(counts)).one()
    return bool(total == applied)


async def _leave(connection: AsyncConnection, member_id: int) -> None:
    """Ends the membership: no rights, no default set, no client to lead, no pod, no plan to leave; links stay, suspended by the status (R12).

    What the person owns in clients without having access there, and nobody takes over, keeps them as former owner (F39). The clients
    whose lead they are were locked before the person was, all of them and in order: none can have come since then.
    """
    await connection.execute(
        update(members)
        .where(members.c.id == member_id)
        .values(
            status=MemberStatus.LEFT.value,
            manager_rights=ManagerRights.NONE.value,
            super_admin=False,
            default_permission_set_id=None,
        )
    )
    await connection.execute(update(clients).where(clients.c.lead_id == member_id).values(lead_id=None))
    await leave_pods(connection, member_id)
    planned = update(scheduled_leaves).where(scheduled_leaves.c.member_id == member_id)
    await connection.execute(planned.where(scheduled_leaves.c.ended_at.is_(None)).values(ended_at=now()))
    await connection.execute(
        update(assets)
        .where(assets.c.owner_id == member_id)
        .values(owner_id=None, former_owner_id=member_id, recorded_at=now())
    )
    await connection.execute(
        update(asset_holdings)
        .where(asset_holdings.c.member_id == member_id, asset_holdings.c.total > 0)
        .values(total=0, version=asset_holdings.c.version + 1)
    )
