"""The least permission set that covers what a person used."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from models.permission.catalogue import catalogue
from resolvers.activity.last_active import last_active_by_place
from resolvers.activity.least_set import LeastSetRecord, UsedPermissionRecord, least_sets_by_grant
from resolvers.grant import GrantRecord
from resolvers.permission import permissions_at_level
from schema.connection import given
from schema.context import Info
from schema.field import column, field
from schema.permission import Permission, PermissionAtLevel
from schema.permission_set import PermissionSet
from schema.record import shown, shown_all, shows


@shows(UsedPermissionRecord)
@strawberry.type(description="A permission that somebody used.")
class UsedPermission:
    """A permission that events name."""

    record: strawberry.Private[UsedPermissionRecord]
    total: int = column("How many events of the period needed it.")
    last_at: datetime = column("When the last of them happened.")

    @field("The permission.")
    def permission(self) -> Permission:
        """Returns the permission."""
        return Permission(record=catalogue.permissions[self.record.key])


@shows(LeastSetRecord)
@strawberry.type(
    description="What a person used in a client in a period, by the events that name a permission, and the least permission set that "
    "covers it. An event proves the lowest level of its permission, as nothing is known of whose record it was about, and "
    "whatever that level requires."
)
class LeastSet:
    """The least set and the difference from what is held (N09)."""

    record: strawberry.Private[LeastSetRecord]

    @field(
        "The least of the sets that can be used there and cover what was used: the one with the fewest levels of permissions. Null "
        "where no set covers it, and where nothing was used: then look whether the access is needed at all."
    )
    def permission_set(self) -> PermissionSet | None:
        """Returns the set."""
        found: PermissionSet | None = shown(self.record.permission_set)
        return found

    @field("The permissions that events name, the most used first.")
    def uses(self) -> list[UsedPermission]:
        """Returns what was used."""
        found: list[UsedPermission] = shown_all(self.record.uses)
        return found

    @field("What a set needs to cover that: the permissions used, and what they require.")
    def needed(self) -> list[PermissionAtLevel]:
        """Returns the permissions at levels."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.used))
        return found

    @field("What the person holds beyond the set; beyond what was used, where there is no set.")
    def surplus(self) -> list[PermissionAtLevel]:
        """Returns what could go."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.surplus))
        return found

    @field("What the set has beyond what the person holds.")
    def addition(self) -> list[PermissionAtLevel]:
        """Returns what would come."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.addition))
        return found


Since: TypeAlias = Annotated[
    datetime | None, strawberry.argument(description="Not before this day in UTC, written like 2026-11-21T00:00:00Z.")
]
Until: TypeAlias = Annotated[datetime | None, strawberry.argument(description="Only before this day in UTC.")]


@strawberry.type
class GrantActivity:
    """What a grant shows of its use."""

    record: strawberry.Private[GrantRecord]

    @field(
        "When the person was last active there, as far as your tools have told, also with access that they had before; null for never."
    )
    async def last_active_at(self, info: Info) -> datetime | None:
        """Returns the last moment (F52)."""
        place = (self.record.client_id, self.record.member_id)
        found: datetime | None = await info.context.load(last_active_by_place, place)
        return found

    @field(
        "The smallest permission set that covers what the person used there in a period, and how it differs from what they hold. "
        "As good as the events: what no tool tells looks unused."
    )
    async def least_set(
        self, info: Info, *, since: Since = strawberry.UNSET, until: Until = strawberry.UNSET
    ) -> LeastSet:
        """Returns the least set (N09)."""
        record = await info.context.load(least_sets_by_grant, self.record, since=given(since), until=given(until))
        found: LeastSet = shown(record)
        return found
