"""Inputs that say only what changes: what is left out stays, null clears (R12)."""

from typing import TypeVar

import strawberry

Value = TypeVar("Value")


def told(value: strawberry.Some[Value] | None) -> Value | None:
    """Returns what the caller wrote, None if it was left out."""
    return None if value is None else value.value


def told_text(value: strawberry.Some[str | None] | None) -> str | None:
    """Returns the text that the caller wrote, empty for null, and None if it was left out."""
    return None if value is None else value.value or ""
