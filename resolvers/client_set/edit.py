"""Making, changing and archiving an account's own permission sets, by its own people (F49)."""

from dataclasses import astuple, dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import select as select_rows
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.permission_set import PermissionSet, PermissionSetOrigin, permission_set_versions, permission_sets
from models.table import now
from resolvers.client_set.bringing import NewVersion
from resolvers.client_set.editor import check_set_editor
from resolvers.client_set.reach import Edit, Reached, lock_relationships, reach_grants
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnCustomised
from resolvers.readable import readable_account_sets
from resolvers.reader import Reader
from resolvers.set_draft import SetDraft, add_version, change_state, check_version, key_of, naming_set, present_state
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class ClientSetEdit:
    """An edit as the caller asks for it."""

    account_id: int
    set_id: int | None
    draft: SetDraft
    expected_version: int | None = None
    on_customised: OnCustomised = OnCustomised.KEEP
    reason: str | None = None
    dry_run: bool = False
    as_json: str = "{}"


async def account_of_set(reader: Reader, set_id: int | None) -> int | None:
    """Returns whose own set it is, if the viewer is one of that account's own people; None for any other set."""
    statement = select(permission_sets.c.account_id).where(
        permission_sets.c.id == set_id,
        permission_sets.c.account_id.is_not(None),
        permission_sets.c.id.in_(readable_account_sets(reader.viewer)),
    )
    rows = await reader.latest().rows(statement)
    return rows[0].account_id if rows else None


async def create_client_set(
    database: Database, viewer: Viewer, account_id: int | None, draft: SetDraft, call: IdempotentCall | None = None
) -> int:
    """Makes an account's own set with version 1 and returns its key.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN, NAME_TAKEN, INVALID_INPUT, or why the permissions make no set: NON_DELEGABLE for
            what only a super admin ever has.
    """
    made, state = draft.first_version(PermissionSetOrigin.CLIENT, account_id=account_id), draft.state()
    async with naming_set(database.everything()) as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        await check_set_editor(await session.connection(), viewer, account_id, "input", "account", gained=state or 0)
        session.add(made)
        await session.flush()
        await add_version(session, made, state or 0, viewer)
        await remember(session, call, made.id)
    return key_of(made)


async def update_client_set(
    database: Database, viewer: Viewer, asked: ClientSetEdit, call: IdempotentCall | None = None
) -> Reached:
    """Changes an account's own set; if permissions are given, all living grants that were given the set follow (F49).

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN, CONFLICT, NAME_TAKEN, INVALID_INPUT, or why the permissions make no set.
    """
    state = asked.draft.state()
    async with naming_set(database.everything(), dry_run=asked.dry_run) as session:
        first = None if asked.dry_run else await remembered(session, call)
        if first is not None:
            changed, refused, without = first
            return Reached(tuple(changed), tuple((key, OutcomeCode(code)) for key, code in refused), tuple(without))
        connection = await session.connection()
        found = await _own_set(session, viewer, asked.account_id, asked.set_id)
        check_version(found, asked.expected_version)
        asked.draft.reword(found)
        reached, gained = Reached(), 0
        if state is not None:
            gained = state & ~await present_state(connection, found)
            await check_set_editor(connection, viewer, asked.account_id, "input", "permissionSet", gained=gained)
            await change_state(session, found, state, viewer)
        session.add(found)
        await session.flush()
        if state is not None:
            edit = Edit(
                account_id=asked.account_id,
                set_id=key_of(found),
                to=NewVersion(await _version_key(connection, found), state),
                on_customised=asked.on_customised,
                user_id=viewer.user_id,
                reason=asked.reason,
                as_json=asked.as_json,
            )
            reached = await reach_grants(
                connection, edit, checked=lambda: check_set_editor(connection, viewer, asked.account_id, gained=gained)
            )
        if not asked.dry_run:
            await remember(session, call, astuple(reached))
        return reached


async def delete_client_set(
    database: Database, viewer: Viewer, account_id: int, set_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Archives an account's own set: nobody can be given it any more, and the grants that came from it stay as they are.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN.
    """
    async with database.everything().write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        found = await _own_set(session, viewer, account_id, set_id)
        found.archived_at = now()
        session.add(found)
        await remember(session, call, found.id)
        return key_of(found)


async def _own_set(session: AsyncSession, viewer: Viewer, account_id: int, set_id: int | None) -> PermissionSet:
    """Returns a set of the account, locked until the transaction ends, after all who give access there."""
    connection = await session.connection()
    await check_set_editor(connection, viewer, account_id, "input", "permissionSet")
    await lock_relationships(connection, account_id)
    # Once more, for it may have waited.
    await check_set_editor(connection, viewer, account_id, "input", "permissionSet")
    statement = select_rows(PermissionSet).where(
        permission_sets.c.id == set_id,
        permission_sets.c.account_id == account_id,
        permission_sets.c.archived_at.is_(None),
    )
    found = (await session.exec(statement.with_for_update(key_share=True))).one_or_none()
    if found is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such permission set: account.permissionSets lists your own.",
            "input",
            "permissionSet",
        )
    return found


async def _version_key(connection: AsyncConnection, found: PermissionSet) -> int:
    versions = permission_set_versions.c
    statement = select(versions.id).where(versions.set_id == found.id, versions.version == found.version)
    return int((await connection.execute(statement)).scalar_one())
