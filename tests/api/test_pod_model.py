"""Pods beside a model of them: membership and grants agree after any order of additions, removals and exclusions (P09)."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models.grant import grants
from models.pod import pod_cells
from resolvers.issuer import EPHEMERAL
from resolvers.pod.edit import PodDraft, PodResult, add_to_pod, apply_pod, create_pod, delete_pod, remove_from_pod
from resolvers.pod.group import Groups
from resolvers.pod.settlement import PodOptions
from resolvers.reader import Reader
from resolvers.removal_review import removal_review_of_grants
from resolvers.viewer import Viewer
from tests.api.counters import assert_counters_are_true
from tests.api.pod_story import Pods
from tests.factory import Factory
from tests.rules.strategy import THOROUGH

PEOPLE, PLACES, PODS = range(3), range(2), range(2)
CELLS = [(person, place) for person in PEOPLE for place in PLACES]
Cell = tuple[int, int]
OPTIONS = PodOptions(EPHEMERAL, reason="Model")


@dataclass(frozen=True)
class Step:
    """One change of a pod: what comes into it or leaves it, and whether what it leaves over is taken away at once."""

    pod: int
    coming: bool
    people: frozenset[int]
    places: frozenset[int]
    exclusions: frozenset[Cell]
    deleted: bool
    applied: bool = True


def subsets(values: Any) -> st.SearchStrategy[Any]:
    return st.frozensets(st.sampled_from(list(values)), max_size=2)


STEPS = st.builds(
    Step,
    pod=st.sampled_from(PODS),
    coming=st.booleans(),
    people=subsets(PEOPLE),
    places=subsets(PLACES),
    exclusions=subsets(CELLS),
    deleted=st.sampled_from([False] * 9 + [True]),
    applied=st.booleans(),
)
ALL = [Step(pod, True, frozenset(PEOPLE), frozenset(PLACES), frozenset(), False) for pod in PODS]  # noqa: FBT003


@dataclass
class Model:
    """What is in a pod, and what it has left over."""

    people: set[int] = field(default_factory=set)
    places: set[int] = field(default_factory=set)
    exclusions: set[Cell] = field(default_factory=set)
    left: set[Cell] = field(default_factory=set)

    def follow(self, step: Step) -> None:
        changed = set.union if step.coming else set.difference
        self.people = changed(self.people, step.people)
        self.places = changed(self.places, step.places)
        self.exclusions = changed(self.exclusions, step.exclusions)

    @property
    def cells(self) -> set[Cell]:
        return {(person, place) for person in self.people for place in self.places} - self.exclusions


class Agency:
    """The rows, and two pods of one set."""

    def __init__(self, pods: Pods, viewer: Viewer) -> None:
        self.pods, self.viewer, self.database = pods, viewer, pods.story.database
        self.keys: dict[int, int] = {}

    async def carry_out(self, step: Step) -> None:
        """Carries a step out, and takes away what it leaves over, as reviewed, if it says so."""
        named = Groups(
            tuple(self.pods.places[place].id for place in step.places),
            tuple(self.pods.people[person].id for person in step.people),
            tuple((self.pods.people[person].id, self.pods.places[place].id) for person, place in step.exclusions),
        )
        if step.pod not in self.keys:
            draft = PodDraft(f"Pod {step.pod}", self.pods.permission_set.id)
            made = await create_pod(self.database, self.viewer, self.pods.story.partner.id, draft, OPTIONS)
            self.keys[step.pod] = made.pod_id or 0
        key = self.keys[step.pod]
        if step.deleted:
            shown = await delete_pod(self.database, self.viewer, key, replace(OPTIONS, dry_run=True))
            token = await self._token(shown) if shown.left_over else None
            gone = await delete_pod(self.database, self.viewer, key, replace(OPTIONS, review_token=token))
            assert gone.pod_id is None
            del self.keys[step.pod]
            return
        change = add_to_pod if step.coming else remove_from_pod
        done = await change(self.database, self.viewer, key, named, OPTIONS)
        if done.left_over and step.applied:
            options = replace(OPTIONS, review_token=await self._token(done))
            assert not (await apply_pod(self.database, self.viewer, key, options)).left_over

    async def _token(self, result: PodResult) -> str:
        reader = Reader(self.database, self.viewer)
        left = set(result.left_over)
        return (await removal_review_of_grants(reader, result.partner_id, left, issuer=EPHEMERAL)).token

    async def living(self) -> dict[Cell, int]:
        """Returns the grants of all but the actor, by the places of person and client."""
        people = {row.id: index for index, row in enumerate(self.pods.people)}
        places = {row.id: index for index, row in enumerate(self.pods.places)}
        columns = (grants.c.member_id, grants.c.client_id, grants.c.id)
        statement = select(*columns).where(grants.c.ended == 0, grants.c.member_id.in_(people))
        async with self.database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return {(people[row.member_id], places[row.client_id]): row.id for row in rows}

    async def cells(self, pod: int) -> dict[Cell, int | None]:
        """Returns the grants that a pod says it gives, by the same places."""
        people = {row.id: index for index, row in enumerate(self.pods.people)}
        places = {row.id: index for index, row in enumerate(self.pods.places)}
        statement = select(pod_cells).where(pod_cells.c.pod_id == self.keys.get(pod, 0))
        async with self.database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return {(people[row.member_id], places[row.client_id]): row.grant_id for row in rows}


async def agree(factory: Factory, steps: list[Step], own: frozenset[Cell]) -> None:
    """Somebody has access exactly where a pod wants it or has left it over, or where they had some of their own, which stays."""
    pods = await Pods.begin(factory, people=len(PEOPLE), places=len(PLACES))
    assert pods.story.viewer is not None
    agency = Agency(pods, pods.story.viewer)
    for person, place in own:
        await factory.grant(pods.places[place], pods.people[person], permission_set=pods.permission_set)
    before = await agency.living()
    model = {pod: Model() for pod in PODS}
    for step in (*ALL, *steps):
        await agency.carry_out(step)
        changed, before_it = model[step.pod], model[step.pod].cells
        changed.follow(step)
        if step.deleted:
            model[step.pod] = Model()
        elif step.applied:
            changed.left = set()
        else:
            changed.left |= before_it - own
        for each in model.values():
            each.left = each.left.difference(*(other.cells for other in model.values()))
        living = await agency.living()
        assert set(living) == own.union(*(pod.cells | pod.left for pod in model.values()))
        assert living.items() >= before.items()
        for pod, wanted in model.items():
            given = {cell: None if cell in own else living[cell] for cell in wanted.cells | wanted.left}
            assert await agency.cells(pod) == given
    await assert_counters_are_true(factory.database)


def orders(examples: int) -> settings:
    return settings(
        max_examples=300 if THOROUGH else examples,
        derandomize=not THOROUGH,
        # Making a failure smaller takes minutes with a database.
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if THOROUGH else [])],
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@orders(8)
@given(steps=st.lists(STEPS, min_size=4, max_size=8), own=subsets(CELLS))
async def test_p09_membership_and_grants_agree(factory: Factory, steps: list[Step], own: frozenset[Cell]) -> None:
    await agree(factory, steps, own)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@orders(2)
@given(steps=st.lists(STEPS, min_size=3, max_size=6), own=subsets(CELLS))
async def test_p09_they_agree_on_postgresql_too(factory: Factory, steps: list[Step], own: frozenset[Cell]) -> None:
    await agree(factory, steps, own)
