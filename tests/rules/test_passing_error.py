"""Which errors of the database are nobody's fault and may be over later."""

import pytest
from sqlalchemy.exc import OperationalError

from resolvers.operation.passing_error import is_passing


class _ToldError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "passing"), [("58030", True), ("53100", True), ("58P01", False), ("22012", False)]
)
def test_a_disk_that_fails_may_work_later(sqlstate: str, *, passing: bool) -> None:
    assert is_passing(OperationalError("", None, _ToldError(sqlstate))) is passing
