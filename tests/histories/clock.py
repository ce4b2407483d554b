"""A clock that histories move: the only thing in them that is not as in the service."""

from datetime import datetime, timedelta, tzinfo

import pytest

from tests.factory import MOMENT


class Clock:
    """Stands in the place of ``datetime`` in ``models.table``, whose ``now`` every module imports."""

    def __init__(self) -> None:
        self.moment = MOMENT + timedelta(days=1)

    def now(self, zone: tzinfo) -> datetime:
        return self.moment.astimezone(zone)

    def wait(self, days: int) -> None:
        self.moment += timedelta(days=days)

    def rule_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("models.table.datetime", self)
