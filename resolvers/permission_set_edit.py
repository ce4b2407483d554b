"""Making, changing and archiving a partner's permission sets, and each person's default set (F13, F51, P12)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import select as select_rows
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.dialect import lock_rows
from models.member import members
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.permission_set import (
    PermissionSet,
    PermissionSetOrigin,
    PermissionSetVersion,
    permission_set_versions,
    permission_sets,
)
from models.table import now
from models.text import fold
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import one_line, refusing_at, several_lines
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.interning import intern_states
from resolvers.permission_request import requested_state
from resolvers.readable import readable_members, readable_permission_sets
from resolvers.viewer import Viewer

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 2_000


@dataclass(frozen=True, slots=True)
class SetDraft:
    """What a set is to be; None leaves that part as it is."""

    name: str | None = None
    description: str | None = None
    permissions: tuple[tuple[str, PermissionLevel], ...] | None = None

    def state(self) -> State | None:
        """Returns the state that the permissions describe.

        Raises:
            RefusedError: as ``requested_state``.
        """
        return None if self.permissions is None else requested_state(self.permissions, "input", "permissions")


async def create_permission_set(
    database: Database, viewer: Viewer, partner_id: int, draft: SetDraft, call: IdempotentCall | None = None
) -> int:
    """Makes a partner's own set with version 1 and returns its key.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, NAME_TAKEN, INVALID_INPUT, or why the permissions make no set.
    """
    viewer.acting(partner_id)
    name, description, state = _name(draft.name), _description(draft.description), draft.state()
    async with _named(database) as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        await check_acting(await session.connection(), viewer, partner_id)
        made = PermissionSet(
            origin=PermissionSetOrigin.PARTNER,
            partner_id=partner_id,
            name=name,
            name_key=fold(name),
            description=description,
        )
        session.add(made)
        await session.flush()
        await _add_version(session, made, state or 0, viewer)
        await remember(session, call, made.id)
    return _key(made)


async def update_permission_set(
    database: Database,
    viewer: Viewer,
    set_id: int | None,
    draft: SetDraft,
    *,
    expected_version: int | None = None,
    call: IdempotentCall | None = None,
) -> int:
    """Changes a partner's own set; other permissions make a new version, and the grants keep theirs (P12).

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, CONFLICT, NAME_TAKEN, INVALID_INPUT, or why the permissions make no set.
    """
    state = draft.state()
    async with _named(database) as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        found = await _own_set(session, viewer, set_id)
        if expected_version is not None and expected_version != found.version:
            raise refuse(
                RefusalCode.CONFLICT,
                f"The set is at version {found.version} by now: read it again, and send that version.",
                "input",
                "expectedVersion",
            )
        if draft.name is not None:
            found.name = _name(draft.name)
            found.name_key = fold(found.name)
        if draft.description is not None:
            found.description = _description(draft.description)
        if state is not None:
            await _change_state(session, found, state, viewer)
        session.add(found)
        await remember(session, call, found.id)
    return _key(found)


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
    return _key(found)


async def set_default_permission_set(
    database: Database,
    viewer: Viewer,
    member_id: int | None,
    set_id: int | None,
    *,
    clear: bool,
    call: IdempotentCall | None = None,
) -> None:
    """Makes a set a person's default (F51), or clears it.

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, NOT_A_PARTNER.
    """
    async with database.write() as session:
        if await remembered(session, call) is not None:
            return
        readable = members.c.id.in_(readable_members(viewer))
        statement = select(members.c.partner_id).where(members.c.id == member_id, readable)
        connection = await session.connection()
        partner_id = (await connection.execute(statement)).scalar_one_or_none()
        if partner_id is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", "input", "member")
        await check_acting(connection, viewer, partner_id)
        if not clear:
            await _check_usable(session, set_id, partner_id)
        await connection.execute(
            update(members).where(members.c.id == member_id).values(default_permission_set_id=None if clear else set_id)
        )
        await remember(session, call, member_id)


async def _check_usable(session: AsyncSession, set_id: int | None, partner_id: int) -> None:
    """Refuses a set that people of a partner cannot be given everywhere: it must be built in, or the partner's own."""
    found = await session.get(PermissionSet, set_id) if set_id is not None else None
    usable = found is not None and found.archived_at is None and found.account_id is None
    if found is None or not usable or found.partner_id not in {None, partner_id}:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such permission set: take an id from partner.permissionSets.",
            "input",
            "permissionSet",
        )


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


async def _change_state(session: AsyncSession, found: PermissionSet, state: State, viewer: Viewer) -> None:
    connection = await session.connection()
    state_id = (await intern_states(connection, [state]))[state]
    present = (
        await connection.execute(
            select(permission_set_versions.c.state_id).where(
                permission_set_versions.c.set_id == found.id, permission_set_versions.c.version == found.version
            )
        )
    ).scalar_one()
    if present != state_id:
        found.version += 1
        await _add_version(session, found, state, viewer)


async def _add_version(session: AsyncSession, made: PermissionSet, state: State, viewer: Viewer) -> None:
    state_ids = await intern_states(await session.connection(), [state])
    session.add(
        PermissionSetVersion(
            set_id=_key(made), version=made.version, state_id=state_ids[state], created_by_id=viewer.user_id
        )
    )
    await session.flush()


@asynccontextmanager
async def _named(database: Database) -> AsyncIterator[AsyncSession]:
    """Yields a writing session in which a name that is taken already becomes a refusal."""
    try:
        async with database.write() as session:
            yield session
    except IntegrityError as error:
        if "name" not in str(error.orig):
            raise
        raise refuse(
            RefusalCode.NAME_TAKEN,
            "Your partner has a set of this name already, whatever its case and accents: choose another name.",
            "input",
            "name",
        ) from error


def _key(made: PermissionSet) -> int:
    if made.id is None:
        raise RuntimeError("The database gave the permission set no key.")
    return made.id


def _name(name: str | None) -> str:
    with refusing_at("The name", "input", "name"):
        return one_line(name or "", LONGEST_NAME)


def _description(description: str | None) -> str:
    with refusing_at("The description", "input", "description"):
        return several_lines(description or "", LONGEST_DESCRIPTION)
