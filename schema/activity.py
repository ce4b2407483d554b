"""What people did in client accounts, one event after the other."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from models.activity import ActivityKind
from models.permission.catalogue import catalogue
from resolvers.activity import filter as activity_rows
from resolvers.activity.feed import (
    ActivityRecord,
    activity_by_account,
    activity_by_client,
    activity_by_member,
    activity_by_partner,
    activity_total_by_account,
    activity_total_by_client,
    activity_total_by_member,
    activity_total_by_partner,
)
from resolvers.client import clients_by_id
from resolvers.error import InputError
from resolvers.member import members_by_id
from schema.connection import Connection, connection, given, requested, several
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.key_list import MOST, keys_of
from schema.node import encode
from schema.permission import Permission
from schema.record import shown, shows
from schema.scalar import EmailAddress

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member

MOST_PERMISSIONS = 200
"""The most keys in a filter: more than there are permissions."""

described(
    ActivityKind,
    "What somebody did. More kinds may come: show unknown ones by their name.",
    SIGNED_IN="Opened the account.",
    VIEWED="Looked at something.",
    CREATED="Made something.",
    UPDATED="Changed something.",
    DELETED="Deleted something.",
    COMMUNICATED="Wrote to, called or met somebody.",
    IMPORTED="Brought data in.",
    EXPORTED="Took data out.",
    CONFIGURED="Changed how the account works.",
    OTHER="Anything else.",
)


@shows(ActivityRecord)
@strawberry.type(
    description="Something that one of a partner's people did in a client's account, as a tool has told it. A partner sees that of "
    "its own people, a client all in its account."
)
class Activity:
    """An event of activity (F52)."""

    record: strawberry.Private[ActivityRecord]
    at: datetime = column("When it happened, by the clock of the tool that told it.")
    kind: ActivityKind = column("What the person did.")
    subject: str | None = column("What it was about, in the words of the tool; the client reads it too.")
    partner_name: str = column("The partner whose person it was.")
    person_name: str = column("Who it was, by the name that the partner gives the person.")
    person_email: EmailAddress = column("The person's e-mail address, in lower case.")
    source: str | None = column("The tool that told it; null where you see it as one of the account's own people.")
    event_id: str | None = column("What that tool calls it; null where you see it as one of the account's own people.")

    @field("Opaque: tells this event from all others.", name="id")
    def activity_id(self) -> strawberry.ID:
        """Returns the id."""
        return encode("Activity", self.record.id)

    @field("The permission that it needed, if the tool knew; null also for one that there is no longer.")
    def permission(self) -> Permission | None:
        """Returns the permission (N09)."""
        found: Permission | None = shown(catalogue.permissions.get(self.record.permission or ""))
        return found

    @field("The client as your partner knows it; null where you see it as one of the account's own people.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client."""
        found: Client | None = shown(await info.context.load(clients_by_id, self.record.client_id))
        return found

    @field("The person as your partner's member; null where you see it as one of the account's own people.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the person."""
        found: Member | None = shown(await info.context.load(members_by_id, self.record.member_id))
        return found


@strawberry.type(description="One page of activity, the latest first.")
class ActivityConnection(Connection[Activity]):
    """A page of events."""


@strawberry.input(
    description="Which activity: every field must fit, and of a list any value. Fields that are left out do not filter; an empty "
    "list finds nothing."
)
class ActivityFilter:
    """The filter of activity."""

    persons: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Only that of these members. {MOST}"
    )
    clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Only that in these clients. {MOST}"
    )
    kinds: list[ActivityKind] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    permissions: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Only what needed one of these permissions, by key."
    )
    since: datetime | None = strawberry.field(default=strawberry.UNSET, description="Not before this moment.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Only before this moment.")
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Finds this text in the person's name or e-mail address, whatever its case and accents.",
    )


ActivityFilterArgument: TypeAlias = Annotated[
    ActivityFilter | None, strawberry.argument(description="Which activity; all if left out.")
]


def activity_filter(filter: ActivityFilter | None) -> activity_rows.ActivityFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    permissions: Sequence[str] | None = several(filter.permissions)
    if permissions is not None and len(permissions) > MOST_PERMISSIONS:
        raise InputError(f"permissions takes at most {MOST_PERMISSIONS} keys.")
    return activity_rows.ActivityFilter(
        member_ids=keys_of("persons", filter.persons, "Member"),
        client_ids=keys_of("clients", filter.clients, "Client"),
        kinds=several(filter.kinds),
        permissions=None if permissions is None else tuple(key for key in permissions if key in catalogue.permissions),
        since=given(filter.since),
        until=given(filter.until),
        search=given(filter.search),
    )


_FEEDS = {
    "Partner": (activity_by_partner, activity_total_by_partner),
    "Client": (activity_by_client, activity_total_by_client),
    "Member": (activity_by_member, activity_total_by_member),
    "Account": (activity_by_account, activity_total_by_account),
}


async def activity_page(info: Info, of: str, key: int, filter: ActivityFilter | None, *part: Any) -> ActivityConnection:
    """Returns one page of the activity of something of a type; ``part`` is first, after, last and before."""
    pages, total = _FEEDS[of]
    load, rows = info.context.load, activity_filter(given(filter))
    page = await load(pages, key, filter=rows, page=requested(*part))
    found: ActivityConnection = connection(page, lambda: load(total, key, filter=rows))
    return found
