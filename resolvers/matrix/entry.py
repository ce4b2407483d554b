"""The rows of an access matrix, each read for itself: who should have what where."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeAlias

from models.grant import GrantStatus, Seat
from resolvers import import_cell
from resolvers.csv_table import CsvRow, CsvTableError, read_rows
from resolvers.email_address import email_key
from resolvers.error import Refusal, RefusalCode, refuse
from resolvers.free_text import optional_line
from resolvers.matrix.formula import as_written
from resolvers.operation.wish import NEVER

COLUMNS = (
    "email",
    "hub_id",
    "permission_set",
    "version",
    "seat",
    "expires_at",
    "customised",
    "status",
    "grant_version",
)

MOST_ROWS = 100_000
"""The most rows of a matrix in one request: all of it is checked while the caller waits."""
MOST_LISTED = 1_000
"""The most entries that are listed one by one."""
NEVER_ENDS = "never"

_PLACE = ("input", "matrix")
_LONGEST_CELL = 300
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_STATUSES = {"ACTIVE": GrantStatus.ACTIVE, "DEACTIVATED": GrantStatus.DEACTIVATED}


Problem: TypeAlias = tuple[int, Refusal]
"""The number of a row, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Row:
    """Where a row stands, for messages: on a line of a file, or in a list."""

    number: int
    form: str

    @property
    def shown(self) -> str:
        """Returns where it stands, in words."""
        return f"{'line' if self.form == 'csv' else 'entry'} {self.number}"

    def problem(self, code: RefusalCode, message: str) -> Problem:
        """Returns what is wrong with the row."""
        if self.form == "entries":
            return self.number, Refusal(code, message, (*_PLACE, self.form, str(self.number)))
        return self.number, Refusal(code, f"{self.shown}: {message}", (*_PLACE, self.form))


@dataclass(frozen=True, slots=True)
class MatrixEntry:
    """A row that can be read."""

    row: Row = field(compare=False)
    email: str
    hub_id: int
    permission_set: str
    """Empty for no access."""
    version: int | None
    seat: Seat | None
    expires_at: datetime | None
    customised: bool
    status: GrantStatus | None
    grant_version: int | None

    @property
    def email_key(self) -> str:
        """Returns by what the person is found."""
        return email_key(self.email)


@dataclass(slots=True)
class Matrix:
    """What was read: rows that can be taken, and why others cannot."""

    entries: list[MatrixEntry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def take(self, row: Row, cells: Mapping[str, str], problem: str | None = None) -> None:
        """Takes a row as text, or notes what is wrong with it."""
        try:
            if problem:
                raise ValueError(problem)  # noqa: TRY301 one way out for all reasons
            self.entries.append(_entry(row, cells))
        except ValueError as error:
            self.problems.append(row.problem(RefusalCode.INVALID_INPUT, str(error)))


def read_csv(source: str | bytes | BinaryIO) -> Matrix:
    """Returns the matrix of a CSV file.

    Raises:
        RefusedError: INVALID_FILE, if it is no such table; INVALID_INPUT for too many rows.
    """

    def taken(matrix: Matrix, row: CsvRow) -> None:
        cells = {name: as_written(cell) for name, cell in row.cells.items()}
        matrix.take(Row(row.line, "csv"), cells, row.problem)

    try:
        return _read(read_rows(source, COLUMNS), taken, MOST_ROWS, "csv")
    except CsvTableError as error:
        raise refuse(RefusalCode.INVALID_FILE, error.message, *_PLACE, "csv") from error


def read_json(text: str | bytes) -> Matrix:
    """Returns the matrix of a JSON text: a list of objects with the names of the columns.

    Raises:
        RefusedError: INVALID_FILE, if it is no such list; INVALID_INPUT for too many rows.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refuse(
            RefusalCode.INVALID_FILE, f"This is no JSON: {error}. Write a list of objects.", *_PLACE, "json"
        ) from error
    if not isinstance(rows, list):
        raise refuse(RefusalCode.INVALID_FILE, "Write a list of objects, one for each row.", *_PLACE, "json")

    def taken(matrix: Matrix, numbered: tuple[int, Any]) -> None:
        number, told = numbered
        row = Row(number, "json")
        try:
            matrix.take(row, _cells(told))
        except ValueError as error:
            matrix.take(row, {}, str(error))

    return _read(enumerate(rows, 1), taken, MOST_ROWS, "json")


def read_listed(listed: Sequence[Mapping[str, object]]) -> Matrix:
    """Returns the matrix of entries that are listed one by one.

    Raises:
        RefusedError: INVALID_INPUT for too many.
    """

    def taken(matrix: Matrix, numbered: tuple[int, Mapping[str, object]]) -> None:
        number, told = numbered
        row = Row(number, "entries")
        try:
            matrix.take(row, _cells(told))
        except ValueError as error:
            matrix.take(row, {}, str(error))

    return _read(enumerate(listed), taken, MOST_LISTED, "entries")


def _read(rows: Iterable[Any], taken: Callable[[Matrix, Any], None], most: int, form: str) -> Matrix:
    matrix = Matrix()
    for number, row in enumerate(rows):
        if number >= most:
            raise refuse(RefusalCode.INVALID_INPUT, f"At most {most:,} rows fit here: send it in parts.", *_PLACE, form)
        taken(matrix, row)
    if not matrix.entries and not matrix.problems:
        raise refuse(RefusalCode.INVALID_INPUT, "The matrix has no rows: write at least one.", *_PLACE, form)
    return matrix


def _cells(told: object) -> dict[str, str]:
    """Returns the values of an object as cells of text."""
    if not isinstance(told, Mapping):
        raise ValueError(f"write an object with the names {', '.join(COLUMNS)}.")  # noqa: TRY004 told like all else that is wrong
    return {column: _cell(column, told.get(column)) for column in COLUMNS}


def _cell(column: str, value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case int() | str():
            try:
                return optional_line(str(value), _LONGEST_CELL)
            except ValueError as error:
                raise ValueError(f"{column}: {error}") from None
        case _:
            raise ValueError(f"{column}: write a text, a number, true, false or null.")


def _entry(row: Row, cells: Mapping[str, str]) -> MatrixEntry:
    return MatrixEntry(
        row=row,
        email=import_cell.email("email", cells["email"]),
        hub_id=import_cell.hub_id("hub_id", cells["hub_id"]),
        permission_set=cells["permission_set"],
        version=_number("version", cells["version"]),
        seat=import_cell.choice("seat", cells["seat"], Seat) if cells["seat"] else None,
        expires_at=_moment(cells["expires_at"]),
        customised=import_cell.flag("customised", cells["customised"]) if cells["customised"] else False,
        status=_status(cells["status"]),
        grant_version=_number("grant_version", cells["grant_version"]),
    )


def _number(column: str, cell: str) -> int | None:
    if cell and not _NUMBER.fullmatch(cell):
        raise ValueError(f"{column}: “{cell:.40}” is no version; write a number like 1, or leave it empty.")
    return int(cell) if cell else None


def _status(cell: str) -> GrantStatus | None:
    if cell and cell.upper() not in _STATUSES:
        raise ValueError(f"status: “{cell:.40}” is not allowed; write ACTIVE or DEACTIVATED, or leave it empty.")
    return _STATUSES[cell.upper()] if cell else None


def _moment(cell: str) -> datetime | None:
    if not cell or cell.lower() == NEVER_ENDS:
        return NEVER if cell else None
    try:
        moment = datetime.fromisoformat(cell)
        if moment.tzinfo is None:
            raise ValueError  # noqa: TRY301 one way out for all reasons
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"expires_at: “{cell:.40}” is no moment; write it like 2030-12-31T23:59:59Z, with the offset from UTC, or {NEVER_ENDS}, "
            "or leave it empty for no change."
        ) from None
    if moment >= NEVER:
        raise ValueError(f"expires_at: “{cell:.40}” is too far away; write {NEVER_ENDS}.")
    return moment
