"""Histories on two databases at once: each step is taken on the one and on the other, and both must give the same answers."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schema.node import encode
from tests.histories.answer import Pairing, TellingStage
from tests.histories.history import History, beginnings
from tests.histories.rows import demand
from tests.histories.world import ALPHA, BETA, OWN_PEOPLE, Beginning

_AT = "{ permission { key } level above }"
_PERSON = "id status verified managerRights kind totalClients user { id name email } defaultPermissionSet { id }"
_GRANT = """id status accessType seat version customised outdated since expiresAt permissionSetVersion permissionSet { id }
  teams { primary team { id name } } grantedBy { id }"""
_OUTCOME = f"status code message granted {_AT} revoked {_AT} withheld {_AT} retained {{ permission {{ key }} reason }}"
_STATE = "{ status accessType seat expiresAt }"
_ENTRY = f"id at kind reason personName partnerName askedByName askedFor before {_STATE} after {_STATE}"
PARTNER = f"""query($id: ID!) {{ partner(id: $id) {{ id name viewerRights
  clients(first: 100) {{ totalCount nodes {{ id displayName totalEmployees deactivatedEmployees viewerAccessType
    confirmedAt grants(first: 100) {{ totalCount nodes {{ member {{ id }} {_GRANT} }} }} }} }}
  fullest: clients(orderBy: {{ field: TOTAL_EMPLOYEES, direction: DESC }}) {{ nodes {{ id }} }}
  lacking: clients(filter: {{ withoutPartnerAdmin: true }}) {{ nodes {{ id }} }}
  found: clients(search: "1") {{ totalCount nodes {{ id }} }}
  members(first: 100) {{ totalCount nodes {{ {_PERSON} }} }}
  busiest: members(orderBy: {{ field: TOTAL_CLIENTS, direction: DESC }}) {{ nodes {{ id }} }}
  sorted: members(orderBy: {{ field: EMAIL }}, search: "A") {{ nodes {{ id }} }}
  accessLinks(first: 100) {{ nodes {{ id }} }}
  operations(first: 100) {{ totalCount nodes {{ id kind state total createdAt finishedAt requestedBy {{ id }}
    counts {{ applied noop rejected failed pending }} outcomes(first: 100) {{ nodes {{ status code client {{ id }} }} }} }} }}
  timeline(first: 100) {{ totalCount nodes {{ {_ENTRY} client {{ id }} member {{ id }} }} }}
}} }}"""
ACCOUNT = f"""query {{ viewer {{ accounts {{ id name viewerDecides
  pendingInvitations {{ id kind partnerName people {{ name }} expiresAt }}
  partners {{ id name confirmedAt activePeople deactivatedPeople people(first: 100) {{ totalCount nodes {{
    id name kind accessType status since expiresAt levelByArea {{ area {{ key }} level sensitive }} }} }} }}
  timeline(first: 100) {{ totalCount nodes {{ {_ENTRY} }} }} }} }} }}"""


class SideBySide(RuleBasedStateMachine):
    """(f): what is asked of both databases is answered by both alike, and makes the same of both."""

    machines: ClassVar[Sequence[type[History]]]
    stages: ClassVar[Sequence[TellingStage]]
    patch: ClassVar[pytest.MonkeyPatch]
    steps: ClassVar[int]
    compared: ClassVar[int]
    """How many answers, in all histories."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = [machine() for machine in self.machines]
        self.pairing = Pairing()
        self.alike = False
        """Whether there is anything, and nothing differed so far."""

    @initialize(beginning=beginnings())
    def begin(self, beginning: Beginning) -> None:
        self._each(lambda side: side.begin(beginning))
        ours, theirs = (side.at for side in self.sides)
        for kind, names in {
            "Partner": (ours.partners, theirs.partners),
            "Account": (ours.accounts, theirs.accounts),
            "Client": (ours.clients, theirs.clients),
            "Member": (ours.members, theirs.members),
            "User": (ours.users, theirs.users),
            "Team": (ours.teams, theirs.teams),
        }.items():
            for name, key in names[0].items():
                self.pairing.pair(encode(kind, key), encode(kind, names[1][name]))

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """Takes a step that can be taken on the first of them; on the other one it can be taken too."""
        name, told = self.sides[0].choose(data)
        type(self).steps += 1
        self._each(lambda side: getattr(side, name)(**told))

    def teardown(self) -> None:
        if self.alike:
            self._each(lambda side: side.teardown())
            self._each(_show)

    def _each(self, take: Callable[[History], Any]) -> None:
        """Takes a step everywhere, each at its own time, and compares what came of it."""
        self.alike = False
        for side, stage in zip(self.sides, self.stages, strict=True):
            stage.answers = []
            stage.clock.rule_over(self.patch)
            take(side)
        ours, theirs = self.stages
        demand(len(ours.answers) == len(theirs.answers), "(f) one database was asked more than the other")
        for one, other in zip(ours.answers, theirs.answers, strict=True):
            self.pairing.compare(one, other)
        type(self).compared += len(ours.answers)
        # What each model says was compared with its own rows, step by step.
        one_model, other_model = (side.model for side in self.sides)
        demand(one_model == other_model, f"(f) {one_model}\nand not {other_model}")
        self.alike = True


@contextmanager
def side_by_side(
    machine: type[History], urls: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[SideBySide]]:
    """Yields what takes a machine's steps on two databases."""
    stages = SideBySide.stages = [TellingStage(url, monkeypatch) for url in urls]
    SideBySide.machines = [_on(stage, machine) for stage in stages]
    SideBySide.patch, SideBySide.steps, SideBySide.compared = monkeypatch, 0, 0
    try:
        yield SideBySide
    finally:
        for stage in stages:
            stage.close()


def _on(stage: TellingStage, machine: type[History]) -> type[History]:
    """Returns a machine that plays there, and asks for all that an answer can say."""
    parts = {"stage": stage, "of_refusal": "code message field", "of_outcome": _OUTCOME, "steps": 0, "seen": Counter()}
    return type(machine.__name__, (machine,), parts)


def _show(side: History) -> None:
    """Asks for everything as it is now, in the order in which it is listed: as an agency sees it, and as a client does."""
    tokens, held = side.at.tokens, len(side.model.held)
    user, partner = (("ada", ALPHA), ("finn", BETA))[held % 2]
    place = side.model.place(user, partner)
    if place is not None and place.sees:
        side.stage.ask(tokens[user], PARTNER, id=encode("Partner", side.at.partners[partner]))
    deciders = [user for user, at in OWN_PEOPLE.items() if side.model.decides(user, at, side.stage.now) is None]
    if deciders:
        side.stage.ask(tokens[deciders[held % len(deciders)]], ACCOUNT)
