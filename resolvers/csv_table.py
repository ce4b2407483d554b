"""Reads the CSV files that people really have: byte-order marks, CRLF, quoted line breaks, other separators and orders.

A file that cannot be read at all is a `CsvTableError`; a single row that cannot be read is a `CsvRow` that says why, so that
the rows around it can be taken. Memory is bounded by the longest row that is allowed, whatever the file holds.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, TextIO, cast

from resolvers.error import ServiceError

ROW_LIMIT = 64 * 1024
"""Characters in one row, its line breaks included."""

_SEPARATORS = (",", ";", "\t")
_NAMED_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_NOT_TEXT = (b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"%PDF")


class CsvProblem(StrEnum):
    """Why a file cannot be read at all."""

    EMPTY_FILE = "EMPTY_FILE"
    BINARY_FILE = "BINARY_FILE"
    NOT_UTF_8 = "NOT_UTF_8"
    MISSING_COLUMNS = "MISSING_COLUMNS"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    ROW_TOO_LONG = "ROW_TOO_LONG"


class CsvTableError(ServiceError):
    """A file that cannot be read; the message says what to do about it."""

    def __init__(self, code: CsvProblem, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: the line of the file on which it begins, and its cells by column, trimmed, with single spaces."""

    line: int
    cells: dict[str, str]
    problem: str | None = None
    """Why the row cannot be read; it has no cells then."""


@dataclass(slots=True)
class _Record:
    """The physical lines of one row."""

    line: int
    lines: list[str] = field(default_factory=list)
    length: int = 0
    unclosed: bool = False

    @property
    def too_long(self) -> bool:
        return self.length > ROW_LIMIT


def read_rows(
    source: str | bytes | BinaryIO, columns: Sequence[str], *, verbatim: Collection[str] = ()
) -> Iterator[CsvRow]:
    """Yields the rows of a file, blank ones left out.

    Header names may differ in case and spaces, stand in any order and have others beside them. A stream stays open.

    Args:
        source: the file.
        columns: which it must have.
        verbatim: the columns in whose cells spaces mean something; they are only trimmed.

    Raises:
        CsvTableError: if the file cannot be read; after the first row only for text that is not UTF-8.
    """
    stream = _text_stream(source)
    try:
        first, separator = _header_line(stream)
        records = _records(stream, separator, first)
        header = next(records)
        if header.too_long:
            raise CsvTableError(
                CsvProblem.ROW_TOO_LONG, f"The header is longer than {ROW_LIMIT} characters. Is this a CSV file?"
            )
        yield from _rows(records, separator, _names(header, separator, columns), verbatim)
    finally:
        if isinstance(stream, io.TextIOWrapper):
            cast(io.BufferedReader, stream.detach()).detach()


def _text_stream(source: str | bytes | BinaryIO) -> TextIO:
    if isinstance(source, str):
        return io.StringIO(source.removeprefix("\ufeff"), newline=None)
    buffered = io.BufferedReader(cast(io.RawIOBase, io.BytesIO(source) if isinstance(source, bytes) else source))
    start = buffered.peek(4)[:4]
    if start.startswith(_UTF_16_MARKS) or (len(start) >= 2 and (start[0] == 0) != (start[1] == 0)):
        raise CsvTableError(
            CsvProblem.NOT_UTF_8,
            "The file is UTF-16 text. Save it again as CSV in UTF-8 (in a spreadsheet program: “CSV UTF-8”).",
        )
    if start.startswith(_NOT_TEXT):
        raise _binary(1)
    # What is no UTF-8 becomes a surrogate, so that the line can be named.
    return io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline=None)


def _binary(line: int) -> CsvTableError:
    return CsvTableError(
        CsvProblem.BINARY_FILE,
        f"The file is not text (line {line}). Open it in the program that made it and save it as CSV in UTF-8.",
    )


def _checked(text: str, line: int) -> str:
    if "\0" in text:
        raise _binary(line)
    if _SURROGATE.search(text):
        raise CsvTableError(
            CsvProblem.NOT_UTF_8, f"Line {line} is not UTF-8 text. Save the file again as CSV in UTF-8."
        )
    return text


def _header_line(stream: TextIO) -> tuple[_Record, str]:
    """Returns what to put before the rest, and the separator; a first line ``sep=;`` names it, as spreadsheets write it."""
    number, named = 0, None
    while True:
        number += 1
        text = _checked(stream.readline(ROW_LIMIT + 1), number)
        if not text:
            raise CsvTableError(
                CsvProblem.EMPTY_FILE, "The file is empty. It needs a header line and a row for each entry."
            )
        match = _NAMED_SEPARATOR.fullmatch(text.strip())
        if match and named is None:
            named = match[1]
        elif text.strip(" \t\r\n,;"):
            break
    separator = named or max(_SEPARATORS, key=text.count)
    return _Record(number, [text], len(text)), separator


def _records(stream: TextIO, separator: str, first: _Record) -> Iterator[_Record]:
    """Yields the rows as physical lines: a quote that begins a cell carries on over line breaks until it is closed."""
    opening = re.compile(f'(?:^|{re.escape(separator)})"')
    number, text = first.line, first.lines[0]
    while text:
        record = _Record(number)
        quoted = False
        while text:
            ended = text.endswith("\n")
            quoted = _quoted_after(text, opening, quoted) if ended or len(text) <= ROW_LIMIT else _odd(text, quoted)
            record.length += len(text)
            if record.too_long:
                record.lines = []
            else:
                record.lines.append(text)
            if ended:
                number += 1
            if ended and not quoted:
                break
            text = _checked(stream.readline(ROW_LIMIT + 1), number)
        record.unclosed = quoted
        yield record
        text = _checked(stream.readline(ROW_LIMIT + 1), number)


def _odd(text: str, quoted: bool) -> bool:  # noqa: FBT001 a state, not an option
    """Guesses the state after a piece of a line that is too long anyway: an odd number of quotes turns it."""
    return quoted ^ (text.count('"') % 2 == 1)


def _quoted_after(text: str, opening: re.Pattern[str], quoted: bool) -> bool:  # noqa: FBT001 a state, not an option
    """Says whether a cell's quotation is open after this line; a quote in the middle of a cell is just a character."""
    if not quoted and '"' not in text:
        return False
    position = 0
    while True:
        if not quoted:
            start = opening.search(text, position)
            if start is None:
                return False
            position = start.end()
        closing = text.find('"', position)
        while closing >= 0 and text[closing + 1 : closing + 2] == '"':
            closing = text.find('"', closing + 2)
        if closing < 0:
            return True
        quoted, position = False, closing + 1


def _names(header: _Record, separator: str, columns: Sequence[str]) -> list[str]:
    cells = next(csv.reader(header.lines, delimiter=separator))
    names = [re.sub(r"[\s_-]+", "_", cell.strip().lower()) for cell in cells]
    missing = [column for column in columns if column not in names]
    if missing:
        raise CsvTableError(
            CsvProblem.MISSING_COLUMNS,
            f"The header on line {header.line} lacks {_listed(missing)}. It must name the columns {','.join(columns)}, in any "
            "order; a column without values stays empty.",
        )
    for column in columns:
        if names.count(column) > 1:
            raise CsvTableError(
                CsvProblem.DUPLICATE_COLUMN, f"The header names the column {column} twice. Keep one of the two."
            )
    return [name if name in columns else "" for name in names]


def _listed(names: Sequence[str]) -> str:
    return f"the column {names[0]}" if len(names) == 1 else f"the columns {', '.join(names)}"


def _rows(
    records: Iterator[_Record], separator: str, names: Sequence[str], verbatim: Collection[str]
) -> Iterator[CsvRow]:
    for record in records:
        if record.too_long or record.unclosed:
            yield CsvRow(record.line, {}, _problem(record))
            continue
        cells = next(csv.reader(record.lines, delimiter=separator), [])
        values = {
            name: cell.strip() if name in verbatim else " ".join(cell.split())
            for name, cell in zip(names, cells, strict=False)
            if name
        }
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :]):
            yield CsvRow(record.line, {}, _miscounted(len(cells), len(names), separator))
        elif spoilt := [name for name, value in values.items() if _CONTROL.search(value)]:
            yield CsvRow(record.line, {}, f"{spoilt[0]}: there is a control character: remove it.")
        else:
            yield CsvRow(record.line, {name: values.get(name, "") for name in names if name})


def _miscounted(cells: int, names: int, separator: str) -> str:
    counted = f"The row has {cells} {'cell' if cells == 1 else 'cells'}, the header {names}"
    if cells > names:
        return f"{counted}: put a cell that contains “{separator}” in quotes."
    return f"{counted}: the row is cut off; write a “{separator}” for each empty cell."


def _problem(record: _Record) -> str:
    if record.unclosed:
        return "A quotation mark at the beginning of a cell is never closed: close it, or double it inside quotes."
    return f"The row is longer than {ROW_LIMIT} characters: shorten it."
