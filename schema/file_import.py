"""The mutations that import a partner's people and clients from CSV text."""

from itertools import islice
from typing import Annotated, Any

import strawberry

from resolvers.client import clients_by_id
from resolvers.client_import import read_clients, write_clients
from resolvers.error import InputError
from resolvers.file_import import import_file
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus
from resolvers.member import members_by_id
from resolvers.member_import import read_members, write_members
from schema.client import Client
from schema.connection import given, several
from schema.context import Info
from schema.enum import described
from schema.error import Payload, refusing
from schema.field import column, field
from schema.idempotency import idempotent_call
from schema.member import Member
from schema.partner_argument import acting_partner
from schema.record import shown

MOST_RESULTS = 1_000
"""The most rows that one answer tells of."""

described(
    ImportStatus,
    "What became of one row of a file.",
    CREATED="Was not there before.",
    UPDATED="Was there and has changed.",
    UNCHANGED="Was there just so.",
    REJECTED="Cannot be taken; the message says why.",
)

Statuses = Annotated[
    list[ImportStatus] | None, strawberry.argument(description="Only rows with one of these; all if left out.")
]
First = Annotated[int, strawberry.argument(description=f"At most so many rows: 1 to {MOST_RESULTS:,}.")]
AfterLine = Annotated[int, strawberry.argument(description="Only rows that begin after this line of the file.")]


@strawberry.input(description="A file of clients.")
class ImportClientsInput:
    """What importClients takes."""

    csv: str = strawberry.field(
        description="CSV text with the columns hub_id, official_name, display_name, domain, account_type, managed_mrr, "
        "currency in any order; only hub_id and official_name must have a value."
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    dry_run: bool | None = strawberry.field(default=False, description="Says what would happen and writes nothing.")


@strawberry.input(description="A file of people.")
class ImportMembersInput:
    """What importMembers takes."""

    csv: str = strawberry.field(
        description="CSV text with the columns email, first_name, last_name, kind, manager_rights, verified in any order; "
        "only email and kind must have a value. Where first_name and last_name, manager_rights or verified are empty, a member "
        "keeps what is there, and a new one begins with no name, NONE or false."
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    dry_run: bool | None = strawberry.field(default=False, description="Says what would happen and writes nothing.")


@strawberry.type(description="How many rows of a file have each status.")
class ImportCounts:
    """The counts of an import."""

    created: int = strawberry.field(description="How many are new.")
    updated: int = strawberry.field(description="How many have changed.")
    unchanged: int = strawberry.field(description="How many were there just so.")
    rejected: int = strawberry.field(description="How many were not taken.")

    @classmethod
    def of(cls, result: ImportResult) -> "ImportCounts":
        """Returns the counts of a result."""
        return cls(**{status.value.lower(): result.count(status) for status in ImportStatus})


@strawberry.type(description="One row of a file of clients.")
class ImportedClient:
    """A row that may have become a client."""

    record: strawberry.Private[ImportedRow]
    line: int = column("The line of the file on which the row begins; the first line is 1.")
    status: ImportStatus = column("What became of it.")
    message: str | None = column("Why it was rejected and what to do; null for all others.")

    @field("The client; null for a rejected row and for a new one in a dry run.")
    async def client(self, info: Info) -> Client | None:
        """Returns the client."""
        key = self.record.key
        client: Client | None = None if key is None else shown(await info.context.load(clients_by_id, key))
        return client


@strawberry.type(description="One row of a file of people.")
class ImportedMember:
    """A row that may have become a member."""

    record: strawberry.Private[ImportedRow]
    line: int = column("The line of the file on which the row begins; the first line is 1.")
    status: ImportStatus = column("What became of it.")
    message: str | None = column("Why it was rejected and what to do; null for all others.")

    @field("The person; null for a rejected row and for a new one in a dry run.")
    async def member(self, info: Info) -> Member | None:
        """Returns the member."""
        key = self.record.key
        member: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return member


@strawberry.type(description="The answer to importing clients.")
class ImportClientsPayload(Payload):
    """What importClients answers with."""

    result: strawberry.Private[ImportResult | None] = None
    counts: ImportCounts | None = strawberry.field(default=None, description="How many rows have each status.")

    @field("The rows in the order of the file: the first hundred, unless told otherwise.")
    def results(
        self, status: Statuses = strawberry.UNSET, first: First = 100, after_line: AfterLine = 0
    ) -> list[ImportedClient]:
        """Returns some of the rows."""
        return [ImportedClient(record=row) for row in _rows(self.result, status, first, after_line)]


@strawberry.type(description="The answer to importing people.")
class ImportMembersPayload(Payload):
    """What importMembers answers with."""

    result: strawberry.Private[ImportResult | None] = None
    counts: ImportCounts | None = strawberry.field(default=None, description="How many rows have each status.")

    @field("The rows in the order of the file: the first hundred, unless told otherwise.")
    def results(
        self, status: Statuses = strawberry.UNSET, first: First = 100, after_line: AfterLine = 0
    ) -> list[ImportedMember]:
        """Returns some of the rows."""
        return [ImportedMember(record=row) for row in _rows(self.result, status, first, after_line)]


def _rows(result: ImportResult | None, status: Any, first: int, after_line: int) -> list[ImportedRow]:
    if not 1 <= first <= MOST_RESULTS:
        raise InputError(f"first goes from 1 to {MOST_RESULTS:,}; go on with afterLine.")
    chosen, rows = several(given(status)), result.rows if result else []
    meant = (row for row in rows if row.line > after_line and (chosen is None or row.status in chosen))
    return list(islice(meant, first))


@strawberry.type
class ImportMutation:
    """The part of the root of all writes that imports files."""

    @field("Imports clients: each row is taken or rejected for itself; importing twice changes nothing. Needs EDIT.")
    @refusing(ImportClientsPayload)
    async def import_clients(
        self, info: Info, input: Annotated[ImportClientsInput, strawberry.argument(description="The file.")]
    ) -> ImportClientsPayload:
        """Imports clients."""
        result = await _imported(info, input, (read_clients, write_clients))
        return ImportClientsPayload(result=result, counts=ImportCounts.of(result))

    @field("Imports people: each row is taken or rejected for itself; importing twice changes nothing. Needs EDIT.")
    @refusing(ImportMembersPayload)
    async def import_members(
        self, info: Info, input: Annotated[ImportMembersInput, strawberry.argument(description="The file.")]
    ) -> ImportMembersPayload:
        """Imports people."""
        result = await _imported(info, input, (read_members, write_members))
        return ImportMembersPayload(result=result, counts=ImportCounts.of(result))


async def _imported(info: Info, input: Any, steps: Any) -> ImportResult:
    context, viewer = info.context, info.context.reader.viewer
    partner_id, call = acting_partner(viewer, given(input.partner)), idempotent_call(info, input)
    result = await import_file(
        context.database, viewer, partner_id, input.csv, steps, dry_run=bool(given(input.dry_run)), call=call
    )
    context.loaders.clear()
    return result
