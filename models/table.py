"""The column types and constraints that every table is made of, the same on SQLite and PostgreSQL."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import BigInteger, CheckConstraint, Dialect, Integer, String, Table, TypeDecorator
from sqlmodel import Field, SQLModel

from models.clock import clock

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite gives an automatic key only to a column declared INTEGER; it holds 64 bits there all the same.
BigKey = BigInteger().with_variant(Integer(), "sqlite")

# PostgreSQL would sort by the server's language; both databases must give the same pages, so both compare bytes.
SortText = String().with_variant(String(collation="C"), "postgresql")


class Amount(TypeDecorator[Decimal]):
    """An exact amount of money, stored as an integer number of ten-thousandths."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 SQLAlchemy's signature
        """Returns the amount as the stored integer; what is finer than a ten-thousandth is refused, not cut off."""
        if value is None:
            return None
        stored = value.scaleb(4)
        if stored != stored.to_integral_value():
            raise ValueError(f"{value} is finer than a ten-thousandth.")
        return int(stored)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 SQLAlchemy's signature
        """Returns the stored integer as the amount."""
        return None if value is None else Decimal(value).scaleb(-4)


def table(model: type[SQLModel]) -> Table:
    """Returns the Core table that a SQLModel class defines: reads select its columns, never entities."""
    return cast(Table, cast(Any, model).__table__)


def primary_key() -> Any:
    """Returns the field of a 64-bit key that the database counts up."""
    return Field(default=None, primary_key=True, sa_type=cast(Any, BigKey))


def reference(target: str, *, index: bool = False, nullable: bool = False, primary_key: bool = False) -> Any:
    """Returns the field of a foreign key to ``table.column``."""
    return Field(
        default=None if nullable else ...,
        foreign_key=target,
        sa_type=cast(Any, BigKey),
        index=index,
        nullable=nullable,
        primary_key=primary_key,
    )


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Returns the check that a text column holds one of an enumeration's values.

    A chain of OR and not IN: SQLite looks the values of an IN up in a table made for each row, which takes almost half of the
    time of a bulk insert.
    """
    return CheckConstraint(" OR ".join(f"{column} = '{value}'" for value in values), name=column)


def now() -> datetime:
    """Returns the present moment in UTC, by the clock of the database."""
    return clock.now()
