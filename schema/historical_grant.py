"""Access as of a moment in the past (N05)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.grant import AccessType, GrantStatus, Seat
from resolvers.client import ClientRecord, clients_by_id
from resolvers.historical_grant import (
    AccessDifferenceRecord,
    HistoricalGrantRecord,
    access_as_of_by_client,
    access_as_of_by_member,
    access_between_by_client,
    access_between_by_member,
)
from resolvers.member import MemberRecord, members_by_id
from resolvers.operation.record import operations_by_id
from resolvers.permission import permissions_at_level
from resolvers.permission_set import permission_sets_by_id
from schema.context import Info
from schema.field import column, field
from schema.permission import PermissionAtLevel
from schema.permission_set import PermissionSet
from schema.record import shown, shown_all, shows

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member
    from schema.operation import Operation

At = Annotated[datetime, strawberry.argument(description="The moment, with a time zone. What happened at it counts.")]
Since = Annotated[datetime, strawberry.argument(description="The earlier moment, with a time zone.")]
Until = Annotated[datetime, strawberry.argument(description="The later moment, with a time zone.")]

_AS_OF = "as the timeline tells it; access that was removed by then is left out"
_BETWEEN = "was another at the later moment than at the earlier one; what came and went in between is left out"


@strawberry.type
class _Cell:
    """One person in one client."""

    record: strawberry.Private[HistoricalGrantRecord | AccessDifferenceRecord]

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client."""
        found: Client | None = shown(await info.context.load(clients_by_id, self.record.client_id))
        return found

    @field("The person.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the member."""
        found: Member | None = shown(await info.context.load(members_by_id, self.record.member_id))
        return found


@shows(HistoricalGrantRecord)
@strawberry.type(description="One person's access in one client as it was at a moment in the past.")
class HistoricalGrant(_Cell):
    """A grant as of a moment (N05)."""

    record: strawberry.Private[HistoricalGrantRecord]
    at: datetime = column("The moment that was asked for.")
    status: GrantStatus = column("Where the access stood: ACTIVE or DEACTIVATED.")
    access_type: AccessType = column("What it made of the person.")
    seat: Seat = column("The seat it took.")
    permission_set_version: int | None = column(
        "Which version of the permission set had been given; null without a set."
    )
    expires_at: datetime | None = column("When it was to end by itself, as it stood then; null for never.")
    expired: bool = column("Whether it had ended by itself by then, though nobody had taken it away yet.")
    changed_at: datetime = column("When it had become what it was.")

    @field("The permission set that had been given; null without one.")
    async def permission_set(self, info: Info) -> PermissionSet | None:
        """Returns the set, as it is called now."""
        key = self.record.permission_set_id
        found: PermissionSet | None = None
        if key is not None:
            found = shown(await info.context.load(permission_sets_by_id, key))
        return found

    @field("What it contained. While it was not ACTIVE, or had expired, none of it counted.")
    def permissions(self) -> list[PermissionAtLevel]:
        """Returns the permissions at their highest levels."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.permissions))
        return found

    @field("The operation that had made it what it was; null where that is not your partner's.")
    async def operation(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")] | None:
        """Returns the operation of its last entry by then."""
        found: Operation | None = shown(await info.context.load(operations_by_id, self.record.operation_id))
        return found


@shows(AccessDifferenceRecord)
@strawberry.type(description="One person's access in one client at two moments between which it has changed.")
class AccessDifference(_Cell):
    """What became of access (N05)."""

    record: strawberry.Private[AccessDifferenceRecord]

    @field("The access at the earlier moment; null if there was none.")
    def before(self) -> HistoricalGrant | None:
        """Returns the access at the beginning."""
        found: HistoricalGrant | None = shown(self.record.before)
        return found

    @field("The access at the later moment; null if there was none.")
    def after(self) -> HistoricalGrant | None:
        """Returns the access at the end."""
        found: HistoricalGrant | None = shown(self.record.after)
        return found

    @field("What the person could do at the later moment and not at the earlier one.")
    def granted(self) -> list[PermissionAtLevel]:
        """Returns what came."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.granted))
        return found

    @field("What the person could do at the earlier moment and not at the later one.")
    def revoked(self) -> list[PermissionAtLevel]:
        """Returns what went."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.revoked))
        return found


@strawberry.type
class ClientPast:
    """What a client shows of the past."""

    record: strawberry.Private[ClientRecord]

    @field(f"Who of your partner's people had access there at a moment, {_AS_OF}.")
    async def access_as_of(self, info: Info, at: At) -> list[HistoricalGrant]:
        """Returns the access of then."""
        found: list[HistoricalGrant] = shown_all(await info.context.load(access_as_of_by_client, self.record, at=at))
        return found

    @field(f"Whose access there {_BETWEEN}.")
    async def access_between(self, info: Info, since: Since, until: Until) -> list[AccessDifference]:
        """Returns the differences of two moments."""
        loaded = await info.context.load(access_between_by_client, self.record, since=since, until=until)
        found: list[AccessDifference] = shown_all(loaded)
        return found


@strawberry.type
class MemberPast:
    """What a member shows of the past."""

    record: strawberry.Private[MemberRecord]

    @field(f"In which clients the person had access at a moment, {_AS_OF}.")
    async def access_as_of(self, info: Info, at: At) -> list[HistoricalGrant]:
        """Returns the access of then."""
        found: list[HistoricalGrant] = shown_all(await info.context.load(access_as_of_by_member, self.record, at=at))
        return found

    @field(f"In which clients the person's access {_BETWEEN}.")
    async def access_between(self, info: Info, since: Since, until: Until) -> list[AccessDifference]:
        """Returns the differences of two moments."""
        loaded = await info.context.load(access_between_by_member, self.record, since=since, until=until)
        found: list[AccessDifference] = shown_all(loaded)
        return found
