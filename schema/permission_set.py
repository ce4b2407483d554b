"""Permission sets: named, versioned templates of permissions (F13, P12)."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from models.permission_set import PermissionSetOrigin
from resolvers.client_set.usage import usage_by_permission_set
from resolvers.grant import grant_totals_by_permission_set, grants_by_permission_set
from resolvers.permission import granted_permissions
from resolvers.permission_set import PermissionSetRecord, permission_sets_by_id
from schema.connection import After, Before, Connection, First, Last, connection, given, requested
from schema.context import Info
from schema.field import column, field
from schema.node import Node
from schema.permission import GrantedPermission
from schema.permission_set_usage import PermissionSetUsage
from schema.record import shown_all, shows

if TYPE_CHECKING:
    from schema.grant import GrantConnection


@shows(PermissionSetRecord, permission_sets_by_id)
@strawberry.type(
    description="A named template of permissions. Editing it makes a new version; grants remember set and version."
)
class PermissionSet(Node):
    """A set at its present version."""

    record: strawberry.Private[PermissionSetRecord]
    name: str = column("What it is called.")
    origin: PermissionSetOrigin = column("Whose set it is.")
    version: int = column("The number of its present version.")
    is_partner_admin: bool = column("Whether whoever gets it becomes a partner admin.")

    @field("What it is for.")
    def description(self) -> str | None:
        """Returns the description, None if nobody wrote one."""
        return self.record.description or None

    @field("What the present version contains. A set has no seat, so level and effective level are the same.")
    def permissions(self) -> list[GrantedPermission]:
        """Returns the permissions above NONE."""
        permissions: list[GrantedPermission] = shown_all(granted_permissions(self.record.state, self.record.state))
        return permissions

    @field(
        "Which agencies' people have it, if it is your own account's: for its super admins and for those of its people who edit its "
        "sets or decide for it. Empty for everybody else."
    )
    async def used_by(self, info: Info) -> list[PermissionSetUsage]:
        """Returns the counts of each partner (F49)."""
        found: list[PermissionSetUsage] = shown_all(await info.context.load(usage_by_permission_set, self.record))
        return found

    @field("The grants of your partners that were given this set, the removed left out.")
    async def grants(
        self,
        info: Info,
        *,
        outdated_only: Annotated[
            bool | None, strawberry.argument(description="Only those that were given an older version of it.")
        ] = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["GrantConnection", strawberry.lazy("schema.grant")]:
        """Returns one page of the grants (P12)."""
        load, outdated = info.context.load, bool(given(outdated_only))
        page = await load(
            grants_by_permission_set, self.record, outdated_only=outdated, page=requested(first, after, last, before)
        )
        grants: GrantConnection = connection(
            page, lambda: load(grant_totals_by_permission_set, self.record, outdated_only=outdated)
        )
        return grants


@strawberry.type(description="One page of a list of permission sets.")
class PermissionSetConnection(Connection[PermissionSet]):
    """A page of permission sets."""
