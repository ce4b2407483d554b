"""The last-super-admin rule under races (N11, M4), on both databases: whoever comes second sees what the first has left."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, select

from models.database import Database
from models.grant import active_super_admin, grants
from models.table import now
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import DEACTIVATE, MIGRATE, REMOVE, SHORT, one, several, token_for
from tests.api.write_story import APPLIED, Story, Told
from tests.factory import AccountRow, ClientRow, Factory, MemberRow

LAST = ("REJECTED", "LAST_SUPER_ADMIN")


@dataclass(frozen=True)
class SuperAdmin:
    """A super admin of one account, the account as their partner knows it, and a story in which they act themselves."""

    story: Story
    person: MemberRow
    place: ClientRow

    def migrate(self) -> Coroutine[Any, Any, Told]:
        return one(self.story, MIGRATE, self.person, self.place)


async def _accounts(factory: Factory, count: int, *, rivals: bool) -> list[tuple[SuperAdmin, SuperAdmin]]:
    """Accounts with exactly two super admins each: people of one partner, or of two partners that do not know each other."""
    story = replace(await Story.begin(factory), fragment=SHORT)
    other_partner = await factory.partner() if rivals else story.partner
    one_, two = await factory.member(story.partner), await factory.member(other_partner)
    stories = [replace(await story.as_member(person), fragment=SHORT) for person in (one_, two)]
    made = []
    for place in await factory.clients(story.partner, count):
        shared = AccountRow(place.account_id, place.hub_id, place.name)
        theirs = await factory.client(other_partner, account=shared) if rivals else place
        await factory.super_admin(place, one_)
        await factory.super_admin(theirs, two)
        made.append((SuperAdmin(stories[0], one_, place), SuperAdmin(stories[1], two, theirs)))
    return made


async def _super_admins(database: Database) -> Counter[int]:
    """How many active super admins each account has."""
    async with database.read() as connection:
        statement = select(grants.c.account_id, func.count()).where(active_super_admin(grants, now()))
        rows = await connection.execute(statement.group_by(grants.c.account_id))
        return Counter({row[0]: row[1] for row in rows})


def _exactly_one(told: Sequence[Told]) -> None:
    assert sorted((outcome.verdict for outcome in told), key=str) == [APPLIED, LAST]


async def test_n11_of_fifty_migrations_at_once_exactly_one_succeeds_in_each_account(factory: Factory) -> None:
    """M4: 25 accounts, in each both super admins migrate themselves at the same moment; every other account of two partners."""
    pairs = [*await _accounts(factory, 13, rivals=True), *await _accounts(factory, 12, rivals=False)]
    told = await asyncio.gather(*(boss.migrate() for pair in pairs for boss in pair))
    assert len(told) == 50
    for index in range(0, 50, 2):
        _exactly_one(told[index : index + 2])
    counts = await _super_admins(factory.database)
    assert counts == {pair[0].place.account_id: 1 for pair in pairs}
    await assert_counters_are_true(factory.database)


@pytest.mark.parametrize("rivals", [True, False])
async def test_m4_two_bulk_migrations_in_opposite_orders_do_not_wait_for_each_other(
    factory: Factory, *, rivals: bool
) -> None:
    """All accounts in one request each: locks are taken in the order of keys, so there is no deadlock."""
    pairs = await _accounts(factory, 12, rivals=rivals)
    for _ in range(2):
        told = await asyncio.gather(
            *(
                several(side[0].story, MIGRATE, [side[0].person], [boss.place for boss in side])
                for side in ([pair[0] for pair in pairs], [pair[1] for pair in pairs][::-1])
            )
        )
        counts = await _super_admins(factory.database)
        assert counts == {pair[0].place.account_id: 1 for pair in pairs}
    # The second time those who lost the race are still the last, and the others are partner admins already.
    verdicts = Counter(outcome.verdict for outcomes in told for outcome in outcomes)
    assert verdicts == {LAST: 12, ("NOOP", "NO_CHANGE"): 12}
    await assert_counters_are_true(factory.database)


@pytest.mark.parametrize("rivals", [True, False])
@pytest.mark.parametrize(
    "verbs",
    [(DEACTIVATE, DEACTIVATE), (REMOVE, REMOVE), (DEACTIVATE, REMOVE), (MIGRATE, DEACTIVATE), (MIGRATE, REMOVE)],
    ids=" and ".join,
)
async def test_m4_whatever_takes_the_last_two_super_admins_at_once_leaves_one(
    factory: Factory, verbs: tuple[str, str], *, rivals: bool
) -> None:
    """The last-super-admin rule holds for deactivating and removing too (section 7), and between the verbs."""
    pairs = await _accounts(factory, 4, rivals=rivals)
    at_once: list[Coroutine[Any, Any, Told]] = []
    for number, pair in enumerate(pairs):
        # Either verb is first to be asked in half of the accounts.
        for boss, verb in list(zip(pair, verbs, strict=True))[:: 1 if number % 2 else -1]:
            mine = {} if verb == MIGRATE else {"includeSelf": True}
            token = await token_for(boss.story, [boss.person], [boss.place]) if verb == REMOVE else None
            at_once.append(one(boss.story, verb, boss.person, boss.place, token=token, **mine))
    told = await asyncio.gather(*at_once)
    for index in range(0, len(told), 2):
        _exactly_one(told[index : index + 2])
    assert await _super_admins(factory.database) == {pair[0].place.account_id: 1 for pair in pairs}
    await assert_counters_are_true(factory.database)


async def test_m4_the_last_two_go_at_once_where_an_own_person_stays(factory: Factory) -> None:
    """Nobody is held back by a race where one super admin remains anyway."""
    pairs = await _accounts(factory, 3, rivals=True)
    for pair in pairs:
        account = AccountRow(pair[0].place.account_id, pair[0].place.hub_id, pair[0].place.name)
        await factory.own_person(account, await factory.user())
    told = await asyncio.gather(*(boss.migrate() for pair in pairs for boss in pair))
    assert {outcome.verdict for outcome in told} == {APPLIED}
    assert await _super_admins(factory.database) == {pair[0].place.account_id: 1 for pair in pairs}


async def test_n04_the_last_two_partner_admins_deactivate_themselves_at_once(factory: Factory) -> None:
    """N04 under a race: one stays, for the second counts what the first has left."""
    story = replace(await Story.begin(factory), fragment=SHORT)
    colleague, worker = await factory.members(story.partner, 2)
    await factory.partner_admin(story.client, colleague)
    await factory.grant(story.client, worker, {"contacts.view": "ALL"})
    other = replace(await story.as_member(colleague), fragment=SHORT)
    told = await asyncio.gather(
        *(one(teller, DEACTIVATE, teller.actor, story.client, includeSelf=True) for teller in (story, other))
    )
    assert sorted((outcome.verdict for outcome in told), key=str) == [APPLIED, ("REJECTED", "WOULD_LOCK_OUT")]
    await assert_counters_are_true(factory.database)
