"""Permissions, and the catalogue in which they are described (F03, F14)."""

import strawberry

from models.permission.built_in import ADMIN_COMPARISON
from models.permission.built_in import AdminComparison as AdminComparisonRow
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.permission import Area as AreaRow
from models.permission.permission import Permission as PermissionRow
from models.permission.permission import Requirement as RequirementRow
from resolvers.permission import GrantedPermissionRecord, PermissionAtLevelRecord
from schema.field import column, field
from schema.node import encode
from schema.record import shown_all, shows

_AREAS = {area.key: area for area in catalogue.areas}


@shows(PermissionRow)
@strawberry.type(description="One permission of the catalogue.")
class Permission:
    """A permission in words and in rules."""

    record: strawberry.Private[PermissionRow]
    key: str = column("The name by which inputs call it, such as `contacts.view`.")
    label: str = column("What it is called.")
    description: str = column("What it lets a person do.")
    levels: list[PermissionLevel] = column("The levels at which it can be held, rising from NONE.")
    delegable: bool = column("False for what only a super admin ever has.")
    sensitive: bool = column("Whether it is worth a second look, such as billing.")

    @field("Opaque, and stays the same for ever.", name="id")
    def node_id(self) -> strawberry.ID:
        """Returns the id, made of the key."""
        return encode("Permission", self.record.key)

    @field("The area under which it is listed.")
    def area(self) -> "PermissionArea":
        """Returns the area."""
        return PermissionArea(record=_AREAS[self.record.area])

    @field("What holding it at a level requires. A set of permissions that lacks any of this is refused.")
    def requires(self) -> list["PermissionRequirement"]:
        """Returns the direct requirements."""
        return [PermissionRequirement(record=requirement) for requirement in self.record.requires]


@strawberry.type(description="A group of permissions under one heading.")
class PermissionArea:
    """An area of the catalogue (F14)."""

    record: strawberry.Private[AreaRow]
    key: str = column("The name by which arguments call it, such as `crm`.")
    label: str = column("The heading.")

    @field("The permissions of this area.")
    def permissions(self) -> list[Permission]:
        """Returns the permissions in the order of the catalogue."""
        return [Permission(record=permission) for permission in self.record.permissions]


@strawberry.type(description="One thing that a permission requires.")
class PermissionRequirement:
    """A requirement between two permissions at levels."""

    record: strawberry.Private[RequirementRow]
    level: PermissionLevel = column("From this level of the permission on, the requirement applies.")
    required_level: PermissionLevel = column("The least level of the required permission.")

    @field("The permission that is required.")
    def permission(self) -> Permission:
        """Returns the required permission."""
        return Permission(record=catalogue.permissions[self.record.permission])


@shows(GrantedPermissionRecord)
@strawberry.type(description="A permission as somebody holds it.")
class GrantedPermission:
    """A permission at the level stored and the level that counts."""

    record: strawberry.Private[GrantedPermissionRecord]
    level: PermissionLevel = column("The level that was given.")
    effective_level: PermissionLevel = column(
        "The level that counts: what the seat and the product tiers of the account let through of it."
    )

    @field("The permission.")
    def permission(self) -> Permission:
        """Returns the permission."""
        return Permission(record=self.record.permission)


@shows(PermissionAtLevelRecord)
@strawberry.type(description="A permission at one level.")
class PermissionAtLevel:
    """A permission at one level, in a difference."""

    record: strawberry.Private[PermissionAtLevelRecord]
    level: PermissionLevel = column("The highest level that is meant.")
    above: PermissionLevel = column(
        "Only what lies above this level is meant: from NONE to ALL is the whole permission."
    )

    @field("The permission.")
    def permission(self) -> Permission:
        """Returns the permission."""
        return Permission(record=self.record.permission)


@strawberry.type(description="How the permissions of a grant differ from the permission set it was given.")
class PermissionDifference:
    """What was added to a template and taken from it (F13)."""

    added: list[PermissionAtLevel] = strawberry.field(description="What the grant has beyond its set.")
    removed: list[PermissionAtLevel] = strawberry.field(description="What the set has and the grant lacks.")


@strawberry.type(description="One line of the comparison of super admin and partner admin.")
class AdminComparison:
    """A row of the comparison (F03)."""

    record: strawberry.Private[AdminComparisonRow]
    label: str = column("What is compared.")
    super_admin: bool = column("Whether a super admin has it.")
    partner_admin: bool = column("Whether a partner admin has it.")


@strawberry.type(description="All permissions there are, the same for everybody.")
class PermissionCatalog:
    """The catalogue; nobody needs to sign in for it."""

    @field("The permissions by area.")
    def areas(self) -> list[PermissionArea]:
        """Returns the areas."""
        return [PermissionArea(record=area) for area in catalogue.areas]

    @field("What a super admin and a partner admin have, side by side.")
    def admin_comparison(self) -> list[AdminComparison]:
        """Returns the comparison (F03)."""
        return [AdminComparison(record=row) for row in ADMIN_COMPARISON]


def permissions_at_level(records: list[PermissionAtLevelRecord]) -> list[PermissionAtLevel]:
    """Returns the GraphQL objects of a difference."""
    found: list[PermissionAtLevel] = shown_all(records)
    return found
