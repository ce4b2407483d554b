"""Inputs that say only what changes: what is left out stays, null clears (R12)."""

import dataclasses
from typing import Any, TypeVar

import strawberry

from resolvers.idempotency import IdempotentCall
from schema.context import Info
from schema.idempotency import idempotent_call, written

Value = TypeVar("Value")


def told(value: strawberry.Some[Value] | None) -> Value | None:
    """Returns what the caller wrote, None if it was left out."""
    return None if value is None else value.value


def told_text(value: strawberry.Some[str | None] | None) -> str | None:
    """Returns the text that the caller wrote, empty for null, and None if it was left out."""
    return None if value is None else value.value or ""


def patch_call(info: Info, input: Any) -> IdempotentCall | None:
    """Returns the call that this mutation is a try of; what is left out and what is null are two requests.

    Raises:
        InputError: as ``idempotent_call``.
    """
    values = {field.name: getattr(input, field.name) for field in dataclasses.fields(input)}
    return idempotent_call(info, {name: written(value) for name, value in values.items() if value is not None})
