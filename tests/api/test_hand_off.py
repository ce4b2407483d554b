"""Asking a colleague to do what one could not do oneself, and their answer (N02)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from models.clock import clock
from models.grant import grants
from models.hand_off import hand_offs
from models.member import ManagerRights, MemberStatus, members
from models.table import now
from resolvers.operation.queue import QueueLimits
from tests.api.hand_off_story import BOTH, HAND_OFF, HandOffs, answered, code_of
from tests.api.write_story import ADMIN_REPORTS, Story, ids, node_id, permissions, product
from tests.factory import Factory, removal
from tests.statement_recorder import StatementRecorder

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Where nothing but the words of the statements would differ, once is enough."""


async def test_n02_a_colleague_is_told_once_and_accepts_in_one_mutation(factory: Factory) -> None:
    """What was withheld is given under the colleague's own authority, and nothing else changes."""
    story = await HandOffs.begin(factory, people=2, places=2)
    operation = await story.asked_for(options={"reason": "New team"})
    handed = await story.handed_off(operation, note="Could you?")
    assert (handed["state"], handed["total"], handed["note"]) == ("OPEN", 4, "Could you?")
    assert handed["outcomes"]["totalCount"] == 4
    withheld = [node["withheld"] for node in handed["outcomes"]["nodes"]]
    assert withheld == [[{"permission": {"key": "reports.view"}}]] * 4
    told = await story.accepted(handed["id"])
    assert [outcome.verdict for outcome in told] == [("APPLIED", None)] * 4
    assert all(outcome.granted == {"reports.view": "ALL"} for outcome in told)
    (found,) = await _listed(story.colleague, {"side": "TO_ME"})
    assert (found["state"], found["leftOut"]) == ("ACCEPTED", 0)
    done = await story.colleague.told(found["accepted"]["id"])
    assert (done["requestedBy"]["id"], done["reason"]) != (None, None)
    assert done["reason"] == "New team"
    number = found["id"]
    asked, answer = await story.mails()
    assert [event.split(":")[0] for event, _ in (asked, answer)] == ["hand-off", "hand-off-answer"]
    assert (asked[1], answer[1]) == (story.colleague.actor.email, story.asker.actor.email)
    assert code_of(await story.accept(number)) == "CONFLICT"
    assert len(await story.mails()) == 2


async def _listed(story: Story, filter_: dict[str, Any] | None = None) -> list[Any]:
    query = f"""query($id: ID!, $filter: HandOffFilter) {{
      node(id: $id) {{ ... on Partner {{ handOffs(filter: $filter) {{ totalCount nodes {{ ...Handed }} }} }} }}
    }} {HAND_OFF}"""
    data, codes = await story.run(query, id=node_id(story.partner), filter=filter_)
    assert codes == []
    page = data["node"]["handOffs"]
    assert page["totalCount"] == len(page["nodes"])
    return list(page["nodes"])


@on_sqlite
async def test_n02_where_the_asker_is_no_partner_admin_the_colleague_gives_all_of_it(factory: Factory) -> None:
    """People who had access already are left alone, as the asker wanted."""
    story = await HandOffs.begin(factory, people=2)
    place = await factory.client(story.asker.partner)
    await factory.partner_admin(place, story.colleague.actor)
    there = story.people[1]
    await factory.grant(place, there, {"deals.view": "ALL"})
    handed = await story.handed_off(await story.asked_for(targets=product(story.people, [place])))
    assert handed["total"] == 1
    (told,) = await story.accepted(handed["id"])
    assert told.cell == (node_id(story.people[0]), node_id(place))
    assert told.granted == {"contacts.view": "ALL", "reports.view": "ALL"}


@on_sqlite
async def test_n02_only_what_the_colleague_could_do_is_handed_off_and_only_what_was_named(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=2, places=2)
    other = await factory.client(story.asker.partner)
    await factory.partner_admin(other, story.asker.actor, without=ADMIN_REPORTS)
    operation = await story.asked_for(targets=product(story.people, [*story.places, other]))
    first = await story.handed_off(operation, clients=ids(story.places[0]))
    assert first["total"] == 2
    second = await story.handed_off(operation, members=ids(story.people[0]))
    assert second["total"] == 1, "the rest was asked already, or nobody could do it"
    assert code_of(await story.hand_off(operation, members=ids(story.people[0]))) == "CONFLICT"
    assert code_of(await story.hand_off(operation, clients=ids(other))) == "INVALID_INPUT"


async def test_p03_what_has_changed_since_is_a_conflict_and_the_rest_is_done(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=3)
    handed = await story.handed_off(await story.asked_for())
    changed, removed, same = story.people
    await story.asker.change(changed, permissions({"contacts.view": "TEAM"}))
    await _remove(factory, removed.id)
    told = {outcome.cell[0]: outcome for outcome in await story.accepted(handed["id"])}
    assert told[node_id(changed)].verdict == ("REJECTED", "CONFLICT")
    assert told[node_id(same)].granted == {"reports.view": "ALL"}
    assert node_id(removed) not in told, "whoever took the access away did not mean it to be given anew"
    assert (await _listed(story.asker, {"side": "BY_ME"}))[0]["leftOut"] == 1


@on_sqlite
async def test_p03_access_that_has_come_since_is_left_alone(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=1)
    place, (person,) = await factory.client(story.asker.partner), story.people
    await factory.partner_admin(place, story.colleague.actor)
    handed = await story.handed_off(await story.asked_for(targets=product([person], [place])))
    await factory.grant(place, person, {"deals.view": "ALL"})
    (told,) = await story.accepted(handed["id"])
    assert told.verdict == ("REJECTED", "CONFLICT")


async def _remove(factory: Factory, member_id: int) -> None:
    async with factory.database.write() as session:
        gone = update(grants).where(grants.c.member_id == member_id).values(removal())
        await (await session.connection()).execute(gone)


@on_sqlite
@pytest.mark.parametrize("way", ["set", "default", "copy"])
async def test_n02_nothing_is_given_that_was_not_asked_for(factory: Factory, way: str) -> None:
    """A set that has gained something, another default, a copied grant that has grown: left out, and nothing else to do."""
    story = await HandOffs.begin(factory, people=1)
    partner, (person,) = story.asker.partner, story.people
    levels = {"contacts.view": "ALL", "reports.view": "ALL"}
    ours, source = await factory.permission_set(partner, levels), await factory.member(partner)
    model = await factory.grant(story.places[0], source, levels)
    await story.asker.set_default(person, ours)
    access = {
        "set": {"permissionSet": node_id(ours)},
        "default": {"defaultSet": True},
        "copy": {"copyFrom": node_id(model)},
    }[way]
    operation = await story.asked_for(access=access)
    handed = await story.handed_off(operation)
    preview = await story.accept(handed["id"], dryRun=True)
    assert (preview["userErrors"], preview["operation"]["counts"]["applied"]) == ([], 1)
    more = {**levels, "deals.view": "ALL"}
    if way == "copy":
        await story.colleague.change(source, permissions(more))
    else:
        await factory.new_version(ours, more)
    payload = await story.accept(handed["id"])
    assert code_of(payload) == "CONFLICT"
    assert (await _listed(story.asker))[0]["state"] == "OPEN"


@on_sqlite
async def test_p02_a_dry_run_of_accepting_writes_nothing(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=1)
    handed = await story.handed_off(await story.asked_for())
    before = await story.asker.counts()
    payload = await story.accept(handed["id"], dryRun=True)
    assert (payload["handOff"]["state"], payload["operation"]["dryRun"]) == ("OPEN", True)
    assert payload["operation"]["counts"]["applied"] == 1
    assert await story.asker.counts() == before


@on_sqlite
async def test_n02_declining_says_why_and_tells_the_asker(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=1)
    handed = await story.handed_off(await story.asked_for())
    asked = {"handOff": handed["id"], "reason": "Not needed there."}
    assert code_of(await answered(story.asker, "declineHandOff", asked)) == "FORBIDDEN"
    assert code_of(await answered(story.colleague, "declineHandOff", {**asked, "reason": " "})) == "INVALID_INPUT"
    declined = (await answered(story.colleague, "declineHandOff", asked))["handOff"]
    assert (declined["state"], declined["reply"]) == ("DECLINED", "Not needed there.")
    assert [recipient for _, recipient in await story.mails()][1:] == [story.asker.actor.email]
    assert code_of(await story.accept(handed["id"])) == "CONFLICT"
    again = await story.handed_off(handed["operation"]["id"])
    assert again["state"] == "OPEN"


@on_sqlite
async def test_n02_only_the_asker_takes_it_back(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=1)
    handed = await story.handed_off(await story.asked_for())
    asked = {"handOff": handed["id"]}
    assert code_of(await answered(story.colleague, "withdrawHandOff", asked)) == "FORBIDDEN"
    withdrawn = (await answered(story.asker, "withdrawHandOff", asked))["handOff"]
    assert (withdrawn["state"], withdrawn["accepted"]) == ("WITHDRAWN", None)
    assert code_of(await story.accept(handed["id"])) == "CONFLICT"
    assert len(await story.mails()) == 1


@on_sqlite
async def test_r13_an_asker_without_authority_does_not_matter_but_one_who_has_left_does(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=2)
    operation = await story.asked_for()
    first = await story.handed_off(operation, members=ids(story.people[0]))
    second = await story.handed_off(operation, members=ids(story.people[1]))
    await _set(factory, story.asker.actor.id, manager_rights=ManagerRights.NONE.value)
    assert [outcome.verdict for outcome in await story.accepted(first["id"])] == [("APPLIED", None)]
    await _set(factory, story.asker.actor.id, status=MemberStatus.LEFT.value)
    assert code_of(await story.accept(second["id"])) == "CONFLICT"
    assert [found["state"] for found in await _listed(story.colleague)] == ["EXPIRED", "ACCEPTED"]
    assert [found["id"] for found in await _listed(story.colleague, {"states": ["EXPIRED"]})] == [second["id"]]


@on_sqlite
async def test_r13_a_colleague_who_has_lost_authority_gives_nothing(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=1, places=2)
    handed = await story.handed_off(await story.asked_for())
    async with factory.database.write() as session:
        mine = (grants.c.member_id == story.colleague.actor.id) & (grants.c.client_id == story.places[1].id)
        await (await session.connection()).execute(update(grants).where(mine).values(status="DEACTIVATED"))
    told = {outcome.cell[1]: outcome.verdict for outcome in await story.accepted(handed["id"])}
    assert told == {
        node_id(story.places[0]): ("APPLIED", None),
        node_id(story.places[1]): ("REJECTED", "NOT_PARTNER_ADMIN"),
    }


async def _set(factory: Factory, member_id: int, **values: Any) -> None:
    async with factory.database.write() as session:
        await (await session.connection()).execute(update(members).where(members.c.id == member_id).values(values))


@on_sqlite
async def test_n02_it_expires(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    story = await HandOffs.begin(factory, people=1)
    handed = await story.handed_off(await story.asked_for(), expiresInDays=3)
    later = now() + timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert code_of(await story.accept(handed["id"])) == "CONFLICT"
    assert [found["state"] for found in await _listed(story.asker)] == ["EXPIRED"]
    assert (await story.handed_off(handed["operation"]["id"]))["state"] == "OPEN"


async def test_n02_a_large_hand_off_is_queued_and_a_retry_answers_the_same(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=3)
    handed = await story.handed_off(await story.asked_for())
    cut = HandOffs(
        story.asker,
        Story(**{**vars(story.colleague), "limits": QueueLimits(queue_above=1, chunk_cells=1)}),
        story.people,
        story.places,
    )
    await story.asker.change(story.people[0], permissions({"contacts.view": "TEAM"}))
    verdicts = [outcome.verdict for outcome in await cut.accepted(handed["id"])]
    assert sorted(map(str, verdicts)) == sorted(map(str, [("REJECTED", "CONFLICT"), *[("APPLIED", None)] * 2]))
    assert (await _listed(story.asker))[0]["state"] == "ACCEPTED"


async def test_n02_two_answers_at_once_are_one(factory: Factory) -> None:
    story = await HandOffs.begin(factory, people=1)
    handed = await story.handed_off(await story.asked_for())
    answers = await asyncio.gather(
        story.accept(handed["id"]),
        answered(story.colleague, "declineHandOff", {"handOff": handed["id"], "reason": "No."}),
        answered(story.asker, "withdrawHandOff", {"handOff": handed["id"]}),
    )
    assert sorted(len(payload["userErrors"]) for payload in answers) == [0, 1, 1]
    assert len(await story.mails()) <= 2


@on_sqlite
async def test_n02_what_cannot_be_handed_off_is_told(factory: Factory) -> None:
    """Not to oneself, not what takes access away, not a matter of the past."""
    story = await HandOffs.begin(factory, people=1)
    operation = await story.asked_for()
    assert code_of(await story.hand_off(operation, story.asker.actor)) == "INVALID_INPUT"
    assert code_of(await story.hand_off(operation, expiresInDays=91)) == "INVALID_INPUT"
    off = await story.asker.operation("deactivateAccess", targets=product(story.people, story.places))
    assert code_of(await story.hand_off(off["id"])) == "CONFLICT"
    gone = await factory.member(story.asker.partner, status=MemberStatus.LEFT)
    assert code_of(await story.hand_off(operation, gone)) == "INVALID_INPUT"
    viewing = await story.asker.as_member(await factory.member(story.asker.partner, manager_rights=ManagerRights.VIEW))
    asked = {"operation": operation, "to": node_id(story.colleague.actor)}
    assert code_of(await answered(viewing, "handOffOperation", asked)) == "FORBIDDEN"


async def test_t1_a_hand_off_of_another_agency_does_not_exist(factory: Factory) -> None:
    story, other = await HandOffs.begin(factory, people=1), await HandOffs.begin(factory, people=1)
    operation = await story.asked_for()
    handed, foreign = await story.handed_off(operation), await other.handed_off(await other.asked_for())
    for key in (foreign["id"], handed["operation"]["id"], "garbage"):
        assert code_of(await story.accept(key)) == "NOT_FOUND"
        for field, who in (("declineHandOff", story.colleague), ("withdrawHandOff", story.asker)):
            values = {"handOff": key, **({"reason": "No."} if field == "declineHandOff" else {})}
            assert code_of(await answered(who, field, values)) == "NOT_FOUND"
    for to in (other.colleague.actor, other.asker.actor):
        assert code_of(await story.hand_off(operation, to)) == "NOT_FOUND"
    assert code_of(await story.hand_off(foreign["operation"]["id"])) == "NOT_FOUND"
    assert code_of(await story.hand_off(operation, clients=ids(other.places[0]))) == "NOT_FOUND"
    data, _ = await story.asker.run("query($id: ID!) { node(id: $id) { id } }", id=foreign["id"])
    assert data == {"node": None}
    assert await _listed(story.asker, {"operation": foreign["operation"]["id"]}) == []


@on_sqlite
async def test_n02_a_reactivation_is_handed_off_too(factory: Factory) -> None:
    """F35, I1: whoever reactivates gives all of it again, so the colleague must hold all of it."""
    story = await HandOffs.begin(factory, people=1)
    (person,) = story.people
    assert (await story.colleague.grant(person, BOTH)).verdict == ("APPLIED", None)
    await story.asker.outcomes("deactivateAccess", targets=product([person], story.places))
    operation = await story.asker.operation("reactivateAccess", targets=product([person], story.places))
    assert operation["outcomes"]["nodes"][0]["code"] == "EXCEEDS_AUTHORITY"
    handed = await story.handed_off(operation["id"])
    (told,) = await story.accepted(handed["id"])
    assert (told.verdict, told.granted) == (("APPLIED", None), {"contacts.view": "ALL", "reports.view": "ALL"})


@on_sqlite
async def test_t3_a_page_of_hand_offs_takes_a_fixed_number_of_statements(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await HandOffs.begin(factory, people=4)
    counts = []
    for some in (story.people[:1], story.people[1:]):
        for person in some:
            await story.handed_off(await story.asked_for(targets=product([person], story.places)))
        await _listed(story.colleague)
        with recorder:
            found = await _listed(story.colleague)
        counts.append(recorder.count)
    assert len(found) == 4
    assert counts[0] == counts[1]
    async with factory.database.everything().read() as connection:
        assert len((await connection.execute(hand_offs.select())).all()) == 4
