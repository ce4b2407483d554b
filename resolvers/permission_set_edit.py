"""Making, changing and archiving a partner's permission sets (F13, P12)."""

from sqlalchemy import select, update
from sqlmodel import select as select_rows
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.dialect import lock_rows
from models.member import members
from models.permission_set import PermissionSet, PermissionSetOrigin, permission_sets
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.readable import readable_permission_sets
from resolvers.set_draft import SetDraft, add_version, change_state, check_version, key_of, naming_set
from resolvers.viewer import Viewer


async def create_permission_set(
    database: Database, viewer: Viewer, partner_id: int, draft: SetDraft, call: IdempotentCall | None = None
) -> int:
    """Makes a partner's own set with version 1 and returns its key.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, NAME_TAKEN, INVALID_INPUT, or why the permissions make no set.
    """
    viewer.acting(partner_id)
    made, state = draft.first_version(PermissionSetOrigin.PARTNER, partner_id=partner_id), draft.state()
    async with naming_set(database) as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        await check_acting(await session.connection(), viewer, partner_id)
        session.add(made)
        await session.flush()
        await add_version(session, made, state or 0, viewer)
        await remember(session, call, made.id)
    return key_of(made)


async def update_permission_set(
    database: Database,
    viewer: Viewer,
    set_id: int | None,
    draft: SetDraft,
    *,
    expected_version: int | None = None,
    dry_run: bool = False,
    call: IdempotentCall | None = None,
) -> int:
    """Changes a partner's own set; other permissions make a new version, and the grants keep theirs (P12).

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, CONFLICT, NAME_TAKEN, INVALID_INPUT, or why the permissions make no set.
    """
    state = draft.state()
    async with naming_set(database, dry_run=dry_run) as session:
        first = None if dry_run else await remembered(session, call)
        if first is not None:
            return int(first)
        found = await _own_set(session, viewer, set_id)
        check_version(found, expected_version)
        draft.reword(found)
        if state is not None:
            await change_state(session, found, state, viewer)
        session.add(found)
        await session.flush()
        if not dry_run:
            await remember(session, call, found.id)
        return key_of(found)


async def delete_permission_set(
    database: Database, viewer: Viewer, set_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Archives a partner's own set: nobody can be given it any more, and the grants that came from it stay as they are.

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        found = await _own_set(session, viewer, set_id)
        found.archived_at = now()
        session.add(found)
        connection = await session.connection()
        # In the order of their keys, as operations lock them, so that the two cannot wait for each other.
        given = select(members.c.id).where(members.c.default_permission_set_id == found.id).order_by(members.c.id)
        await lock_rows(connection, given)
        await connection.execute(
            update(members)
            .where(members.c.default_permission_set_id == found.id)
            .values(default_permission_set_id=None)
        )
        await remember(session, call, found.id)
    return key_of(found)


async def _own_set(session: AsyncSession, viewer: Viewer, set_id: int | None) -> PermissionSet:
    """Returns a set of a partner for which the viewer may act, locked until the transaction ends."""
    connection = await session.connection()
    statement = (
        select_rows(PermissionSet)
        .where(permission_sets.c.id == set_id, permission_sets.c.archived_at.is_(None))
        .where(permission_sets.c.id.in_(readable_permission_sets(viewer)))
    )
    # Row-level security lets nobody lock what is not theirs to change, so it would look as if there were none.
    known = permission_sets.c.id.in_(readable_permission_sets(viewer))
    origin = await connection.scalar(select(permission_sets.c.origin).where(permission_sets.c.id == set_id, known))
    if origin not in {None, PermissionSetOrigin.PARTNER.value}:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "Only your partner's own sets can be changed: make a set of your own with the same permissions.",
            "input",
            "permissionSet",
        )
    found = (await session.exec(statement.with_for_update(key_share=True))).one_or_none()
    if found is None or found.partner_id is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such permission set.", "input", "permissionSet")
    await check_acting(connection, viewer, found.partner_id)
    return found
