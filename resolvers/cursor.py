"""Cursors: opaque, versioned places in an order (R5)."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from resolvers.error import AccessCode, InputError

_VERSION = 1
_LONGEST = 20_000
_SMALLEST_KEY, _LARGEST_KEY = -(2**63), 2**63 - 1


class SortKind(Enum):
    """What kind of value a list is sorted by."""

    KEY = "the row's key alone"
    NUMBER = "a 64-bit integer"
    TEXT = "a text"
    AMOUNT = "an exact amount"
    MOMENT = "a moment in UTC"


def encode_cursor(order: str, kind: SortKind, value: Any, key: int) -> str:
    """Returns the cursor of a row."""
    if kind is SortKind.MOMENT:
        value = value.isoformat()
    elif kind is SortKind.AMOUNT:
        value = str(value)
    raw = json.dumps([_VERSION, order, value, key], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode_cursor(order: str, kind: SortKind, cursor: str) -> tuple[Any, int]:
    """Returns the sort value and the key that a cursor carries.

    Raises:
        InputError: BAD_CURSOR, if it is none, or one of another order or version.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return _place(json.loads(raw[:_LONGEST]), order, kind)
    except (ValueError, TypeError, binascii.Error, InvalidOperation, RecursionError, OverflowError) as error:
        raise InputError(
            "This cursor belongs to no such list: take one from pageInfo or edges of the same list in the same order.",
            AccessCode.BAD_CURSOR,
        ) from error


def _place(content: Any, order: str, kind: SortKind) -> tuple[Any, int]:
    version, found_order, value, key = content
    if version != _VERSION or found_order != order:
        raise ValueError
    return _READERS[kind](value), _number(key)


def _number(value: Any) -> int:
    if type(value) is not int or not _SMALLEST_KEY <= value <= _LARGEST_KEY:
        raise ValueError
    return value


def _text(value: Any) -> str:
    # A NUL or half a surrogate pair is in no stored text, and a database may refuse the whole statement for it.
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode()
    return value


def _amount(value: Any) -> Decimal:
    amount = Decimal(_text(value))
    if not amount.is_finite() or not _SMALLEST_KEY <= amount.scaleb(4) <= _LARGEST_KEY:
        raise ValueError
    return amount


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


_READERS: dict[SortKind, Callable[[Any], Any]] = {
    SortKind.KEY: _number,
    SortKind.NUMBER: _number,
    SortKind.TEXT: _text,
    SortKind.AMOUNT: _amount,
    SortKind.MOMENT: _moment,
}
