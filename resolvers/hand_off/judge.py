"""Who could do what an outcome has left undone: the rule of the pipeline itself, asked about each colleague in turn (N02).

Nothing of the rule is repeated here. What a colleague would get for asking again is decided by ``resolvers.operation.decide``, of
facts that were looked up for all of them together; only then are they said to be able to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from models.grant import GrantStatus
from models.operation import OperationKind, OutcomeStatus
from models.permission.catalogue import catalogue
from models.permission.rebase import rebase
from models.permission.state import State
from resolvers.hand_off.asked import Asked
from resolvers.hand_off.colleague import Colleague
from resolvers.hand_off.fact import Cell, Living
from resolvers.hand_off.ground import Ground
from resolvers.hand_off.undone import CARRIED_OUT, change_of
from resolvers.operation.access import AccessSource
from resolvers.operation.actor import Actor
from resolvers.operation.classes import Classes
from resolvers.operation.decide import decide
from resolvers.operation.request import Expiry, OnCustomised, OnExisting, OperationRequest
from resolvers.operation.situation import (
    ClientFacts,
    Decision,
    ExpiryChange,
    GrantFacts,
    MemberFacts,
    Requested,
    Situation,
)
from resolvers.operation.stored_request import NO_TARGETS
from resolvers.operation.target import TargetClient
from resolvers.operation.team import TeamPlan, edits_teams, planned_teams

_ANYBODY = Colleague(0, catalogue.everything)
"""Somebody who has all there is: what not even they could do is not left undone for lack of authority."""


@dataclass(frozen=True, slots=True)
class Able:
    """Who could do all that an outcome has left undone."""

    possible: bool
    """Whether anybody could, who had enough."""
    member_ids: tuple[int, ...] = ()
    """By name."""


@dataclass(frozen=True, slots=True)
class _Bid:
    """What a colleague asks for in a client."""

    request: OperationRequest
    source: AccessSource
    plan: TeamPlan
    actor: Actor
    facts: ClientFacts


class Judge:
    """Decides as the pipeline would if a colleague asked now for what was asked for."""

    def __init__(
        self, asked: Mapping[int, Asked], decisions: Mapping[tuple[int, int], Decision], ground: Ground
    ) -> None:
        """Begins with what was asked for and decided, by the keys of the outcomes to come."""
        self._asked = asked
        self._decisions = decisions
        self._ground = ground
        self._bids: dict[tuple[int, int, Colleague, OnExisting], _Bid] = {}
        self._verdicts: dict[tuple[int, OperationKind, OnExisting, Situation], bool] = {}

    def able(self, cell: Cell) -> Able:
        """Returns who could do all of a cell that its operation has left undone."""
        if not self._could(cell, _ANYBODY):
            return Able(possible=False)
        there = self._ground.colleagues.get(cell.client_id, ())
        # Whoever can give as much and is in the same teams gets the same answer, other than the person themselves.
        kinds = [(one.authority, one.teams, one.member_id == cell.member_id) for one in there]
        could = {kind: self._could(cell, one) for kind, one in dict(zip(kinds, there, strict=True)).items()}
        named = (one.member_id for one, kind in zip(there, kinds, strict=True) if could[kind])
        return Able(possible=True, member_ids=tuple(named))

    def last_super_admins(self, cells: Iterable[Cell]) -> set[Cell]:
        """Returns the migrations by which an account would lose its last super admin: in the order of the input the last one (M3)."""
        going: dict[tuple[int, int], list[Cell]] = {}
        for cell in cells:
            if self._asked[cell.operation].migrates and self._could(cell, _ANYBODY):
                account_id = self._ground.clients[cell.client_id].account_id
                going.setdefault((cell.operation, account_id), []).append(cell)
        return {
            max(found, key=lambda cell: cell.position or 0)
            for (_, account_id), found in going.items()
            if self._ground.super_admins.get(account_id, 0) <= len(found)
        }

    def _could(self, cell: Cell, colleague: Colleague) -> bool:
        """Says whether somebody would bring about all of it, and change something by it."""
        asked, client = self._asked[cell.operation], self._ground.clients.get(cell.client_id)
        decision = self._decisions[cell.operation, cell.number]
        if client is None:
            return False
        bid = self._bid(cell, asked, decision, client, colleague)
        if bid is None:
            return False
        situation = self._situation(cell, bid)
        given = situation.requested
        if bid.request.access is not None and isinstance(given, Requested):
            if bid.source.by_current_version and bid.request.on_customised is OnCustomised.KEEP:
                template = self._ground.templates.get((cell.living.set_version_id if cell.living else None) or 0)
                given = keeping(given, situation.before, template)
                situation = replace(situation, template=template, requested=given)
            if not stands_for(bid.source, given.state, decision.requested, decision.dropped):
                return False
        key = cell.operation, bid.request.kind, bid.request.on_existing, situation
        if key not in self._verdicts:
            would = decide(bid.request, situation, catalogue)
            self._verdicts[key] = would.status is OutcomeStatus.APPLIED and not change_of(would).exceeds_authority
        return self._verdicts[key]

    def _bid(
        self, cell: Cell, asked: Asked, decision: Decision, client: TargetClient, colleague: Colleague
    ) -> _Bid | None:
        if asked.request is None:
            return self._bid_for_the_rest(cell, decision, client, colleague)
        # Only who was given a part is changed: the others who have access were to be left alone.
        on_existing = asked.request.on_existing if decision.status in CARRIED_OUT else asked.on_existing
        key = cell.operation, cell.client_id, colleague, on_existing
        if asked.source is not None and key not in self._bids:
            teams = asked.teams
            plan = TeamPlan()
            if teams is not None:
                plan = planned_teams(teams, asked.team_accounts, [client], copied=asked.request.teams is None)
            request = replace(asked.request, on_existing=on_existing)
            source = asked.source
            if source.by_default:
                source = replace(source, sets=self._ground.usable)
            elif source.by_current_version:
                source = replace(source, sets=self._ground.newest)
            self._bids[key] = self._made(request, source, plan, client, colleague)
        return self._bids.get(key)

    def _bid_for_the_rest(self, cell: Cell, decision: Decision, client: TargetClient, colleague: Colleague) -> _Bid:
        """Returns what somebody asks for where only the outcome says what was wanted: as in an access matrix, or an undo."""
        kind = OperationKind.GRANT if cell.living is None else OperationKind.CHANGE
        if cell.living is not None and cell.living.status is GrantStatus.DEACTIVATED:
            return self._made(
                OperationRequest(OperationKind.REACTIVATE, NO_TARGETS), AccessSource(), TeamPlan(), client, colleague
            )
        source = AccessSource(fixed=Requested(catalogue.largest_closed_subset(decision.requested)))
        return self._made(OperationRequest(kind, NO_TARGETS), source, TeamPlan(), client, colleague)

    def _made(
        self,
        request: OperationRequest,
        source: AccessSource,
        plan: TeamPlan,
        client: TargetClient,
        colleague: Colleague,
    ) -> _Bid:
        actor = Actor(colleague.member_id, {client.id: colleague.authority}, {client.id: colleague.teams})
        ground = self._ground
        classes = Classes(request, source, actor, plan, ground.lockdowns, at=ground.at)
        return _Bid(request, source, plan, actor, classes.client_facts(client))

    def _situation(self, cell: Cell, bid: _Bid) -> Situation:
        grant = None if cell.living is None else self._grant_facts(cell, cell.living, bid)
        choices = bid.request.migration.choices if bid.request.migration else ()
        said = {choice.client_id: choice.keep for choice in choices if choice.member_id == cell.member_id}
        member = MemberFacts(
            status=cell.person.status,
            verified=cell.person.verified,
            is_actor=cell.member_id == bid.actor.member_id,
            default_version_id=cell.person.default_version_id if bid.source.by_default else None,
            keeps_billing=said.get("ALL"),
        )
        if grant is not None:
            grant = replace(grant, keeps_billing=said.get(cell.client_id))
        before = catalogue.largest_closed_subset(cell.living.state) if cell.living else 0
        requested = bid.source.of(bid.facts, member, grant)
        return Situation(bid.facts, member, grant, before, requested, term=bid.facts.term)

    def _grant_facts(self, cell: Cell, living: Living, bid: _Bid) -> GrantFacts:
        wanted = bid.plan.by_client.get(cell.client_id)
        held = bid.actor.teams[cell.client_id]
        foreign = set() if edits_teams(bid.actor, cell.client_id) else {key for key, _ in living.teams} - held
        kept = {team.team_id for team in wanted or ()}
        return GrantFacts(
            status=living.status,
            access_type=living.access_type,
            seat=living.seat,
            state_id=0,
            set_version_id=living.set_version_id,
            customised=living.customised,
            expired=living.expires_at is not None and living.expires_at <= self._ground.at,
            conflict=False,
            expiry=_expiry(living, bid.request.expiry),
            other_teams=wanted is not None and {(team.team_id, team.primary) for team in wanted} != living.teams,
            takes_foreign_team=wanted is not None and bool(foreign - kept),
            in_foreign_team=bool(foreign),
        )


def _expiry(living: Living, asked: Expiry | None) -> ExpiryChange:
    """Returns how the expiry that is asked for lies to the access's own."""
    if asked is None or asked.at == living.expires_at:
        return ExpiryChange.SAME
    if asked.at is None:
        return ExpiryChange.LATER
    earlier = living.expires_at is None or living.expires_at > asked.at
    return ExpiryChange.EARLIER if earlier else ExpiryChange.LATER


def keeping(given: Requested, before: State, template: State | None) -> Requested:
    """Returns what is given where access is brought to a newer version of its set, and keeps what differs from it (P12).

    Args:
        given: the newer version.
        before: what the access contains.
        template: what its present version contains; None without one.
    """
    return given if template is None else replace(given, state=rebase(before, template, given.state, catalogue))


def stands_for(source: AccessSource, given: State, requested: State, dropped: State) -> bool:
    """Says whether what would be given now is what was asked for.

    Args:
        source: where the access comes from.
        given: what it would give now.
        requested: what was asked for.
        dropped: what a copied grant had besides, and the client could not have (E27).
    """
    if source.copied is not None:
        return requested | dropped == source.copied.state
    return given == requested
