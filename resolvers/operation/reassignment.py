"""Who takes over the assets of people whose access is removed: rules, of which the most specific one counts (F39, P15)."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind
from models.client import clients
from models.member import members
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.operation.cell import target_clients
from resolvers.operation.request import Reassignment
from resolvers.operation.scope import Scope
from resolvers.readable import readable_clients, readable_members
from resolvers.viewer import Viewer

MOST_RULES = 1_000

NOBODY = 0
"""The key of no member: whoever is to take over does not exist, or goes as well."""

_REASSIGN = ("input", "reassign")
_Meant: TypeAlias = tuple[int | Literal["ALL"] | None, AssetKind | None]


class Reassignments:
    """The rules of one request, all of whose clients and people are known."""

    def __init__(self, rules: Sequence[Reassignment], leads: Mapping[int, int]) -> None:
        """Keeps the rules by what they are about.

        Args:
            rules: the rules.
            leads: by client, its lead person, where there is one who does not lose access there in the same request.
        """
        self._rules = {(rule.client_id, rule.kind): rule.to_id for rule in rules}
        self._leads = leads

    def taker(self, client_id: int, kind: AssetKind) -> int | None:
        """Returns who takes over assets of a kind in a client; None if no rule says so."""
        meant: Sequence[_Meant] = ((client_id, kind), (client_id, None), ("ALL", kind), ("ALL", None))
        to_id = next((self._rules[place] for place in meant if place in self._rules), None)
        return self._leads.get(client_id, NOBODY) if to_id == "LEAD" else to_id


async def find_reassignments(
    connection: AsyncConnection, viewer: Viewer, rules: Sequence[Reassignment], scope: Scope
) -> Reassignments:
    """Returns the rules of a request, checked.

    Raises:
        RefusedError: NOT_FOUND for clients and people whom the viewer or the partner does not know; INVALID_INPUT for somebody
            who loses access by the same request, for two rules about the same, and for too many.
    """
    if len(rules) > MOST_RULES:
        raise refuse(RefusalCode.INVALID_INPUT, f"Send at most {MOST_RULES:,} rules.", *_REASSIGN)
    refusals = await _refusals(connection, viewer, rules, scope)
    if refusals:
        raise RefusedError(refusals)
    leads = await _leads(connection, scope) if any(rule.to_id == "LEAD" for rule in rules) else {}
    return Reassignments(rules, leads)


async def _refusals(
    connection: AsyncConnection, viewer: Viewer, rules: Sequence[Reassignment], scope: Scope
) -> list[Refusal]:
    client_ids = {rule.client_id for rule in rules if isinstance(rule.client_id, int)}
    taker_ids = {rule.to_id for rule in rules if isinstance(rule.to_id, int)}
    places = await connection.execute(
        select(clients.c.id)
        .where(clients.c.id.in_(client_ids), clients.c.id.in_(readable_clients(viewer)))
        .where(clients.c.partner_id == scope.partner_id)
    )
    people = await connection.execute(
        select(members.c.id)
        .where(members.c.id.in_(taker_ids), members.c.id.in_(readable_members(viewer)))
        .where(members.c.partner_id == scope.partner_id)
    )
    known = {*places.scalars(), "ALL"}
    takers, leavers = {*people.scalars(), "LEAD"}, {member.id for member in scope.members}
    first_at: dict[_Meant, int] = {}
    refusals = []
    for index, rule in enumerate(rules):
        place = (*_REASSIGN, str(index))
        if rule.client_id not in known:
            refusals.append(Refusal(RefusalCode.NOT_FOUND, "There is no such client.", (*place, "client")))
        elif first_at.setdefault((rule.client_id, rule.kind), index) != index:
            told = "Another rule is about the same client and kind: keep one of the two."
            refusals.append(Refusal(RefusalCode.INVALID_INPUT, told, place))
        if rule.to_id not in takers:
            refusals.append(Refusal(RefusalCode.NOT_FOUND, "There is no such member.", (*place, "to")))
        elif rule.to_id in leavers:
            told = "This person loses access by the same request: choose somebody who stays."
            refusals.append(Refusal(RefusalCode.INVALID_INPUT, told, (*place, "to")))
    return refusals


async def _leads(connection: AsyncConnection, scope: Scope) -> dict[int, int]:
    """Returns the lead person of each target client, unless they lose access there by the same request."""
    rows = await connection.execute(
        select(clients.c.id, clients.c.lead_id)
        .join(target_clients, target_clients.c.id == clients.c.id)
        .where(clients.c.lead_id.is_not(None))
    )
    leavers = {member.id for member in scope.members}
    leaving = None if scope.pairs is None else set(scope.pairs)
    return {
        row.id: row.lead_id
        for row in rows
        if row.lead_id not in leavers or (leaving is not None and (row.lead_id, row.id) not in leaving)
    }
