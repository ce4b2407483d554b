"""What the tests of explanations and hand-offs ask."""

from typing import Any

from tests.api.write_story import Story, node_id
from tests.factory import ClientRow, MemberRow

_CHANGE = "{ kind reason askedFor askedByName operation { id } }"
EXPLANATION = f"""
fragment Explained on PermissionExplanation {{
  permission {{ key }} level effectiveLevel levelNow setLevel customised ceilingLevel exceedsCeiling grant {{ id status }}
  sources {{
    level above change {_CHANGE} permissionSet {{ name }} permissionSetVersion setLevel requestedLevel authorityLevel clamped
    keptBy {_CHANGE}
  }}
  reactivatedBy {_CHANGE}
  obstacles {{ reason message level above change {_CHANGE} }}
  lastAttempt {{ at outcome {{ status code }} operation {{ id }} }}
}}
"""


async def explain(story: Story, person: MemberRow, key: str, client: ClientRow | None = None) -> Any:
    """Returns the explanation of one permission of a person in a client."""
    query = f"""query($client: ID!, $member: ID!, $key: ID!) {{
      node(id: $client) {{ ... on Client {{ explain(member: $member, permission: $key) {{ ...Explained }} }} }}
    }} {EXPLANATION}"""
    place = client or story.client
    data, codes = await story.run(query, client=node_id(place), member=node_id(person), key=key)
    assert codes == []
    return data["node"]["explain"]


def obstacles(explained: Any) -> dict[str, tuple[str, str]]:
    """What is missing, by reason: above which level, up to which."""
    return {found["reason"]: (found["above"], found["level"]) for found in explained["obstacles"]}


async def who_could(story: Story, key: str, level: str) -> list[str]:
    """Returns the ids of those who could give a permission in the client."""
    query = """query($client: ID!, $key: ID!, $level: PermissionLevel!) {
      node(id: $client) { ... on Client { whoCould(permission: $key, level: $level) { id } } }
    }"""
    data, codes = await story.run(query, client=node_id(story.client), key=key, level=level)
    assert codes == []
    return [person["id"] for person in data["node"]["whoCould"]]
