"""Random histories in which the agencies act."""

import pytest

from tests.histories.in_manager import InManager
from tests.histories.play import play

REACHES = {
    *("GRANT APPLIED", "CHANGE APPLIED", "ASSIGN_TEAMS APPLIED", "DEACTIVATE APPLIED", "REACTIVATE APPLIED"),
    *("MIGRATE APPLIED", "REMOVE APPLIED", "MIGRATE LAST_SUPER_ADMIN", "DEACTIVATE WOULD_LOCK_OUT"),
    *("CHANGE TARGET_IS_SUPER_ADMIN", "REMOVE STALE_REVIEW", "refused NOT_FOUND", "refused FORBIDDEN"),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_histories_in_the_manager(database_url: str, monkeypatch: pytest.MonkeyPatch, *, thorough: bool) -> None:
    """(a) to (e) of ``tests.histories.check``, and every outcome as the model has it."""
    play(InManager, database_url, monkeypatch, thorough=thorough, reaches=REACHES)
