"""Plays random histories."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.histories.history import History
from tests.histories.side_by_side import SideBySide, side_by_side
from tests.histories.stage import Stage

STEPS = 30
QUICK, QUICK_SIDE_BY_SIDE = 146, 4
"""How many histories each test plays, on SQLite and on both databases at once; there are two tests of each, for two workers."""
THOROUGH, THOROUGH_SIDE_BY_SIDE = 10_000 // STEPS + 1, 5_000 // STEPS + 1


def play(
    machine: type[History], url: str, monkeypatch: pytest.MonkeyPatch, *, thorough: bool, reaches: set[str]
) -> None:
    """Plays the same histories each time, or with --thorough 10,000 steps of new ones.

    Args:
        machine: which steps there are.
        url: of the database.
        monkeypatch: for the clock.
        thorough: whether there are to be more.
        reaches: what must have come of the steps, so that it is known that they get anywhere.
    """
    machine.stage, machine.steps, machine.seen = Stage(url, monkeypatch), 0, Counter()
    histories = THOROUGH if thorough else QUICK
    try:
        _run(machine, histories, thorough=thorough)
    finally:
        machine.stage.close()
    assert machine.steps >= histories * STEPS
    assert not reaches - set(machine.seen), machine.seen


def play_side_by_side(
    machine: type[History], urls: Sequence[str], monkeypatch: pytest.MonkeyPatch, *, thorough: bool
) -> type[SideBySide]:
    """Plays the same histories each time, or with --thorough 5,000 steps of new ones, on both databases at once.

    Returns:
        What has counted the steps.
    """
    histories = THOROUGH_SIDE_BY_SIDE if thorough else QUICK_SIDE_BY_SIDE
    with side_by_side(machine, urls, monkeypatch) as played:
        _run(played, histories, thorough=thorough)
    assert played.steps >= histories * STEPS
    return played


def _run(machine: type[RuleBasedStateMachine], histories: int, *, thorough: bool) -> None:
    run_state_machine_as_test(
        machine,
        # So many and no fewer: otherwise many are cut short. The beginning is a step too.
        _min_steps=STEPS,
        settings=settings(
            max_examples=histories,
            stateful_step_count=STEPS + 1,
            derandomize=not thorough,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
