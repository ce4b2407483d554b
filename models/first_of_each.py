"""The first few rows of each of several parents in one statement, the way each database does it fast."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, true


def first_of_each(
    parents: FromClause,
    rows: FromClause,
    chosen: Select[Any],
    *,
    lateral: bool,
    key: str = "id",
    within: ColumnElement[bool] | None = None,
) -> FromClause:
    """Returns the parents joined to, for each of them, the rows whose keys `chosen` selects.

    Numbering all rows of each parent first costs hundreds of times as much when parents have many: PostgreSQL stops early
    with LATERAL, and SQLite, which lacks it, with a correlated IN.

    Args:
        parents: the parents' table; the caller's WHERE says which of them.
        rows: an alias of the rows' table.
        chosen: selects `id` of the first rows of one parent, in order and with a limit.
        lateral: True on PostgreSQL.
        key: the column that `chosen` selects.
        within: what else makes a row the parent's, where the key alone is not unique.
    """
    correlated = chosen.correlate(parents)
    theirs = true() if within is None else within
    if lateral:
        first = correlated.lateral("chosen")
        return parents.join(first, true()).join(rows, and_(rows.c[key] == first.c[key], theirs))
    return parents.join(rows, and_(rows.c[key].in_(correlated), theirs))
