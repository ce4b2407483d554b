"""Exported rows as text, a part at a time: CSV for spreadsheets, JSON lines for programs."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

from resolvers.matrix.formula import as_text

Value: TypeAlias = str | bool | datetime | Sequence[str] | None
Row: TypeAlias = Mapping[str, Value]
"""What one line tells, by column, in the order of the columns."""


class ExportFormat(StrEnum):
    """The forms in which rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


async def export_text(
    columns: Sequence[str], parts: AsyncIterator[Sequence[Row]], form: ExportFormat
) -> AsyncIterator[str]:
    """Yields the text of an export; there is a part of it also if there are no rows."""
    yield ",".join(columns) + "\r\n" if form is ExportFormat.CSV else ""
    async for rows in parts:
        yield _csv(rows) if form is ExportFormat.CSV else _lines(rows)


def _csv(rows: Sequence[Row]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([as_text(_cell(value)) for value in row.values()] for row in rows)
    return written.getvalue()


def _lines(rows: Sequence[Row]) -> str:
    return "".join(
        json.dumps({name: _moment(value) for name, value in row.items()}, ensure_ascii=False) + "\n" for row in rows
    )


def _cell(value: Value) -> str:
    value = _moment(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else " ".join(value)


def _moment(value: Value) -> str | bool | Sequence[str] | None:
    """Returns a moment as the API writes it, and anything else as it is."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
