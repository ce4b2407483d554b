"""Classes of clients and people: those that are alike in all that decides over a cell share a number."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import OperationKind
from models.permission.catalogue import catalogue
from models.permission.rebase import rebase
from models.permission.state import State
from resolvers.interning import state_contents
from resolvers.operation.access import AccessSource, load_newest_versions, load_templates, load_usable_versions
from resolvers.operation.actor import Actor
from resolvers.operation.lockdown import Lockdowns
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnCustomised, OperationRequest
from resolvers.operation.situation import (
    OWN_PERSON,
    VANISHED,
    ClientFacts,
    GrantFacts,
    MemberFacts,
    Requested,
    Situation,
)
from resolvers.operation.target import TargetClient, TargetMember
from resolvers.operation.team import TeamPlan, edits_teams
from resolvers.operation.term import Term, latest_end, term_of
from resolvers.operation.wish import Wish, WishedTeams, WishForm

Facts = TypeVar("Facts", bound=Hashable)


class _Numbers(Generic[Facts]):
    """Gives each distinct value a number and finds the value again."""

    def __init__(self) -> None:
        self._numbers: dict[Facts, int] = {}
        self.facts: list[Facts] = []

    def of(self, facts: Facts) -> int:
        number = self._numbers.setdefault(facts, len(self.facts))
        if number == len(self.facts):
            self.facts.append(facts)
        return number


class Classes:
    """Sorts the targets of one operation into classes, and puts classes together into situations."""

    def __init__(
        self,
        request: OperationRequest,
        source: AccessSource,
        actor: Actor,
        team_plan: TeamPlan,
        lockdowns: Lockdowns | None = None,
        *,
        at: datetime,
    ) -> None:
        self._request = request
        self._source = source
        self._actor = actor
        self._team_plan = team_plan
        self._lockdowns = lockdowns or Lockdowns()
        self._clients = _Numbers[ClientFacts]()
        self._members = _Numbers[MemberFacts]()
        self._at = at
        self._wishes = _Numbers[tuple[Wish, Term, OutcomeCode | None]]()
        self._wished_teams = _Numbers[WishedTeams]()
        choices = request.migration.choices if request.migration else ()
        self._keeps_billing = {choice.member_id: choice.keep for choice in choices if choice.client_id == "ALL"}
        self._states: dict[int, State] = {}
        self._templates: dict[int, State] = {}
        self._restored: dict[int, State] = {}

    @property
    def has_teams(self) -> bool:
        """Says whether teams are asked for in any of the clients, or for any single pair."""
        return bool(self._team_plan.by_client or self._wished_teams.facts)

    @property
    def _keeps_changes(self) -> bool:
        """Says whether what differs from a grant's set is kept when the grant is brought to another version of it (P12)."""
        return self._source.by_current_version and self._request.on_customised is OnCustomised.KEEP

    def has_teams_in(self, client: TargetClient) -> bool:
        """Says whether teams are asked for in a client; an empty list asks for none at all."""
        return client.id in self._team_plan.by_client

    def edits_teams_in(self, client: TargetClient) -> bool:
        """Says whether the actor may give and take any team of a client."""
        return edits_teams(self._actor, client.id)

    def of_client(self, client: TargetClient) -> int:
        """Returns the class of a client."""
        return self._clients.of(self.client_facts(client))

    def client_facts(self, client: TargetClient) -> ClientFacts:
        """Returns what a client brings into the decision."""
        refusal = None
        if self._source.account_id not in {None, client.account_id}:
            refusal = OutcomeCode.NO_PERMISSION_SET
        elif client.id in self._team_plan.gone:
            refusal = OutcomeCode.TEAM_GONE
        elif not self._team_plan.held(self._actor, client.id):
            refusal = OutcomeCode.TEAM_NOT_HELD
        tiers = frozenset(client.tiers.split()) if self._source.needs_tiers else None
        lacks_set = self._source.copied_account_id not in {None, client.account_id}
        dropped = (
            () if self._request.teams is not None else self._team_plan.dropped(client.id, self._source.copied_teams)
        )
        authority = self._actor.authorities.get(client.id)
        lockdown = self._lockdowns.of(client.partner_id, client.account_id)
        term = term_of(self.latest_end(client), self._request.expiry)
        return ClientFacts(authority, refusal, tiers, lacks_set, dropped, lockdown, term)

    def latest_end(self, client: TargetClient) -> datetime | None:
        """Returns when access to a client ends at the latest that is given now; None where nothing limits it (P04)."""
        return latest_end(client.longest_days, self._at)

    def of_member(self, member: TargetMember) -> int:
        """Returns the class of a person."""
        return self._members.of(
            MemberFacts(
                status=member.status,
                verified=member.verified,
                is_actor=member.id == self._actor.member_id,
                default_version_id=self._source.default_version(member),
                kind=member.kind if self._request.kind is OperationKind.DEACTIVATE else None,
                keeps_billing=self._keeps_billing.get(member.id),
            )
        )

    def of_wish(self, wish: Wish, term: Term, client_id: int) -> int:
        """Returns the class of what is wanted in a single pair (P28)."""
        refusal = None if wish.teams is None else self._team_plan.refusal(self._actor, client_id, wish.teams)
        return self._wishes.of((wish, term, refusal))

    def of_teams(self, teams: WishedTeams | None) -> int | None:
        """Returns the class of the teams wanted in a single pair; 0 is that of a client. None leaves them as they are (N06)."""
        return None if teams is None else self._wished_teams.of(teams) + 1

    def combinations(self) -> set[tuple[int, int, str, int]]:
        """Returns all situations without a grant; with wishes there are too many that no cell is in."""
        if self._wishes.facts:
            return set()
        return {(*pair, "", 0) for pair in product(range(len(self._clients.facts)), range(len(self._members.facts)))}

    async def load(self, connection: AsyncConnection, found: Sequence[GrantFacts]) -> None:
        """Reads the states and set versions that the situations of existing grants and default sets name."""
        restored = {wish.state_id for wish, _, _ in self._wishes.facts if wish.state_id is not None}
        self._states = await state_contents(connection, {grant.state_id for grant in found} | restored)
        present = {grant.set_version_id for grant in found if grant.set_version_id}
        if self._source.keeps_set or self._keeps_changes:
            self._templates = await load_templates(connection, present)
        if self._source.by_current_version and present:
            fixed = self._source.current_versions
            self._source.sets = await load_newest_versions(connection, present, fixed)
        usable = {facts.default_version_id for facts in self._members.facts if facts.default_version_id}
        wished = {wish.set_version_id for wish, _, _ in self._wishes.facts if wish.set_version_id}
        if self._request.kind is OperationKind.UNDO:
            # What was given before is brought back, whatever has become of the set.
            self._restored = await load_templates(connection, wished)
            self._source.sets = await load_usable_versions(connection, wished) if wished else {}
        else:
            usable |= wished
        if usable:
            self._source.sets = await load_usable_versions(connection, usable)

    def situation(
        self, client_class: int, member_class: int, grant_key: str, grant: GrantFacts | None, pair_class: int
    ) -> Situation:
        """Returns all that decides over the cells of a combination of classes."""
        client, member = self._clients.facts[client_class], self._members.facts[member_class]
        # A state from before a requirement was added to the catalogue counts for what of it is closed.
        before = catalogue.largest_closed_subset(self._states[grant.state_id]) if grant else 0
        template = self._templates.get(grant.set_version_id or 0) if grant else None
        wish, term, refusal = self._wishes.facts[pair_class] if self._wishes.facts else (None, client.term, None)
        if refusal is not None:
            client = replace(client, refusal=refusal)
        requested = self._source.of(client, member, grant) if wish is None else self._wished(wish)
        if self._keeps_changes and template is not None and isinstance(requested, Requested):
            requested = replace(requested, state=rebase(before, template, requested.state, catalogue))
        return Situation(
            client=client,
            member=member,
            grant=grant,
            before=before,
            requested=requested,
            template=template,
            is_own_person=grant_key == OWN_PERSON,
            wish=wish,
            term=term,
            vanished=grant_key == VANISHED,
        )

    def _wished(self, wish: Wish) -> Requested | OutcomeCode | None:
        """Returns R for a wish; a set that was archived since it was named gives nothing any more."""
        if wish.form is WishForm.RESTORE and wish.state_id is not None:
            state = catalogue.largest_closed_subset(self._states[wish.state_id])
            template = self._restored.get(wish.set_version_id or 0)
            usable = self._source.sets.get(wish.set_version_id or 0)
            if isinstance(usable, Requested) and usable.set_version_id != wish.set_version_id:
                # A client's own set is at any time what the client says (F49); what was taken out of it for somebody stays out.
                state = rebase(state, template or 0, usable.state, catalogue)
                return replace(usable, state=state)
            no_set = wish.set_version_id is None
            archived = not no_set and usable is None
            return Requested(state, wish.set_version_id, template, no_set=no_set, archived=archived)
        if wish.form is not WishForm.GIVE:
            return None
        return self._source.sets.get(wish.set_version_id or 0, OutcomeCode.NO_PERMISSION_SET)
