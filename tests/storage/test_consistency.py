"""What `cam verify` checks: honest databases have no faults, and each kind of fault is found and named, on both databases."""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from resolvers.consistency.check import SHOWN, Finding, look
from resolvers.consistency.ledger import CHECKS, findings
from resolvers.consistency.storage import STORAGE_CHECKS
from resolvers.timeline_chain.window import seal_everything
from tests.api.confirmation_story import Confirmation
from tests.factory import Factory
from tests.storage.lived import live

LIVING = """(SELECT min(id) FROM "grant" WHERE ended = 0 AND client_id IS NOT NULL AND version = 1
    AND access_type = 'STANDARD' AND status = 'ACTIVE' AND id IN (SELECT grant_id FROM outcome))"""
REMOVED = """(SELECT min(id) FROM "grant" WHERE fork IS NOT NULL)"""
CHANGED = """(SELECT min(id) FROM "grant" WHERE version >= 3 AND client_id IS NOT NULL)"""
OPERATION = "(SELECT min(id) FROM operation WHERE state = 'COMPLETED' AND applied > 1)"
DONE = f"operation_id = {OPERATION} AND position = 0"
QUEUED = "(SELECT operation_id FROM queued_operation)"
PLANNED = "(SELECT operation_id FROM scheduled_operation)"
LAST_ENTRY = f"(SELECT max(id) FROM timeline_entry WHERE grant_id = {CHANGED})"
FIRST_TEAM = "(SELECT min(grant_id) FROM grant_team)"
OF_TIMELINE = {"timeline_replays"}


@dataclass(frozen=True)
class Fault:
    """Something that no honest way leads to."""

    name: str
    statement: str
    told: str
    found_by: set[str]
    before: dict[str, str] = field(default_factory=dict)
    """What lets the database take it, by kind."""


FAULTS = [
    Fault(
        "other permissions",
        f'UPDATE "grant" SET state_id = state_id + 1 WHERE id = {LIVING}',
        "state_id is",
        {"timeline_replays"},
    ),
    Fault(
        "an expiry out of nowhere",
        f"UPDATE \"grant\" SET expires_at = '2031-01-01 00:00:00.000000' WHERE id = {LIVING}",
        "expires_at is",
        {"timeline_replays"},
    ),
    Fault(
        "deactivated in silence",
        f"UPDATE \"grant\" SET status = 'DEACTIVATED' WHERE id = {LIVING}",
        "status is DEACTIVATED and not ACTIVE",
        {"timeline_replays", "client_counters", "member_counters"},
    ),
    Fault(
        "a version too many",
        f'UPDATE "grant" SET version = version + 1 WHERE id = {LIVING}',
        "version is 2",
        {"timeline_replays"},
    ),
    Fault(
        "removed at another moment",
        f"UPDATE \"grant\" SET removed_at = '2031-01-01 12:00:00.000000' WHERE id = {REMOVED}",
        "and not, as its entries say,",
        {"grant_lives"},
    ),
    Fault(
        "a life that no moment finds",
        f'UPDATE "grant" SET fork = fork + 1 WHERE id = {REMOVED}',
        "its life hangs at",
        {"grant_lives"},
    ),
    Fault(
        "given at another moment",
        f"UPDATE \"grant\" SET since = '2021-01-01 12:00:00.000000' WHERE id = {LIVING}",
        "it lasted from 2021-01-01",
        {"grant_lives"},
    ),
    Fault(
        "no beginning",
        f"DELETE FROM timeline_entry WHERE id = {LIVING}",
        "does not tell how it began",
        {"timeline_begins", "applied_outcomes"},
    ),
    Fault(
        "the last entry is lost",
        f"DELETE FROM timeline_entry WHERE id = {LAST_ENTRY}",
        "by its last entry",
        {"timeline_replays", "applied_outcomes"},
    ),
    Fault(
        "an entry in between is lost",
        "DELETE FROM timeline_entry WHERE id = (SELECT min(id) FROM timeline_entry WHERE after_status = 'DEACTIVATED' AND grant_id IN"
        " (SELECT grant_id FROM timeline_entry WHERE before_status = 'DEACTIVATED' AND after_status = 'ACTIVE'))",
        "follows entry",
        {"timeline_follows", "timeline_replays", "applied_outcomes"},
    ),
    Fault(
        "a moment before that of what came earlier",
        f"UPDATE timeline_entry SET at = '2021-01-01 12:00:00.000000' WHERE id = {LAST_ENTRY}",
        "but is of 2021-01-01 12:00:00+00:00 and that of",
        {"timeline_moments"},
    ),
    Fault(
        "a moment that is yet to come",
        f"UPDATE timeline_entry SET at = '2199-01-01 12:00:00.000000' WHERE id = {LAST_ENTRY}",
        "is of 2199-01-01 12:00:00+00:00, which is yet to come",
        {"timeline_moments"},
    ),
    Fault(
        "another past",
        f"UPDATE timeline_entry SET before_state_id = before_state_id + 1 WHERE id = {LAST_ENTRY}",
        "says before: state_id",
        {"timeline_follows", "timeline_outcomes"},
    ),
    Fault(
        "an entry of another operation",
        f"UPDATE timeline_entry SET operation_id = 1 WHERE id = {LAST_ENTRY}",
        "it is not of operation 1",
        {"timeline_places", "timeline_outcomes"},
    ),
    Fault(
        "an entry about another client",
        f"UPDATE timeline_entry SET client_id = client_id + 1 WHERE id = {LAST_ENTRY}",
        "or not where grant",
        {"timeline_places", "applied_outcomes"},
    ),
    Fault(
        "another person's grant",
        f'UPDATE "grant" SET user_id = user_id + 1 WHERE id = {LIVING}',
        "its agency, account or user",
        {"grant_places", "living_grants"},
    ),
    Fault(
        "an outcome is lost",
        f"DELETE FROM outcome WHERE {DONE}",
        "outcomes of",
        {"operation_counts", "timeline_outcomes"},
    ),
    Fault(
        "an outcome is another",
        f"UPDATE outcome SET status = 'REJECTED' WHERE {DONE}",
        "is REJECTED, decision",
        {"operation_counts", "decisions", "timeline_outcomes"},
    ),
    Fault(
        "another reason",
        f"UPDATE operation SET reason = 'They were told to.' WHERE id = {OPERATION}",
        "is not what was sealed",
        {"timeline_chain"},
    ),
    Fault(
        "a count too high",
        f"UPDATE operation SET applied = applied + 1 WHERE id = {OPERATION}",
        "counts",
        {"operation_counts"},
    ),
    Fault(
        "cells without outcome",
        f"UPDATE operation SET total = total + 1 WHERE id = {OPERATION}",
        "of",
        {"operation_counts"},
    ),
    Fault(
        "a decision is lost",
        f"DELETE FROM decision WHERE operation_id = {OPERATION}",
        "is missing",
        {"decisions", "timeline_outcomes"},
    ),
    Fault(
        "a decision says something else",
        f"UPDATE decision SET after_state_id = after_state_id + 1 WHERE operation_id = {OPERATION}",
        "says something else",
        {"timeline_outcomes"},
    ),
    Fault(
        "a chunk too large",
        f"UPDATE operation_chunk SET size = size + 1 WHERE operation_id = {QUEUED} AND finished_at IS NULL",
        "cells in chunks of",
        {"operation_chunks"},
    ),
    Fault(
        "a chunk done without outcomes",
        f"UPDATE operation_chunk SET finished_at = '2026-01-01 00:00:00.000000' WHERE operation_id = {QUEUED}",
        "chunks of 6 are finished",
        {"operation_chunks"},
    ),
    Fault(
        "a queue that does not empty",
        f"UPDATE operation SET state = 'CANCELLED' WHERE id = {QUEUED}",
        "CANCELLED and still in the queue",
        {"operation_queue"},
    ),
    Fault(
        "forgotten by the queue",
        f"INSERT INTO operation (partner_id, kind, state, mode, atomic, by_client, request, created_at, total, applied, noop, rejected, failed)"
        f" SELECT partner_id, kind, 'QUEUED', mode, atomic, by_client, request, created_at, 3, 0, 0, 0, 0 FROM operation WHERE id = {QUEUED}",
        "QUEUED and not in the queue",
        {"operation_queue"},
    ),
    Fault(
        "stopped before its time, and still planned",
        f"UPDATE operation SET state = 'CANCELLED' WHERE id = {PLANNED}",
        "and CANCELLED before",
        {"schedule"},
    ),
    Fault(
        "in the queue before its time",
        f"INSERT INTO queued_operation (operation_id, partner_id, turn) SELECT id, partner_id, 0 FROM operation WHERE id = {PLANNED}",
        "and QUEUED before",
        {"schedule"},
    ),
    Fault(
        "one person too many",
        "UPDATE client SET active_people = active_people + 1 WHERE id = 1",
        "client 1: active_people is",
        {"client_counters"},
    ),
    Fault(
        "one client too many",
        "UPDATE member SET active_clients = active_clients + 1 WHERE id = 1",
        "member 1: active_clients is",
        {"member_counters"},
    ),
    Fault("a holding too high", "UPDATE asset_holding SET total = total + 1", "by the holding", {"asset_holdings"}),
    Fault("a holding is lost", "DELETE FROM asset_holding", "holds 0", {"asset_holdings"}),
    Fault(
        "an asset is lost",
        "DELETE FROM asset WHERE id = (SELECT min(id) FROM asset)",
        "by the assets",
        {"asset_holdings"},
    ),
    Fault(
        "another agency's asset",
        "UPDATE asset SET partner_id = (SELECT max(id) FROM partner)",
        "is another agency's",
        {"asset_places"},
        {
            "": "INSERT INTO partner (hub_id, name, program, created_at) VALUES (1, 'Other', 'NONE', '2026-01-01 00:00:00.000000')"
        },
    ),
    Fault(
        "an event too many by the total", "UPDATE activity_day SET total = total + 1", "by the total", {"activity_days"}
    ),
    Fault("a total is lost", "DELETE FROM activity_day", "0 VIEWED by the total", {"activity_days"}),
    Fault(
        "a day that ended later",
        "UPDATE activity_day SET last_at = '2030-01-01 00:00:00.000000'",
        "another last moment",
        {"activity_days"},
    ),
    Fault(
        "active later than by any event",
        "UPDATE last_activity SET at = '2030-01-01 00:00:00.000000'",
        "last active 2030",
        {"last_activity"},
    ),
    Fault("never active in spite of events", "DELETE FROM last_activity", "last active None", {"last_activity"}),
    Fault(
        "an event is lost",
        "DELETE FROM activity_event WHERE event_id = 'view'",
        "and 0 by the events",
        {"activity_days", "last_activity"},
    ),
    Fault(
        "another agency's event",
        "UPDATE activity_source SET partner_id = (SELECT max(id) FROM partner)",
        "the source is another agency's",
        {"activity_places"},
        {
            "": "INSERT INTO partner (hub_id, name, program, created_at) VALUES (1, 'Other', 'NONE', '2026-01-01 00:00:00.000000')"
        },
    ),
    Fault(
        "handed over by nobody",
        f"UPDATE asset_transfer SET position = 99, operation_id = {OPERATION}",
        "which was not applied",
        {"asset_transfers"},
    ),
    Fault(
        "an owner who was not told",
        "DELETE FROM mail WHERE event LIKE 'access-link-approval:%'",
        "no mail about access-link-approval:",
        {"mails_of_approvals"},
    ),
    Fault(
        "a partner admin who was not told",
        "DELETE FROM mail WHERE event LIKE 'confirmation:%'",
        "no mail about confirmation:1:",
        {"mails_of_admissions"},
    ),
    Fault(
        "a client who was not told",
        "DELETE FROM mail WHERE event LIKE 'confirmation-refused:%'",
        "no mail about confirmation-refused:1:",
        {"mails_of_refusals"},
    ),
    Fault(
        "a mail about nothing",
        "UPDATE mail SET event = 'access-link-decline:99:owner' WHERE event LIKE 'access-link-decline:%'",
        "access-link-decline:99:owner is about nothing",
        {"mail_access_link_decline"},
    ),
    Fault(
        "an approval that nobody gave",
        "UPDATE link_approval SET answer = 'DECLINED'",
        "is about nothing",
        {"mail_access_link_approval"},
    ),
    Fault(
        "another agency's hand-off",
        "UPDATE hand_off SET partner_id = (SELECT max(id) FROM partner) WHERE id = 1",
        "are another agency's",
        {"hand_offs", "hand_off_cells"},
        {
            "": "INSERT INTO partner (hub_id, name, program, created_at) VALUES (1, 'Other', 'NONE', '2026-01-01 00:00:00.000000')"
        },
    ),
    Fault(
        "a hand-off that says more than it is about",
        "UPDATE hand_off SET total = total + 1 WHERE id = 1",
        "1 outcomes instead of 2",
        {"hand_off_sizes"},
    ),
    Fault(
        "what is handed off is no outcome",
        "UPDATE hand_off_cell SET position = 99 WHERE hand_off_id = 1",
        "its cell 99 is not that outcome",
        {"hand_off_cells"},
    ),
    Fault(
        "another agency's pod",
        "UPDATE pod_client SET partner_id = (SELECT max(id) FROM partner) WHERE pod_id = 1",
        "clients or people are another agency's",
        {"pods"},
        {
            "": "INSERT INTO partner (hub_id, name, program, created_at) VALUES (1, 'Other', 'NONE', '2026-01-01 00:00:00.000000')"
        },
    ),
    Fault(
        "a cell that no group has",
        "UPDATE pod_cell SET leaving = false WHERE leaving",
        "it is not in the groups",
        {"pod_cells"},
    ),
    Fault(
        "somebody whom a pod forgot",
        "DELETE FROM pod_cell WHERE NOT leaving",
        "there is no cell of it",
        {"pod_cells"},
    ),
    Fault(
        "what a pod never gave",
        f"UPDATE pod_cell SET grant_id = {LIVING} WHERE NOT leaving",
        "what it gave is somebody else's access",
        {"pod_grants"},
    ),
    Fault(
        "an editor from elsewhere",
        "UPDATE pod_editor SET partner_id = (SELECT max(id) FROM partner)",
        "edits pods of another agency",
        {"pod_editors"},
        {
            "": "INSERT INTO partner (hub_id, name, program, created_at) VALUES (1, 'Other', 'NONE', '2026-01-01 00:00:00.000000')"
        },
    ),
    Fault(
        "a colleague who was not told",
        "DELETE FROM mail WHERE event LIKE 'hand-off:%'",
        "no mail about hand-off:",
        {"mails_of_hand_offs"},
    ),
    Fault(
        "a mail about no hand-off",
        "UPDATE mail SET event = 'hand-off:99' WHERE event = 'hand-off:1'",
        "the mail hand-off:99 is about nothing",
        {"mail_hand_off", "mails_of_hand_offs"},
    ),
    Fault(
        "an answer that nobody gave",
        "UPDATE mail SET event = 'hand-off-answer:99' WHERE event = 'hand-off-answer:1'",
        "hand-off-answer:99 is about nothing",
        {"mail_hand_off_answer"},
    ),
    Fault(
        "a state that has changed",
        f"UPDATE permission_state SET content = 'deals.view:ALL' WHERE id = (SELECT state_id FROM \"grant\" WHERE id = {LIVING})",
        "not what was interned",
        {"state_digests"},
    ),
    Fault(
        "a set without its version",
        "UPDATE permission_set SET version = version + 1 WHERE key = 'sales'",
        "there is no version 2",
        {"permission_sets"},
    ),
    Fault(
        "another account's set",
        "UPDATE permission_set SET account_id = (SELECT max(id) FROM account) WHERE origin = 'CLIENT'",
        "another agency's or another account's",
        {"permission_set_owners"},
    ),
    Fault(
        "somebody else's set under a lockdown",
        "UPDATE template_lockdown_set SET set_id = (SELECT id FROM permission_set WHERE origin = 'CLIENT')",
        "which is somebody else's",
        {"lockdown_sets"},
    ),
    Fault(
        "a team that nobody gave",
        f"INSERT INTO grant_team (grant_id, team_id, is_primary) SELECT {LIVING}, id, false FROM team WHERE name = 'West'",
        "of which no entry tells",
        {"timeline_teams"},
    ),
    Fault(
        "no primary team any more",
        f"UPDATE grant_team SET is_primary = false WHERE grant_id = {FIRST_TEAM} AND is_primary"
        f" OR grant_id = (SELECT max(grant_id) FROM grant_team) AND is_primary",
        "it is in teams",
        {"timeline_teams"},
    ),
    Fault(
        "a past in another team",
        "UPDATE timeline_entry SET before_teams = '77' WHERE id = (SELECT max(id) FROM timeline_entry WHERE before_teams IS NOT NULL)",
        "was in teams 77 and not",
        {"timeline_teams"},
    ),
    Fault(
        "another account's team",
        "UPDATE team SET account_id = (SELECT max(id) FROM account)",
        "which is another account's",
        {"team_accounts"},
    ),
    Fault(
        "a reference to nothing",
        "UPDATE client SET lead_id = 999999 WHERE id = 1",
        "names a row of member",
        {"references"},
        {
            "sqlite": "PRAGMA defer_foreign_keys = ON",
            "postgresql": "ALTER TABLE client DROP CONSTRAINT fk_client_lead_id",
        },
    ),
]
ON_POSTGRESQL_ALONE = [
    Fault(
        "two mails about one event",
        "INSERT INTO mail (event, message_id, recipient, subject, text, html, created_at, due_at, tries)"
        " SELECT event, 'other-' || id, recipient, subject, text, html, created_at, due_at, tries FROM mail WHERE event LIKE 'confirmation:%'",
        "there are 2 mails about confirmation:",
        {"mail_events"},
        {"postgresql": "ALTER TABLE mail DROP CONSTRAINT uq_mail_event"},
    ),
]
ON_SQLITE_ALONE = [
    Fault(
        "words for a number",
        "UPDATE member SET active_clients = 'many' WHERE id = 1",
        "member 1: active_clients is text",
        {"kinds", "member_counters"},
    ),
    Fault(
        "a status that there is not",
        "UPDATE operation SET state = 'PERHAPS' WHERE id = 1",
        "CHECK constraint failed",
        {"integrity"},
        {"sqlite": "PRAGMA ignore_check_constraints = ON"},
    ),
]


async def test_what_has_happened_honestly_has_no_faults_and_each_fault_is_found(
    factory: Factory, database: Database
) -> None:
    await live(factory)
    # The service has sealed what it did; the factory, which is no part of it, has not.
    await seal_everything(database)
    async for finding in findings(database):
        assert finding.told == [], finding.check.key
        assert finding.rows or finding.check.key == "operation_queue", f"{finding.check.key} has looked at nothing"
    faults = FAULTS + (ON_SQLITE_ALONE if database.is_sqlite else ON_POSTGRESQL_ALONE)
    missed: dict[str, list[tuple[str, list[str]]]] = {}
    for fault in faults:
        async with database.rehearse() as session:
            connection = await session.connection()
            found = await _planted(connection, fault)
        told = [line for finding in found for line in finding.told]
        found_by = {finding.check.key for finding in found}
        if fault.found_by != {"timeline_chain"}:
            # Whatever else is wrong with what has happened, it is also not what was sealed.
            found_by -= {"timeline_chain"}
        if found_by != fault.found_by or not any(fault.told in line for line in told):
            missed[fault.name] = [(finding.check.key, finding.told) for finding in found]
    assert missed == {}


async def _planted(connection: AsyncConnection, fault: Fault) -> list[Finding]:
    """Returns what is found where a fault is."""
    name = connection.dialect.name
    for kind, statement in fault.before.items():
        if kind in {"", name}:
            await connection.execute(text(statement))
    done = await connection.execute(text(fault.statement))
    assert done.rowcount > 0, f"{fault.name}: nothing was planted"
    if name == "sqlite":
        await connection.execute(text("PRAGMA ignore_check_constraints = OFF"))
    # That no other check finds anything is the same on both, and sooner known on SQLite; those of the storage look at all tables.
    others = CHECKS[len(STORAGE_CHECKS) :] if name == "sqlite" else ()
    checks = [
        check for check in CHECKS if check.dialect in {None, name} and (check in others or check.key in fault.found_by)
    ]
    return [finding for check in checks if (finding := await look(connection, check)).faults]


def test_each_check_has_a_fault_that_it_finds() -> None:
    faults = [*FAULTS, *ON_SQLITE_ALONE, *ON_POSTGRESQL_ALONE]
    assert {check.key for check in CHECKS} == {key for fault in faults for key in fault.found_by}


async def test_the_demo_has_no_faults(demo_agency: Database) -> None:
    assert {finding.check.key: finding.told async for finding in findings(demo_agency) if finding.faults} == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_l11_whom_a_second_link_finds_there_already_lacks_no_mail(database: Database, factory: Factory) -> None:
    made = await Confirmation.begin(factory)
    person = await factory.member(made.partner)
    for _ in range(2):
        await made.confirm(token=await made.token(person))
    await seal_everything(database)
    assert [finding.told async for finding in findings(database) if finding.faults] == []
    async with database.write() as session:
        await (await session.connection()).execute(text("DELETE FROM mail WHERE event LIKE 'confirmation:%'"))
    found = {finding.check.key: finding.told async for finding in findings(database) if finding.faults}
    assert found == {"mails_of_admissions": [f"there is no mail about confirmation:1:{person.user_id}"]}


async def test_of_many_faults_some_are_told_and_all_are_counted(database: Database, factory: Factory) -> None:
    await factory.clients(await factory.partner(), SHOWN + 5)
    async with database.write() as session:
        await (await session.connection()).execute(text("UPDATE client SET deactivated_people = 3"))
    (finding,) = [finding async for finding in findings(database) if finding.faults]
    assert (finding.check.key, finding.rows, finding.faults, len(finding.told)) == ("client_counters", 25, 25, SHOWN)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_check_writes_nothing_and_lets_others_write(database: Database, factory: Factory) -> None:
    file = database.file
    assert file is not None
    before = file.read_bytes()
    looked = findings(database)
    await anext(looked)
    await factory.partner()
    assert [finding.told async for finding in looked if finding.faults] == []
    assert file.read_bytes()[:64] == before[:64]
