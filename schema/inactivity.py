"""Access that is not used (P25)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.grant import AccessType
from models.member import MemberKind
from resolvers.activity import inactivity as inactivity_rows
from resolvers.activity.inactivity import InactiveGrantRecord
from schema.connection import Connection, given, several
from schema.field import column, field
from schema.key_list import MOST, keys_of
from schema.record import shown, shows

if TYPE_CHECKING:
    from schema.grant import Grant


@shows(InactiveGrantRecord)
@strawberry.type(description="Active access that its holder does not use.")
class InactiveGrant:
    """A grant of the inactivity list (P25)."""

    record: strawberry.Private[InactiveGrantRecord]
    since: datetime = column(
        "Since when it is not used: the last activity, or the beginning of the access if that is later."
    )
    days: int = column("For how many whole days.")

    @field("When the person was last active there, also with former access; null for never.")
    def last_active_at(self) -> datetime | None:
        """Returns the last moment."""
        return self.record.last_at

    @field("The access, with client and member.")
    def grant(self) -> Annotated["Grant", strawberry.lazy("schema.grant")]:
        """Returns the grant."""
        found: Grant = shown(self.record.grant)
        return found


@strawberry.type(description="One page of access that is not used, the longest unused first.")
class InactiveGrantConnection(Connection[InactiveGrant]):
    """A page of the inactivity list."""


@strawberry.input(
    description="Which access: every field must fit, and of a list any value. Fields that are left out do not filter; an empty "
    "list finds nothing."
)
class InactivityFilter:
    """The filter of the inactivity list."""

    persons: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Only that of these members. {MOST}"
    )
    clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Only that in these clients. {MOST}"
    )
    member_kinds: list[MemberKind] | None = strawberry.field(
        default=strawberry.UNSET, description="Only that of employees, or of contractors."
    )
    access_types: list[AccessType] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    never_active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Only where the person was never active, or only the others."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Finds this text in the person's name or e-mail address, whatever its case and accents.",
    )


InactivityFilterArgument: TypeAlias = Annotated[
    InactivityFilter | None, strawberry.argument(description="Which access; all if left out.")
]


def inactivity_filter(filter: InactivityFilter | None) -> inactivity_rows.InactivityFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    return inactivity_rows.InactivityFilter(
        member_ids=keys_of("persons", filter.persons, "Member"),
        client_ids=keys_of("clients", filter.clients, "Client"),
        member_kinds=several(filter.member_kinds),
        access_types=several(filter.access_types),
        never_active=given(filter.never_active),
        search=given(filter.search),
    )
