"""What a partner's people are told of each list, against the rows: nothing of another partner's, and nothing left out (d)."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from schema.node import encode
from tests.histories.check import Watch
from tests.histories.rows import demand

_OWN = """query($id: ID!) { partner(id: $id) { id
  clients(first: 100) { nodes { id grants(first: 100) { nodes { id } } timeline(first: 1) { totalCount } } }
  members(first: 100) { nodes { id } }
  operations(first: 100) { nodes { id } }
  timeline(first: 100) { totalCount nodes { client { id } member { id } operation { id } } }
} }"""


def look(watch: Watch, user: str) -> None:
    """(d): a person asks for everything of each partner, and is told all of it where the manager is open to them, else nothing."""
    stage, world = watch.stage, watch.world
    token = world.tokens[user]
    for partner, key in world.partners.items():
        partner_id, place = encode("Partner", key), world.model.place(user, partner)
        if place is not None and place.sees:
            _look_at(watch, user, partner, stage.ask(token, _OWN, id=partner_id)["partner"])
        elif place is not None and place.works:
            demand(stage.codes(token, _OWN, id=partner_id) == {"FORBIDDEN"}, f"(d) {partner} is open to {user}")
        else:
            demand(stage.ask(token, _OWN, id=partner_id)["partner"] is None, f"(d) {user} sees {partner}")


def _look_at(watch: Watch, user: str, partner: str, told: Any) -> None:
    rows, key = watch.rows, watch.world.partners[partner]
    places = {row[0] for row in rows.clients.values() if row[1] == key}
    clients, everybody = _ids("Client", places), [row for row in rows.members.values() if row[1] == key]
    members, listed = _ids("Member", (x[0] for x in everybody)), (x[0] for x in everybody if x[4] != "LEFT")
    operations = _ids(
        "Operation", (row[0] for row in watch.stage.rows(f"SELECT id FROM operation WHERE partner_id = {key}"))
    )
    demand(_told(told["clients"]) == clients, f"(d) {user} sees clients {told['clients']}")
    demand(_told(told["members"]) == _ids("Member", listed), f"(d) {user} sees members {told['members']}")
    demand(_told(told["operations"]) == operations, f"(d) {user} sees operations {told['operations']}")
    entries = Counter(encode("Client", entry[2]) for entry in watch.entries if entry[2] in places)
    for client in told["clients"]["nodes"]:
        grants = _ids("Grant", (x[0] for x in rows.grants if encode("Client", x[1] or 0) == client["id"] and x[4] == 0))
        demand(_told(client["grants"]) == grants, f"(d) {user} sees grants {client}")
        demand(client["timeline"]["totalCount"] == entries[client["id"]], f"(d) {user} sees entries {client}")
    timeline = told["timeline"]
    demand(timeline["totalCount"] == entries.total(), f"(d) {user} sees {timeline['totalCount']} entries")
    for entry in timeline["nodes"]:
        theirs = (entry["client"]["id"] in clients, entry["member"]["id"] in members)
        demand(all(theirs) and entry["operation"]["id"] in operations, f"(d) {user} sees the entry {entry}")


def _ids(kind: str, keys: Iterable[int]) -> set[str]:
    return {encode(kind, key) for key in keys}


def _told(connection: Any) -> set[str]:
    return {node["id"] for node in connection["nodes"]}
