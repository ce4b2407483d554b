"""The benchmarks run, and measure what they say: the contestants really do the same."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from sqlalchemy.engine import URL

from benchmarks import bulk
from benchmarks.page import answer_of_schema, fill
from benchmarks.peer.clients_page import clients_page, connect
from benchmarks.peer.process import Measurement, measure
from benchmarks.peer.write import Way
from models.database import Database

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
