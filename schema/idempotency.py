"""`@idempotent` and the header Idempotency-Key: a retry gets the first answer (R22)."""

import dataclasses
import json
from typing import Any

import strawberry
from graphql import FieldNode
from strawberry.directive import DirectiveLocation

from resolvers.error import InputError
from resolvers.idempotency import IdempotentCall
from schema.context import Info

LONGEST_KEY = 255


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    name="idempotent",
    description="On a mutation: a retry with the same key and the same input returns the first answer and does nothing "
    "again. The key is yours alone; with another input it is refused. The header Idempotency-Key does the same for a "
    "request with one mutation.",
)
def idempotent(key: str) -> None:
    """Leaves the value as it is."""


def written(value: Any) -> Any:
    """Returns an input in plain values, under the names that the caller used, without what was left out.

    A plain None is as good as left out; where null says something of its own, as in a patch (R12), it comes in a Some.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        told = {name: inner for name, inner in fields.items() if inner is not strawberry.UNSET and inner is not None}
        return {_api_name(name): written(inner) for name, inner in told.items()}
    if isinstance(value, strawberry.Some):
        return written(value.value)
    if isinstance(value, list):
        return [written(inner) for inner in value]
    return value


def as_json(value: Any) -> str:
    """Returns an input as JSON with sorted names: equal inputs give equal texts."""
    return json.dumps(written(value), default=str, sort_keys=True)


def idempotent_call(info: Info, request: Any) -> IdempotentCall | None:
    """Returns the call that this mutation is a try of; None without a key.

    Raises:
        InputError: if the key is empty or too long, or the header comes with several mutations.
    """
    selected = info.selected_fields[0]
    key = selected.directives.get("idempotent", {}).get("key")
    if key is None:
        key = info.context.idempotency_key
        selections = info.operation.selection_set.selections
        if key is not None and (len(selections) > 1 or not isinstance(selections[0], FieldNode)):
            raise InputError("Idempotency-Key goes with one mutation; put @idempotent(key:) on each of several.")
    if key is None:
        return None
    if not key.strip() or len(key) > LONGEST_KEY:
        raise InputError(f"An idempotency key has 1 to {LONGEST_KEY} characters.")
    return IdempotentCall(info.context.reader.viewer.user_id, info.field_name, key, as_json(request))


def _api_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
