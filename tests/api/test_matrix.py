"""The access matrix: exported, planned and applied as a file (P28)."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.grant import GrantStatus, Seat, grants
from models.permission_set import permission_sets
from models.table import now
from resolvers.error import RefusedError
from resolvers.matrix import entry as entry_module
from resolvers.matrix import resolution
from resolvers.matrix.entry import MOST_LISTED, read_csv, read_json, read_listed
from resolvers.matrix.formula import as_text, as_written
from resolvers.matrix.text import MatrixFormat
from schema.node import encode
from tests.api.counters import assert_counters_are_true
from tests.api.matrix_story import APPLY, HEADER, QUEUED, apply, csv_of, entry, export, plan, refusals, verdicts
from tests.api.write_story import APPLIED, NO_CHANGE, Story, contents, node_id, product
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder

CONFLICT = ("REJECTED", "CONFLICT")
NOT_BY_MATRIX = ("REJECTED", "NOT_BY_MATRIX")
SOON = datetime(2099, 5, 1, 12, 0, 0, 250, tzinfo=UTC)


async def crowded(factory: Factory) -> Story:
    """An agency with access of every sort: sets of all owners, archived, older, customised, none, ended for a while, super admins."""
    story = await Story.begin(factory)
    client, partner = story.client, story.partner

    async def somebody(**values: Any) -> Any:
        return await factory.grant(client, await factory.member(partner), **values)

    mine = await factory.permission_set(partner, {"contacts.view": "ALL"}, "=Sum, of all")
    await somebody(permission_set=mine, expires_at=SOON)
    await somebody(permission_set=mine, seat=Seat.SALES, status=GrantStatus.DEACTIVATED)
    await somebody(permission_set=mine, levels={"calls.view": "ALL"}, customised=True)
    await factory.new_version(mine, {"deals.view": "ALL"})
    for owner in (partner, client.account):
        await somebody(permission_set=await factory.permission_set(owner, {"tasks.view": "ALL"}, "Read only"))
    await somebody(permission_set=await factory.permission_set(partner, {"tasks.view": "ALL"}, "client: Read only"))
    await somebody(permission_set=await factory.permission_set(partner, {"tasks.view": "ALL"}, "(Super Admin)"))
    for levels in ({"calls.view": "ALL"}, {"notes.view": "ALL"}):
        await somebody(permission_set=await factory.permission_set(partner, levels, "Gone", archived=True))
    await somebody(levels={"contacts.view": "ALL"}, expires_at=now() - timedelta(days=1))
    await factory.super_admin(client, await factory.member(partner))
    elsewhere = await factory.client(partner)
    await factory.grant(elsewhere, await factory.member(partner), permission_set=mine)
    return story


async def test_an_export_applied_unchanged_changes_nothing_whatever_there_is(factory: Factory) -> None:
    """Also in clients where whoever applies it has no authority, and by the same token again."""
    story = await crowded(factory)
    foreign = await Story.begin(factory)
    for matrix in ({"csv": await export(story)}, {"json": await export(story, MatrixFormat.JSON)}):
        planned = await plan(story, matrix)
        assert planned["operation"]["counts"]["noop"] == planned["operation"]["total"] == 13
        before = await story.timeline_length()
        for _ in range(2):
            told = await apply(story, matrix, planToken=planned["planToken"], options={"includeSelf": True})
            assert verdicts(told) == [NO_CHANGE] * 13
        assert await story.timeline_length() == before
    assert foreign.actor.email not in await export(story)


async def test_an_export_says_what_each_grant_is(factory: Factory) -> None:
    story = await crowded(factory)
    rows = list(csv.DictReader(io.StringIO(await export(story))))
    assert [row["permission_set"] for row in rows] == [
        "Partner Admin",
        *["'=Sum, of all"] * 3,
        "partner: Read only",
        "client: Read only",
        "partner: client: Read only",
        "partner: (Super Admin)",
        "archived: Gone",
        "archived: Gone",
        "(single permissions)",
        "(super admin)",
        "'=Sum, of all",
    ]
    older, ended, customised = rows[1:4]
    assert (older["version"], older["expires_at"]) == ("1", SOON.isoformat())
    assert (ended["seat"], ended["status"]) == ("SALES", "DEACTIVATED")
    assert [row["customised"] for row in (older, ended, customised)] == ["false", "false", "true"]
    assert rows[0] == {
        "email": story.actor.email,
        "hub_id": str(story.client.hub_id),
        "permission_set": "Partner Admin",
        "version": "1",
        "seat": "PARTNER",
        "expires_at": "",
        "customised": "false",
        "status": "ACTIVE",
        "grant_version": "1",
    }
    listed = json.loads(await export(story, MatrixFormat.JSON))
    assert [(row["email"], row["grant_version"]) for row in listed] == [
        (row["email"], int(row["grant_version"])) for row in rows
    ]
    assert listed[1]["permission_set"] == "=Sum, of all"


async def test_an_export_can_be_narrowed_and_may_be_empty(factory: Factory) -> None:
    story = await crowded(factory)
    assert json.loads(await export(story, MatrixFormat.JSON, client_ids=[])) == []
    (row,) = json.loads(await export(story, MatrixFormat.JSON, member_ids=[story.actor.id]))
    assert row["email"] == story.actor.email
    other = await Story.begin(factory)
    foreign = {"client_ids": [other.client.id], "member_ids": [other.actor.id]}
    assert json.loads(await export(story, MatrixFormat.JSON, **foreign)) == []


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "'=1", "''-", "'tis", "'", "", "a=b", "'x=1"])
def test_a_formula_comes_back_as_it_was(cell: str) -> None:
    assert as_written(as_text(cell)) == cell
    assert as_text(cell)[:1] not in {"=", "+", "-", "@"}


async def test_new_access_is_given_and_existing_changed_row_by_row(factory: Factory) -> None:
    story = await Story.begin(factory)
    new, changed, left = await factory.members(story.partner, 3)
    mine = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Mine")
    for person in (changed, left):
        await factory.grant(story.client, person, permission_set=mine, expires_at=SOON)
    matrix = [
        entry(new, story.client, "sales", seat="SALES", expiresAt=SOON.isoformat()),
        entry(changed, story.client, "Read only", seat="CORE", neverExpires=True),
    ]
    planned = await plan(story, matrix)
    assert (planned["operation"]["dryRun"], planned["operation"]["counts"]["applied"]) == (True, 2)
    for limits in (story.limits, QUEUED):
        told = await apply(replace(story, limits=limits), matrix, planToken=planned["planToken"])
        assert verdicts(told) == ([APPLIED] * 2 if limits is story.limits else [NO_CHANGE] * 2)
        assert [(one.grant["seat"], one.grant["expiresAt"], one.grant["customised"]) for one in told] == [
            ("SALES", SOON.isoformat().replace("+00:00", "Z"), False),
            ("CORE", None, False),
        ]
    (untouched,) = await apply(story, [entry(left, story.client, "Mine")])
    assert untouched.verdict == NO_CHANGE
    assert untouched.grant["version"] == 1
    await assert_counters_are_true(story.database)


async def test_a_queued_matrix_does_in_chunks_what_it_does_at_once(factory: Factory) -> None:
    """Each chunk knows what is wanted in each of its cells: set, seat, expiry, and what was seen."""
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    people = await factory.members(story.partner, 3)
    stale = await factory.grant(story.client, people[2], {"contacts.view": "ALL"})
    matrix = [
        entry(people[0], other, "Sales", expiresAt=SOON.isoformat()),
        entry(people[1], story.client, "Service", seat="CORE"),
        entry(people[2], story.client, "Service", grantVersion=stale.version + 1),
        entry(people[1], other),
    ]
    planned = await plan(story, matrix)
    expected = [APPLIED, APPLIED, CONFLICT, NO_CHANGE]
    assert [(one["status"], one["code"]) for one in planned["operation"]["outcomes"]["nodes"]] == expected
    queued = replace(story, limits=QUEUED)
    told = await apply(queued, matrix, planToken=planned["planToken"])
    assert verdicts(told) == expected
    assert [one.cell for one in told] == [
        (encode("Member", person.id), encode("Client", place.id))
        for person, place in (
            (people[0], other),
            (people[1], story.client),
            (people[2], story.client),
            (people[1], other),
        )
    ]
    assert (told[1].grant["seat"], told[0].grant["seat"]) == ("CORE", "PARTNER")
    async with story.database.read() as connection:
        ends = await connection.scalar(select(grants.c.expires_at).where(grants.c.member_id == people[0].id))
    assert ends == SOON
    assert verdicts(await apply(queued, matrix[:2])) == [NO_CHANGE] * 2


async def test_what_changes_between_asking_and_the_chunk_is_a_conflict(factory: Factory) -> None:
    """The token was right when it was sent; what was seen then is watched until the cell is carried out."""
    story = await Story.begin(factory)
    appeared, vanished, same = await factory.members(story.partner, 3)
    going = await factory.grant(story.client, vanished, {"contacts.view": "ALL"})
    matrix = [entry(person, story.client, "Service") for person in (appeared, vanished, same)]
    token = (await plan(story, matrix))["planToken"]
    data, codes = await replace(story, limits=QUEUED).run(
        APPLY, input={"matrix": {"entries": matrix}, "planToken": token}
    )
    assert (codes, data["applyAccessMatrix"]["operation"]["state"]) == ([], "QUEUED")
    await factory.grant(story.client, appeared, {"deals.view": "ALL"})
    await factory.move(going, GrantStatus.REMOVED)
    await story.work()
    told = await story.told(data["applyAccessMatrix"]["operation"]["id"])
    assert [(one["status"], one["code"]) for one in told["outcomes"]["nodes"]] == [CONFLICT, CONFLICT, APPLIED]


@pytest.mark.parametrize("atomic", [False, True])
async def test_drift_between_plan_and_apply_is_a_conflict_for_its_cell(
    factory: Factory,
    atomic: bool,  # noqa: FBT001 a parameter of the test
) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 6)
    changed, appeared, vanished, _same, unplanned, is_so = people
    mine = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Mine")
    before = {p.id: await factory.grant(story.client, p, permission_set=mine) for p in (changed, vanished, is_so)}
    matrix = [entry(person, story.client, "Service") for person in people if person is not unplanned]
    token = (await plan(story, matrix))["planToken"]
    await story.change(changed, {"permissionSet": node_id(await factory.built_in_set("sales"))})
    await factory.grant(story.client, appeared, {"contacts.view": "ALL"})
    await factory.move(before[vanished.id], GrantStatus.REMOVED)
    await story.change(is_so, {"permissionSet": node_id(await factory.built_in_set("service"))})
    matrix.append(entry(unplanned, story.client, "Service"))
    told = await apply(story, matrix, planToken=token, options={"atomic": atomic})
    good = ("REJECTED", "ATOMIC_REJECTED") if atomic else APPLIED
    assert verdicts(told) == [CONFLICT, CONFLICT, CONFLICT, good, NO_CHANGE, CONFLICT]
    again = (await plan(story, matrix))["planToken"]
    assert ("REJECTED", "CONFLICT") not in verdicts(await apply(story, matrix, planToken=again))


@pytest.mark.parametrize("token", ["", "nonsense", "AQ", "x" * 2_000])
async def test_a_token_of_nothing_lets_nothing_change(factory: Factory, token: str) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    assert verdicts(await apply(story, [entry(person, story.client, "Service")], planToken=token)) == [CONFLICT]


async def test_an_edit_of_the_set_after_the_plan_is_a_conflict(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    mine = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Mine")
    matrix = [entry(person, story.client, "Mine")]
    token = (await plan(story, matrix))["planToken"]
    await factory.new_version(mine, {"deals.view": "ALL"})
    assert verdicts(await apply(story, matrix, planToken=token)) == [CONFLICT]


async def test_the_version_in_a_row_is_as_good_as_a_plan(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, newcomer = await factory.members(story.partner, 2)
    await factory.grant(story.client, person, {"contacts.view": "ALL"})
    stale = [
        entry(person, story.client, "Service", grantVersion=2),
        entry(newcomer, story.client, "Service", grantVersion=1),
    ]
    assert verdicts(await apply(story, stale)) == [CONFLICT, CONFLICT]
    fresh = [entry(person, story.client, "Service", grantVersion=1)]
    assert verdicts(await apply(story, fresh)) == [APPLIED]
    assert verdicts(await apply(story, fresh)) == [NO_CHANGE]


async def test_an_empty_set_leads_to_the_reviewed_removal(factory: Factory) -> None:
    """F38: a matrix takes nothing away."""
    story = await Story.begin(factory)
    has, ended, never = await factory.members(story.partner, 3)
    await factory.grant(story.client, has, {"contacts.view": "ALL"})
    await factory.grant(story.client, ended, {"contacts.view": "ALL"}, status=GrantStatus.DEACTIVATED)
    told = await apply(story, [entry(person, story.client) for person in (has, ended, never)])
    assert verdicts(told) == [("REJECTED", "REMOVAL_NEEDS_REVIEW")] * 2 + [NO_CHANGE]
    assert "removalReview" in told[0].node["message"]
    assert "removeAccess" in told[0].node["message"]


async def test_what_a_set_does_not_describe_can_only_be_left_as_it_is(factory: Factory) -> None:
    story = await crowded(factory)
    newcomer = await factory.member(story.partner)
    (customised,) = [row for row in csv.DictReader(io.StringIO(await export(story))) if row["customised"] == "true"]
    kept = {"email": customised["email"], "hubId": customised["hub_id"], "permissionSet": "=Sum, of all"}
    told = await apply(
        story,
        [
            {**kept, "customised": True, "seat": "CORE"},
            entry(newcomer, story.client, "Service", customised=True),
            entry(story.actor, story.client, "(super admin)"),
        ],
        options={"includeSelf": True},
    )
    assert verdicts(told) == [APPLIED, NOT_BY_MATRIX, NOT_BY_MATRIX]
    assert (told[0].grant["customised"], told[0].grant["seat"]) == (True, "CORE")
    others = [
        {**kept, "permissionSet": "(single permissions)"},
    ]
    assert verdicts(await apply(story, others)) == [NOT_BY_MATRIX]
    for name in ("archived: Gone", "(single permissions)", "(super admin)"):
        assert verdicts(await apply(story, [entry(newcomer, story.client, name)])) == [NOT_BY_MATRIX]
    assert verdicts(await apply(story, [{**kept, "status": "DEACTIVATED"}])) == [NOT_BY_MATRIX]
    # As the set gives it, within the rule.
    (reset,) = await apply(story, [kept])
    assert (reset.verdict, reset.grant["customised"]) == (APPLIED, False)


async def test_a_matrix_neither_reactivates_nor_lowers_super_admins(factory: Factory) -> None:
    story = await Story.begin(factory)
    ended, chief = await factory.members(story.partner, 2)
    await factory.grant(story.client, ended, {"contacts.view": "ALL"}, status=GrantStatus.DEACTIVATED)
    await factory.super_admin(story.client, chief)
    told = await apply(
        story, [entry(ended, story.client, "Service", status="ACTIVE"), entry(chief, story.client, "Service")]
    )
    assert verdicts(told) == [("REJECTED", "DEACTIVATED"), ("REJECTED", "TARGET_IS_SUPER_ADMIN")]


async def test_the_bounded_rule_holds_and_the_options_are_those_of_every_write(factory: Factory) -> None:
    """Spec 2.2, STRICT, atomic, includeSelf, acceptLockout, reason, and applying a clamped row again."""
    story = await Story.begin(factory, held={"customised": True})
    person = await factory.member(story.partner)
    wide = await factory.permission_set(story.partner, {"billing": "ALL", "contacts.view": "ALL"}, "Wide")
    matrix = [entry(person, story.client, "Wide"), entry(story.actor, story.client, "Wide")]
    strict = await apply(story, matrix, options={"mode": "STRICT", "dryRun": True})
    assert verdicts(strict) == [("REJECTED", "EXCEEDS_AUTHORITY"), ("NOOP", "SELF_EXCLUDED")]
    token = (await plan(story, matrix))["planToken"]
    clamped = await apply(story, matrix, planToken=token, options={"reason": "Because."})
    assert verdicts(clamped) == [APPLIED, ("NOOP", "SELF_EXCLUDED")]
    assert (clamped[0].withheld, clamped[0].grant["customised"]) == ({"billing": "ALL"}, True)
    for again in ({}, {"planToken": token}):
        assert verdicts(await apply(story, matrix[:1], **again)) == [NO_CHANGE]
    locked = await apply(story, matrix, options={"includeSelf": True, "atomic": True})
    assert verdicts(locked) == [NO_CHANGE, ("REJECTED", "WOULD_LOCK_OUT")]
    assert wide.id
    freed = await apply(story, matrix, options={"includeSelf": True, "acceptLockout": True})
    assert verdicts(freed) == [NO_CHANGE, APPLIED]
    assert verdicts(await apply(story, [entry(person, story.client, "Sales")])) == [("REJECTED", "NOT_PARTNER_ADMIN")]


async def test_an_older_version_of_a_set_is_what_it_says(factory: Factory) -> None:
    """P12: an empty version is the newest one."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    mine = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Mine")
    await factory.new_version(mine, {"deals.view": "ALL"})
    (old,) = await apply(story, [entry(person, story.client, "Mine", version=1)])
    assert (old.verdict, old.grant["permissionSetVersion"], old.grant["outdated"]) == (APPLIED, 1, True)
    (new,) = await apply(story, [entry(person, story.client, "mine")])
    assert (new.verdict, new.grant["permissionSetVersion"], new.granted) == (APPLIED, 2, {"deals.view": "ALL"})


async def test_a_set_that_was_archived_meanwhile_gives_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    mine = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Mine")
    queued = replace(story, limits=QUEUED)
    data, _ = await queued.run(APPLY, input={"matrix": {"entries": [entry(person, story.client, "Mine")]}})
    async with story.database.write() as session:
        gone = update(permission_sets).where(permission_sets.c.id == mine.id).values(archived_at=now())
        await (await session.connection()).execute(gone)
    await story.work()
    told = await story.told(data["applyAccessMatrix"]["operation"]["id"])
    assert [one["code"] for one in told["outcomes"]["nodes"]] == ["NO_PERMISSION_SET"]


async def test_rows_that_agree_are_one_outcome(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    row = f"{person.email},{story.client.hub_id},Service,,,,,,"
    shouted = f"{person.email.upper()},{story.client.hub_id},built-in: service,1,,,no,,"
    assert verdicts(await apply(story, csv_of(row, row, "", shouted))) == [APPLIED]


async def test_every_mistake_is_told_by_its_line_and_nothing_is_written(factory: Factory, monkeypatch: Any) -> None:
    """T1: what another partner has looks like what there is not."""
    story, other = await Story.begin(factory), await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Service")
    await factory.permission_set(other.partner, {"contacts.view": "ALL"}, "Theirs")
    who, where = person.email, story.client.hub_id
    told = await refusals(
        story,
        csv_of(
            f"{who},{where},Sales,,,,,,",
            f"nobody@example.com,{where},Sales,,,,,,",
            f"{other.actor.email},{other.client.hub_id},Sales,,,,,,",
            f"{who},{where},Theirs,,,,,,",
            f"{who},{where},Service,,,,,,",
            f"{who},{where},Sales,7,,,,,",
            f"{who},{where},Reporting,,,,,,",
            f"no address,{where},Sales,,,,,,",
            f"{who},x,Sales,,,,,,",
            f"{who},{where},Sales,0,,,,,",
            f"{who},{where},Sales,,SOFA,,,,",
            f"{who},{where},Sales,,,tomorrow,,,",
            f"{who},{where},Sales,,,2020-01-01T00:00:00Z,,,",
            f"{who},{where},Sales,,,2099-01-01,,,",
            f"{who},{where},Sales,,,,maybe,,",
            f"{who},{where},Sales,,,,,REMOVED,",
            f"{who},{where},Sales,,,,,DEACTIVATED,",
            f"{who},{where},Sales",
        ),
    )
    by_line = {int(message.split(":")[0].removeprefix("line ")): (code, message) for code, message in told}
    # The hub id and the person of another agency are two mistakes of one line.
    assert len(told) == 18
    assert {line for line, (code, _) in by_line.items() if code == "NOT_FOUND"} == {3, 4, 5, 7}
    assert by_line.keys() == set(range(3, 20))
    assert "“built-in: Service” or “partner: Service”" in by_line[6][1]
    assert "line 2 says something else" in by_line[8][1]
    assert "“SOFA” is not allowed" in by_line[12][1]
    monkeypatch.setattr(resolution, "MOST_TOLD", 2)
    few = await refusals(story, csv_of(*[f"nobody{n}@example.com,{where},Sales,,,,,," for n in range(4)]))
    assert [message.split(":")[0] for _, message in few] == ["line 2", "line 3", "There are 2 more mistakes"]


@pytest.mark.parametrize(
    ("read", "source", "code", "word"),
    [
        (read_csv, "", "INVALID_FILE", "empty"),
        (read_csv, "email,hub_id\n", "INVALID_FILE", "permission_set"),
        (read_csv, HEADER, "INVALID_INPUT", "no rows"),
        (read_json, "{", "INVALID_FILE", "no JSON"),
        (read_json, "{}", "INVALID_FILE", "list"),
        (read_json, "[" * 100_000, "INVALID_FILE", "no JSON"),
        (read_json, "[]", "INVALID_INPUT", "no rows"),
        (read_listed, [], "INVALID_INPUT", "no rows"),
        (read_listed, [{}] * (MOST_LISTED + 1), "INVALID_INPUT", "1,000"),
        (read_csv, HEADER + "\nx,1,,,,,,," * 8, "INVALID_INPUT", "At most 7 rows"),
        (read_json, "[1, 2, 3, 4, 5, 6, 7, 8]", "INVALID_INPUT", "At most 7 rows"),
    ],
)
def test_what_is_no_matrix_is_refused(
    monkeypatch: pytest.MonkeyPatch, read: Any, source: Any, code: str, word: str
) -> None:
    monkeypatch.setattr(entry_module, "MOST_ROWS", 7)
    with pytest.raises(RefusedError) as refused:
        read(source)
    (refusal,) = refused.value.refusals
    assert (refusal.code, word in refusal.message) == (code, True), refusal.message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[1]", "entry 1: write an object"),
        ('[{"email": ["x"]}]', "entry 1: email: write a text"),
        ('[{"email": "\\ud800@example.com", "hub_id": 1}]', "entry 1: email: Leave out the control character U+D800"),
        ('[{"email": "a@example.com", "hub_id": 1.5}]', "entry 1: hub_id: write a text"),
        ('[{"email": "a@example.com", "hub_id": 1, "customised": 7}]', "entry 1: customised: “7” is not allowed"),
    ],
)
def test_what_is_no_row_is_told(text: str, word: str) -> None:
    matrix = read_json(text)
    assert matrix.entries == []
    ((number, problem),) = matrix.problems
    assert number == 1
    assert problem.message.startswith(word)


async def test_f02_a_matrix_needs_edit(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, manager_rights="VIEW")
    looking = await story.as_member(person)
    ((code, _),) = await refusals(looking, [entry(person, story.client, "Sales")])
    assert code == "FORBIDDEN"
    assert story.actor.email in await export(looking)


async def test_t3_a_matrix_takes_as_many_statements_for_many_rows_as_for_few(factory: Factory) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 61)
    # Once before, because contents of states are read once.
    await apply(story, [entry(people.pop(), story.client, "Sales")])
    for limits in (story.limits, QUEUED):
        counts = []
        for chosen in (people[:2], people[2:20], people[20:]):
            asked = {"matrix": {"entries": [entry(person, story.client, "Sales") for person in chosen]}}
            with StatementRecorder(story.database) as recorder:
                data, codes = await replace(story, limits=limits).run(
                    "mutation($input: ApplyAccessMatrixInput!) { applyAccessMatrix(input: $input) { operation { total } } }",
                    input=asked,
                )
            assert (codes, data["applyAccessMatrix"]["operation"]["total"]) == ([], len(chosen))
            counts.append(recorder.count)
        assert counts[0] == counts[1] == counts[2] <= 75
    with StatementRecorder(story.database) as recorder:
        assert (await export(story)).count("\n") == 63
    assert recorder.count <= 5


async def test_a_matrix_is_tried_again_by_applying_it_again(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"})
    operation = await story.operation("applyAccessMatrix", matrix={"entries": [entry(person, story.client)]})
    retry = (
        """mutation($input: RetryOperationInput!) { retryOperation(input: $input) { userErrors { code message } } }"""
    )
    data, codes = await story.run(retry, input={"operation": operation["id"], "includeRejected": True})
    (refusal,) = data["retryOperation"]["userErrors"]
    assert (codes, refusal["code"], "applying the file again" in refusal["message"]) == ([], "CONFLICT", True)


async def test_r22_an_idempotency_key_makes_a_retry_the_first_answer(factory: Factory) -> None:
    story = await Story.begin(factory)
    asked = {"matrix": csv_of(f"{(await factory.member(story.partner)).email},{story.client.hub_id},Sales,,,,,,")}
    first = await story.run(APPLY, header="once", input=asked)
    before = await contents(story.database)
    assert (await story.run(APPLY, header="once", input=asked))[0] == first[0]
    assert await contents(story.database) == before


async def test_two_partners_name_theirs(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.partner()
    await factory.member(other, user=story.actor)
    both = await story.as_member(story.actor)
    person = await factory.member(story.partner)
    matrix = [entry(person, story.client, "Sales")]
    ((code, _),) = await refusals(both, matrix)
    assert code == "INVALID_INPUT"
    ((code, _), *_) = await refusals(both, matrix, partner=encode("Partner", other.id))
    assert code == "NOT_FOUND"
    assert verdicts(await apply(both, matrix, partner=node_id(story.partner))) == [APPLIED]


async def test_a_product_is_decided_as_before_beside_a_matrix(factory: Factory) -> None:
    """The temporary tables are shared by both ways in."""
    story = await Story.begin(factory)
    one, two = await factory.members(story.partner, 2)
    assert verdicts(await apply(story, [entry(one, story.client, "Sales", expiresAt=SOON.isoformat())])) == [APPLIED]
    sales = {"permissionSet": node_id(await factory.built_in_set("sales"))}
    told = await story.outcomes(
        "grantAccess", targets=product([one, two], [story.client]), access=sales, onExisting="CHANGE"
    )
    assert [one.verdict for one in told] == [NO_CHANGE, APPLIED]
    assert told[1].grant["expiresAt"] is None
