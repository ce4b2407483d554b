"""The pipeline against a model of it in plain Python: random clients, people, actors and requests, one after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberStatus
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.permission import Atom
from models.permission_state import permission_states
from resolvers.operation.queue import QueueLimits
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import BRIEF, Story, Told, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.rules.oracle import Oracle
from tests.rules.strategy import THOROUGH

ORACLE = Oracle(catalogue)
KEYS = ("contacts.view", "contacts.edit", "contacts.delete", "deals.view", "reports.view", "billing", "sandboxes")
POOL = [(key, level) for key in KEYS for level in catalogue.permissions[key].levels[1:]]
ADMIN: Atom = ("partner_admin", PermissionLevel.ALL)
PEOPLE, CLIENTS = 3, 2
"""The first person is the actor."""

Atoms = frozenset[Atom]


@dataclass(frozen=True)
class Held:
    """A grant of the model."""

    atoms: Atoms
    kind: AccessType
    seat: Seat = Seat.PARTNER
    status: GrantStatus = GrantStatus.ACTIVE
    version: int = 1

    @property
    def is_active_admin(self) -> bool:
        return self.kind is AccessType.PARTNER_ADMIN and self.status is GrantStatus.ACTIVE


@dataclass(frozen=True)
class Request:
    """What is asked, in the order of people and clients."""

    adds: bool
    atoms: Atoms
    strict: bool
    atomic: bool
    change_existing: bool
    include_self: bool
    accept_lockout: bool
    seat: Seat | None
    as_admin: bool

    @property
    def wanted(self) -> Atoms:
        return ORACLE.closure({*self.atoms, ADMIN}) if self.as_admin else self.atoms


@dataclass
class World:
    """Who has what, by person and client."""

    verified: list[bool]
    statuses: list[MemberStatus]
    ceilings: list[Atoms | None]
    held: dict[tuple[int, int], Held] = field(default_factory=dict)

    def authority(self, client: int) -> Atoms | None:
        own = self.held.get((0, client))
        if own is None or not own.is_active_admin:
            return None
        ceiling = self.ceilings[client]
        return ORACLE.largest_closed_subset(own.atoms if ceiling is None else own.atoms & ceiling)


Verdict = tuple[str, str | None]


def one(world: World, cell: tuple[int, int], request: Request) -> tuple[Verdict, Held | None]:
    """What becomes of one cell alone."""
    own, authority, verified = world.held.get(cell), world.authority(cell[1]), world.verified[cell[0]]
    standing = own or Held(frozenset(), AccessType.NONE, Seat.PARTNER if verified else Seat.CORE, version=0)
    before, power = standing.atoms, authority or frozenset()
    after = ORACLE.closure((before - power) | (request.wanted & power))
    beyond = (request.wanted - before - power) or (after - request.wanted)
    seat = Seat.PARTNER if ADMIN in after else request.seat or standing.seat
    reasons: list[tuple[object, Verdict]] = [
        (cell[0] == 0 and not request.include_self, ("NOOP", "SELF_EXCLUDED")),
        (authority is None, ("REJECTED", "NOT_PARTNER_ADMIN")),
        (world.statuses[cell[0]] is not MemberStatus.ACTIVE, ("REJECTED", "NOT_ACTIVE")),
        (own is None and not request.adds, ("REJECTED", "NOT_FOUND")),
        (standing.status is GrantStatus.DEACTIVATED, ("REJECTED", "DEACTIVATED")),
        (own and request.adds and not request.change_existing, ("NOOP", "ALREADY_GRANTED")),
        (standing.kind is AccessType.SUPER_ADMIN, ("REJECTED", "TARGET_IS_SUPER_ADMIN")),
        (request.seat is Seat.PARTNER and not verified, ("REJECTED", "SEAT_NOT_ELIGIBLE")),
        (request.strict and beyond, ("REJECTED", "EXCEEDS_AUTHORITY")),
        (ADMIN in after - before and not verified, ("REJECTED", "NOT_VERIFIED")),
        (ADMIN in after and request.seat not in {None, Seat.PARTNER}, ("REJECTED", "SEAT_NOT_ELIGIBLE")),
        (own and (through(after, seat) ^ through(before, standing.seat)) - power, ("REJECTED", "EXCEEDS_AUTHORITY")),
        (after == before and (own is None or own.seat is seat), ("NOOP", "NO_CHANGE")),
    ]
    for holds, verdict in reasons:
        if holds:
            return verdict, own
    kind = AccessType.PARTNER_ADMIN if ADMIN in after else AccessType.STANDARD
    return ("APPLIED", None), Held(after, kind, seat, version=standing.version + 1)


def through(atoms: Atoms, seat: Seat) -> Atoms:
    """What a seat lets through (F11): moving somebody to another seat gives or takes what lies between."""
    return frozenset(atom for atom in atoms if seat.value in catalogue.permissions[atom[0]].seats)


def carry_out(world: World, request: Request) -> dict[tuple[int, int], Verdict]:
    """What becomes of all cells, client by client, and what everybody has then."""
    order = [(person, client) for client in range(CLIENTS) for person in range(PEOPLE)]
    made = {cell: one(world, cell, request) for cell in order}
    verdicts = {cell: verdict for cell, (verdict, _) in made.items()}
    for client in range(CLIENTS):
        then = {**world.held, **{cell: held for cell, (_, held) in made.items() if held is not None}}
        losing = [c for c, held in world.held.items() if c[1] == client and held.is_active_admin]
        losing = [cell for cell in losing if not then[cell].is_active_admin]
        remain = any(held.is_active_admin for cell, held in then.items() if cell[1] == client)
        if losing and not remain and not request.accept_lockout:
            verdicts |= dict.fromkeys(losing, ("REJECTED", "WOULD_LOCK_OUT"))
    if request.atomic and any(status == "REJECTED" for status, _ in verdicts.values()):
        for cell, (status, _) in verdicts.items():
            if status == "APPLIED":
                verdicts[cell] = ("REJECTED", "ATOMIC_REJECTED")
    for cell, (_, held) in made.items():
        if verdicts[cell] == ("APPLIED", None) and held is not None:
            world.held[cell] = held
    return verdicts


_SETS = st.sets(st.sampled_from(POOL), min_size=1, max_size=6).map(ORACLE.closure)
_KINDS = st.sampled_from(["none", "standard", "none", "standard", "none", "standard", "admin", "super", "deactivated"])


@st.composite
def _held(draw: st.DrawFn, kinds: st.SearchStrategy[str]) -> Held | None:
    kind, atoms = draw(kinds), draw(_SETS)
    admin = ORACLE.closure({*atoms, ADMIN})
    return {
        "none": None,
        "standard": Held(atoms, AccessType.STANDARD, draw(st.sampled_from([Seat.CORE, Seat.SALES]))),
        "admin": Held(admin, AccessType.PARTNER_ADMIN),
        "super": Held(ORACLE.atoms(catalogue.everything), AccessType.SUPER_ADMIN, Seat.CORE),
        "deactivated": Held(admin, AccessType.PARTNER_ADMIN, status=GrantStatus.DEACTIVATED, version=2),
    }[kind]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    mostly_admin = st.sampled_from([*["admin"] * 9, "standard", "none", "deactivated"])
    cells = {(p, c): draw(_held(_KINDS if p else mostly_admin)) for p in range(PEOPLE) for c in range(CLIENTS)}
    return World(
        [True, *(draw(st.booleans()) for _ in range(1, PEOPLE))],
        [MemberStatus.ACTIVE] * (PEOPLE - 1) + [MemberStatus.DEACTIVATED if draw(_RARELY) else MemberStatus.ACTIVE],
        [draw(st.one_of(st.none(), st.none(), st.none(), _SETS)) for _ in range(CLIENTS)],
        {cell: held for cell, held in cells.items() if held is not None},
    )


_RARELY = st.integers(0, 4).map(lambda number: number == 4)
REQUESTS = st.builds(
    Request,
    adds=st.booleans(),
    atoms=_SETS,
    strict=_RARELY,
    atomic=_RARELY,
    change_existing=_RARELY.map(lambda rare: not rare),
    include_self=_RARELY,
    accept_lockout=_RARELY,
    seat=st.one_of(st.none(), st.none(), st.sampled_from(list(Seat))),
    as_admin=_RARELY,
)


async def build(factory: Factory, world: World) -> tuple[Story, list[MemberRow], list[ClientRow]]:
    """Writes the world's rows."""
    partner = await factory.partner()
    people = [
        await factory.member(partner, verified=verified, status=status)
        for verified, status in zip(world.verified, world.statuses, strict=True)
    ]
    clients = [
        await factory.client(partner, ceiling=None if ceiling is None else levels(ceiling))
        for ceiling in world.ceilings
    ]
    for (person, client), held in world.held.items():
        await factory.grant(
            clients[client],
            people[person],
            levels(held.atoms),
            access_type=held.kind,
            seat=held.seat,
            status=held.status,
        )
    story = await Story(factory, partner, people[0], clients[0], None).as_member(people[0])
    return replace(story, fragment=BRIEF), people, clients


def levels(atoms: Iterable[Atom]) -> Mapping[str, str]:
    highest: dict[str, PermissionLevel] = {}
    for key, level in atoms:
        highest[key] = max(highest.get(key, level), level, key=lambda found: found.rank)
    return {key: level.value for key, level in highest.items()}


def as_input(request: Request, people: list[MemberRow], clients: list[ClientRow]) -> tuple[str, dict[str, Any]]:
    asked: dict[str, Any] = {"targets": product(people, clients), "access": permissions(levels(request.wanted))}
    if request.seat is not None:
        asked["seat"] = request.seat.value
    if request.adds:
        asked["onExisting"] = "CHANGE" if request.change_existing else "SKIP"
    asked["options"] = {
        "mode": "STRICT" if request.strict else "CLAMP",
        "atomic": request.atomic,
        "includeSelf": request.include_self,
        "acceptLockout": request.accept_lockout,
    }
    return "grantAccess" if request.adds else "changeAccess", asked


def atoms_of(told: Told, name: str) -> set[Atom]:
    """The atoms that a difference of an outcome names."""
    found = set()
    for at in told.node[name]:
        known = catalogue.permissions[at["permission"]["key"]]
        names = [level.value for level in known.levels]
        meant = known.levels[names.index(at["above"]) + 1 : names.index(at["level"]) + 1]
        found |= {(known.key, level) for level in meant}
    return found


async def stored(story: Story, people: list[MemberRow], clients: list[ClientRow]) -> dict[tuple[int, int], Held]:
    """What the rows say."""
    place = {client.id: number for number, client in enumerate(clients)}
    who = {person.id: number for number, person in enumerate(people)}
    statement = (
        select(grants, permission_states.c.content)
        .join(permission_states, permission_states.c.id == grants.c.state_id)
        .where(grants.c.partner_id == story.partner.id)
    )
    async with story.database.read() as connection:
        rows = (await connection.execute(statement)).all()
    return {
        (who[row.member_id], place[row.client_id]): Held(
            ORACLE.atoms(catalogue.decode(row.content)),
            AccessType(row.access_type),
            Seat(row.seat),
            GrantStatus(row.status),
            row.version,
        )
        for row in rows
    }


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
@settings(
    max_examples=300 if THOROUGH else 12,
    derandomize=not THOROUGH,
    # Making a failure smaller takes minutes with a database.
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if THOROUGH else [])],
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds(), requests=st.lists(REQUESTS, min_size=2, max_size=4), queued=st.booleans())
async def test_the_pipeline_does_what_the_model_does(
    factory: Factory,
    world: World,
    requests: list[Request],
    queued: bool,  # noqa: FBT001 drawn
) -> None:
    """E1 to E26, F04, F09, F12, N01, N04, P01, P02, R15: outcomes, rows, versions, timeline, counters, dry and real.

    Carried out at once, or queued, with a chunk for each client.
    """
    story, people, clients = await build(factory, replace(world, held=dict(world.held)))
    if queued:
        story = replace(story, limits=QueueLimits(queue_above=0, chunk_cells=1))
    world = replace(world, held=dict(world.held))
    for request in requests:
        name, asked = as_input(request, people, clients)
        before, length = dict(world.held), await story.timeline_length()
        rows = await story.counts()
        dry = await story.outcomes(name, **{**asked, "options": {**asked["options"], "dryRun": True}})
        assert await story.counts() == rows
        told = await story.outcomes(name, **asked)
        assert [{**t.node, "grant": None} for t in told] == [{**t.node, "grant": None} for t in dry]
        expected = carry_out(world, request)
        assert [t.verdict for t in told] == list(expected.values())
        assert await stored(story, people, clients) == world.held
        for outcome, (cell, verdict) in zip(told, expected.items(), strict=True):
            old = before[cell].atoms if cell in before else frozenset()
            new = world.held[cell].atoms if cell in world.held else frozenset()
            assert atoms_of(outcome, "granted") == new - old
            assert atoms_of(outcome, "revoked") == old - new
            if verdict in {("APPLIED", None), ("NOOP", "NO_CHANGE"), ("REJECTED", "EXCEEDS_AUTHORITY")}:
                world_then = replace(world, held=before)
                authority = world_then.authority(cell[1]) or frozenset()
                kept = ORACLE.closure((old - authority) | (request.wanted & authority))
                assert atoms_of(outcome, "withheld") == request.wanted - old - authority
                assert atoms_of(outcome, "retained") == kept - request.wanted
        applied = sum(verdict == ("APPLIED", None) for verdict in expected.values())
        assert await story.timeline_length() == length + applied
    await assert_counters_are_true(story.database)
