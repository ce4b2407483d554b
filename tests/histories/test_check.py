"""The checks of histories can fail: each invariant is broken once on purpose, and seen."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import insert, update
from sqlalchemy.sql.dml import UpdateBase

from models.asset import asset_holdings
from models.client import clients
from models.grant import grants
from models.member import members
from models.permission.rule import Change
from models.timeline_entry import timeline_entries
from tests.histories.check import Watch
from tests.histories.in_manager import InManager
from tests.histories.look import look
from tests.histories.rows import BrokenError
from tests.histories.stage import Stage
from tests.histories.world import Beginning, begin

ONE_CLIENT = Beginning({("Alpha/Elm", "ada@Alpha"): "partner admin", ("Alpha/Elm", "ben@Alpha"): "small admin"})


@pytest.fixture
def stage(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(database_url, monkeypatch)
    yield stage
    stage.close()


@pytest.fixture
def quick_stage(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """On SQLite only, where many histories take seconds."""
    shutil.copyfile(sqlite_template, tmp_path / "histories.sqlite3")
    stage = Stage(f"sqlite:///{tmp_path / 'histories.sqlite3'}", monkeypatch)
    yield stage
    stage.close()


@pytest.fixture
def watch(stage: Stage) -> Watch:
    return Watch(stage, stage.run(begin(stage.factory, ONE_CLIENT, stage.now)))


def write(stage: Stage, *statements: UpdateBase) -> None:
    async def work() -> None:
        async with stage.database.write() as session:
            connection = await session.connection()
            for statement in statements:
                await connection.execute(statement)

    stage.run(work())


def test_what_is_as_it_should_be_passes(watch: Watch) -> None:
    watch.step(watch.super_admins(), [])
    watch.final()
    look(watch, "ada")


def test_an_account_without_super_admin_is_seen(watch: Watch) -> None:
    """(a), F42."""
    before = watch.super_admins()
    elm = watch.world.accounts["Elm"]
    write(
        watch.stage,
        update(grants).where(grants.c.account_id == elm, grants.c.client_id.is_(None)).values(status="DEACTIVATED"),
    )
    with pytest.raises(BrokenError, match=r"^\(a\) Elm"):
        watch.step(before, [])


def test_a_change_past_the_rule_is_seen(watch: Watch) -> None:
    """(b): access that no rule gave, though counters and timeline agree with it."""
    key = watch.rows.members["ben@Alpha"][0]
    state = watch.stage.rows("SELECT max(id) FROM permission_state")[0][0]
    other = next(row[7] for row in watch.rows.grants if row[7] != state)
    for held in (grants.c.member_id, timeline_entries.c.member_id):
        column = "state_id" if held.table is grants else "after_state_id"
        write(watch.stage, update(held.table).where(held == key).values({column: other}))
    watch.entries, watch.replayed = [], {}
    watch._entries_after(0)
    with pytest.raises(BrokenError, match=r"^\(b\) access"):
        watch.step({}, [])


def test_a_grant_that_the_timeline_does_not_tell_of_is_seen(watch: Watch) -> None:
    """(c), F55."""
    write(watch.stage, update(grants).where(grants.c.client_id.is_not(None)).values(seat="PARTNER", version=7))
    with pytest.raises(BrokenError, match=r"^\(c\) replayed"):
        watch.step({}, [])


def test_a_timeline_that_was_altered_is_seen(watch: Watch) -> None:
    """(c): append-only."""
    key = watch.entries[0][0]
    write(watch.stage, update(timeline_entries).where(timeline_entries.c.id == key).values(after_seat="SALES"))
    with pytest.raises(BrokenError, match=r"^\(c\) entries of the timeline have changed"):
        watch.final()


def test_a_row_of_another_partner_is_seen(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """(d), T1: here the filter of one list lets everything through."""
    monkeypatch.setattr(
        "resolvers.client.readable_clients", lambda _viewer: clients.select().with_only_columns(clients.c.id)
    )
    rows, key = watch.rows.clients, watch.world.partners["Alpha"]
    write(watch.stage, update(clients).where(clients.c.id == rows["Beta/Fir"][0]).values(partner_id=key))
    with pytest.raises(BrokenError, match=r"^\(d\) ada sees clients"):
        look(watch, "ada")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (update(clients).values(active_people=clients.c.active_people + 1), r"^\(e\) \w+/\w+ counts"),
        (update(clients).values(deactivated_people=1), r"^\(e\) \w+/\w+ counts"),
        (update(members).values(active_clients=9), r"^\(e\) \w+@\w+ counts 9 clients"),
    ],
)
def test_a_wrong_counter_is_seen(watch: Watch, statement: UpdateBase, told: str) -> None:
    """(e), R15."""
    write(watch.stage, statement)
    with pytest.raises(BrokenError, match=told):
        watch.step({}, [])


def test_a_wrong_holding_is_seen(watch: Watch) -> None:
    """(e), F38."""
    client, member = watch.rows.clients["Alpha/Elm"][0], watch.rows.members["ada@Alpha"][0]
    row = {"client_id": client, "member_id": member, "kind": "DEAL", "total": 1, "version": 1}
    write(watch.stage, insert(asset_holdings).values(row))
    with pytest.raises(BrokenError, match=r"^\(e\) holding"):
        watch.step({}, [])


def broken_in(stage: Stage, histories: int = 60) -> str:
    """Plays until something is seen, and returns what; fails where nothing is."""
    InManager.stage, InManager.steps, InManager.seen = stage, 0, Counter()
    found = settings(
        max_examples=histories,
        stateful_step_count=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(BrokenError) as broken:
        run_state_machine_as_test(InManager, settings=found)
    return str(broken.value)


def test_a_guard_that_guards_nothing_is_found(quick_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """(a), F42: histories find it by themselves."""

    async def guards_nothing(*_arguments: Any, **_named: Any) -> None:
        return None

    monkeypatch.setattr("resolvers.operation.plan.guard_super_admins", guards_nothing)
    assert "LAST_SUPER_ADMIN" in broken_in(quick_stage)


def test_a_rule_that_gives_what_the_actor_lacks_is_found(quick_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """(b), I1: everything that is asked for is given."""

    def gives_all(target: int, requested: int, _authority: int, _catalogue: object) -> Change:
        return Change(requested, requested & ~target, target & ~requested, 0, 0, 0)

    monkeypatch.setattr("resolvers.operation.verb.give.apply_rule", gives_all)
    assert broken_in(quick_stage).startswith("(b)")


def test_an_authority_that_is_not_the_actors_is_found(quick_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """(b), spec 2.2: actors have of their state only what nobody may delegate."""
    monkeypatch.setattr(
        "resolvers.operation.actor.authority",
        lambda state, _ceiling, known: known.largest_closed_subset(state & ~known.delegable),
    )
    assert broken_in(quick_stage).startswith("(b)")


def test_a_change_without_its_entry_is_found(quick_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """(c), F55."""

    async def records_nothing(*_arguments: Any, **_named: Any) -> None:
        return None

    monkeypatch.setattr("resolvers.operation.write.CellWriter.record_timeline", records_nothing)
    assert broken_in(quick_stage).startswith("(c)")


def test_a_counter_that_nobody_keeps_is_found(quick_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """(e), R15."""

    async def keeps_nothing(*_arguments: Any, **_named: Any) -> None:
        return None

    monkeypatch.setattr("resolvers.operation.write.CellWriter.keep_counters", keeps_nothing)
    assert broken_in(quick_stage).startswith("(e)")
