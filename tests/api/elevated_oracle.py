"""The elevated-access report worked out from raw rows, grant by grant, as an auditor would with a pencil (P23).

Takes nothing from the code under test: what is sensitive is read from the file of the catalogue.
"""

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from models.database import Database
from models.grant import grants
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries

CATALOGUE = Path(__file__).parents[2] / "models" / "permission" / "catalogue.toml"


def sensitive_keys() -> frozenset[str]:
    areas = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return frozenset(
        key
        for permissions in areas.values()
        if isinstance(permissions, dict)
        for key, said in permissions.items()
        if isinstance(said, dict) and said.get("sensitive")
    )


SENSITIVE = sensitive_keys()


@dataclass(frozen=True)
class Span:
    """A time in which a grant gave the same elevated access without a break."""

    entry_id: int
    access_type: str
    permissions: frozenset[str]
    begun_at: datetime
    ended_at: datetime | None
    ended_id: int | None

    def during(self, since: datetime | None, until: datetime | None) -> bool:
        starts_in_time = until is None or self.begun_at < until
        return starts_in_time and (since is None or self.ended_at is None or self.ended_at > since)

    def clipped(self, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime | None]:
        ends = [end for end in (self.ended_at, until) if end is not None]
        return max(self.begun_at, since or self.begun_at), min(ends, default=None)


async def spans(database: Database, at: datetime, **place: Any) -> list[Span]:
    """All spans at a moment of one partner, or whatever column of the timeline is named."""
    ((column, value),) = place.items()
    entry, state = timeline_entries.c, permission_states.c
    statement = (
        select(timeline_entries, state.content, grants.c.expires_at.label("expires_now"))
        .join(permission_states, state.id == entry.after_state_id)
        .join(grants, grants.c.id == entry.grant_id)
        .where(entry[column] == value)
        .order_by(entry.at, entry.id)
    )
    by_grant: dict[int, list[Any]] = defaultdict(list)
    async with database.read() as connection:
        for row in await connection.execute(statement):
            by_grant[row.grant_id].append(row)
    return [span for rows in by_grant.values() for span in _of_grant(rows, at)]


def _of_grant(rows: list[Any], at: datetime) -> list[Span]:
    found: list[Span] = []
    held: Any = None
    for row in rows:
        if held is not None:
            first, last, what = held
            if last.after_expires_at is not None and last.after_expires_at <= row.at:
                found.append(_span(first, what, last.after_expires_at, None))
                held = None
            elif _what(row) != what:
                found.append(_span(first, what, row.at, row.id))
                held = None
        if _what(row) is not None:
            held = (held[0] if held is not None else row, row, _what(row))
    if held is not None:
        first, last, what = held
        assert last.after_expires_at == last.expires_now
        over = last.after_expires_at is not None and last.after_expires_at <= at
        found.append(_span(first, what, last.after_expires_at if over else None, None))
    return found


def _span(first: Any, what: tuple[str, frozenset[str]], ended_at: datetime | None, ended_id: int | None) -> Span:
    return Span(first.id, what[0], what[1], first.at, ended_at, ended_id)


def _what(row: Any) -> tuple[str, frozenset[str]] | None:
    held = SENSITIVE & {part.rpartition(":")[0] for part in row.content.split()}
    if row.after_status != "ACTIVE" or not (row.after_access_type in {"SUPER_ADMIN", "PARTNER_ADMIN"} or held):
        return None
    return row.after_access_type, frozenset(held)
