"""Who takes over the assets of people whose access is removed: rules, of which the most specific one counts (F39, P15)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from sqlalchemy import FromClause, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind
from models.client import clients
from models.member import members
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.operation.request import Reassignment
from resolvers.operation.scope import Scope
from resolvers.readable import readable_clients, readable_members
from resolvers.viewer import Viewer

MOST_RULES = 1_000

NOBODY = 0
"""The key of no member: whoever is to take over does not exist, or goes there as well."""

_REASSIGN = ("input", "reassign")
_Meant: TypeAlias = tuple[int | Literal["ALL"] | None, AssetKind | None]


@dataclass(frozen=True, slots=True)
class Leavers:
    """Who loses access where by the request: what counts is the client, for who goes in one may take over in another."""

    partner_id: int
    members: frozenset[int]
    clients: frozenset[int] | None = None
    """None for whoever leaves the partner, and so all clients."""
    pairs: frozenset[tuple[int, int]] | None = None
    """The cells, unless they are all of these people in all of these clients."""

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Returns the leavers of a request."""
        people = frozenset(member.id for member in scope.members)
        if scope.pairs is None:
            return cls(scope.partner_id, people, frozenset(client.id for client in scope.clients))
        places = frozenset(client_id for _, client_id in scope.pairs)
        return cls(scope.partner_id, people, places, frozenset(scope.pairs))

    def include(self, member_id: int, client_id: int | Literal["ALL"] | None) -> bool:
        """Says whether a person loses access in a client, or wherever anybody does."""
        if member_id not in self.members:
            return False
        if self.clients is None:
            return True
        if client_id == "ALL":
            return self.pairs is None or all((member_id, place) in self.pairs for place in self.clients)
        return client_id in self.clients and (self.pairs is None or (member_id, client_id) in self.pairs)


class Reassignments:
    """The rules of one request, all of whose clients and people are known."""

    def __init__(self, rules: Sequence[Reassignment], leads: Mapping[int, int], leavers: Leavers) -> None:
        """Keeps the rules by what they are about.

        Args:
            rules: the rules.
            leads: by client, its lead person, where there is one.
            leavers: who takes nothing over, and where.
        """
        self._rules = {(rule.client_id, rule.kind): rule.to_id for rule in rules}
        self._leads = leads
        self._leavers = leavers

    def taker(self, client_id: int, kind: AssetKind) -> int | None:
        """Returns who takes over assets of a kind in a target client; None if no rule says so."""
        meant: Sequence[_Meant] = ((client_id, kind), (client_id, None), ("ALL", kind), ("ALL", None))
        to_id = next((self._rules[place] for place in meant if place in self._rules), None)
        if to_id == "LEAD":
            to_id = self._leads.get(client_id, NOBODY)
        if to_id is None:
            return None
        return NOBODY if self._leavers.include(to_id, client_id) else to_id


async def check_reassignments(
    connection: AsyncConnection, viewer: Viewer, rules: Sequence[Reassignment], leavers: Leavers
) -> None:
    """Refuses rules that cannot be used.

    Raises:
        RefusedError: NOT_FOUND for clients and people whom the viewer or the partner does not know; INVALID_INPUT for somebody
            who loses access by the same request in the client that the rule names or, if it names none, wherever anybody does;
            for two rules about the same, and for too many.
    """
    if len(rules) > MOST_RULES:
        raise refuse(RefusalCode.INVALID_INPUT, f"Send at most {MOST_RULES:,} rules.", *_REASSIGN)
    refusals = await _refusals(connection, viewer, rules, leavers)
    if refusals:
        raise RefusedError(refusals)


async def find_reassignments(
    connection: AsyncConnection, rules: Sequence[Reassignment], leavers: Leavers, places: FromClause
) -> Reassignments:
    """Returns rules that were checked; ``places`` are the clients whose lead persons may take over."""
    leads = await _leads(connection, places) if any(rule.to_id == "LEAD" for rule in rules) else {}
    return Reassignments(rules, leads, leavers)


async def _refusals(
    connection: AsyncConnection, viewer: Viewer, rules: Sequence[Reassignment], leavers: Leavers
) -> list[Refusal]:
    client_ids = {rule.client_id for rule in rules if isinstance(rule.client_id, int)}
    taker_ids = {rule.to_id for rule in rules if isinstance(rule.to_id, int)}
    places = await connection.execute(
        select(clients.c.id)
        .where(clients.c.id.in_(client_ids), clients.c.id.in_(readable_clients(viewer)))
        .where(clients.c.partner_id == leavers.partner_id)
    )
    people = await connection.execute(
        select(members.c.id)
        .where(members.c.id.in_(taker_ids), members.c.id.in_(readable_members(viewer)))
        .where(members.c.partner_id == leavers.partner_id)
    )
    known = {*places.scalars(), "ALL"}
    takers = {*people.scalars(), "LEAD"}
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
        elif isinstance(rule.to_id, int) and leavers.include(rule.to_id, rule.client_id):
            told = "This person loses access there by the same request: choose somebody who stays."
            refusals.append(Refusal(RefusalCode.INVALID_INPUT, told, (*place, "to")))
    return refusals


async def _leads(connection: AsyncConnection, places: FromClause) -> dict[int, int]:
    """Returns the lead person of each of the clients that has one."""
    rows = await connection.execute(
        select(clients.c.id, clients.c.lead_id)
        .join(places, places.c.id == clients.c.id)
        .where(clients.c.lead_id.is_not(None))
    )
    return {row.id: row.lead_id for row in rows}
