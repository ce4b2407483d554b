"""Random histories in which clients have a say as well."""

import pytest

from tests.histories.in_manager import InManager
from tests.histories.play import play
from tests.histories.with_client import WithClient

REACHES = {
    *("GRANT APPLIED", "CHANGE APPLIED", "DEACTIVATE APPLIED", "MIGRATE APPLIED", "REMOVE APPLIED"),
    *("refused CONFLICT", "refused LINK_OWNER_NOT_ELIGIBLE", "refused NOT_FOUND", "refused FORBIDDEN"),
}


class Everything(InManager, WithClient):
    """All verbs."""


def test_histories_of_all_verbs(database_url: str, monkeypatch: pytest.MonkeyPatch, *, thorough: bool) -> None:
    """(a) to (e) of ``tests.histories.check``, and every outcome as the model has it."""
    play(Everything, database_url, monkeypatch, thorough=thorough, reaches=REACHES)
