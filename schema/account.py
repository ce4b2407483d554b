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
from resolvers.activity.last_active import last_active_by_account_partner, last_active_by_account_person
from resolvers.client_set.editor import must_read_sets, reads_sets_by_account
from resolvers.invitation import pending_invitations
from resolvers.lockdown.record import lockdown_by_account
from resolvers.permission import granted_permissions
from resolvers.permission_set import permission_set_totals_by_account, permission_sets_by_account
from resolvers.timeline import timeline_by_account, timeline_total_by_account
from schema.activity import ActivityConnection, ActivityFilterArgument, activity_page
from schema.connection import After, Before, Connection, First, Last, Search, connection, given, requested
from schema.context import Info
from schema.elevated_access import (
    ELEVATED,
    ElevatedAccessConnection,
    ElevatedAccessFilterArgument,
    elevated_access_of_account,
)
from schema.field import column, field
from schema.grant import GrantFilterArgument, grant_filter
from schema.invitation import AccessLinkInvitation
from schema.node import Node, decode_key
from schema.permission import GrantedPermission, PermissionArea
from schema.permission_set import PermissionSetConnection
from schema.record import shown, shown_all, shows
from schema.scalar import EmailAddress
from schema.template_lockdown import TemplateLockdown
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

    @field("When the person was last active in your account, as far as the agency's tools have told; null for never.")
    async def last_active_at(self, info: Info) -> datetime | None:
        """Returns the last moment (F52)."""
        place = (self.record.client_id, self.record.member_id)
        found: datetime | None = await info.context.load(last_active_by_account_person, place)
        return found

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

    longest_days: int | None = column(
        "For how many days its people are given access at most, as you have set it with setAccessLimit; null for no limit."
    )
    longest_days_at: datetime | None = column("When that was last set, or ended; null if never.")
    longest_days_by: EmailAddress | None = column("The address of the one of your people who set or ended it last.")

    @field("When any of its people was last active in your account, as far as its tools have told; null for never.")
    async def last_active_at(self, info: Info) -> datetime | None:
        """Returns the last moment (F52)."""
        found: datetime | None = await info.context.load(last_active_by_account_partner, self.record.id)
        return found

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

    @field(
        f"What the agencies' people did in your account, as far as their tools have told, the latest first. {DECIDES}"
    )
    async def activity(
        self,
        info: Info,
        *,
        filter: ActivityFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ActivityConnection:
        """Returns one page of the feed (F52)."""
        await self._check(info)
        return await activity_page(info, "Account", self.record.id, filter, first, after, last, before)

    @field(f"{ELEVATED} Whoever's people they are. {DECIDES}")
    async def elevated_access(
        self,
        info: Info,
        *,
        filter: ElevatedAccessFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ElevatedAccessConnection:
        """Returns one page of the report (P23, N08)."""
        await self._check(info)
        return await elevated_access_of_account(info, self.record.id, filter, requested(first, after, last, before))

    @field(
        "Your account's own permission sets, which the agencies that work in it can use there and nowhere else. For its super "
        "admins, and for those of its people with the permission Custom permission sets or who may add and edit users."
    )
    async def permission_sets(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PermissionSetConnection:
        """Returns one page of the sets (F49)."""
        load, key, text = info.context.load, self.record.id, given(search)
        must_read_sets(await load(reads_sets_by_account, key))
        page = await load(permission_sets_by_account, key, search=text, page=requested(first, after, last, before))
        found: PermissionSetConnection = connection(
            page, lambda: load(permission_set_totals_by_account, key, search=text)
        )
        return found

    @field(f"Your account's lockdown to permission sets, if one is in force. {DECIDES}")
    async def template_lockdown(self, info: Info) -> TemplateLockdown | None:
        """Returns the lockdown (P27)."""
        await self._check(info)
        found: TemplateLockdown | None = shown(await info.context.load(lockdown_by_account, self.record.id))
        return found

    async def _check(self, info: Info) -> None:
        must_decide(await info.context.load(decides_by_account, self.record.id))


def _ceiling(record: AccountPartnerRecord) -> list[GrantedPermission] | None:
    state = record.ceiling
    return None if state is None else shown_all(granted_permissions(state, state))
