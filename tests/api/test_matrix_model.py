"""Random matrices, one after the other, beside single mutations in a twin agency: both come to the same (P28)."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product as times
from random import Random
from typing import Any, Self

import pytest

from models.grant import GrantStatus, Seat
from resolvers.matrix.text import MatrixFormat
from tests.api.counters import assert_counters_are_true
from tests.api.matrix_story import QUEUED, apply, export, verdicts
from tests.api.write_story import BRIEF, NO_CHANGE, Story, node_id, pairs
from tests.factory import ClientRow, Factory, MemberRow, SetRow

SETS = {
    "Views": {"contacts.view": "ALL", "deals.view": "TEAM"},
    "Edits": {"contacts.edit": "ALL", "reports.view": "ALL"},
    "Beyond": {"billing": "ALL", "contacts.view": "ALL"},
}
EXPIRIES = (datetime(2098, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))
OPTIONS = {"acceptLockout": True}


@dataclass
class Twin:
    """An agency with an administrator in all clients but the last, and people with access of many sorts."""

    story: Story
    people: list[MemberRow]
    clients: list[ClientRow]
    sets: dict[str, SetRow]

    @classmethod
    async def make(cls, factory: Factory) -> Self:
        story = replace(await Story.begin(factory), fragment=BRIEF)
        clients = [story.client, *await factory.clients(story.partner, 2)]
        await story.admin(clients[1])
        people = [*await factory.members(story.partner, 3), await factory.member(story.partner, verified=False)]
        sets = {name: await factory.permission_set(story.partner, levels, name) for name, levels in SETS.items()}
        twin = cls(story, people, clients, sets)
        await factory.grant(clients[0], people[0], permission_set=sets["Views"], expires_at=EXPIRIES[0])
        await factory.grant(clients[0], people[1], permission_set=sets["Edits"], status=GrantStatus.DEACTIVATED)
        await factory.grant(clients[1], people[0], {"notes.view": "ALL"}, permission_set=sets["Edits"], customised=True)
        await factory.grant(clients[1], people[1], {"notes.view": "ALL"}, seat=Seat.SALES)
        await factory.super_admin(clients[1], people[2])
        await factory.grant(clients[2], people[0], permission_set=sets["Views"])
        return twin

    async def rows(self) -> dict[tuple[int, int], dict[str, Any]]:
        """What the export says, by the places of person and client."""
        emails = [person.email for person in self.people]
        hubs = [str(client.hub_id) for client in self.clients]
        found = {}
        for row in json.loads(await export(self.story, MatrixFormat.JSON)):
            if row["email"] in emails:
                found[emails.index(row.pop("email")), hubs.index(row.pop("hub_id"))] = row
        return found

    async def told(self, wish: dict[str, Any]) -> tuple[str, str | None] | None:
        """What comes of a wish by single mutations."""
        person, client = self.people[wish["person"]], self.clients[wish["client"]]
        there = (await self.rows()).get((wish["person"], wish["client"]))
        targets, seat, until = pairs((person, client)), wish.get("seat"), wish.get("expires_at")
        access = {"access": {"permissionSet": node_id(self.sets[wish["permission_set"]])}}
        values: dict[str, Any] = {"targets": targets, "options": OPTIONS, **access}
        if seat:
            values["seat"] = seat
        if there is not None and until == "never":
            field, values["expiresAt"] = "changeAccess", None
        else:
            field, values["onExisting"] = "grantAccess", "CHANGE"
            if until and until != "never":
                values["expiresAt"] = until
        (told,) = await self.story.outcomes(field, **values)
        return told.verdict


def wished(random: Random, cells: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """A random matrix, by the places of people and clients."""
    chosen = random.sample(cells, random.randint(3, len(cells)))
    rows = []
    for person, client in chosen:
        row: dict[str, Any] = {"person": person, "client": client, "permission_set": random.choice(list(SETS))}
        if random.random() < 0.3:
            row["seat"] = random.choice(["CORE", "SALES", "PARTNER"])
        if random.random() < 0.4:
            row["expires_at"] = random.choice(["never", *(at.isoformat() for at in EXPIRIES)])
        rows.append(row)
    return rows


def is_as_wished(wish: dict[str, Any], there: dict[str, Any] | None) -> bool:
    """Says whether there is nothing to do for a wish, whatever the status of the access is."""
    if there is None or there["customised"]:
        return False
    until = wish.get("expires_at")
    same_end = until is None or there["expires_at"] == (None if until == "never" else until)
    same_seat = wish.get("seat") in {None, there["seat"]}
    return there["permission_set"] == wish["permission_set"] and same_seat and same_end


@pytest.mark.parametrize("rounds", [3, pytest.param(60, marks=pytest.mark.thorough)])
async def test_a_matrix_comes_to_what_single_mutations_come_to(factory: Factory, rounds: int) -> None:
    random = Random(rounds)  # noqa: S311 no secret
    by_file, by_hand = await Twin.make(factory), await Twin.make(factory)
    cells = list(times(range(len(by_file.people)), range(len(by_file.clients))))
    for number in range(rounds):
        wishes = wished(random, cells)
        before = await by_hand.rows()
        by_hand_told = [await by_hand.told(wish) for wish in wishes]
        text = json.dumps(
            [
                {
                    **wish,
                    "email": by_file.people[wish["person"]].email,
                    "hub_id": by_file.clients[wish["client"]].hub_id,
                }
                for wish in wishes
            ]
        )
        story = replace(by_file.story, limits=QUEUED) if number % 2 else by_file.story
        told = verdicts(await apply(story, {"json": text}, options=OPTIONS))
        for wish, one, other in zip(wishes, told, by_hand_told, strict=True):
            # A matrix asks for nobody's authority where there is nothing to do.
            if is_as_wished(wish, before.get((wish["person"], wish["client"]))):
                assert one == NO_CHANGE, wish
            else:
                assert one == other, wish
        assert await by_file.rows() == await by_hand.rows()
    unchanged = {"csv": await export(by_file.story)}
    assert set(verdicts(await apply(by_file.story, unchanged, options={"includeSelf": True}))) == {NO_CHANGE}
    await assert_counters_are_true(factory.database)
