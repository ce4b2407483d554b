"""Days, weeks and months in UTC, as both databases compute them from what is stored."""

from typing import Any

from sqlalchemy import Date
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class day_of(GenericFunction[Any]):  # noqa: N801 it is written like a function
    """The day on which a moment lies."""

    type = Date()
    inherit_cache = True


class week_of(GenericFunction[Any]):  # noqa: N801 it is written like a function
    """The Monday of the week in which a day lies."""

    type = Date()
    inherit_cache = True


class month_of(GenericFunction[Any]):  # noqa: N801 it is written like a function
    """The first of the month in which a day lies."""

    type = Date()
    inherit_cache = True


# SQLite keeps moments and days as texts, of which both begin with the day.
_FORMS: dict[type[GenericFunction[Any]], tuple[str, str]] = {
    day_of: ("substr({0}, 1, 10)", "CAST(({0}) AT TIME ZONE 'UTC' AS date)"),
    week_of: ("date({0}, '-6 days', 'weekday 1')", "CAST(date_trunc('week', {0}) AS date)"),
    month_of: ("(substr({0}, 1, 8) || '01')", "CAST(date_trunc('month', {0}) AS date)"),
}


def _written(place: int) -> Any:
    def write(element: GenericFunction[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
        (argument,) = element.clauses
        return _FORMS[type(element)][place].format(compiler.process(argument, **kwargs))

    return write


for _function in _FORMS:
    compiles(_function, "sqlite")(_written(0))
    compiles(_function, "postgresql")(_written(1))
