"""N05: the past is told in time proportional to the answer, whatever else has happened before and since; and so is the present."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event

from models.database import Database
from models.grant import GrantStatus
from schema.node import encode
from tests.api.caller import Caller
from tests.factory import Factory
from tests.past_factory import ASKED, PastFactory

FORM = "status changedAt client { id } member { id }"
NOW = "grants(first: 3) { totalCount nodes { id } }"
QUERY = f"""query($client: ID!, $member: ID!, $at: DateTime!, $until: DateTime!) {{
  client: node(id: $client) {{ ... on Client {{
    accessAsOf(at: $at) {{ {FORM} }}
    accessBetween(since: $at, until: $until) {{ client {{ id }} member {{ id }} before {{ status }} after {{ status }} }}
    {NOW} }} }}
  member: node(id: $member) {{ ... on Member {{ accessAsOf(at: $at) {{ {FORM} }} {NOW} }} }} }}"""
# A moment later, so that what is between the two is always the same as well.
LATER = ASKED + timedelta(microseconds=1)
INDEXES = {
    *("uq_grant_client_id_ended_member_id", "ix_grant_member", "ix_timeline_entry_grant"),
    *("ix_grant_client_since", "ix_grant_client_removed_at", "ix_grant_member_since", "ix_grant_member_removed_at"),
}


async def test_n05_the_answer_is_the_same_and_costs_the_same_however_long_the_history_is(
    factory: Factory, database: Database
) -> None:
    past = await PastFactory.begin(factory, 8)
    caller = await Caller.signed_in(factory, await factory.member(past.partner))
    answers, looks, used = [], [], set[str]()
    for more in (50, 4_950):
        await past.remove(more)
        await past.change(more)
        answer, statements = await _asked(database, caller, past)
        answers.append(answer)
        looks.append((len(statements), await _cost(database, statements, used)))
    assert answers[0] == answers[1]
    told = answers[0]["client"]["accessAsOf"] + answers[0]["member"]["accessAsOf"]
    assert {
        (grant["client"]["id"], grant["member"]["id"]): datetime.fromisoformat(grant["changedAt"]) for grant in told
    } == {(encode("Client", client.id), encode("Member", member.id)): since for _, client, member, since in past.held}
    assert {grant["status"] for grant in told} == {GrantStatus.ACTIVE}
    assert answers[0]["client"]["accessBetween"] == []
    assert [answers[0][side]["grants"]["totalCount"] for side in ("client", "member")] == [4, 4]
    # Of a few rows PostgreSQL reads all.
    assert database.is_sqlite or used >= INDEXES
    (few, cost), (many, later_cost) = looks
    assert few == many
    assert later_cost < cost * 1.3, looks


async def _asked(
    database: Database, caller: Caller, past: PastFactory
) -> tuple[Mapping[str, Any], Sequence[tuple[str, Any]]]:
    """Returns the answer, and the statements that read grants for it."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if "grant" in statement:
            statements.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        answer: Mapping[str, Any] = await caller.data(
            QUERY,
            client=encode("Client", past.client.id),
            member=encode("Member", past.person.id),
            at=ASKED.isoformat(),
            until=LATER.isoformat(),
        )
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return answer, statements


async def _cost(database: Database, statements: Sequence[tuple[str, Any]], used: set[str]) -> int:
    """Returns how much the database does for the statements: SQLite's steps, or how many rows PostgreSQL looks at, by which indexes."""
    cost = 0
    if database.file is not None:

        def count() -> None:
            nonlocal cost
            cost += 1

        with closing(sqlite3.connect(database.file)) as plain:
            plain.set_progress_handler(count, 1)
            for statement, parameters in statements:
                plain.execute(statement, parameters).fetchall()
        return cost
    # Our server leaves its statistics alone; a usual one takes them of tables as large as these. The next test has other rows.
    async with database.rehearse() as session:
        connection = await session.connection()
        await connection.exec_driver_sql('ANALYZE "grant", timeline_entry')
        for statement, parameters in statements:
            explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
            (whole,) = (await connection.exec_driver_sql(explained, parameters)).scalar_one()
            cost += _rows(whole["Plan"], used)
    return cost


def _rows(plan: Mapping[str, Any], used: set[str]) -> int:
    """Returns how many rows the parts of a plan give or leave out."""
    used |= {plan["Index Name"]} if "Index Name" in plan else set()
    left_out = sum(number for key, number in plan.items() if key.startswith("Rows Removed"))
    own: int = (plan["Actual Rows"] + left_out) * plan["Actual Loops"]
    return own + sum(_rows(part, used) for part in plan.get("Plans", ()))
