"""Reads files of events, CSV or JSON lines, as a stream: a file may be longer than the memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO

import orjson

from resolvers.activity.draft import Draft, RefusedEvent
from resolvers.csv_table import ROW_LIMIT, read_rows
from resolvers.error import RefusalCode

COLUMNS = ("hub_id", "email", "kind", "at", "event_id", "permission", "subject")
_OPTIONAL = frozenset({"permission", "subject"})
_VERBATIM = frozenset({"event_id"})


class EventFormat(StrEnum):
    """How events stand in a file."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class EventFile:
    """A file and what it is."""

    stream: BinaryIO
    form: EventFormat
    source: str
    """The name of the tool that it comes from."""


def read_events(file: EventFile, at_once: int) -> Iterator[list[Draft | RefusedEvent]]:
    """Yields the events of a file, so many at a time, and in the place of what is none the reason.

    Raises:
        CsvTableError: if a CSV file cannot be read at all.
    """
    events = _from_csv(file.stream) if file.form is EventFormat.CSV else _from_lines(file.stream)
    while part := list(islice(events, at_once)):
        yield part


def _from_csv(source: BinaryIO) -> Iterator[Draft | RefusedEvent]:
    for row in read_rows(source, COLUMNS, verbatim=_VERBATIM):
        if row.problem:
            yield _refused(row.line, row.problem)
        else:
            hub_id, email, kind, at, event_id, permission, subject = (row.cells[name] for name in COLUMNS)
            yield Draft(row.line, hub_id, email, event_id, kind, at, permission or None, subject or None)


def _from_lines(source: BinaryIO) -> Iterator[Draft | RefusedEvent]:
    number = 0
    while line := source.readline(ROW_LIMIT + 1):
        number += 1
        if len(line) > ROW_LIMIT:
            while line and not line.endswith(b"\n"):
                line = source.readline(ROW_LIMIT + 1)
            yield _refused(number, f"The line is longer than {ROW_LIMIT} bytes: shorten it.")
        elif text := line.removeprefix(b"\xef\xbb\xbf").strip():
            yield _from_line(number, text)


def _from_line(number: int, text: bytes) -> Draft | RefusedEvent:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _refused(number, f"This is no JSON ({error.msg}): write one object on each line.")
    if not isinstance(said, dict):
        return _refused(number, "This is JSON, but no object: write one object on each line.")
    hub_id = said.get("hub_id")
    if type(hub_id) is int:
        said["hub_id"] = str(hub_id)
    values: list[Any] = []
    for name in COLUMNS:
        value = said.get(name)
        if value is None and name in _OPTIONAL:
            values.append(None)
        elif not isinstance(value, str):
            missing = "is missing: write it" if value is None else "is no text: write it in quotes"
            return _refused(number, f"{name} {missing}.", name)
        else:
            values.append(value)
    hub_id, email, kind, at, event_id, permission, subject = values
    return Draft(number, hub_id, email, event_id, kind, at, permission, subject)


def _refused(line: int, message: str, field: str = "") -> RefusedEvent:
    return RefusedEvent(line, field, RefusalCode.INVALID_INPUT, message)
