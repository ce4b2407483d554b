"""Reads single cells of an imported file; each function raises ValueError with what to write instead."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from resolvers.currency import CURRENCIES
from resolvers.email_address import email_address

_Choice = TypeVar("_Choice", bound=StrEnum)

TEXT_LIMIT = 200

_HUB_ID = re.compile(r"[0-9]{1,15}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def text(column: str, cell: str) -> str | None:
    """Returns the text, or None for an empty cell."""
    if len(cell) > TEXT_LIMIT:
        raise ValueError(f"{column} is longer than {TEXT_LIMIT} characters: shorten it.")
    return cell or None


def needed_text(column: str, cell: str) -> str:
    """Returns the text of a cell that may not be empty."""
    value = text(column, cell)
    if value is None:
        raise ValueError(f"{column} is empty: fill it in.")
    return value


def hub_id(column: str, cell: str) -> int:
    """Returns a Hub ID."""
    if not _HUB_ID.fullmatch(cell) or int(cell) == 0:
        shown = f"“{cell:.40}” is no Hub ID" if cell else "it is empty"
        raise ValueError(f"{column}: {shown}; write digits only, like 1000001.")
    return int(cell)


def email(column: str, cell: str) -> str:
    """Returns an e-mail address."""
    try:
        return email_address(cell)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def host_name(column: str, cell: str) -> str | None:
    """Returns a domain in lower case, or None for an empty cell."""
    value = cell.lower().removesuffix(".")
    if value and (len(value) > 253 or not _HOST.fullmatch(value)):
        raise ValueError(f"{column}: “{cell:.60}” is no domain; write it like example.com, without https:// and path.")
    return value or None


def amount(column: str, cell: str) -> Decimal | None:
    """Returns an exact amount, or None for an empty cell."""
    if cell and not _AMOUNT.fullmatch(cell):
        raise ValueError(
            f"{column}: “{cell:.40}” is no amount; write it like 1234.50, with a point and at most four decimals, without "
            "currency sign, sign or separators of thousands."
        )
    return Decimal(cell) if cell else None


def currency(column: str, cell: str, amount: Decimal | None) -> str | None:
    """Returns a currency code, which an amount needs."""
    if not cell and amount is None:
        return None
    if cell not in CURRENCIES:
        shown = f"“{cell:.40}” is no currency code" if cell else "it is empty, but there is an amount"
        raise ValueError(f"{column}: {shown}; write three capital letters of ISO 4217, like EUR.")
    return cell


def choice(column: str, cell: str, values: type[_Choice]) -> _Choice:
    """Returns one of the values, in whatever case."""
    try:
        return values(re.sub(r"[\s-]+", "_", cell.upper()))
    except ValueError:
        shown = f"“{cell:.40}” is not allowed" if cell else "it is empty"
        raise ValueError(f"{column}: {shown}; write one of {', '.join(values)}.") from None


def flag(column: str, cell: str) -> bool:
    """Returns a yes or no."""
    try:
        return _FLAGS[cell.lower()]
    except KeyError:
        raise ValueError(f"{column}: “{cell:.40}” is not allowed; write true or false.") from None
