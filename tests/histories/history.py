"""What all steps of a history have in common: whom they name, how they are sent, what they are held against."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from models.operation import OperationKind
from schema.node import encode
from tests.histories.check import Watch
from tests.histories.look import look
from tests.histories.model import Cell, Held, Line, Takers, all_or_nothing, keep_admins, keep_super_admins, settle
from tests.histories.past import Past
from tests.histories.rows import Did, demand
from tests.histories.stage import Stage
from tests.histories.verb import Manager
from tests.histories.world import ALPHA, BETA, CLIENTS, MEMBERS, PICKED, Beginning, World, begin, levels_of

HOME = {"finn": BETA, "gail": BETA, "dan": BETA}
ACTORS = st.sampled_from(["ada", "ada", "ben", "ben", "finn", "finn", "gail", "dan", "cleo", "eve"])
SOME = st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True)
ONE = st.integers(0, 7)
RARELY = st.integers(0, 5).map(lambda number: number == 5)
OFTEN = st.integers(0, 5).map(bool)
SELDOM = st.integers(0, 15).map(lambda number: number == 15)
ACCESS = st.sampled_from(
    ["partner admin", "super admin", "super admin", "small admin", "team admin", "contacts", "some deals", "reports"]
)
ADMINS = st.sampled_from(["partner admin", "partner admin", "partner admin", "team admin", "super admin", "contacts"])
PLACES = [(client, member) for client in CLIENTS for member in MEMBERS if client[0] == member.partition("@")[2][0]]


@st.composite
def beginnings(draw: st.DrawFn) -> Beginning:
    """Ada and Finn are mostly partner admins; others have something here and there."""
    access = {("Alpha/Oak", "ada@Alpha"): draw(ADMINS), ("Beta/Oak", "finn@Beta"): draw(ADMINS)}
    for cell in draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=6, unique=True)):
        access.setdefault(cell, draw(ACCESS))
    managers = draw(st.sets(st.sampled_from(["olga", "emil", "fred"])))
    return Beginning(access, frozenset(managers))


def listed_levels(name: str) -> list[dict[str, str]]:
    return [{"permission": key, "level": level} for key, level in levels_of(PICKED[name]).items()]


@dataclass
class Link:
    """An access link."""

    id: str
    token: str
    owner: str
    client: str | None
    single_use: bool
    expires: Any
    ended: bool = False
    used: bool = False
    """Whether it was for a single use, and that was made of it."""
    said: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By account: the last answer, and the birth of the grant that came of it."""


Step = TypeVar("Step", bound=Callable[..., None])


@dataclass(frozen=True)
class Verb:
    """How often a step is taken, when it can be, and what it is told."""

    weight: int
    when: Callable[[Any], Any]
    told: st.SearchStrategy[dict[str, Any]]


def verb(weight: int = 2, when: Callable[[Any], Any] = lambda _history: True, **told: Any) -> Callable[[Step], Step]:
    """Makes a method a step of histories.

    Not a rule of its own: Hypothesis leaves many rules out of each machine, and histories would rarely get anywhere.
    """

    def mark(step: Step) -> Step:
        step.__dict__["verb"] = Verb(weight, when, st.fixed_dictionaries(told))
        return step

    return mark


class History(RuleBasedStateMachine):
    """A history: it begins somewhere, and each of its steps is one of the rules that the subclasses bring."""

    stage: ClassVar[Stage]
    steps: ClassVar[int]
    """How many were played, in all histories."""
    seen: ClassVar[Counter[str]]
    """What came of them, in all histories: verbs with the codes of their outcomes or refusals."""
    of_refusal: ClassVar[str] = "code"
    """What is asked about each reason for which a request is refused."""
    of_outcome: ClassVar[str] = "status code"
    """What is asked about each outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.links: list[Link] = []
        self.since_look = 0
        self.sound = True
        """Whether everything held so far: what is broken is told once."""
        self.reviews: list[tuple[str, frozenset[object]]] = []

    @initialize(beginning=beginnings())
    def begin(self, beginning: Beginning) -> None:
        self.world = self.stage.run(begin(self.stage.factory, beginning, self.stage.now))
        self.model = self.world.model
        self.watch = Watch(self.stage, self.world)
        self.watch.step({}, [])
        self.past = Past()
        self.past.note(self.stage.now, self.model.held)
        note("\n".join(f"{member} is {kind} of {client}" for (client, member), kind in beginning.access.items()))

    def teardown(self) -> None:
        if self.world is not None and self.sound:
            self.watch.final()
            self.past.check(self.watch)
            look(self.watch, "ada" if len(self.model.held) % 2 else "finn")

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """Takes one of the steps that can be taken now."""
        name, told = self.choose(data)
        getattr(self, name)(**told)

    def choose(self, data: st.DataObject) -> tuple[str, dict[str, Any]]:
        """Returns one of the steps that can be taken now, and what it is told."""
        known = {name: step.verb for name in dir(type(self)) if hasattr(step := getattr(type(self), name), "verb")}
        # Waiting first: what does not matter in a history becomes that when Hypothesis makes it smaller.
        names = ["wait", *(name for name, found in known.items() if found.when(self) for _ in range(found.weight))]
        name = data.draw(st.sampled_from(names), label="step")
        return name, data.draw(known[name].told, label=name)

    # ---- whom a step names

    def partner_of(self, user: str, *, stranger: bool = False) -> str:
        home = HOME.get(user, ALPHA)
        return {ALPHA: BETA, BETA: ALPHA}[home] if stranger else home

    def people(self, partner: str, picks: Iterable[int]) -> list[str]:
        known = [name for name, person in self.model.people.items() if person.partner == partner]
        return list(dict.fromkeys(known[pick % len(known)] for pick in picks))

    def places(self, partner: str, picks: Iterable[int]) -> list[str]:
        known = [name for name, place in self.model.clients.items() if place.partner == partner]
        return list(dict.fromkeys(known[pick % len(known)] for pick in picks))

    def aim(self, user: str, picks: list[int], *, aptly: bool) -> tuple[str, list[str]]:
        """Returns who acts and in which clients: aptly somebody with authority, and one of their clients first (F04)."""
        at, users = self.stage.now, {person.user for person in self.model.people.values()}
        apt = [
            (actor, client)
            for actor in sorted(users)
            for client in self.model.clients
            if self.model.authority(actor, client, at) is not None
        ]
        if not aptly or not apt:
            return user, self.places(self.partner_of(user), picks)
        user, client = apt[picks[0] % len(apt)]
        partner = self.model.clients[client].partner
        return user, list(dict.fromkeys([client, *self.places(partner, picks[1:])]))

    def aim_at(
        self, user: str, people: list[int], places: list[int], wanted: Callable[[Cell, Held], bool], *, aptly: bool
    ) -> tuple[str, list[str], list[str]]:
        """Returns who acts, where and on whom: aptly on somebody whose access is such, by who has authority or by themselves."""
        meant = [cell for cell, held in self.model.held.items() if wanted(cell, held)]
        if not aptly or not meant:
            user, clients = self.aim(user, places, aptly=aptly)
            return user, clients, self.people(self.team_mates(clients), people)
        users = dict.fromkeys(person.user for person in self.model.people.values())
        by_client = {
            client: [name for name in users if self.model.authority(name, client, self.stage.now) is not None]
            for client in self.model.clients
        }
        client, member = (managed := [c for c in meant if by_client[c[0]]] or meant)[people[0] % len(managed)]
        admins = [*by_client[client], self.model.people[member].user]
        others = self.people(self.team_mates([client]), people[1:])
        return admins[places[0] % len(admins)], [client], list(dict.fromkeys([member, *others]))

    def team_mates(self, clients: Sequence[str], *, stranger: bool = False) -> str:
        """The partner of the clients, or the other one."""
        partner = self.model.clients[clients[0]].partner
        return {ALPHA: BETA, BETA: ALPHA}[partner] if stranger else partner

    def ids(self, kind: str, names: Iterable[str]) -> list[str]:
        keys = {"Member": self.at.members, "Client": self.at.clients}[kind]
        return [encode(kind, keys[name]) for name in names]

    def product(self, members: list[str], clients: list[str]) -> dict[str, Any]:
        return {"product": {"members": self.ids("Member", members), "clients": self.ids("Client", clients)}}

    @property
    def at(self) -> World:
        assert self.world is not None
        return self.world

    def manager(self, user: str) -> Manager:
        return Manager(self.model, user, self.stage.now)

    def unknown(self, user: str, members: Sequence[str], clients: Sequence[str]) -> str | None:
        """Why a request of the pipeline is refused as a whole (F02, T1); None if it is not."""
        model = self.model
        if not model.acts_anywhere(user):
            return "FORBIDDEN"
        known = all(model.knows(user, name) for name in members)
        if not known or not all(model.sees(user, model.clients[name].partner) for name in clients):
            return "NOT_FOUND"
        partners = {model.people[n].partner for n in members} | {model.clients[n].partner for n in clients}
        if not all(model.acts(user, partner) for partner in partners):
            return "FORBIDDEN"
        return "INVALID_INPUT" if len(partners) > 1 else None

    # ---- how it is sent, and what it is held against

    def send(self, user: str, verb: str, wanted: str, asked: dict[str, Any]) -> tuple[Any, set[str]]:
        """Returns the payload of a mutation and the codes with which it was refused."""
        type_name = f"{verb[0].upper()}{verb[1:]}Input"
        answer = f"userErrors {{ {self.of_refusal} }} {wanted}"
        document = f"mutation($input: {type_name}!) {{ {verb}(input: $input) {{ {answer} }} }}"
        self.before, self.sound = self.watch.super_admins(), False
        payload = self.stage.ask(self.at.tokens[user], document, input=asked)[verb]
        return payload, {error["code"] for error in payload["userErrors"]}

    def check(self, told: str, codes: set[str], refusal: str | set[str] | None, done: Sequence[Did] = ()) -> None:
        """Checks a step: refused as it should be, and all rows as they should be then."""
        type(self).steps += 1
        self.since_look += 1
        self.seen.update(f"refused {code}" for code in codes)
        self.seen.update(f"{x.kind.value} {line.verdict[1] or 'APPLIED'}" for x in done for line in x.lines)
        meant = refusal if isinstance(refusal, set) else {refusal} - {None}
        counts = [f"{line.cell[1]} at {line.cell[0]}: {line.verdict[1] or 'applied'}" for x in done for line in x.lines]
        note(f"{told} → {', '.join(sorted(codes) or counts) or 'done'}")
        self.sound = False
        demand(codes == meant, f"(b) refused with {codes} instead of {meant}: {told}")
        self.watch.step(self.before, done)
        self.past.note(self.stage.now, self.model.held)
        self.sound = True

    def operate(
        self,
        told: str,
        user: str,
        verb: str,
        kind: OperationKind,
        *,
        cells: Sequence[Cell],
        judge: Callable[[Cell], Line],
        asked: dict[str, Any],
        refusal: str | None,
        takers: Takers = lambda _client, _kind: None,
    ) -> None:
        """Plays a verb of the pipeline."""
        options = asked["options"]
        payload, codes = self.send(user, verb, self.outcomes, asked)
        lines = [] if refusal else self.judged([judge(cell) for cell in cells], options)
        done = []
        if not refusal:
            demand(payload["operation"] is not None, f"(b) refused with {codes}: {told}")
            self.compare(payload["operation"], lines)
            if not options["dryRun"]:
                settle(self.model, lines, takers)
                done.append(Did(user, self.model.clients[cells[0][0]].partner, kind, lines))
        self.check(f"{user} {told} {_spoken(options)}", codes, refusal, done)

    @property
    def outcomes(self) -> str:
        nodes = f"nodes {{ {self.of_outcome} }}"
        return f"operation {{ total counts {{ applied noop rejected }} outcomes(first: 100) {{ {nodes} }} }}"

    def judged(self, lines: list[Line], options: dict[str, Any]) -> list[Line]:
        """What is left of the lines after the guards over the whole request."""
        lines = keep_super_admins(self.model, lines, self.stage.now)
        if not options["acceptLockout"]:
            lines = keep_admins(self.model, lines, self.stage.now)
        return all_or_nothing(lines) if options["atomic"] else lines

    def compare(self, operation: Any, lines: Sequence[Line]) -> None:
        """(b), (e): the answer tells what the model says, and its counts are those of its outcomes."""
        told = [(node["status"], node["code"]) for node in operation["outcomes"]["nodes"]]
        demand(told == [line.verdict for line in lines], f"(b) {told}\ninstead of {[x.verdict for x in lines]}")
        statuses = [status for status, _ in told]
        counts = {name.lower(): statuses.count(name) for name in ("APPLIED", "NOOP", "REJECTED")}
        demand(operation["counts"] == counts and operation["total"] == len(told), f"(e) {operation}")


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """How a write is carried out; mostly plainly."""
    return {
        "dryRun": draw(SELDOM),
        "atomic": draw(RARELY),
        "acceptLockout": draw(st.booleans()),
        "includeSelf": draw(st.booleans()),
    }


def _spoken(options: dict[str, Any]) -> str:
    return " ".join(name for name, value in options.items() if value in {True, "STRICT"})
