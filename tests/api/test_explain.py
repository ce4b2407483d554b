"""Why somebody has a permission, or has it not (P11)."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models.account import accounts
from models.database import Database
from models.grant import GrantStatus, Seat, grants
from models.member import MemberStatus, members
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.replica import Freshness
from models.table import now
from models.user import users
from resolvers.demo.cast import DEMO_PEOPLE
from resolvers.demo.load import load_demo
from resolvers.elevated_access import report
from resolvers.explanation import history as history_rows
from resolvers.explanation.account import Account, Obstacle, account_of
from resolvers.explanation.history import GrantHistory, histories_by_grant
from resolvers.reader import Reader
from resolvers.sign_in import viewer_of
from resolvers.timeline import TimelineRecord, timeline_entries_by_id
from tests.api.effective_oracle import effective_levels, stored_levels
from tests.api.explain_story import EXPLANATION, explain, obstacles
from tests.api.test_scheduled_operation import carried_out, planned
from tests.api.test_undo import codes, undo
from tests.api.write_story import Story, node_id, permissions, product
from tests.factory import ClientRow, Factory, removal
from tests.histories.clock import Clock
from tests.statement_recorder import StatementRecorder

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_p11_the_chain_names_set_version_operation_grantor_and_rule(factory: Factory) -> None:
    """A set was clamped; somebody else gave what was missing, and the next change could not take it."""
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "TEAM"})
    person, full = await factory.member(story.partner), await factory.member(story.partner, "Fay Full")
    await factory.partner_admin(story.client, full)
    ours = await factory.permission_set(story.partner, {"contacts.view": "ALL", "deals.view": "ALL"}, "Sellers")
    first = await story.grant(person, {"permissionSet": node_id(ours)}, options={"reason": "New here"})
    assert first.verdict == ("APPLIED", None)
    told = await explain(story, person, "deals.view")
    assert (told["level"], told["effectiveLevel"], told["levelNow"]) == ("TEAM", "TEAM", "TEAM")
    assert (told["setLevel"], told["customised"]) == ("ALL", True)
    (source,) = told["sources"]
    assert (source["level"], source["above"]) == ("TEAM", "NONE")
    assert (source["permissionSet"]["name"], source["permissionSetVersion"], source["setLevel"]) == (
        "Sellers",
        1,
        "ALL",
    )
    assert (source["requestedLevel"], source["authorityLevel"], source["clamped"]) == ("ALL", "TEAM", True)
    assert (source["change"]["kind"], source["change"]["reason"]) == ("GRANT", "New here")
    assert source["change"]["askedFor"] == "PARTNER"
    (missing,) = told["obstacles"]
    assert (missing["reason"], missing["above"], missing["level"]) == ("WITHHELD", "TEAM", "ALL")
    assert missing["change"]["operation"] == source["change"]["operation"]
    other = await story.as_member(full)
    assert (await other.change(person, permissions({"contacts.view": "ALL", "deals.view": "ALL"}))).verdict[
        0
    ] == "APPLIED"
    assert (await story.change(person, permissions({}))).verdict[0] == "APPLIED"
    told = await explain(story, person, "deals.view")
    low, high = told["sources"]
    assert (low["level"], high["above"], high["level"]) == ("TEAM", "TEAM", "ALL")
    assert high["change"]["askedByName"] == "Fay Full"
    assert (high["clamped"], low["clamped"]) == (False, True)
    assert high["keptBy"]["kind"] == "CHANGE"
    assert told["obstacles"] == []
    gone = await explain(story, person, "contacts.view")
    assert gone["sources"] == []
    assert obstacles(gone) == {"REVOKED": ("NONE", "ALL")}


@on_sqlite
async def test_p11_what_is_missing_without_access_and_with_access_that_does_not_count(factory: Factory) -> None:
    story = await Story.begin(factory)
    nobody, off, gone, late, left = await factory.members(story.partner, 5)
    assert obstacles(await explain(story, nobody, "contacts.view")) == {"NO_GRANT": ("NONE", "ALL")}
    for person in (off, gone, late):
        assert (await story.grant(person, permissions({"contacts.view": "ALL"}))).verdict[0] == "APPLIED"
    await story.outcomes("deactivateAccess", targets=product([off], [story.client]))
    told = await explain(story, off, "contacts.view")
    assert (told["level"], told["effectiveLevel"], told["levelNow"]) == ("ALL", "ALL", "NONE")
    assert obstacles(told) == {"DEACTIVATED": ("NONE", "ALL")}
    assert told["obstacles"][0]["change"]["kind"] == "DEACTIVATE"
    await story.outcomes("reactivateAccess", targets=product([off], [story.client]))
    told = await explain(story, off, "contacts.view")
    assert (told["levelNow"], told["obstacles"]) == ("ALL", [])
    assert told["reactivatedBy"]["kind"] == "REACTIVATE"
    assert told["sources"][0]["change"]["kind"] == "GRANT"
    async with factory.database.write() as session:
        connection = await session.connection()
        past = now() - timedelta(days=1)
        await connection.execute(grants.update().where(grants.c.member_id == late.id).values(expires_at=past))
        await connection.execute(grants.update().where(grants.c.member_id == gone.id).values(removal()))
    assert obstacles(await explain(story, late, "contacts.view")) == {"EXPIRED": ("NONE", "ALL")}
    told = await explain(story, gone, "contacts.view")
    assert obstacles(told) == {"REMOVED": ("NONE", "ALL")}
    assert told["grant"]["status"] == "REMOVED"
    async with factory.database.write() as session:
        statement = members.update().where(members.c.id == left.id).values(status=MemberStatus.LEFT.value)
        await (await session.connection()).execute(statement)
    assert list(obstacles(await explain(story, left, "contacts.view"))) == ["MEMBER_LEFT", "NO_GRANT"]


@on_sqlite
async def test_p11_seat_tier_ceiling_level_and_what_is_never_delegable(factory: Factory) -> None:
    """F05, F11, P08, E20, E24."""
    story = await Story.begin(factory, tiers="")
    person, viewing = await factory.members(story.partner, 2)
    tiered = next(p for p in catalogue.permissions.values() if p.tier and p.delegable)
    state = catalogue.closure(catalogue.state({tiered.key: tiered.levels[-1], "contacts.edit": "ALL"}))
    await factory.grant(story.client, person, state)
    await factory.grant(story.client, viewing, {"contacts.edit": "ALL"}, seat=Seat.VIEW_ONLY)
    told = await explain(story, person, tiered.key)
    assert (told["level"], told["effectiveLevel"]) == (tiered.levels[-1].value, "NONE")
    assert "TIER" in obstacles(told)
    told = await explain(story, viewing, "contacts.edit")
    assert (told["level"], told["effectiveLevel"]) == ("ALL", "NONE")
    assert obstacles(told) == {"SEAT": ("NONE", "ALL")}
    never = next(p.key for p in catalogue.permissions.values() if not p.delegable)
    assert {"NEVER_DELEGABLE", "NOT_REQUESTED"} <= obstacles(await explain(story, person, never)).keys()
    capped = await factory.client(story.partner, ceiling={"contacts.view": "OWNED"})
    await factory.grant(capped, person, {"contacts.view": "TEAM"})
    told = await explain(story, person, "contacts.view", capped)
    assert (told["level"], told["ceilingLevel"], told["exceedsCeiling"]) == ("TEAM", "OWNED", True)
    assert obstacles(told) == {"NOT_REQUESTED": ("TEAM", "ALL"), "CEILING": ("TEAM", "ALL")}


async def test_t1_nobody_learns_from_an_explanation_that_somebody_exists(factory: Factory) -> None:
    story = await Story.begin(factory)
    stranger = await factory.member(await factory.partner())
    query = """query($client: ID!, $member: ID!, $key: ID!) {
      node(id: $client) { ... on Client { explain(member: $member, permission: $key) { level } } }
    }"""
    known = {"client": node_id(story.client), "member": node_id(story.actor), "key": "contacts.view"}
    for member in (node_id(stranger), node_id(story.client), "garbage"):
        assert (await story.run(query, **{**known, "member": member}))[1] == ["NOT_FOUND"]
    assert (await story.run(query, **{**known, "key": "no.such"}))[1] == ["BAD_INPUT"]
    outside = await (await Story.begin(factory)).run(query, **known)
    assert outside == ({"node": None}, [])


@on_sqlite
async def test_t3_a_page_of_explanations_takes_a_fixed_number_of_statements(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 12)
    query = f"""query($client: ID!) {{ node(id: $client) {{ ... on Client {{ grants(first: 100) {{ nodes {{
      explain(permission: "contacts.view") {{ ...Explained }} }} }} }} }} }} {EXPLANATION}"""
    counts = []
    for some in (people[:2], people[2:]):
        await story.outcomes(
            "grantAccess", targets=product(some, [story.client]), access=permissions({"contacts.view": "ALL"})
        )
        await story.run(query, client=node_id(story.client))
        with recorder:
            data, codes = await story.run(query, client=node_id(story.client))
        assert codes == []
        counts.append(recorder.count)
    assert len(data["node"]["grants"]["nodes"]) == 13
    assert counts[0] == counts[1]


@on_sqlite
async def test_p11_explain_agrees_with_the_effective_level_for_every_grant_and_permission_of_the_demo(
    database: Database,
) -> None:
    """Each level that is held has its source, each that does not count its obstacle; situations that are alike once.

    The effective levels are worked out anew, from the rows and the words of the catalogue.
    """
    await load_demo(database)
    async with database.read() as connection:
        rows = await connection.execute(
            select(grants.c.id, grants.c.seat, grants.c.status, grants.c.expires_at)
            .add_columns(accounts.c.tiers, permission_states.c.content)
            .join(accounts, accounts.c.id == grants.c.account_id)
            .join(permission_states, permission_states.c.id == grants.c.state_id)
            .where(grants.c.client_id.is_not(None), grants.c.partner_id == 1)
        )
        raw = {row.id: row for row in rows}
        olivia = await connection.scalar(select(users.c.id).where(users.c.email_key == DEMO_PEOPLE[0].email))
        viewer = await viewer_of(connection, int(olivia or 0))
    assert len(raw) > 1_000
    reader = Reader(database, viewer)
    histories = await histories_by_grant(reader, sorted(raw))
    alike: defaultdict[Any, set[tuple[str, str, bool, str]]] = defaultdict(set)
    for history in histories:
        row = raw[history.grant_id or 0]
        alike[dataclasses.replace(history, grant_id=None, entry_ids=())].add(
            (row.seat, row.tiers, _counts(row), row.content)
        )
    checked = 0
    for history, facts in alike.items():
        ((seat, tiers, counts, content),) = facts
        stored, effective = stored_levels(content), effective_levels(content, seat, tiers)
        for key, permission in catalogue.permissions.items():
            account = account_of(permission, history.place, history.held, history.steps)
            assert account.level.value == stored.get(key, "NONE")
            assert account.effective.value == effective.get(key, "NONE")
            assert account.now.value == (effective.get(key, "NONE") if counts else "NONE")
            _assert_complete(account, history)
            checked += 1
    assert checked > 1_000


def _counts(row: Any) -> bool:
    return row.status == "ACTIVE" and (row.expires_at is None or row.expires_at > now())


def _assert_complete(account: Account, history: GrantHistory) -> None:
    top = max((given.run.level.rank for given in account.given), default=0)
    assert top == account.level.rank
    highest = max((hindered.run.level.rank for hindered in account.hindered), default=0)
    assert (account.now.rank < highest) == bool(account.hindered)
    assert history.held is not None
    inactive = {Obstacle.REMOVED, Obstacle.DEACTIVATED} & {hindered.obstacle for hindered in account.hindered}
    assert bool(inactive) == (history.held.status is not GrantStatus.ACTIVE)
    for given in account.given:
        assert history.steps[given.step].after


@on_sqlite
async def test_p11_nothing_is_said_that_is_not_so(factory: Factory) -> None:
    """Somebody asked in vain, by an operation that changed nothing; and a ceiling held back what who asked had."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    await story.grant(person, permissions({"contacts.view": "ALL"}))
    told = await story.change(person, permissions({"contacts.view": "ALL", "reports.view": "ALL"}))
    assert (told.verdict, told.withheld) == (("NOOP", "NO_CHANGE"), {"reports.view": "ALL"})
    (missing,) = (await explain(story, person, "reports.view"))["obstacles"]
    assert missing["reason"] == "NOT_REQUESTED"
    assert "No change of this access gave it" in missing["message"]
    assert "lastAttempt says why" in missing["message"]
    assert "obody has asked" not in missing["message"]
    capped = await Story.begin(factory, ceiling={"contacts.view": "OWNED"})
    person = await factory.member(capped.partner)
    await capped.grant(person, permissions({"contacts.view": "ALL"}))
    missing = {one["reason"]: one["message"] for one in (await explain(capped, person, "contacts.view"))["obstacles"]}
    assert missing.keys() == {"WITHHELD", "CEILING"}
    assert "or the client's ceiling" in missing["WITHHELD"]


async def test_p11_where_nothing_gives_it_what_was_tried_last_is_told_and_why_it_failed(factory: Factory) -> None:
    """The latest outcome by which nothing changed, as long as it is about this permission, or may have been."""
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "ALL"})
    person, same = await factory.members(story.partner, 2)
    elsewhere = await factory.client(story.partner)
    both, contacts = permissions({"contacts.view": "ALL", "reports.view": "ALL"}), permissions({"contacts.view": "ALL"})

    async def asked(field: str, place: ClientRow, access: Any, **values: Any) -> Any:
        operation = await story.operation(field, targets=product([person], [place]), access=access, **values)
        return operation["id"]

    async def told(key: str, place: ClientRow = story.client) -> tuple[str | None, str] | None:
        found = (await explain(story, person, key, place))["lastAttempt"]
        return found and (found["outcome"]["code"], found["operation"]["id"])

    assert await told("reports.view", elsewhere) is None
    nowhere = await asked("grantAccess", elsewhere, both)
    await story.operation(
        "grantAccess", targets=product([same], [elsewhere]), access=permissions({"deals.view": "ALL"})
    )
    for key, expected in (("reports.view", ("NOT_PARTNER_ADMIN", nowhere)), ("deals.view", None)):
        assert await told(key, elsewhere) == expected
    assert (await explain(story, person, "reports.view", elsewhere))["lastAttempt"]["outcome"]["status"] == "REJECTED"
    await asked("grantAccess", story.client, contacts)
    in_vain = await asked("changeAccess", story.client, both)
    assert await told("reports.view") == ("NO_CHANGE", in_vain)
    assert await told("contacts.view") is None
    # Nobody has looked at which permissions they were; another change since then, and it may have been about others.
    skipped = await asked("grantAccess", story.client, both)
    assert await told("reports.view") == ("ALREADY_GRANTED", skipped)
    await asked("changeAccess", story.client, permissions({"contacts.view": "ALL", "deals.view": "ALL"}))
    assert await told("reports.view") == ("NO_CHANGE", in_vain)
    # A change that was about it itself says more.
    await asked("changeAccess", story.client, permissions({"deals.view": "ALL", "reports.view": "ALL"}))
    assert await told("reports.view") is None
    assert obstacles(await explain(story, person, "reports.view")) == {"WITHHELD": ("NONE", "ALL")}


@on_sqlite
async def test_p11_p14_what_was_asked_for_ahead_of_time_was_tried_when_its_time_came(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.rule_over(monkeypatch)
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "ALL"})
    person = await factory.member(story.partner)
    await story.grant(person, permissions({"contacts.view": "ALL"}))
    access = permissions({"contacts.view": "ALL", "reports.view": "ALL"})
    scheduled = await planned(story, clock, [person], "changeAccess", access=access)
    at_once = await story.operation("changeAccess", targets=product([person], [story.client]), access=access)
    told = [(await explain(story, person, "reports.view"))["lastAttempt"]["operation"]["id"]]
    await carried_out(story, clock)
    told.append((await explain(story, person, "reports.view"))["lastAttempt"]["operation"]["id"])
    assert told == [at_once["id"], scheduled["id"]]


@on_sqlite
async def test_p11_an_undo_that_would_have_taken_access_is_no_attempt_to_give_any(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    given = await story.operation(
        "grantAccess", targets=product([person], [story.client]), access=permissions({"contacts.view": "ALL"})
    )
    await story.change(person, permissions({"contacts.view": "ALL", "deals.view": "ALL"}))
    assert codes(await undo(story, given["id"])) == [("REJECTED", "CHANGED_SINCE")]
    assert (await explain(story, person, "reports.view"))["lastAttempt"] is None


@on_sqlite
async def test_the_entries_of_a_history_are_never_older_than_it(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two statements may be answered by two copies of the database: what the first one knows the second one must."""
    story = await Story.begin(factory)
    reader = Reader(factory.database, story.viewer, Freshness())
    asked: list[Freshness | None] = []

    async def entries(answered: Reader, keys: Sequence[int]) -> list[TimelineRecord | None]:
        asked.append(answered.freshness)
        return await timeline_entries_by_id(answered, keys)

    monkeypatch.setattr(history_rows, "timeline_entries_by_id", entries)
    await history_rows.entries_of_history(reader, [1])
    monkeypatch.setattr(report, "timeline_entries_by_id", entries)
    (page,) = await report.elevated_access_by_partner(reader, [story.partner.id])
    assert len(page.items) == 1
    assert asked == [None, None]
