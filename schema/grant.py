"""Grants: who holds which access where."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.grant import AccessType, GrantStatus, Seat
from resolvers import grant as grant_rows
from resolvers.client import clients_by_id
from resolvers.expiry.hold import expiry_holds_by_grant
from resolvers.explanation.history import histories_by_grant
from resolvers.grant import GrantRecord, grants_by_id
from resolvers.member import members_by_id
from resolvers.permission import granted_permissions, permissions_at_level, states_by_grant
from resolvers.permission_set import permission_sets_by_id
from resolvers.team import teams_by_grant
from resolvers.user import users_by_id
from schema.connection import Connection, given, several
from schema.context import Info
from schema.expiry import ExpiryHold
from schema.explanation import PermissionArgument, PermissionExplanation, explained
from schema.field import column, field
from schema.least_set import GrantActivity
from schema.node import Node
from schema.permission import GrantedPermission, PermissionDifference
from schema.permission_set import PermissionSet
from schema.record import shown, shown_all, shows
from schema.team import TeamMembership
from schema.user import User

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member


@shows(GrantRecord, grants_by_id)
@strawberry.type(description="One person's access in one client, on behalf of the partner.")
class Grant(GrantActivity, Node):
    """A grant."""

    record: strawberry.Private[GrantRecord]
    access_type: AccessType = column("What it makes of the person there.")
    seat: Seat = column("The seat it takes.")
    status: GrantStatus = column("Where it stands.")
    permission_set_version: int | None = column("The version of the permission set that was given.")
    customised: bool = column("Whether the permissions differ from what its version of the set contains.")
    outdated: bool = column("Whether the set has a newer version than the one that was given.")
    expires_at: datetime | None = column("When it ends by itself; null if never.")
    version: int = column("Counts its changes; give it as expected version to change only what you have seen.")
    since: datetime = column("When it was given.")

    @field("The client in whose account it counts.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("The person who holds it.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The permission set it was given, if it was one.")
    async def permission_set(self, info: Info) -> PermissionSet | None:
        """Returns the set, None for permissions chosen one by one."""
        key = self.record.permission_set_id
        found: PermissionSet | None = (
            None if key is None else shown(await info.context.load(permission_sets_by_id, key))
        )
        return found

    @field("The permissions it gives, each at the level stored and the level that counts.")
    async def permissions(
        self,
        info: Info,
        area: Annotated[
            str | None, strawberry.argument(description="Only those of the area with this key, such as `crm`.")
        ] = strawberry.UNSET,
    ) -> list[GrantedPermission]:
        """Returns the permissions above NONE (F11, F14)."""
        states = await info.context.load(states_by_grant, self.record)
        found: list[GrantedPermission] = shown_all(granted_permissions(states.stored, states.effective, given(area)))
        return found

    @field("How the permissions differ from the version of the set that was given. Empty without a set.")
    async def difference_from_set(self, info: Info) -> PermissionDifference:
        """Returns what was added and removed (F13)."""
        states = await info.context.load(states_by_grant, self.record)
        template = states.stored if states.given is None else states.given
        return PermissionDifference(
            added=shown_all(permissions_at_level(states.stored & ~template)),
            removed=shown_all(permissions_at_level(template & ~states.stored)),
        )

    @field("The person's teams there, the primary one first.")
    async def teams(self, info: Info) -> list[TeamMembership]:
        """Returns the teams (F54)."""
        found: list[TeamMembership] = shown_all(await info.context.load(teams_by_grant, self.record))
        return found

    @field(
        "Why it is still there although it has expired; null while it has not, and until the service has looked at it."
    )
    async def expiry_hold(self, info: Info) -> ExpiryHold | None:
        """Returns the reason (P04)."""
        found: ExpiryHold | None = shown(await info.context.load(expiry_holds_by_grant, self.record))
        return found

    @field("Who gave it; null if it was not a person you may know of.")
    async def granted_by(self, info: Info) -> User | None:
        """Returns who gave it."""
        key = self.record.granted_by_id
        found: User | None = None if key is None else shown(await info.context.load(users_by_id, key))
        return found

    @field(
        "Why the person has one permission by this access, or has it not: which changes gave it, and what is missing."
    )
    async def explain(self, info: Info, permission: PermissionArgument) -> PermissionExplanation:
        """Returns the explanation of one permission (P11)."""
        history = await info.context.load(histories_by_grant, self.record.id)
        return explained(history, self.record.client_id, self.record.member_id, permission)


@strawberry.type(description="One page of a list of grants.")
class GrantConnection(Connection[Grant]):
    """A page of grants."""


@strawberry.input(description="Which grants. Fields that are left out do not filter; an empty list finds nothing.")
class GrantFilter:
    """The filter of a list of grants."""

    statuses: list[GrantStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these; if left out, all but REMOVED."
    )
    access_types: list[AccessType] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    expires_before: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Only those that end by themselves before this moment, or have ended."
    )


GrantFilterArgument: TypeAlias = Annotated[
    GrantFilter | None, strawberry.argument(description="Which grants; if left out, all but the removed.")
]


def grant_filter(filter: GrantFilter | None) -> grant_rows.GrantFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    ends = given(filter.expires_before)
    return grant_rows.GrantFilter(several(filter.statuses), several(filter.access_types), ends)
