"""The same random histories on SQLite and on PostgreSQL at once: both give the same answers (issue, Shown)."""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.histories.answer import Answer, Pairing
from tests.histories.everything import Everything
from tests.histories.history import History
from tests.histories.in_manager import InManager
from tests.histories.play import play_side_by_side
from tests.histories.rows import BrokenError
from tests.histories.side_by_side import side_by_side
from tests.histories.stage import Stage
from tests.pristine import Pristine


@pytest.fixture
def urls(sqlite_template: Path, tmp_path: Path, postgresql_pristine: Pristine) -> Sequence[str]:
    file = tmp_path / "cam.sqlite3"
    shutil.copyfile(sqlite_template, file)
    postgresql_pristine.restore()
    return f"sqlite:///{file}", postgresql_pristine.service_url.render_as_string(hide_password=False)


@pytest.mark.parametrize("machine", [InManager, Everything])
def test_both_databases_give_the_same_answers(
    machine: type[History], urls: Sequence[str], monkeypatch: pytest.MonkeyPatch, *, thorough: bool
) -> None:
    """Outcomes, codes, messages, lists with their order, timelines; ids stand for each other throughout."""
    played = play_side_by_side(machine, urls, monkeypatch, thorough=thorough)
    assert played.compared > played.steps / 2
    # Shown with -rP.
    sys.stdout.write(f"{played.steps} steps, {played.compared} answers\n")


def test_a_database_that_sorts_in_another_way_is_found(urls: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """(f): at the end of the first history, when people are listed."""
    ask = Stage._ask

    async def ask_for_people_backwards(stage: Stage, token: str, query: str, variables: dict[str, Any]) -> Any:
        result = await ask(stage, token, query, variables)
        if not stage.database.is_sqlite and "busiest" in query:
            result.data["partner"]["members"]["nodes"].reverse()
        return result

    monkeypatch.setattr(Stage, "_ask", ask_for_people_backwards)
    once = settings(max_examples=1, stateful_step_count=2, derandomize=True, database=None, phases=[Phase.generate])
    with (
        side_by_side(InManager, urls, monkeypatch) as played,
        pytest.raises(BrokenError, match=r"^\(f\) the databases differ in answer.data.partner.members.nodes\[0\]"),
    ):
        run_state_machine_as_test(played, settings=once)


@pytest.mark.parametrize(
    ("ours", "theirs", "place"),
    [
        ({"code": "NO_CHANGE"}, {"code": "EXPIRED"}, "code"),
        ({"nodes": [{"id": "TWVtYmVyOjE"}]}, {"nodes": []}, "nodes"),
        ({"id": None}, {"name": None}, ""),
        # Member 1 and 2 here are member 3 and 4 there.
        ([{"id": "TWVtYmVyOjE"}, {"id": "TWVtYmVyOjI"}], [{"id": "TWVtYmVyOjQ"}, {"id": "TWVtYmVyOjM"}], "[0].id"),
        ({"id": "TWVtYmVyOjE"}, {"id": "Q2xpZW50OjM"}, "id"),
        ([{"url": "/#one"}, {"url": "/#one"}], [{"url": "/#two"}, {"url": "/#three"}], "[1].url"),
    ],
)
def test_answers_that_differ_are_told_apart(ours: Any, theirs: Any, place: str) -> None:
    pairing = Pairing()
    pairing.compare(
        Answer("", [{"id": "TWVtYmVyOjE"}, {"id": "TWVtYmVyOjI"}, {"token": "a", "at": 1}]),
        Answer("", [{"id": "TWVtYmVyOjM"}, {"id": "TWVtYmVyOjQ"}, {"token": "b", "at": 1}]),
    )
    with pytest.raises(BrokenError, match=rf"^\(f\) the databases differ in answer\S*{re.escape(place)} of"):
        pairing.compare(Answer("", ours), Answer("", theirs))
