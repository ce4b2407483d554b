"""Plays random histories."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.histories.history import History
from tests.histories.stage import Stage

STEPS = 30
QUICK, QUICK_ON_A_SERVER = 150, 6
"""How many histories each test plays, on SQLite and on PostgreSQL; there are two tests, for two workers."""
THOROUGH = 10_000 // STEPS + 1


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
    stage = Stage(url, monkeypatch)
    histories = QUICK if stage.database.is_sqlite else QUICK_ON_A_SERVER
    histories = THOROUGH if thorough else histories
    machine.stage, machine.steps, machine.seen = stage, 0, Counter()
    try:
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
    finally:
        stage.close()
    assert machine.steps >= histories * STEPS
    if stage.database.is_sqlite:
        assert not reaches - set(machine.seen), machine.seen
