"""A client's account and who works in it, for the account's own people."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberKind
from models.partner import PartnerProgram
from models.permission.level import PermissionLevel
from resolvers.account import AccountRecord, accounts_by_id, decides_by_account, must_decide
from resolvers.account_partner import AccountPartnerRecord, account_partners_by_id, partners_by_account
from resolvers.account_person import (
    AccountPersonRecord,
    AreaLevelRecord,
    account_people_by_id,
    people_by_account_partner,
    people_total_by_account_partner,
)
from resolvers.invitation import pending_invitations
from resolvers.permission import granted_permissions
from resolvers.timeline import timeline_by_account, timeline_total_by_account
from schema.connection import After, Before, Connection, First, Last, connection, given, requested
from schema.context import Info
from schema.field import column, field
from schema.grant import GrantFilterArgument, grant_filter
from schema.invitation import AccessLinkInvitation
from schema.node import Node, decode_key
from schema.permission import GrantedPermission, PermissionArea
from schema.record import shown_all, shows
from schema.scalar import EmailAddress
from schema.timeline import TimelineConnection, TimelineFilterArgument, timeline_filter

DECIDES = "For the account's super admins, and for those of its people who may add and edit users."


@shows(AreaLevelRecord)
@strawberry.type(description="How far somebody reaches in one area of the permissions.")
class AreaLevel:
    """A person's level in an area (N08)."""

    record: strawberry.Private[AreaLevelRecord]
    level: PermissionLevel = column("The highest level at which the person holds any permission of the area.")
    sensitive: bool = column("Whether any of these permissions is worth a second look, such as billing.")

    @field("The area.")
    def area(self) -> PermissionArea:
        """Returns the area."""
        return PermissionArea(record=self.record.area)


@shows(AccountPersonRecord, account_people_by_id)
@strawberry.type(description="One of a partner's people in your account.")
class AccountPerson(Node):
    """A partner's person, as the client sees them."""

    record: strawberry.Private[AccountPersonRecord]
    name: str = column("The name, as the partner writes it.")
    email: EmailAddress = column("The e-mail address, in lower case.")
    kind: MemberKind = column("How the person works for the partner.")
    access_type: AccessType = column("What the person is in your account.")
    status: GrantStatus = column("Where the access stands.")
    seat: Seat = column("The seat it takes.")
    since: datetime = column("Since when the person has it.")
    expires_at: datetime | None = column("When it ends by itself; null if never.")

    @field("In which areas the person can do anything now, and at what level; empty while the access does not count.")
    def level_by_area(self) -> list[AreaLevel]:
        """Returns the levels by area."""
        found: list[AreaLevel] = shown_all(self.record.area_levels)
        return found

    @field("The permissions, each at the level stored and the level that counts now.")
    def permissions(
        self,
        area: Annotated[
            str | None, strawberry.argument(description="Only those of the area with this key, such as `crm`.")
        ] = strawberry.UNSET,
    ) -> list[GrantedPermission]:
        """Returns the permissions above NONE (F14)."""
        listed = granted_permissions(self.record.state, self.record.effective, given(area))
        found: list[GrantedPermission] = shown_all(listed)
        return found


@strawberry.type(description="One page of a partner's people in your account.")
class AccountPersonConnection(Connection[AccountPerson]):
    """A page of people."""


@shows(AccountPartnerRecord, account_partners_by_id)
@strawberry.type(description="An agency that works, or has worked, in your account.")
class AccountPartner(Node):
    """A partner, as the client sees it."""

    record: strawberry.Private[AccountPartnerRecord]
    name: str = column("The agency's name.")
    hub_id: str = column("The number by which people know the agency's own account.")
    program: PartnerProgram = column("The program it is in.")
    active_people: int = column("How many of its people have active access.")
    deactivated_people: int = column("How many of its people have access that is deactivated.")
    confirmed_at: datetime | None = column("When your account confirmed that it works with the agency; null if not.")
    since: datetime | None = column("When one of its people first had access; null if nobody ever had.")

    @field("The most that its people may hold in your account; null for no ceiling.")
    def ceiling(self) -> list[GrantedPermission] | None:
        """Returns the ceiling (P08)."""
        return _ceiling(self.record)

    @field("Its people in your account.")
    async def people(
        self,
        info: Info,
        *,
        filter: GrantFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> AccountPersonConnection:
        """Returns one page of the people (N08)."""
        load, key, rows = info.context.load, self.record.id, grant_filter(given(filter))
        page = await load(people_by_account_partner, key, filter=rows, page=requested(first, after, last, before))
        found: AccountPersonConnection = connection(
            page, lambda: load(people_total_by_account_partner, key, filter=rows)
        )
        return found


@shows(AccountRecord, accounts_by_id)
@strawberry.type(
    description="Your own account, if you are one of its own people: who works in it, and what you allow them."
)
class Account(Node):
    """An account, for its own people (section 3, *the client's side*)."""

    record: strawberry.Private[AccountRecord]
    hub_id: str = column("The number by which people know the account.")
    name: str = column("The account's own name.")

    @field("Whether you decide for the account: you are its super admin, or may add and edit its users.")
    async def viewer_decides(self, info: Info) -> bool:
        """Says whether the viewer sees and does more than know the name (F16)."""
        decides: bool = await info.context.load(decides_by_account, self.record.id)
        return decides

    @field(f"What agencies ask of your account alone and nobody has answered, the newest first. {DECIDES}")
    async def pending_invitations(self, info: Info) -> list[AccessLinkInvitation]:
        """Returns the links that are for this account (P07)."""
        await self._check(info)
        found: list[AccessLinkInvitation] = shown_all(await info.context.load(pending_invitations, self.record.id))
        return found

    @field(f"The agencies that work in your account, or have worked there, by name. {DECIDES}")
    async def partners(self, info: Info) -> list[AccountPartner]:
        """Returns the partners (L9, N08)."""
        await self._check(info)
        found: list[AccountPartner] = shown_all(await info.context.load(partners_by_account, self.record.id))
        return found

    @field(f"The most that an agency's people may hold; null for no ceiling and for an unknown agency. {DECIDES}")
    async def ceiling(
        self,
        info: Info,
        partner: Annotated[strawberry.ID, strawberry.argument(description="One of `partners`.")],
    ) -> list[GrantedPermission] | None:
        """Returns a partner's ceiling (P08)."""
        await self._check(info)
        key = decode_key(str(partner), "AccountPartner")
        known = await info.context.load(partners_by_account, self.record.id)
        return next((_ceiling(record) for record in known if record.id == key), None)

    @field(f"Every change of anybody's access in your account, the newest first. {DECIDES}")
    async def timeline(
        self,
        info: Info,
        *,
        filter: TimelineFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> TimelineConnection:
        """Returns one page of what happened (F55, N08)."""
        await self._check(info)
        load, key, rows = info.context.load, self.record.id, timeline_filter(given(filter))
        page = await load(timeline_by_account, key, filter=rows, page=requested(first, after, last, before))
        found: TimelineConnection = connection(page, lambda: load(timeline_total_by_account, key, filter=rows))
        return found

    async def _check(self, info: Info) -> None:
        must_decide(await info.context.load(decides_by_account, self.record.id))


def _ceiling(record: AccountPartnerRecord) -> list[GrantedPermission] | None:
    state = record.ceiling
    return None if state is None else shown_all(granted_permissions(state, state))
