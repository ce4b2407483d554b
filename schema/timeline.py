"""The timeline: every change to access, by whom and why, with what was before and after."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.grant import AccessType, GrantStatus, Seat
from models.operation import OperationKind
from resolvers import timeline_filter as timeline_rows
from resolvers.client import clients_by_id
from resolvers.member import members_by_id
from resolvers.operation.record import operations_by_id
from resolvers.permission import permissions_at_level
from resolvers.timeline import TimelineRecord, TimelineStateRecord
from resolvers.timeline_filter import TimelineSide
from resolvers.user import users_by_id
from schema.connection import Connection, given, several
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.key_list import MOST, keys_of
from schema.node import encode
from schema.permission import PermissionAtLevel
from schema.record import shown, shown_all, shows
from schema.scalar import EmailAddress
from schema.user import User

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member
    from schema.operation import Operation

described(
    TimelineSide,
    "On whose behalf somebody asked for a change.",
    PARTNER="One of the partner's people.",
    CLIENT="One of the client's own people.",
    SERVICE="Nobody: the service itself, or its operator.",
)


@shows(TimelineStateRecord)
@strawberry.type(description="What somebody's access was at one moment.")
class TimelineState:
    """A grant before or after a change."""

    record: strawberry.Private[TimelineStateRecord]
    status: GrantStatus = column("Where the access stood.")
    access_type: AccessType = column("What it made of the person.")
    seat: Seat | None = column("The seat it took; null where that was not recorded.")
    expires_at: datetime | None = column("When it was to end by itself; null for never.")


@shows(TimelineRecord)
@strawberry.type(
    description="One change of one person's access. A partner sees those of its own people, a client all in its account."
)
class TimelineEntry:
    """An entry of the timeline (F55)."""

    record: strawberry.Private[TimelineRecord]
    at: datetime = column("When it happened.")
    kind: OperationKind = column("What was asked for.")
    partner_name: str | None = column("The partner whose person it is about; null for the account's own people.")
    person_name: str = column(
        "Whose access it is, by the name that the partner gives the person; for the account's own people the address."
    )
    person_email: EmailAddress = column("The person's e-mail address, in lower case.")
    asked_for: TimelineSide = column("On whose behalf it was asked for.")
    asked_by_name: str | None = column(
        "Who asked: by the name that the partner gives the person, one of the client's own people by the address. Null for the "
        "service itself, and for the partner where it was one of the client's people."
    )
    reason: str | None = column(
        "Why, in the words of who asked. What the partner's people write stays with the partner."
    )

    @field("Opaque: tells this entry from all others.", name="id")
    def entry_id(self) -> strawberry.ID:
        """Returns the id."""
        return encode("TimelineEntry", self.record.id)

    @field("What the access was before; null where there was none.")
    def before(self) -> TimelineState | None:
        """Returns the grant before the change."""
        found: TimelineState | None = shown(self.record.before)
        return found

    @field("What the access was afterwards.")
    def after(self) -> TimelineState:
        """Returns the grant after the change."""
        found: TimelineState = shown(self.record.after)
        return found

    @field("What the person could do afterwards and not before. Access that is not active gives nothing.")
    def granted(self) -> list[PermissionAtLevel]:
        """Returns what came."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.granted))
        return found

    @field("What the person could do before and not afterwards. Access that is not active gives nothing.")
    def revoked(self) -> list[PermissionAtLevel]:
        """Returns what went."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.revoked))
        return found

    @field("The client as your partner knows it; null where you see the entry as one of the account's own people.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client."""
        key = self.record.client_id
        found: Client | None = None if key is None else shown(await info.context.load(clients_by_id, key))
        return found

    @field("The person as your partner's member; null where you see the entry as one of the account's own people.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the person."""
        key = self.record.member_id
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found

    @field("Who asked, if it was somebody whom you may know of.")
    async def asked_by(self, info: Info) -> User | None:
        """Returns who asked."""
        key = self.record.asked_by_id
        found: User | None = None if key is None else shown(await info.context.load(users_by_id, key))
        return found

    @field("The operation that it is part of; null where it is not your partner's.")
    async def operation(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")] | None:
        """Returns the operation (P01)."""
        found: Operation | None = shown(await info.context.load(operations_by_id, self.record.operation_id))
        return found


@strawberry.type(description="One page of a timeline, the newest first.")
class TimelineConnection(Connection[TimelineEntry]):
    """A page of entries."""


@strawberry.input(
    description="Which entries: every field must fit, and of a list any value. Fields that are left out do not filter; an empty "
    "list finds nothing."
)
class TimelineFilter:
    """The filter of a timeline."""

    kinds: list[OperationKind] | None = strawberry.field(
        default=strawberry.UNSET, description="What was asked for: any of these."
    )
    since: datetime | None = strawberry.field(default=strawberry.UNSET, description="Not before this moment.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Only before this moment.")
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Finds this text in the name or the e-mail address of the person whose access it is, whatever its case and "
        "accents; of the account's own people in the address.",
    )
    members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Whose access it is: any of these members of your partner. {MOST}"
    )
    clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Where it is: any of these clients of your partner. {MOST}"
    )
    grants: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"What happened to any of these grants. {MOST}"
    )
    asked_for: list[TimelineSide] | None = strawberry.field(
        default=strawberry.UNSET, description="On whose behalf it was asked for: any of these."
    )
    asked_by: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"Who asked: any of these users, as `askedBy` shows them. {MOST}",
    )
    asked_by_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Finds this text in the name of who asked, as `askedByName` shows it, whatever its case and accents.",
    )


TimelineFilterArgument: TypeAlias = Annotated[
    TimelineFilter | None, strawberry.argument(description="Which entries; all if left out.")
]


def timeline_filter(filter: TimelineFilter | None) -> timeline_rows.TimelineFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    return timeline_rows.TimelineFilter(
        kinds=several(filter.kinds),
        since=given(filter.since),
        until=given(filter.until),
        search=given(filter.search),
        member_ids=keys_of("members", filter.members, "Member"),
        client_ids=keys_of("clients", filter.clients, "Client"),
        grant_ids=keys_of("grants", filter.grants, "Grant"),
        asked_for=several(filter.asked_for),
        asked_by_ids=keys_of("askedBy", filter.asked_by, "User"),
        asked_by=given(filter.asked_by_name),
    )
