"""What the tests of hand-offs have in common: somebody without Reports, and a colleague who has them."""

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import select

from models.mail import mails
from tests.api.write_story import ADMIN_REPORTS, BRIEF, Story, Told, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow

BOTH = permissions({"contacts.view": "ALL", "reports.view": "ALL"})
HAND_OFF = """
fragment Handed on HandOff {
  id state note reply total leftOut answeredAt askedBy { id } to { id } operation { id } accepted { id }
  outcomes(first: 100) { totalCount nodes { member { id } client { id } status withheld { permission { key } } } }
}
"""
_ERRORS = "userErrors { code message field }"


@dataclass(frozen=True)
class HandOffs:
    """The asker's story and the colleague's."""

    asker: Story
    colleague: Story
    people: list[MemberRow]
    places: list[ClientRow]

    @classmethod
    async def begin(cls, factory: Factory, *, people: int = 2, places: int = 1) -> Self:
        """The asker lacks Reports in all clients; the colleague is a full partner admin in all of them."""
        story = await Story.begin(factory, held={"without": ADMIN_REPORTS})
        colleague = await factory.member(story.partner, "Cleo Colleague")
        found = [story.client, *(await factory.clients(story.partner, places - 1))]
        for place in found:
            await factory.partner_admin(place, colleague)
            if place is not story.client:
                await factory.partner_admin(place, story.actor, without=ADMIN_REPORTS)
        return cls(story, await story.as_member(colleague), await factory.members(story.partner, people), found)

    async def asked_for(self, field: str = "grantAccess", **values: Any) -> str:
        """Asks for contacts and Reports for all of the people; returns the operation's id."""
        values.setdefault("targets", product(self.people, self.places))
        values.setdefault("access", BOTH)
        operation = await self.asker.operation(field, **values)
        return str(operation["id"])

    async def hand_off(self, operation: str, to: MemberRow | None = None, **values: Any) -> Any:
        """Returns the payload of asking the colleague."""
        asked = {"operation": operation, "to": node_id(to or self.colleague.actor), **values}
        return await answered(self.asker, "handOffOperation", asked)

    async def handed_off(self, operation: str, **values: Any) -> Any:
        """Returns the hand-off of an asking that must not be refused."""
        payload = await self.hand_off(operation, **values)
        assert payload["userErrors"] == []
        return payload["handOff"]

    async def accept(self, hand_off: str, **values: Any) -> Any:
        """Returns the payload of accepting."""
        return await answered(self.colleague, "acceptHandOff", {"handOff": hand_off, **values})

    async def accepted(self, hand_off: str, **values: Any) -> list[Told]:
        """Returns the outcomes of an acceptance that must not be refused."""
        payload = await self.accept(hand_off, **values)
        assert payload["userErrors"] == []
        operation = payload["operation"]
        if operation["state"] == "QUEUED":
            await self.colleague.work()
            operation = await self.colleague.told(operation["id"])
        return [Told(node) for node in operation["outcomes"]["nodes"]]

    async def mails(self) -> list[tuple[str, str]]:
        """Returns event and recipient of each mail."""
        async with self.asker.database.everything().read() as connection:
            rows = await connection.execute(select(mails.c.event, mails.c.recipient).order_by(mails.c.id))
            return [(row.event, row.recipient) for row in rows]


async def answered(story: Story, field: str, values: Any) -> Any:
    """Returns the payload of one of the mutations about hand-offs."""
    type_name = f"{field[0].upper()}{field[1:]}Input"
    operation = "operation { ...Told }" if field == "acceptHandOff" else ""
    query = (
        f"mutation($input: {type_name}!) {{ {field}(input: $input) {{ {_ERRORS} handOff {{ ...Handed }} {operation} }} }} "
        f"{HAND_OFF} {BRIEF if operation else ''}"
    )
    data, codes = await story.run(query, input=values)
    assert codes == []
    return data[field]


def code_of(payload: Any) -> str:
    """Returns the code of the only reason why something was refused."""
    (error,) = payload["userErrors"]
    return str(error["code"])
