"""What an import says about each row of its file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

Progress = Callable[[int, int], None]
"""Is told how many rows are done, and of how many."""


class ImportStatus(StrEnum):
    """What became of one row."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """One row of the file: taken as a whole, or rejected as a whole."""

    line: int
    """The line of the file on which the row begins, the header's being 1 as a rule."""
    status: ImportStatus
    key: int | None = None
    """The client's or member's key; none for a rejected row."""
    message: str | None = None
    """Why it was rejected and what to do."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """All rows in the order of the file."""

    rows: list[ImportedRow]

    def count(self, status: ImportStatus) -> int:
        """Returns how many rows have this status."""
        return sum(row.status is status for row in self.rows)

    @property
    def rejected(self) -> list[ImportedRow]:
        """Returns the rows that were not taken."""
        return [row for row in self.rows if row.status is ImportStatus.REJECTED]


def result_of(rows: Iterable[ImportedRow]) -> ImportResult:
    """Returns the result of rows in whatever order."""
    return ImportResult(sorted(rows, key=lambda row: row.line))


def rejected(line: int, message: str) -> ImportedRow:
    """Returns a row that was not taken."""
    return ImportedRow(line, ImportStatus.REJECTED, None, message)
