"""Random histories in which clients have a say as well."""

import pytest

from tests.histories.everything import Everything
from tests.histories.play import play

REACHES = {
    *("GRANT APPLIED", "CHANGE APPLIED", "DEACTIVATE APPLIED", "MIGRATE APPLIED", "REMOVE APPLIED"),
    *("refused CONFLICT", "refused LINK_OWNER_NOT_ELIGIBLE", "refused NOT_FOUND", "refused FORBIDDEN"),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_histories_of_all_verbs(database_url: str, monkeypatch: pytest.MonkeyPatch, *, thorough: bool) -> None:
    """(a) to (e) of ``tests.histories.check``, and every outcome as the model has it."""
    play(Everything, database_url, monkeypatch, thorough=thorough, reaches=REACHES)
