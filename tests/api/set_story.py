"""What the tests of a client's own permission sets and of lockdowns have in common: the office of a client beside an agency."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from schema.node import encode
from tests.api.caller import Caller
from tests.api.write_story import BRIEF, Story, Told, contents, permissions
from tests.factory import ClientRow, Factory, Levels, MemberRow, UserRow

_SET = """{ id name description origin version isPartnerAdmin permissions { permission { key } level }
  usedBy { partner { id } active deactivated customised outdated } grants { totalCount } }"""
CREATE = f"""mutation($input: CreatePermissionSetInput!) {{ createPermissionSet(input: $input) {{
  permissionSet {_SET} userErrors {{ __typename code message field }} }} }}"""
UPDATE = f"""mutation($input: UpdatePermissionSetInput!) {{ updatePermissionSet(input: $input) {{
  permissionSet {_SET} reached notReached {{ person {{ id name }} code message }} leavesWithoutPartnerAdmin {{ id }}
  userErrors {{ __typename code message field }} }} }}"""
DELETE = f"""mutation($input: DeletePermissionSetInput!) {{ deletePermissionSet(input: $input) {{
  permissionSet {_SET} userErrors {{ __typename code message field }} }} }}"""
SETS = f"""query($id: ID!, $search: String) {{ account(by: {{id: $id}}) {{
  permissionSets(search: $search) {{ totalCount nodes {_SET} }} }} }}"""
_LOCKDOWN = "{ id ownedBy reason since endedAt setBy { id } endedBy { id } permissionSets { id } }"
LOCK = f"""mutation($input: SetTemplateLockdownInput!) {{ setTemplateLockdown(input: $input) {{
  templateLockdown {_LOCKDOWN} partner {{ id }} account {{ id }} userErrors {{ __typename code message field }} }} }}"""
GRANT = """query($id: ID!) { node(id: $id) { ... on Grant { status accessType seat customised outdated permissionSetVersion
  permissionSet { id } permissions { permission { key } level } } } }"""


def levels_of(shown: Any) -> dict[str, str]:
    """What a set or a grant contains, by key."""
    return {at["permission"]["key"]: at["level"] for at in shown["permissions"]}


@dataclass(frozen=True)
class SetStory:
    """An agency whose partner admin gives access in a client, and the client's super admin."""

    agency: Story
    owner: UserRow
    office: Caller

    @classmethod
    async def begin(cls, factory: Factory, levels: Levels | None = None, **client: Any) -> Self:
        agency = replace(await Story.begin(factory, levels, **client), fragment=BRIEF)
        owner = await factory.user("Olga Owner")
        await factory.own_person(agency.client, owner)
        return cls(agency, owner, await Caller.signed_in(factory, owner))

    @property
    def factory(self) -> Factory:
        return self.agency.factory

    @property
    def client(self) -> ClientRow:
        return self.agency.client

    @property
    def account_id(self) -> str:
        return encode("Account", self.client.account_id)

    async def neighbour(self, name: str | None = None) -> Story:
        """Another agency with a partner admin in the same account."""
        partner = await self.factory.partner(name)
        actor = await self.factory.member(partner)
        client = await self.factory.client(partner, account=self.client.account)
        viewer = (await Caller.signed_in(self.factory, actor)).viewer
        story = Story(self.factory, partner, actor, client, viewer, BRIEF)
        await story.admin(client)
        return story

    async def own_person(self, levels: Levels) -> Caller:
        """Another of the account's own people, no super admin."""
        user = await self.factory.user()
        await self.factory.own_person(self.client, user, levels)
        return await Caller.signed_in(self.factory, user)

    async def answer(self, query: str, caller: Caller | None = None, **values: Any) -> Any:
        """Returns the payload of a mutation, asked for by the client's office unless somebody else is named."""
        (payload,) = (await (caller or self.office).data(query, input=values)).values()
        return payload

    async def done(self, query: str, caller: Caller | None = None, **values: Any) -> Any:
        """Returns the payload of a mutation that must not be refused."""
        payload = await self.answer(query, caller, **values)
        assert payload["userErrors"] == []
        return payload

    async def refusal(self, query: str, caller: Caller | None = None, **values: Any) -> Any:
        """Returns the one reason why a mutation is refused; nothing at all may have been written."""
        (refused,) = await self.refusals([(query, values)], caller)
        return refused

    async def refusals(self, asked: Sequence[tuple[str, dict[str, Any]]], caller: Caller | None = None) -> list[Any]:
        """Returns the one reason why each of several mutations is refused; nothing at all may have been written."""
        before = await contents(self.factory.database)
        refused = []
        for query, values in asked:
            (reason,) = (await self.answer(query, caller, **values))["userErrors"]
            refused.append(reason)
        assert await contents(self.factory.database) == before
        return refused

    async def make(self, levels: dict[str, str], name: str = "Ours", caller: Caller | None = None) -> Any:
        """A set of the account's own."""
        payload = await self.done(CREATE, caller, name=name, account=self.account_id, **permissions(levels))
        return payload["permissionSet"]

    async def edit(self, made: Any, levels: dict[str, str], **values: Any) -> Any:
        """Gives a set other permissions."""
        return await self.done(UPDATE, permissionSet=made["id"], **permissions(levels), **values)

    async def sets(self, caller: Caller | None = None, search: str | None = None) -> Any:
        data = await (caller or self.office).data(SETS, id=self.account_id, search=search)
        return data["account"]["permissionSets"]


async def granted(story: Story, made: Any, name: str | None = None, **values: Any) -> tuple[MemberRow, Told]:
    """A new person of an agency who is given a set."""
    person = await story.factory.member(story.partner, name, **values)
    told = await story.grant(person, {"permissionSet": made["id"]})
    assert told.verdict == ("APPLIED", None)
    return person, told


async def shown(story: Story, told: Told) -> Any:
    """The grant of an outcome as it is by now."""
    data, codes = await story.run(GRANT, id=told.grant["id"])
    assert codes == []
    return data["node"]
