"""Adding one person to a partner, and changing one (F02, F09, R14, R16)."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.grant import grants
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import partners
from models.table import now
from models.user import users
from resolvers.acting_partner import check_acting
from resolvers.email_address import email_address
from resolvers.entry_file import EntryFile
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import optional_line, refusing_at
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.last_editor import check_other_editor
from resolvers.leaver_consequence import LeaverConsequence, consequence
from resolvers.locked_member import lock_partner, member_to_change
from resolvers.member_import import MemberEntry, write_members
from resolvers.member_name import member_name
from resolvers.verification import why_verified
from resolvers.viewer import Viewer

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class NewMember:
    """Who is to be added, as the caller writes it."""

    email: str
    kind: MemberKind
    first_name: str = ""
    last_name: str = ""
    manager_rights: ManagerRights = ManagerRights.NONE
    verified: bool = False

    def entry(self) -> MemberEntry:
        """Returns what an import would read for this person.

        Raises:
            RefusedError: INVALID_INPUT, for an address or a name that cannot be used.
        """
        try:
            email = email_address(self.email)
        except ValueError as error:
            raise refuse(RefusalCode.INVALID_INPUT, str(error), "input", "email") from None
        return MemberEntry(
            line=1,
            email=email,
            first_name=_name(self.first_name, "firstName"),
            last_name=_name(self.last_name, "lastName"),
            kind=self.kind,
            manager_rights=self.manager_rights,
            verified=self.verified,
        )


@dataclass(frozen=True, slots=True)
class MemberPatch:
    """What is to change about a person; None leaves that as it is, an empty name takes the name away."""

    first_name: str | None = None
    last_name: str | None = None
    kind: MemberKind | None = None
    manager_rights: ManagerRights | None = None
    verified: bool | None = None
    status: MemberStatus | None = None
    accept_lockout: bool = False
    """For a deactivation: clients may be left with people but without an ACTIVE partner admin (N04)."""

    @property
    def deactivates(self) -> bool:
        """Says whether the person is not to work for the partner for now."""
        return self.status is MemberStatus.DEACTIVATED

    def checked(self) -> "MemberPatch":
        """Returns the patch with names as they are stored.

        Raises:
            RefusedError: INVALID_INPUT, if it changes nothing, names cannot be used, or somebody is to leave.
        """
        if not self.told():
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "Say what to change: firstName, lastName, kind, managerRights, verified or status.",
                "input",
            )
        if self.status is MemberStatus.LEFT:
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "Here a person becomes ACTIVE or DEACTIVATED. Leaving ends all access: removeMember does it.",
                "input",
                "status",
            )
        return replace(
            self,
            first_name=None if self.first_name is None else _name(self.first_name, "firstName"),
            last_name=None if self.last_name is None else _name(self.last_name, "lastName"),
        )

    def told(self) -> dict[str, Any]:
        """Returns the columns of the membership that are to change."""
        columns = ("first_name", "last_name", "kind", "manager_rights", "verified", "status")
        return {name: value for name in columns if (value := getattr(self, name)) is not None}


async def add_member(
    database: Database, viewer: Viewer, partner_id: int, new: NewMember, call: IdempotentCall | None = None
) -> int:
    """Adds a person to a partner, or brings somebody back who left, and returns the member's key.

    Who comes back begins anew: neither grants nor rights nor the default set of the former time return.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, INVALID_INPUT, or CONFLICT for somebody who is a member already or who is
            to come back unverified though they still are a partner admin (F09).
    """
    viewer.acting(partner_id)
    entry = new.entry()
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        await lock_partner(connection, partner_id)
        await check_acting(connection, viewer, partner_id)
        known = (
            await connection.execute(
                select(members.c.id, members.c.status)
                .join(users, users.c.id == members.c.user_id)
                .join(partners, partners.c.id == members.c.partner_id)
                .where(partners.c.id == partner_id, users.c.email_key == entry.key)
            )
        ).one_or_none()
        if known is not None:
            _check_left(entry.email, MemberStatus(known.status))
            await connection.execute(
                update(members)
                .where(members.c.id == known.id)
                .values(
                    status=MemberStatus.ACTIVE,
                    manager_rights=ManagerRights.NONE,
                    super_admin=False,
                    default_permission_set_id=None,
                )
            )
        (written,) = (await write_members(connection, partner_id, EntryFile([entry]))).rows
        if written.key is None:
            raise refuse(RefusalCode.CONFLICT, f"The person was not added. {written.message}", "input")
        await remember(session, call, written.key)
    return written.key


async def update_member(
    database: Database, viewer: Viewer, member_id: int | None, patch: MemberPatch, call: IdempotentCall | None = None
) -> int:
    """Changes a person and returns the member's key; the person's grants stay as they are (R16).

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, NOT_A_PARTNER, INVALID_INPUT, CONFLICT for somebody who left or a partner admin who
            would be unverified (F09), LAST_EDITOR if nobody could act in the manager any more (R14), or WOULD_LOCK_OUT if clients
            with other people would have no partner admin who works for the partner (N04).
    """
    patch = patch.checked()
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        demotes = patch.status is not None or patch.manager_rights is not None
        found = await member_to_change(connection, viewer, member_id, demotes=demotes, with_clients=patch.deactivates)
        if found.status == MemberStatus.LEFT:
            raise refuse(
                RefusalCode.CONFLICT,
                "The person has left the partner. If they come back, bring them in with addMember.",
                "input",
                "member",
            )
        await _check_verified(connection, found, patch)
        await _check_editors(connection, found, patch)
        await _check_lockout(connection, found, patch)
        told = {name: value for name, value in patch.told().items() if getattr(found, name) != value}
        if told:
            first, last = (told.get(name, getattr(found, name)) for name in ("first_name", "last_name"))
            values = told | member_name(first, last, found.email)
            await connection.execute(update(members).where(members.c.id == found.id).values(values))
        await remember(session, call, found.id)
    key: int = found.id
    return key


def _name(text: str, field: str) -> str:
    with refusing_at("The name", "input", field):
        return optional_line(text, LONGEST_NAME)


def _check_left(email: str, status: MemberStatus) -> None:
    advice = {
        MemberStatus.ACTIVE: "change the person with updateMember",
        MemberStatus.DEACTIVATED: "the person is deactivated; make the status ACTIVE with updateMember",
    }.get(status)
    if advice is not None:
        raise refuse(RefusalCode.CONFLICT, f"{email} is a member already: {advice}.", "input", "email")


async def _check_verified(connection: AsyncConnection, found: Row[Any], patch: MemberPatch) -> None:
    """Refuses to unverify somebody who is partner admin somewhere: only verified people may be (F09)."""
    if patch.verified is not False or not found.verified:
        return
    why = (await why_verified(connection, members.c.id == found.id)).get(found.id)
    if why is not None:
        raise refuse(RefusalCode.CONFLICT, why, "input", "verified")


async def _check_editors(connection: AsyncConnection, found: Row[Any], patch: MemberPatch) -> None:
    """Refuses to take the right to act from the last person who has it (R14)."""
    after = {name: getattr(found, name) for name in ("status", "manager_rights")} | patch.told()
    if not _may_act(found.status, found.manager_rights, found) or _may_act(
        after["status"], after["manager_rights"], found
    ):
        return
    field = "managerRights" if after["status"] == MemberStatus.ACTIVE else "status"
    await check_other_editor(connection, found.id, "input", field)


async def _check_lockout(connection: AsyncConnection, found: Row[Any], patch: MemberPatch) -> None:
    """Refuses to deactivate the last partner admin of clients with other people, unless that is accepted (N04)."""
    if not patch.deactivates or patch.accept_lockout or found.status != MemberStatus.ACTIVE:
        return
    told = consequence(grants, now())
    locked_out = select(func.count()).where(grants.c.member_id == found.id, grants.c.ended == 0)
    count = await connection.scalar(locked_out.where(told == LeaverConsequence.NO_PARTNER_ADMIN_LEFT.value)) or 0
    if count:
        where = "one client that has" if count == 1 else f"{count} clients that have"
        raise refuse(
            RefusalCode.WOULD_LOCK_OUT,
            f"The person is the last active partner admin in {where} other people, whose access nobody could change any more. "
            "Make somebody else partner admin there first (leaverReport.clientsWithoutPartnerAdmin names them), or say "
            "acceptLockout: true.",
            "input",
            "status",
        )


def _may_act(status: str, rights: str, found: Row[Any]) -> bool:
    """Says whether a person with this status and these rights acts in the manager (F02)."""
    return status == MemberStatus.ACTIVE and bool(found.super_admin or rights == ManagerRights.EDIT)
