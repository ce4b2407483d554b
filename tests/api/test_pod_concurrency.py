"""Pods of the same people and clients, changed by several at once (both databases): no error, no lost update, and they agree (P09)."""

import asyncio
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from models.grant import grants
from models.pod import pod_clients, pod_exclusions, pod_members
from resolvers.pod import edit
from resolvers.pod.group import lock_groups
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import review
from tests.api.pod_story import Pods
from tests.api.write_story import node_id
from tests.factory import Factory

PEOPLE, PLACES, PODS = range(5), range(4), range(3)
Cell = tuple[int, int]
QUICK = """userErrors { code } pod { id } operations { id } review { token }"""


class Group:
    """What is in a pod in the end, whatever the order of the changes: each names what no other one names."""

    def __init__(self, pods: Pods, random: Random, number: int) -> None:
        self.pods, self.key = pods, ""
        # Those in the middle are in all of them.
        self.people, self.places = set(PEOPLE[number : number + 3]), set(PLACES[number % 2 : number % 2 + 3])
        self.exclusions: set[Cell] = {(2, 1), (2, 2)}
        self._random = random

    async def create(self) -> None:
        made = await self.pods.create(
            members=[node_id(self.pods.people[person]) for person in sorted(self.people)],
            clients=[node_id(self.pods.places[place]) for place in sorted(self.places)],
            exclusions=[self.pods.pair(*cell) for cell in sorted(self.exclusions)],
        )
        self.key = made["pod"]["id"]

    def changes(self) -> list[tuple[str, dict[str, Any]]]:
        """Returns requests, with what they name, that turn over about half of the pod."""
        asked = [
            *(self._turned(self.people, person, "members", node_id(self.pods.people[person])) for person in PEOPLE),
            *(self._turned(self.places, place, "clients", node_id(self.pods.places[place])) for place in PLACES),
            *(self._turned(self.exclusions, cell, "exclusions", self.pods.pair(*cell)) for cell in ((2, 1), (3, 2))),
        ]
        return self._random.sample(asked, 5)

    def _turned(self, group: set[Any], element: Any, name: str, named: Any) -> tuple[str, dict[str, Any]]:
        field = "removeFromPod" if element in group else "addToPod"
        return field, {"pod": self.key, name: [named]}

    def follow(self, name: str, values: dict[str, Any]) -> None:
        change = set.union if name == "addToPod" else set.difference
        pods = self.pods
        self.people = change(self.people, {p for p in PEOPLE if node_id(pods.people[p]) in values.get("members", ())})
        self.places = change(self.places, {p for p in PLACES if node_id(pods.places[p]) in values.get("clients", ())})
        cells = {(person, place) for person in PEOPLE for place in PLACES}
        named = values.get("exclusions", ())
        self.exclusions = change(self.exclusions, {cell for cell in cells if pods.pair(*cell) in named})

    @property
    def cells(self) -> set[Cell]:
        return {(person, place) for person in self.people for place in self.places} - self.exclusions


async def quick(pods: Pods, name: str, **values: Any) -> Any:
    """Returns the payload of a change without all that the pod then has."""
    kind = f"{name[0].upper()}{name[1:]}Input"
    data, codes = await pods.story.run(
        f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {QUICK} }} }}", input=values
    )
    assert (codes, data[name]["userErrors"]) == ([], [])
    return data[name]


async def settle(pods: Pods, groups: list[Group]) -> None:
    """Takes away what was left over, all pods at once, until nothing is."""
    tokens: list[str | None] = [None] * len(groups)
    for _ in range(4):
        done = await asyncio.gather(
            *(
                quick(pods, "applyPod", pod=group.key, options={"reviewToken": token} if token else {})
                for group, token in zip(groups, tokens, strict=True)
            )
        )
        tokens = [payload["review"] and payload["review"]["token"] for payload in done]
        if not any(tokens):
            return
    raise AssertionError(tokens)


async def memberships(pods: Pods) -> list[tuple[set[int], set[int], set[Cell]]]:
    """Returns what the rows of each pod say, by the places of people and clients, the oldest pod first."""
    people = {row.id: index for index, row in enumerate(pods.people)}
    places = {row.id: index for index, row in enumerate(pods.places)}
    found: dict[int, tuple[set[int], set[int], set[Cell]]] = {}
    async with pods.story.database.read() as connection:
        for row in await connection.execute(select(pod_members)):
            found.setdefault(row.pod_id, (set(), set(), set()))[0].add(people[row.member_id])
        for row in await connection.execute(select(pod_clients)):
            found.setdefault(row.pod_id, (set(), set(), set()))[1].add(places[row.client_id])
        for row in await connection.execute(select(pod_exclusions)):
            found.setdefault(row.pod_id, (set(), set(), set()))[2].add((people[row.member_id], places[row.client_id]))
    return [found[key] for key in sorted(found)]


async def test_p09_overlapping_pods_changed_at_once_lose_nothing_and_agree_with_the_grants(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, *, thorough: bool
) -> None:
    """Nor does any wait for another one that waits for it: nothing is tried twice."""
    monkeypatch.setattr("models.conflict.UNDONE", frozenset())
    random = Random("pods")  # noqa: S311 no secret
    pods = await Pods.begin(factory, people=len(PEOPLE), places=len(PLACES))
    groups = [Group(pods, random, number) for number in PODS]
    for group in groups:
        await group.create()
    for _ in range(4 if thorough else 1):
        changes = [(group, *change) for group in groups for change in group.changes()]
        random.shuffle(changes)
        await asyncio.gather(*(quick(pods, name, **values) for _, name, values in changes))
        for group, name, values in changes:
            group.follow(name, values)
        assert await memberships(pods) == [(group.people, group.places, group.exclusions) for group in groups]
        await settle(pods, groups)
        wanted = set.union(*(group.cells for group in groups))
        held = await pods.held()
        assert set(held) == wanted
        assert set(held.values()) == {node_id(pods.permission_set)}
    shown = await asyncio.gather(*(pods.done("applyPod", pod=group.key) for group in groups))
    for group, payload in zip(groups, shown, strict=True):
        assert payload["operations"] == []
        assert pods.states(payload) == dict.fromkeys(group.cells, "GIVEN")
    async with factory.database.read() as connection:
        living = select(grants.c.client_id, grants.c.member_id).where(grants.c.ended == 0)
        rows = (await connection.execute(living)).all()
    assert len(set(map(tuple, rows))) == len(rows)
    await assert_counters_are_true(factory.database)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_r8_who_leaves_while_being_put_into_a_pod_is_in_none(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer at a time."""
    pods = await Pods.begin(factory, people=1, places=1)
    made = await pods.create(members=[])

    async def after_leaving(*arguments: Any) -> None:
        monkeypatch.setattr(edit, "lock_groups", lock_groups)
        token = (await review(pods.story, pods.people[0]))["token"]
        query = "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code } } }"
        asked = {"member": node_id(pods.people[0]), "reviewToken": token}
        assert await pods.story.run(query, input=asked) == ({"removeMember": {"userErrors": []}}, [])
        await lock_groups(*arguments)

    monkeypatch.setattr(edit, "lock_groups", after_leaving)
    added = {"pod": made["pod"]["id"], "members": [node_id(pods.people[0])]}
    assert await pods.refused("addToPod", **added) == ["INVALID_INPUT"]
    assert (await pods.done("applyPod", pod=made["pod"]["id"]))["pod"]["members"]["totalCount"] == 0
