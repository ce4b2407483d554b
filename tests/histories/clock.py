"""A clock that histories move: the only thing in them that is not as in the service."""

from datetime import datetime, timedelta

import pytest

from tests.factory import MOMENT


class Clock:
    """Stands in the place of the service's clock in ``models.table``, whose ``now`` every module imports."""

    def __init__(self) -> None:
        self.moment = MOMENT + timedelta(days=1)

    def now(self) -> datetime:
        return self.moment

    def wait(self, days: int) -> None:
        self.moment += timedelta(days=days)

    def rule_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("models.table.clock", self)
