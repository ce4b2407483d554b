"""What the tests of the client's side have in common: an account with its own people and two agencies that work in it."""

from dataclasses import dataclass
from typing import Any, Self

from schema.node import encode
from tests.api.caller import Caller
from tests.api.write_story import contents
from tests.factory import AccountRow, ClientRow, Factory, GrantRow, MemberRow, PartnerRow, UserRow

_AT_LEVEL = "{ permission { key } level above }"
ENTRY = f"""{{ id at kind partnerName personName personEmail askedFor askedByName reason
  before {{ status accessType seat expiresAt }} after {{ status accessType seat expiresAt }}
  granted {_AT_LEVEL} revoked {_AT_LEVEL}
  client {{ id }} member {{ id }} askedBy {{ email }} operation {{ id }} }}"""
PERSON = """{ id name email kind accessType status seat since expiresAt
  levelByArea { area { key } level sensitive } permissions { permission { key } level effectiveLevel } }"""
PARTNERS = f"""query($hubId: String!) {{ account(by: {{hubId: $hubId}}) {{
  id hubId name viewerDecides
  partners {{ id name hubId program activePeople deactivatedPeople confirmedAt since
    ceiling {{ permission {{ key }} level effectiveLevel }} people {{ totalCount nodes {PERSON} }} }}
}} }}"""
TIMELINE = f"""query($hubId: String!, $filter: TimelineFilter, $first: Int, $after: String, $last: Int, $before: String) {{
  account(by: {{hubId: $hubId}}) {{ timeline(filter: $filter, first: $first, after: $after, last: $last, before: $before) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {ENTRY}
  }} }} }}"""
_SHOWN = """account { id } userErrors { __typename code message field }
  partner { id activePeople deactivatedPeople ceiling { permission { key } level } }"""
_UNCHANGED = "{ person { id name } code message }"
SET_CEILING = f"""mutation($input: SetCeilingInput!) {{
  setCeiling(input: $input) {{
    lowered loweredPeople {PERSON} notLowered {_UNCHANGED} ceiling {{ permission {{ key }} level }} leavesWithoutPartnerAdmin
    {_SHOWN} }} }}"""
REVOKE = f"""mutation($input: RevokePartnerAccessInput!) {{
  revokePartnerAccess(input: $input) {{ revoked notRevoked {_UNCHANGED} leavesWithoutPartnerAdmin {_SHOWN} }} }}"""


def person_id(grant: GrantRow) -> str:
    return encode("AccountPerson", grant.id)


def partner_id(client: ClientRow) -> str:
    return encode("AccountPartner", client.id)


@dataclass(frozen=True)
class ClientStory:
    """An account, its super admin as the caller, and an agency with a client row for it."""

    factory: Factory
    account: AccountRow
    owner: UserRow
    place: GrantRow
    """What the owner is there."""
    caller: Caller
    partner: PartnerRow
    client: ClientRow

    @classmethod
    async def begin(cls, factory: Factory, **values: Any) -> Self:
        partner = await factory.partner("North Agency")
        client = await factory.client(partner, "Harbour Ltd", **values)
        owner = await factory.user("Olga Owner")
        place = await factory.own_person(client, owner)
        return cls(factory, client.account, owner, place, await Caller.signed_in(factory, owner), partner, client)

    async def other_agency(self, name: str = "South Agency") -> ClientRow:
        """The same account as another agency's client."""
        return await self.factory.client(await self.factory.partner(name), account=self.account)

    async def someone(self, client: ClientRow | None = None, name: str | None = None, **values: Any) -> MemberRow:
        """A member of the agency whose client it is."""
        place = client or self.client
        partner = PartnerRow(place.partner_id, 0, "")
        return await self.factory.member(partner, name, **values)

    async def partners(self, caller: Caller | None = None) -> list[Any]:
        data = await (caller or self.caller).data(PARTNERS, hubId=str(self.account.hub_id))
        found: list[Any] = data["account"]["partners"]
        return found

    async def people(self, client: ClientRow | None = None) -> dict[str, Any]:
        """The people of an agency by their names."""
        wanted = partner_id(client or self.client)
        (partner,) = [partner for partner in await self.partners() if partner["id"] == wanted]
        return {person["name"]: person for person in partner["people"]["nodes"]}

    async def timeline(self, caller: Caller | None = None, **arguments: Any) -> Any:
        data = await (caller or self.caller).data(TIMELINE, hubId=str(self.account.hub_id), **arguments)
        return data["account"]["timeline"]

    def named(self, client: ClientRow | None = None, **values: Any) -> dict[str, Any]:
        """The input that names account and partner."""
        return {"account": encode("Account", self.account.id), "partner": partner_id(client or self.client), **values}

    async def answer(self, query: str, *, caller: Caller | None = None, **values: Any) -> Any:
        """Returns the payload of one of the client's mutations."""
        (payload,) = (await (caller or self.caller).data(query, input=self.named(**values))).values()
        return payload

    async def decide(self, query: str, **values: Any) -> Any:
        """Returns the payload of a mutation that must not be refused."""
        payload = await self.answer(query, **values)
        assert payload["userErrors"] == []
        return payload

    async def refusal(self, query: str, **values: Any) -> Any:
        """Returns the one reason why it is refused; nothing at all may have been written."""
        before = await contents(self.factory.database)
        payload = await self.answer(query, **values)
        assert await contents(self.factory.database) == before
        assert payload["account"] is None
        (refused,) = payload["userErrors"]
        return refused


def ceiling(levels: dict[str, str]) -> list[dict[str, str]]:
    return [{"permission": key, "level": level} for key, level in levels.items()]


def levels_of(person: Any) -> dict[str, str]:
    """What a person's access holds, by key."""
    return {at["permission"]["key"]: at["level"] for at in person["permissions"]}
