"""What the tests of writing have in common: an agency with one partner admin in one client, who gives and changes access."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from sqlalchemy import func, select

from models.database import Database
from models.grant import AccessType, GrantStatus, grants
from models.metadata import metadata
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.timeline_entry import timeline_entries
from resolvers.issuer import EPHEMERAL
from resolvers.operation.chunk import work_once
from resolvers.operation.queue import QueueLimits
from resolvers.viewer import Viewer
from schema.context import Context
from schema.node import encode
from tests.api.caller import Caller
from tests.factory import ClientRow, Factory, GrantRow, Levels, MemberRow, PartnerRow, SetRow, TeamRow
from tests.known_schema import schema

_AT_LEVEL = "{ permission { key sensitive } level above }"
OPERATION = f"""
fragment Told on Operation {{
  id kind state dryRun atomic reason total done requestedBy {{ id }} counts {{ pending applied noop rejected failed }}
  outcomes(first: 100) {{ totalCount nodes {{
    client {{ id }} member {{ id }} status code message
    granted {_AT_LEVEL} revoked {_AT_LEVEL} withheld {_AT_LEVEL} dropped {_AT_LEVEL} notInTier {_AT_LEVEL}
    retained {{ permission {{ key }} level above reason }}
    grant {{
      id accessType seat status version customised outdated expiresAt permissionSetVersion permissionSet {{ id }}
      permissions {{ permission {{ key }} level effectiveLevel }} teams {{ primary team {{ id }} }}
    }}
  }} }}
}}
"""
BRIEF = OPERATION.replace("permissions { permission { key } level effectiveLevel }", "")
"""Without all that each grant holds."""
ANSWER = "userErrors { __typename code message field } operation { ...Told }"


def mutation(field: str, *, directive: str = "", arguments: str = "", fragment: str = OPERATION) -> str:
    """The operation that runs one mutation of the pipeline."""
    type_name = f"{field[0].upper()}{field[1:]}Input"
    return (
        f"mutation($input: {type_name}!{arguments}) {{ {field}(input: $input) {directive} {{ {ANSWER} }} }} {fragment}"
    )


def listed(at_levels: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Differences by key: ``ALL`` for the whole permission, ``TEAM<ALL`` for what lies above TEAM."""
    return {
        at["permission"]["key"]: at["level"] if at["above"] == "NONE" else f"{at['above']}<{at['level']}"
        for at in at_levels
    }


def levels_of(state: State) -> dict[str, str]:
    return {key: level.value for key, level in catalogue.levels(state).items()}


def permissions(levels: Mapping[str, str] | State) -> dict[str, Any]:
    """The requested access that lists single permissions."""
    named = levels_of(levels) if isinstance(levels, State) else levels
    return {"permissions": [{"permission": key, "level": level} for key, level in named.items()]}


def product(members: Sequence[MemberRow], clients: Sequence[ClientRow]) -> dict[str, Any]:
    return {"product": {"members": ids(*members), "clients": ids(*clients)}}


def pairs(*cells: tuple[MemberRow, ClientRow]) -> dict[str, Any]:
    return {"pairs": [{"member": node_id(member), "client": node_id(client)} for member, client in cells]}


Row: TypeAlias = ClientRow | MemberRow | GrantRow | TeamRow | SetRow | PartnerRow
_TYPES: dict[type[Row], str] = {
    ClientRow: "Client",
    MemberRow: "Member",
    GrantRow: "Grant",
    TeamRow: "Team",
    SetRow: "PermissionSet",
    PartnerRow: "Partner",
}


def node_id(row: Row) -> str:
    return encode(_TYPES[type(row)], row.id)


def ids(*rows: Row) -> list[str]:
    return [node_id(row) for row in rows]


@dataclass(frozen=True)
class Told:
    """One outcome as the API tells it."""

    node: Mapping[str, Any]

    @property
    def verdict(self) -> tuple[str, str | None]:
        return self.node["status"], self.node["code"]

    @property
    def cell(self) -> tuple[str, str]:
        return self.node["member"]["id"], self.node["client"]["id"]

    @property
    def grant(self) -> Mapping[str, Any]:
        grant: Mapping[str, Any] = self.node["grant"]
        return grant

    @property
    def held(self) -> dict[str, str]:
        """What the grant holds now, by key."""
        return {at["permission"]["key"]: at["level"] for at in self.grant["permissions"]}

    @property
    def granted(self) -> dict[str, str]:
        return listed(self.node["granted"])

    @property
    def revoked(self) -> dict[str, str]:
        return listed(self.node["revoked"])

    @property
    def withheld(self) -> dict[str, str]:
        return listed(self.node["withheld"])

    @property
    def dropped(self) -> dict[str, str]:
        return listed(self.node["dropped"])

    @property
    def retained(self) -> dict[str, tuple[str, str]]:
        return {key: (level, at["reason"]) for at in self.node["retained"] for key, level in listed([at]).items()}


APPLIED = ("APPLIED", None)
NO_CHANGE = ("NOOP", "NO_CHANGE")


@dataclass(frozen=True)
class Story:
    """The agency, its partner admin, the client, and what the partner admin does through the API."""

    factory: Factory
    partner: PartnerRow
    actor: MemberRow
    client: ClientRow
    viewer: Viewer | None
    fragment: str = OPERATION
    """What is asked about an operation."""
    limits: QueueLimits = QueueLimits()  # noqa: RUF009 an immutable value
    """From when on operations are queued; what was queued is worked off before the answer is told."""

    @classmethod
    async def begin(
        cls, factory: Factory, levels: Levels | None = None, *, held: Mapping[str, Any] | None = None, **client: Any
    ) -> Self:
        """The actor's grant is the Partner Admin set, or these levels, and ``held``; the client has these values."""
        partner = await factory.partner()
        actor, place = await factory.member(partner), await factory.client(partner, **client)
        viewer = (await Caller.signed_in(factory, actor)).viewer
        story = cls(factory, partner, actor, place, viewer)
        await story.admin(place, levels, **held or {})
        return story

    async def admin(self, client: ClientRow, levels: Levels | None = None, **values: Any) -> GrantRow:
        """The actor's grant as partner admin in a client."""
        if levels is None:
            return await self.factory.partner_admin(client, self.actor, **values)
        return await self.factory.grant(client, self.actor, levels, access_type=AccessType.PARTNER_ADMIN, **values)

    async def as_member(self, person: MemberRow, scopes: str = "read write") -> "Story":
        """The same story, told by another person."""
        viewer = (await Caller.signed_in(self.factory, person, scopes)).viewer
        return Story(self.factory, self.partner, person, self.client, viewer)

    @property
    def database(self) -> Database:
        return self.factory.database

    async def run(self, query: str, *, header: str | None = None, **variables: Any) -> tuple[Any, list[str]]:
        """Returns the data and the codes of the errors; ``header`` is the Idempotency-Key."""
        context = Context(self.database, self.viewer, header, queue_limits=self.limits)
        result = await schema.execute(query, variables, context_value=context)
        return result.data, [getattr(error.original_error, "code", error.message) for error in result.errors or []]

    async def answer(self, field: str, **values: Any) -> Any:
        """Returns the payload of a mutation of the pipeline."""
        data, codes = await self.run(mutation(field, fragment=self.fragment), input=values)
        assert codes == []
        answer = data[field]
        if answer["operation"] and answer["operation"].get("state") == "QUEUED":
            await self.work()
            answer["operation"] = await self.told(answer["operation"]["id"])
        return answer

    async def work(self) -> int:
        """Works off what is queued for the agency, as a worker does; returns how many chunks there were."""
        chunks = 0
        while await work_once(self.database, EPHEMERAL, self.partner.id) is not None:
            chunks += 1
        return chunks

    async def told(self, operation_id: str) -> Any:
        """Returns an operation as it is now."""
        query = f"query($id: ID!) {{ node(id: $id) {{ ...Told }} }} {self.fragment}"
        data, codes = await self.run(query, id=operation_id)
        assert codes == []
        return data["node"]

    async def operation(self, field: str, **values: Any) -> Any:
        """Returns the operation of a request that must not be refused as a whole."""
        answer = await self.answer(field, **values)
        assert answer["userErrors"] == []
        return answer["operation"]

    async def outcomes(self, field: str, **values: Any) -> list[Told]:
        operation = await self.operation(field, **values)
        assert operation["total"] == operation["done"] == operation["outcomes"]["totalCount"]
        return [Told(node) for node in operation["outcomes"]["nodes"]]

    async def grant(self, person: MemberRow, access: Mapping[str, Any], **values: Any) -> Told:
        """Gives one person access in the client."""
        (told,) = await self.outcomes("grantAccess", targets=product([person], [self.client]), access=access, **values)
        return told

    async def change(self, person: MemberRow, access: Mapping[str, Any] | None = None, **values: Any) -> Told:
        """Changes one person's access in the client."""
        if access is not None:
            values["access"] = access
        (told,) = await self.outcomes("changeAccess", targets=product([person], [self.client]), **values)
        return told

    async def refusals(self, field: str, **values: Any) -> list[Any]:
        """Returns why a request is refused as a whole; nothing at all may have been written."""
        before = await contents(self.database)
        answer = await self.answer(field, **values)
        assert answer["operation"] is None
        assert answer["userErrors"]
        assert await contents(self.database) == before
        refused: list[Any] = answer["userErrors"]
        return refused

    async def levels(self, told: Told, field: str = "level") -> dict[str, str]:
        """What the grant of an outcome holds by now, by key."""
        read = f"query($id: ID!) {{ node(id: $id) {{ ... on Grant {{ permissions {{ permission {{ key }} {field} }} }} }} }}"
        data, codes = await self.run(read, id=told.grant["id"])
        assert codes == []
        return {at["permission"]["key"]: at[field] for at in data["node"]["permissions"]}

    async def set_default(self, person: MemberRow, permission_set: SetRow | None) -> None:
        """Makes a set a person's default, or clears it (F51)."""
        query = """mutation($input: SetDefaultPermissionSetInput!) {
          setDefaultPermissionSet(input: $input) { userErrors { code } member { defaultPermissionSet { id } } }
        }"""
        set_id = None if permission_set is None else node_id(permission_set)
        data, codes = await self.run(query, input={"member": node_id(person), "permissionSet": set_id})
        assert codes == []
        shown = data["setDefaultPermissionSet"]["member"]["defaultPermissionSet"]
        assert shown == (None if set_id is None else {"id": set_id})

    async def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        tables = metadata.sorted_tables
        columns = [select(func.count()).select_from(table).scalar_subquery().label(table.name) for table in tables]
        async with self.database.read() as connection:
            return dict((await connection.execute(select(*columns))).one()._mapping)

    async def timeline_length(self) -> int:
        async with self.database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(timeline_entries)) or 0)


async def contents(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    async with database.read() as connection:
        return {
            table.name: sorted(map(tuple, await connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


async def living_grants(database: Database) -> list[Any]:
    """The rows of all grants that are not removed."""
    async with database.read() as connection:
        statement = select(grants).where(grants.c.status != GrantStatus.REMOVED.value).order_by(grants.c.id)
        return list((await connection.execute(statement)).all())


ADMIN_REPORTS = [key for key, permission in catalogue.permissions.items() if permission.area == "reports"]
"""What the partner admin without Reports lacks."""
