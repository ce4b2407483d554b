"""An exported matrix as text, a part at a time: CSV for spreadsheets, JSON for programs."""

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, astuple
from enum import StrEnum

from resolvers.matrix.entry import COLUMNS
from resolvers.matrix.export import MatrixRow
from resolvers.matrix.formula import as_text


class MatrixFormat(StrEnum):
    """The forms in which a matrix is written and read."""

    CSV = "csv"
    JSON = "json"


async def matrix_text(parts: AsyncIterator[list[MatrixRow]], form: MatrixFormat) -> AsyncIterator[str]:
    """Yields the text of a matrix; there is a part of it also if there are no rows."""
    if form is MatrixFormat.CSV:
        yield ",".join(COLUMNS) + "\r\n"
        async for rows in parts:
            yield _csv(rows)
        return
    before = "[\n"
    async for rows in parts:
        if rows:
            yield before + ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in rows)
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _csv(rows: list[MatrixRow]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(map(_cells, rows))
    return written.getvalue()


def _cells(row: MatrixRow) -> list[str]:
    return [as_text(_cell(value)) for value in astuple(row)]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
