"""Opaque ids, and the interface of everything that has one (R1, R2)."""

import base64
import binascii
import re
from typing import Any, Protocol, cast

import strawberry

from schema.field import field

_KEY = re.compile(r"[1-9][0-9]{0,18}")
_LARGEST_KEY = 2**63 - 1
_LONGEST_ID = 200


class Identified(Protocol):
    """What an entity's record has at least."""

    @property
    def id(self) -> int | str:
        """Returns the key: a row's number, or the name of an entry of the data."""


def encode(type_name: str, key: int | str) -> strawberry.ID:
    """Returns the opaque id of an entity: its type and key, which callers must not rely on."""
    text = f"{type_name}:{key}".encode()
    return strawberry.ID(base64.urlsafe_b64encode(text).decode().rstrip("="))


def decode_text(text: str) -> tuple[str, str] | None:
    """Returns the type and the key that an id carries; None for anything that `encode` does not make."""
    if len(text) > _LONGEST_ID:
        return None
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeError):
        return None
    type_name, colon, key = raw.partition(":")
    return (type_name, key) if colon and encode(type_name, key) == text else None


def decode(text: str) -> tuple[str, int] | None:
    """Returns the type and the number that an entity's id carries; None for garbage (R2)."""
    found = decode_text(text)
    if found is None or not _KEY.fullmatch(found[1]) or int(found[1]) > _LARGEST_KEY:
        return None
    return found[0], int(found[1])


def decode_key(text: str, type_name: str) -> int | None:
    """Returns the number in an id of one type; None for garbage and for ids of other types alike (T1)."""
    found = decode(text)
    return found[1] if found is not None and found[0] == type_name else None


@strawberry.interface(description="Something with an id of its own, which `node` and `nodes` find again.")
class Node:
    """The record that an entity was read into, and its opaque id."""

    record: strawberry.Private[Identified]

    @field("Opaque: carries no meaning for callers, and stays the same for ever.", name="id")
    def node_id(self) -> strawberry.ID:
        """Returns the id that `node(id:)` takes."""
        return encode(cast(Any, self).__strawberry_definition__.name, self.record.id)
