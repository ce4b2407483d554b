"""The benchmarks run, and measure what they say: the contestants really do the same."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import psycopg
import pytest
from sqlalchemy.engine import URL

from benchmarks import activity, bulk, durable, export, history, processes, scale
from benchmarks.page import answer_of_schema, fill
from benchmarks.peer.clients_page import clients_page, connect
from benchmarks.peer.database_process import cpu_meter
from benchmarks.peer.ecosystem import bulk_speed
from benchmarks.peer.load import Load, as_bytes, load
from benchmarks.peer.process import Measurement, measure
from benchmarks.peer.served import FailedAnswerError, Request, ask, serving
from benchmarks.peer.write import Way
from models.database import Database
from resolvers.demo.ecosystem_size import ecosystem_size
from server.audit_export import ELEVATED_ACCESS_PATH, TIMELINE_PATH

PEOPLE, CLIENTS = 5, 8
CELLS = PEOPLE * CLIENTS


def _taken(fresh: Callable[[], str], *ways: Way) -> dict[Way, Measurement]:
    return {way: asyncio.run(measure(way, fresh(), PEOPLE, CLIENTS, CELLS)) for way in ways}


def test_every_way_of_writing_in_bulk_leaves_the_same_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the service writes, the ORM and the bare statements write, and the table says so."""
    with bulk.sqlite_copies(tmp_path, PEOPLE, CLIENTS) as fresh:
        taken = _taken(fresh, *Way)
    service = taken[Way.SERVICE]
    assert service.cells == CELLS
    assert set(service.written) == {"grant", "timeline_entry", "outcome"}
    assert all(len(contents) == 1 and f"rows={CELLS} " in contents[0] for contents in service.written.values())
    assert {way for way in Way if taken[way].written == service.written} == set(Way)
    bulk.report(CELLS, "sqlite", [bulk.Result(way, [one]) for way, one in taken.items()])
    assert "the same rows after service, each, entities, rows, bare: yes" in capsys.readouterr().out


@pytest.mark.thorough
def test_on_postgresql_the_bare_statements_leave_the_same_rows_too(postgresql_server: URL) -> None:
    with bulk.postgresql_copies(postgresql_server, PEOPLE, CLIENTS) as fresh:
        taken = _taken(fresh, Way.SERVICE, Way.BARE)
    assert f"rows={CELLS} " in taken[Way.SERVICE].written["grant"][0]
    assert taken[Way.BARE].written == taken[Way.SERVICE].written


def test_a_way_measured_in_a_process_of_its_own_tells_its_own_memory(tmp_path: Path) -> None:
    with bulk.sqlite_copies(tmp_path, PEOPLE, CLIENTS) as fresh:
        taken = bulk.run_alone(Way.SERVICE, fresh(), PEOPLE, CLIENTS, CELLS)
    assert taken.cells == CELLS
    assert 10 < taken.megabytes_at_start <= taken.megabytes_at_peak < 600


@pytest.mark.parametrize(("cells", "shape"), [(200, (50, 4)), (50_000, (50, 1_000)), (1_000_000, (1_000, 1_000))])
def test_cells_are_people_times_clients_that_one_request_may_name(cells: int, shape: tuple[int, int]) -> None:
    assert bulk.shape(cells) == shape


def test_the_page_made_by_hand_is_the_page_of_the_schema(tmp_path: Path) -> None:
    async def both() -> tuple[bytes, bytes]:
        file = tmp_path / "page.sqlite3"
        database = Database(f"sqlite:///{file}", durable=False)
        try:
            await fill(database, people=30, clients=40)
            connection = connect(str(file))
            by_hand = orjson.dumps(clients_page(connection))
            connection.close()
            return orjson.dumps(await answer_of_schema(database)), by_hand
        finally:
            await database.dispose()

    by_schema, by_hand = asyncio.run(both())
    assert by_schema == by_hand
    assert by_schema.count(b'"displayName"') == 25


@pytest.mark.thorough
def test_ecosystems_are_made_or_found_and_asked_in_turns(capsys: pytest.CaptureFixture[str]) -> None:
    """Every operation is answered without errors; the table says how large they are."""
    with scale.stages(["sqlite"], [ecosystem_size(30, 15, 2, 90)]) as made:
        (url,) = (place.url for place in made)
        with scale.stages([url, url], []) as found, serving(url) as service:
            assert [(place.people, place.clients, place.loading_seconds) for place in found] == [(30, 15, None)] * 2
            taken = scale.measure(found, [service] * 2, rounds=1, requests=1)
            assert all(len(rounds) == 1 for each in taken.values() for rounds in each)
            with closing(service.connect()) as connection, pytest.raises(FailedAnswerError):
                ask(connection, Request.of("nobody", "{ viewer { user { id } } }", {}))
            with pytest.raises(FailedAnswerError, match="401"):
                load([service], [as_bytes(Request.of("nobody", "{ viewer { user { id } } }", {}))], 1, 0.1)
            with pytest.raises(FailedAnswerError, match="nothing"):
                load([service], [as_bytes(Request.of(found[0].askers[0].token, "{ nothing }", {}))], 1, 0.1)
            loaded = processes.measure(found[0], [service] * 2, connections=3, seconds=0.1, rounds=1, warm=1)
            processes.report(loaded, 2)
            assert 40 < service.megabytes() <= service.megabytes("VmHWM") < 600
            scale.report(found, taken)
            scale.sizing(found, [service] * 2, taken)
            _, exports = exported = export.measure(found[0], service, "csv")
            export.report(found, [exported, exported])
            with closing(sqlite3.connect(found[0].url.removeprefix("sqlite:///"))) as file:
                entries = "SELECT count(*) FROM timeline_entry WHERE partner_id = ?"
                assert (exports[TIMELINE_PATH].rows,) == file.execute(
                    entries, [found[0].askers[0].partner_id]
                ).fetchone()
            assert 0 < exports[ELEVATED_ACCESS_PATH].rows < exports[TIMELINE_PATH].rows
        cells, seconds = asyncio.run(bulk_speed(found[0]))
        assert cells > 10
        assert seconds > 0
        # The bulk grant was undone, so it can be measured again.
        assert asyncio.run(bulk_speed(found[0]))[0] == cells
    for ((one, several),) in loaded.values():
        assert min(len(one.answer_seconds), len(several.answer_seconds)) >= 3
        assert one.client_cpu_seconds < one.service_cpu_seconds < one.seconds * 1.5
    said = capsys.readouterr().out
    assert "all of queries/" in said
    assert "asked by the owner of the largest agency" in said
    assert said.count("ClientsPage") == 4
    assert len([line for line in said.splitlines() if line.split()[:2] == ["30", "15"]]) == 2
    assert said.count("MB before anything was exported") == 2 * len(export.PATHS)


def test_a_large_operation_is_queued_carried_out_and_read_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "PAGES_BEFORE", 4)
    monkeypatch.setenv("CAM_QUEUE_ABOVE", "30")
    with bulk.sqlite_copies(tmp_path, PEOPLE, CLIENTS) as fresh:
        asked = asyncio.run(durable.prepare(fresh(), PEOPLE, CLIENTS))
        before, during, seconds = durable.reading(asked)
        with pytest.raises(durable.NotDoneError, match="1 outcomes, of 3"):
            asyncio.run(durable.finished(asked.url, 2, 3))
    assert before
    assert during
    one = durable.Round(0.2, seconds, seconds, 100.0, before, during, seconds)
    durable.tell(CELLS, one)
    durable.judge([one, one])
    said = capsys.readouterr().out
    assert "answer, CPU ms: 200.00, demanded ≤ 300: met" in said
    assert "speed × bare INSERT … SELECT: 1.00, demanded ≥ 0.5: met" in said


@pytest.mark.thorough
def test_the_whole_benchmark_of_a_large_operation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    durable.main(["--people", "30", "--clients", "400", "--rounds", "1"])
    assert "NOT MET" not in capsys.readouterr().out.partition("answer, CPU ms")[2].splitlines()[0]


def test_several_processes_are_bound_by_what_the_processors_have_to_do() -> None:
    alone = Load(service_cpu_seconds=1.0)
    with_database = Load(service_cpu_seconds=3.0, database_cpu_seconds=1.5, client_cpu_seconds=0.5)
    assert processes.at_most(alone, 2, processors=2) == 2.0
    assert processes.at_most(with_database, 1, processors=2) == 1.0
    assert processes.at_most(with_database, 2, processors=2) == pytest.approx(3.0 / 2.5)
    assert processes.at_most(with_database, 2, processors=8) == 2.0
    assert processes.at_most(with_database, 2, processors=1) == 1.0


def test_a_server_tells_its_cpu_time_also_of_processes_that_have_ended(postgresql_server: URL) -> None:
    address = postgresql_server.set(drivername="postgresql").render_as_string(hide_password=False)
    so_far = cpu_meter(postgresql_server.render_as_string(hide_password=False))
    before = so_far()
    with psycopg.connect(address) as busy:
        busy.execute("SELECT count(*) FROM generate_series(1, 1000000)")
        after = so_far()
    assert after > before
    assert so_far() >= after
    assert cpu_meter("sqlite:///x.sqlite3")() == 0.0


def test_a_percentile_is_one_of_the_values() -> None:
    assert durable.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert durable.percentile([3.0, 1.0, 2.0], 0.99) == 3.0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_activity_is_taken_beside_a_bare_insert_and_summed_up_from_the_totals(
    database: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """Both ways write the same events, which the benchmark makes sure of itself; the repeated ones are passed over."""
    if database == "postgresql":
        request.getfixturevalue("postgresql_server")
    activity.main(["--events", "600", "--people", "5", "--clients", "8", "--database", database])
    said = capsys.readouterr().out
    assert f"{database}: 600 events of 5 people in 8 clients" in said
    assert "speed × bare insert: " in said
    assert "a year by client and month" in said


def test_the_past_is_told_the_same_with_a_hundred_times_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    """The benchmark makes sure of that itself."""
    history.main(["--held", "3", "--history", "4", "--rounds", "1"])
    said = capsys.readouterr().out
    assert "history 4 history 40 history 400" in " ".join(said.split())
    assert "as of, by client" in said
    assert "a history 100 times as long costs ×" in said
