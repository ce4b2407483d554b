"""Where in the input each key stands, so that a refusal can point at it (R16)."""

from collections.abc import Container, Sequence
from typing import TypeAlias

from resolvers.error import Refusal, RefusalCode, refuse
from resolvers.operation.request import Key

MOST_KEYS = 1_000
"""The most ids in one list; `matching` selects more."""

TARGETS = ("input", "targets")

Places: TypeAlias = dict[int | str, tuple[str, ...]]
"""Each key once, with where it stands in the input below the targets."""


def check_length(keys: Sequence[object], *place: str) -> None:
    """Refuses an empty and an oversized list.

    Raises:
        RefusedError: INVALID_INPUT.
    """
    if not keys:
        raise refuse(RefusalCode.INVALID_INPUT, "Name at least one here.", *TARGETS, *place)
    if len(keys) > MOST_KEYS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"At most {MOST_KEYS:,} fit in one list, and this one has {len(keys):,}: select them with `matching`.",
            *TARGETS,
            *place,
        )


def listed_keys(keys: Sequence[Key], *place: str) -> Places:
    """Returns each key once with its place in the input.

    Raises:
        RefusedError: INVALID_INPUT for an empty or oversized list.
    """
    check_length(keys, *place)
    return places_of(keys, *place)


def places_of(keys: Sequence[Key], before: str, *after: str) -> Places:
    """Returns each key once, in order, with its first place in the input; each unreadable id counts for itself."""
    inner, last = (after, ()) if before in {"product", "matching"} else ((), after)
    places: Places = {}
    for index, key in enumerate(keys):
        places.setdefault(f"unreadable {index}" if key is None else key, (before, *inner, str(index), *last))
    return places


def missing(places: Places, found: Container[object], noun: str) -> list[Refusal]:
    """Returns a refusal for each key that was not found: unknown, foreign and unreadable ones look alike (T1)."""
    message = f"There is no such {noun}."
    return [
        Refusal(RefusalCode.NOT_FOUND, message, (*TARGETS, *place)) for key, place in places.items() if key not in found
    ]
