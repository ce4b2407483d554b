"""What a block of the timeline seals, as text: the same rows give the same text, and no other rows do (N07)."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, DateTime, Row, String, Table, literal_column

from models.operation import decisions, operations
from models.outcome import outcomes
from models.timeline_entry import timeline_entries

# Named one by one: a column that is added later must not change what was sealed before.
_ASKED = (
    *("id", "partner_id", "kind", "mode", "atomic", "requested_by_id", "by_client", "reason", "request", "created_at"),
)
_RESULT = ("state", "finished_at", "total", "applied", "noop", "rejected", "failed", "error")
_GRANT = ("status", "access_type", "seat", "state_id", "set_version_id", "expires_at", "teams")
_COLUMNS = {
    timeline_entries: (
        *("id", "operation_id", "partner_id", "account_id", "client_id", "member_id", "grant_id", "at"),
        *(f"before_{name}" for name in _GRANT),
        *(f"after_{name}" for name in _GRANT),
    ),
    outcomes: ("operation_id", "position", "client_id", "member_id", "grant_id", "decision", "status", "block_id"),
    decisions: (
        *("operation_id", "number", "status", "code"),
        *("requested_state_id", "authority_state_id", "dropped_state_id", "dropped_teams"),
        *("before_status", "before_access_type", "before_state_id", "before_seat", "before_set_version_id"),
        *("after_status", "after_access_type", "after_state_id", "seat", "set_version_id", "customised"),
    ),
}
ENTRY_STATES = (timeline_entries.c.before_state_id, timeline_entries.c.after_state_id)
DECISION_STATES = (
    *(decisions.c.requested_state_id, decisions.c.authority_state_id, decisions.c.dropped_state_id),
    *(decisions.c.before_state_id, decisions.c.after_state_id),
)


def row_text(table: Table, dialect: str, *, guarded: bool = False) -> ColumnElement[str]:
    """Returns the expression that turns a row into one line of text; each value is quoted, so no two rows give the same.

    Args:
        table: of which the rows are.
        dialect: the database's.
        guarded: on SQLite, whether somebody may have put a BLOB in, which is an error otherwise. It takes longer.
    """
    columns = [table.c[name] for name in _COLUMNS[table]]
    if dialect != "sqlite" or table is decisions:
        return _text(columns, dialect)
    # Quoting takes eight times as long. Free text is kept out of JSON: its escapes might be others in another version of SQLite.
    values = [_value(column, dialect) for column in columns]
    if guarded:
        values = [f"CASE WHEN typeof({value}) = 'blob' THEN quote({value}) ELSE {value} END" for value in values]
    return literal_column(f"json_array({', '.join(values)})", String)


def operation_columns(dialect: str) -> list[ColumnElement[Any]]:
    """Returns what is read of an operation: by which it is judged, and the texts of what was asked for and of its result."""
    judged = [operations.c[name] for name in ("id", "partner_id", "state", "finished_at", "error")]
    texts = {"asked": _ASKED, "result": _RESULT}
    return [
        *judged,
        *(_text([operations.c[name] for name in names], dialect).label(kind) for kind, names in texts.items()),
    ]


def _text(columns: Sequence[Column[Any]], dialect: str) -> ColumnElement[str]:
    values = [_value(column, dialect) for column in columns]
    if dialect == "sqlite":
        # Of a text with a NUL quote() gives what is before it.
        values = [f"CASE WHEN instr({value}, char(0)) THEN CAST({value} AS BLOB) ELSE {value} END" for value in values]
        return literal_column(" || ' ' || ".join(f"quote({value})" for value in values), String)
    return literal_column(f"format('{' '.join(['%L'] * len(values))}', {', '.join(values)})", String)


def _value(column: Column[Any], dialect: str) -> str:
    name = f'"{column.table.name}"."{column.name}"'
    if dialect != "sqlite" and isinstance(column.type, DateTime):
        # As text it would depend on the time zone of whoever reads it.
        return f"(extract(epoch from {name}) * 1000000)::bigint"
    if dialect != "sqlite" and isinstance(column.type, Boolean):
        return f"{name}::int"
    return name


@dataclass(slots=True)
class Lines:
    """The digest of rows that come one after the other, and what else they refer to."""

    digest: Any = field(default_factory=hashlib.sha256)
    number: int = 0

    def add(self, lines: Iterable[str]) -> None:
        """Takes more rows."""
        many = list(lines)
        if many:
            self.add_joined("\n".join(many), len(many))

    def add_joined(self, text: str, number: int) -> None:
        """Takes more rows, with line ends between them."""
        self.number += number
        self.digest.update((text + "\n").encode())


@dataclass(slots=True)
class Sheet:
    """What a block seals besides its operation."""

    entries: Lines = field(default_factory=Lines)
    outcomes: Lines = field(default_factory=Lines)
    decisions: Lines = field(default_factory=Lines)
    state_ids: set[int] = field(default_factory=set)
    """The permission states to which the rows refer."""

    def refer(self, keys: Iterable[Any]) -> None:
        """Notes permission states to which rows refer; what somebody has put in and is no key refers to none."""
        self.state_ids.update(key for key in keys if isinstance(key, int))


def seal_of(
    previous: str, block: Mapping[str, Any], operation: Row[Any], sheet: Sheet, states: Mapping[int, str]
) -> str:
    """Returns the hash of a block.

    Args:
        previous: the hash of the block before it in the chain; empty for the first.
        block: its id, operation, chain, number, closing and moment.
        operation: the ``operation_columns`` of its operation.
        sheet: its rows.
        states: what the permission states say, at least those to which the rows refer.
    """
    said = {
        "previous": previous,
        **{name: block[name] for name in ("id", "operation_id", "chain", "number")},
        "closing": bool(block["closing"]),
        "sealed_at": block["sealed_at"].isoformat(),
        "counts": [sheet.entries.number, sheet.outcomes.number],
        "asked": operation.asked,
        "result": operation.result if block["closing"] else None,
        "entries": sheet.entries.digest.hexdigest(),
        "outcomes": sheet.outcomes.digest.hexdigest(),
        "decisions": sheet.decisions.digest.hexdigest(),
        "states": [(key, states.get(key)) for key in sorted(sheet.state_ids)],
    }
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
