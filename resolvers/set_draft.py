"""What a permission set is to be: its words, its permissions, and the versions that follow each other (F13, P12)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.permission_set import PermissionSet, PermissionSetOrigin, PermissionSetVersion, permission_set_versions
from models.permission_state import permission_states
from models.text import fold
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import one_line, refusing_at, several_lines
from resolvers.interning import intern_states
from resolvers.permission_request import requested_state
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

    def first_version(
        self, origin: PermissionSetOrigin, *, partner_id: int | None = None, account_id: int | None = None
    ) -> PermissionSet:
        """Returns the new set, without its content.

        Raises:
            RefusedError: INVALID_INPUT.
        """
        name = _name(self.name)
        return PermissionSet(
            origin=origin,
            partner_id=partner_id,
            account_id=account_id,
            name=name,
            name_key=fold(name),
            description=_description(self.description),
        )

    def reword(self, found: PermissionSet) -> None:
        """Gives a set the words that the draft says.

        Raises:
            RefusedError: INVALID_INPUT.
        """
        if self.name is not None:
            found.name = _name(self.name)
            found.name_key = fold(found.name)
        if self.description is not None:
            found.description = _description(self.description)


@asynccontextmanager
async def naming_set(database: Database, *, dry_run: bool = False) -> AsyncIterator[AsyncSession]:
    """Yields a writing session in which a name that its owner has given already becomes a refusal."""
    try:
        async with database.rehearse() if dry_run else database.write() as session:
            yield session
    except IntegrityError as error:
        if "name" not in str(error.orig):
            raise
        raise refuse(
            RefusalCode.NAME_TAKEN,
            "There is a set of this name already, whatever its case and accents: choose another name.",
            "input",
            "name",
        ) from error


def check_version(found: PermissionSet, expected: int | None) -> None:
    """Refuses to change a set that is not as it was read (P03).

    Raises:
        RefusedError: CONFLICT.
    """
    if expected is not None and expected != found.version:
        raise refuse(
            RefusalCode.CONFLICT,
            f"The set is at version {found.version} by now: read it again, and send that version.",
            "input",
            "expectedVersion",
        )


async def change_state(session: AsyncSession, found: PermissionSet, state: State, viewer: Viewer) -> None:
    """Makes a state the content of a set: a new version, unless it is that already."""
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
        await add_version(session, found, state, viewer)


async def present_state(connection: AsyncConnection, found: PermissionSet) -> State:
    """Returns what the version of a set contains that it is at."""
    versions = permission_set_versions.c
    statement = (
        select(permission_states.c.content)
        .join(permission_set_versions, versions.state_id == permission_states.c.id)
        .where(versions.set_id == found.id, versions.version == found.version)
    )
    return catalogue.decode((await connection.execute(statement)).scalar_one())


async def add_version(session: AsyncSession, made: PermissionSet, state: State, viewer: Viewer) -> None:
    """Writes the content of the version that a set is at."""
    state_ids = await intern_states(await session.connection(), [state])
    session.add(
        PermissionSetVersion(
            set_id=key_of(made), version=made.version, state_id=state_ids[state], created_by_id=viewer.user_id
        )
    )
    await session.flush()


def key_of(made: PermissionSet) -> int:
    """Returns the key of a set that was written."""
    if made.id is None:
        raise RuntimeError("The database gave the permission set no key.")
    return made.id


def _name(name: str | None) -> str:
    with refusing_at("The name", "input", "name"):
        return one_line(name or "", LONGEST_NAME)


def _description(description: str | None) -> str:
    with refusing_at("The description", "input", "description"):
        return several_lines(description or "", LONGEST_DESCRIPTION)
