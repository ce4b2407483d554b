"""Lists of ids in filters."""

from collections.abc import Sequence

import strawberry

from resolvers.error import InputError
from resolvers.operation.place import MOST_KEYS
from schema.connection import given
from schema.node import decode_key

MOST = f"At most {MOST_KEYS:,} ids; unknown ones find nothing."


def keys_of(argument: str, ids: Sequence[strawberry.ID] | None, type_name: str) -> tuple[int, ...] | None:
    """Returns the keys that ids of one type name, None if the caller left the list out; what is no such id is in no row (T1).

    Raises:
        InputError: for more ids than a list takes.
    """
    listed = given(ids)
    if listed is None:
        return None
    if len(listed) > MOST_KEYS:
        raise InputError(f"{argument} takes at most {MOST_KEYS:,} ids.")
    keys = (decode_key(str(text), type_name) for text in listed)
    return tuple(key for key in keys if key is not None)
