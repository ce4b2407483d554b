"""What the tests of pods have in common: an agency with a super admin who is partner admin everywhere, people and clients."""

from dataclasses import dataclass, field
from typing import Any, Self

from tests.api.write_story import BRIEF, Story, node_id
from tests.factory import ClientRow, Factory, MemberRow, SetRow

VIEWS = {"contacts.view": "ALL", "deals.view": "TEAM"}
POD = """
fragment Done on Operation {
  id kind counts { applied noop rejected failed } outcomes(first: 100) { nodes { code member { id } } }
}
fragment Shown on Pod {
  id name clients { totalCount } members { totalCount } exclusions { totalCount }
  cells(first: 100) { nodes { state client { id } member { id } } }
}
"""
_PAYLOAD = "userErrors { code message field } pod { ...Shown } operations { ...Done } review { token grantCount }"


@dataclass
class Pods:
    """The story, whose actor is super admin of the agency."""

    story: Story
    people: list[MemberRow]
    places: list[ClientRow]
    permission_set: SetRow
    number: int = field(default=0)

    @classmethod
    async def begin(cls, factory: Factory, *, people: int = 2, places: int = 2) -> Self:
        partner = await factory.partner()
        actor = await factory.member(partner, super_admin=True)
        clients = await factory.clients(partner, places)
        story = Story(factory, partner, actor, clients[0], None, BRIEF)
        story = await story.as_member(actor)
        for client in clients:
            await story.admin(client)
        ours = await factory.permission_set(partner, VIEWS, "Views")
        return cls(story, await factory.members(partner, people), clients, ours)

    async def payload(self, name: str, story: Story | None = None, /, **values: Any) -> Any:
        """Returns the payload of a mutation about pods."""
        kind = f"{name[0].upper()}{name[1:]}Input"
        query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {_PAYLOAD} }} }} {POD}"
        data, codes = await (story or self.story).run(query, input=values)
        assert codes == []
        return data[name]

    async def done(self, name: str, story: Story | None = None, /, **values: Any) -> Any:
        """Returns the payload of one that must not be refused."""
        payload = await self.payload(name, story, **values)
        assert payload["userErrors"] == []
        return payload

    async def refused(self, name: str, story: Story | None = None, /, **values: Any) -> list[str]:
        """Returns why a mutation is refused."""
        payload = await self.payload(name, story, **values)
        assert payload["pod"] is None
        return [error["code"] for error in payload["userErrors"]]

    async def create(self, people: int | None = None, places: int | None = None, **values: Any) -> Any:
        """Returns the payload of a new pod of the first people and clients."""
        self.number += 1
        asked = {
            "name": f"Pod {self.number}",
            "permissionSet": node_id(self.permission_set),
            "members": [node_id(person) for person in self.people[:people]],
            "clients": [node_id(place) for place in self.places[:places]],
        }
        return await self.done("createPod", **{**asked, **values})

    async def held(self) -> dict[tuple[int, int], str | None]:
        """Returns by the places of person and client which set somebody has there, not those of the actor."""
        query = """query($all: [ID!]!) { nodes(ids: $all) { ... on Client { grants(first: 100) { nodes {
          member { id } permissionSet { id } } } } } }"""
        data, codes = await self.story.run(query, all=[node_id(place) for place in self.places])
        assert codes == []
        keys = {node_id(person): index for index, person in enumerate(self.people)}
        return {
            (keys[grant["member"]["id"]], place): grant["permissionSet"] and grant["permissionSet"]["id"]
            for place, client in enumerate(data["nodes"])
            for grant in client["grants"]["nodes"]
            if grant["member"]["id"] in keys
        }

    def states(self, payload: Any) -> dict[tuple[int, int], str]:
        """Returns by the places of person and client how it stands in a payload's pod."""
        people = {node_id(person): index for index, person in enumerate(self.people)}
        places = {node_id(place): index for index, place in enumerate(self.places)}
        return {
            (people[cell["member"]["id"]], places[cell["client"]["id"]]): cell["state"]
            for cell in payload["pod"]["cells"]["nodes"]
        }

    def pair(self, person: int, place: int) -> dict[str, str]:
        return {"member": node_id(self.people[person]), "client": node_id(self.places[place])}


def told(payload: Any) -> list[tuple[str, dict[str, int]]]:
    """Returns the kind and the counts of each operation."""
    return [
        (operation["kind"], {status: count for status, count in operation["counts"].items() if count})
        for operation in payload["operations"]
    ]
