"""The elevated-access report: who held partner admin, super admin or a sensitive permission, and when."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from models.grant import AccessType
from resolvers.client import clients_by_id
from resolvers.elevated_access import report
from resolvers.elevated_access.report import (
    ElevatedAccessRecord,
    elevated_access_by_account,
    elevated_access_by_partner,
    elevated_access_total_by_account,
    elevated_access_total_by_partner,
)
from resolvers.member import members_by_id
from resolvers.page import PageRequest
from schema.connection import Connection, connection, given, several
from schema.context import Info
from schema.field import column, field
from schema.key_list import MOST, keys_of
from schema.node import encode
from schema.permission import Permission
from schema.record import shown, shows
from schema.scalar import EmailAddress
from schema.timeline import TimelineEntry

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member

ELEVATED = (
    "Who held elevated access in a period, what began last first: partner admin, super admin, or a permission that the catalogue "
    "calls sensitive."
)


@shows(ElevatedAccessRecord)
@strawberry.type(
    description="A time in which a person held elevated access somewhere without a break. What changes the access type or the "
    "sensitive permissions ends it and begins another; what is deactivated or has expired is not held."
)
class ElevatedAccess:
    """A row of the report (P23)."""

    record: strawberry.Private[ElevatedAccessRecord]
    access_type: AccessType = column("What the access made of the person.")
    since: datetime = column("From when on it was held within the period asked for.")
    until: datetime | None = column("Until when it was held within the period; null if it still is.")
    begun_at: datetime = column("When it really began, be it before the period.")
    ended_at: datetime | None = column("When it really ended, be it after the period; null while it is held.")
    still_held: bool = column("Whether it is held now.")
    expired: bool = column("Whether it ended by itself, because the access expired.")

    @field("Opaque: tells this row from all others.", name="id")
    def row_id(self) -> strawberry.ID:
        """Returns the id."""
        return encode("ElevatedAccess", self.record.id)

    @field("The person, by the name that the partner gives them; for the account's own people the address.")
    def person_name(self) -> str:
        """Returns the name."""
        return self.record.begun.person_name

    @field("The person's e-mail address, in lower case.")
    def person_email(self) -> EmailAddress:
        """Returns the address."""
        return EmailAddress(self.record.begun.person_email)

    @field("The partner on whose behalf it was held; null for the account's own people.")
    def partner_name(self) -> str | None:
        """Returns the partner's name."""
        return self.record.begun.partner_name

    @field("The sensitive permissions that it gave, as stored: whatever seat and tiers let through of them.")
    def sensitive_permissions(self) -> list[Permission]:
        """Returns the permissions."""
        return [Permission(record=permission) for permission in self.record.sensitive_permissions]

    @field("The change with which it began: by whom it was given, and why.")
    def granted_in(self) -> TimelineEntry:
        """Returns the first entry."""
        found: TimelineEntry = shown(self.record.begun)
        return found

    @field("The change with which it ended: by whom, and why. Null while it is held, and where it expired by itself.")
    def ended_in(self) -> TimelineEntry | None:
        """Returns the entry that ended it."""
        found: TimelineEntry | None = shown(self.record.ended)
        return found

    @field("The client as your partner knows it; null where you read as one of the account's own people.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client."""
        key = self.record.begun.client_id
        found: Client | None = None if key is None else shown(await info.context.load(clients_by_id, key))
        return found

    @field("The person as your partner's member; null where you read as one of the account's own people.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the person."""
        key = self.record.begun.member_id
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found


@strawberry.type(description="One page of the elevated-access report, what began last first.")
class ElevatedAccessConnection(Connection[ElevatedAccess]):
    """A page of the report."""


@strawberry.input(
    description="Which rows: every field must fit, and of a list any value. Fields that are left out do not filter; an empty list "
    "finds nothing."
)
class ElevatedAccessFilter:
    """The filter of the report."""

    since: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="The period begins at this moment; what ended by then is left out. The beginning of all if left out.",
    )
    until: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="The period ends before this moment; what began from then on is left out. The present if left out.",
    )
    access_types: list[AccessType] | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the access made of the person: any of these. STANDARD finds those who held a sensitive permission only.",
    )
    permissions: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The keys of sensitive permissions, such as `billing`: who held any of these.",
    )
    members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Any of these members of your partner. {MOST}"
    )
    clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Any of these clients of your partner. {MOST}"
    )
    still_held: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Only what is held now, or only what has ended."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Finds this text in the person's name or e-mail address, whatever its case and accents; of the account's own "
        "people in the address.",
    )


ElevatedAccessFilterArgument: TypeAlias = Annotated[
    ElevatedAccessFilter | None, strawberry.argument(description="Which rows; all if left out.")
]


async def elevated_access_of_partner(
    info: Info, key: int, filter_: ElevatedAccessFilter | None, page: PageRequest
) -> ElevatedAccessConnection:
    """Returns one page of a partner's report (P23)."""
    load, rows = info.context.load, _rows(filter_)
    found = await load(elevated_access_by_partner, key, filter=rows, page=page)
    made: ElevatedAccessConnection = connection(found, lambda: load(elevated_access_total_by_partner, key, filter=rows))
    return made


async def elevated_access_of_account(
    info: Info, key: int, filter_: ElevatedAccessFilter | None, page: PageRequest
) -> ElevatedAccessConnection:
    """Returns one page of an account's report; the caller has made sure that the viewer decides for it."""
    load, rows = info.context.load, _rows(filter_)
    found = await load(elevated_access_by_account, key, filter=rows, page=page)
    made: ElevatedAccessConnection = connection(found, lambda: load(elevated_access_total_by_account, key, filter=rows))
    return made


def _rows(filter_: Any) -> report.ElevatedAccessFilter:
    asked: ElevatedAccessFilter | None = given(filter_)
    if not asked:
        return report.NOTHING_FILTERED
    return report.ElevatedAccessFilter(
        since=given(asked.since),
        until=given(asked.until),
        access_types=several(asked.access_types),
        permissions=several(asked.permissions),
        member_ids=keys_of("members", asked.members, "Member"),
        client_ids=keys_of("clients", asked.clients, "Client"),
        still_held=given(asked.still_held),
        search=given(asked.search),
    )
