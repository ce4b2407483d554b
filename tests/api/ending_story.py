"""What the tests of deactivating, reactivating, removing and migrating have in common: the four verbs, and the review before removal."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tests.api.write_story import Story, Told, ids, node_id, product
from tests.factory import ClientRow, MemberRow

DEACTIVATE, REACTIVATE, REMOVE, MIGRATE = (
    "deactivateAccess",
    "reactivateAccess",
    "removeAccess",
    "migrateToPartnerAdmin",
)
Verdict: TypeAlias = tuple[str, str | None]

SHORT = """
fragment Told on Operation {
  total done outcomes(first: 100) { totalCount nodes { client { id } member { id } status code message grant { status } } }
}
"""
"""Of an operation only what became of each cell."""

_BY_MEMBER = """query($id: ID!, $narrowed: [ID!]) { node(id: $id) { ... on Member {
  removalReview(clients: $narrowed) { token grantCount totals { kind total } entries(first: 100) { nodes {
    client { id displayName } member { id } wouldLockOut lastSuperAdmin assets { kind total } } } } } } }"""
_BY_CLIENT = _BY_MEMBER.replace("on Member", "on Client").replace("clients: $narrowed", "members: $narrowed")


async def review(story: Story, person: MemberRow, *clients: ClientRow) -> Any:
    """The review of removing a person from all clients, or from these."""
    return await _reviewed(story, _BY_MEMBER, node_id(person), ids(*clients))


async def review_of_client(story: Story, client: ClientRow, *people: MemberRow) -> Any:
    """The review of removing all of the partner's people from a client, or these."""
    return await _reviewed(story, _BY_CLIENT, node_id(client), ids(*people))


async def _reviewed(story: Story, query: str, key: str, narrowed: Sequence[str]) -> Any:
    data, codes = await story.run(query, id=key, narrowed=list(narrowed) or None)
    assert codes == []
    return data["node"]["removalReview"]


async def one(
    story: Story,
    verb: str,
    person: MemberRow,
    client: ClientRow | None = None,
    *,
    token: str | None = None,
    **asked: Any,
) -> Told:
    """What becomes of one person in one client, the story's unless another is named; removal is reviewed right before."""
    place = client or story.client
    (told,) = await several(story, verb, [person], [place], token=token, **asked)
    return told


async def several(
    story: Story,
    verb: str,
    people: Sequence[MemberRow],
    clients: Sequence[ClientRow],
    *,
    token: str | None = None,
    **asked: Any,
) -> list[Told]:
    """What becomes of people × clients; removal is of one client or one person, and reviewed right before."""
    values: dict[str, Any] = {"targets": product(people, clients)}
    if verb == REMOVE:
        values["reviewToken"] = token or await token_for(story, people, clients)
    if asked:
        values |= _separated(asked)
    return await story.outcomes(verb, **values)


async def token_for(story: Story, people: Sequence[MemberRow], clients: Sequence[ClientRow]) -> str:
    """The token of a review that covers people × clients, of which at least one are one."""
    found = (
        await review_of_client(story, clients[0], *people)
        if len(clients) == 1
        else await review(story, people[0], *clients)
    )
    token: str = found["token"]
    return token


_OPTIONS = {"dryRun", "atomic", "acceptLockout", "includeSelf", "reason"}


def _separated(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Puts the options where the API has them."""
    options = {key: value for key, value in asked.items() if key in _OPTIONS}
    others = {key: value for key, value in asked.items() if key not in _OPTIONS}
    return others | ({"options": options} if options else {})
