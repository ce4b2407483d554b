"""The scalars of the API, each with the specification it follows (R23)."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

EmailAddress = NewType("EmailAddress", str)

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6}\d*)?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,9})?", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\x00-\x1f\x7f]{1,64}@[^\s@<>\"(),:;\\\x00-\x1f\x7f]+")
_LONGEST_EMAIL = 254


def print_date_time(value: datetime) -> str:
    """Returns a moment in UTC with Z, with as many decimals as it has."""
    if value.tzinfo is None:
        raise TypeError("A moment without a time zone is a fault of the service.")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_date_time(value: object) -> datetime:
    """Returns the moment that a caller wrote; one without a time zone is refused."""
    if not isinstance(value, str) or not (match := _DATE_TIME.fullmatch(value)):
        raise ValueError("A DateTime is written like 2026-11-21T09:30:00Z.")
    if match.group(3) is None:
        raise ValueError("A DateTime needs its time zone: write Z for UTC, as in 2026-11-21T09:30:00Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("This DateTime does not exist: write one like 2026-11-21T09:30:00Z.") from error


def read_date(value: object) -> date:
    """Returns the day that a caller wrote."""
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("A Date is a day of the calendar, written like 2026-11-21.")


def print_decimal(value: Decimal) -> str:
    """Returns the exact number, without an exponent and without zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_decimal(value: object) -> Decimal:
    """Returns the exact number that a caller wrote as a string; floats are refused because they are not exact."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    try:
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            return Decimal(value)
    except InvalidOperation:
        pass
    raise ValueError('A Decimal is a string with at most 18 digits before the point and 9 after it, like "1250.50".')


def read_email_address(value: object) -> EmailAddress:
    """Returns an address in the spelling that the caller used."""
    if isinstance(value, str) and len(value) <= _LONGEST_EMAIL and _EMAIL.fullmatch(value.strip()):
        return EmailAddress(value.strip())
    raise ValueError("An EmailAddress is written like name@example.com.")


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment as RFC 3339 writes it, always in UTC and printed with Z. Input without a time zone is refused.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=print_date_time,
        parse_value=read_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar, written like 2026-11-21.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date.html",
        serialize=date.isoformat,
        parse_value=read_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact number, as a string such as "1250.5": it never passes through floating point.',
        specified_by_url="https://www.w3.org/TR/xmlschema-2/#decimal",
        serialize=print_decimal,
        parse_value=read_decimal,
    ),
    EmailAddress: strawberry.scalar(
        name="EmailAddress",
        description="An e-mail address; one address in whatever spelling of upper and lower case is one user.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc5321#section-4.1.2",
        serialize=str,
        parse_value=read_email_address,
    ),
}
