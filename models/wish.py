"""The wishes that people can vote for, as data (F48)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.permission.definition import read_text
from models.permission.error import CatalogueError
from models.permission.position import located, parsed

WISH_FILE = Path(__file__).with_name("wish.toml")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FIELDS = {"title", "description"}


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that people want the product to do."""

    key: str
    """Under which votes are stored; stays when the words change."""
    title: str
    description: str


def load_wishes(file: Path = WISH_FILE) -> dict[str, Wish]:
    """Returns the wishes by key, in the order of the file; raises CatalogueError that names the line of what is wrong."""
    text = file.read_text(encoding="utf-8")
    document = parsed(text, file.name)
    try:
        return {key: _wish(key, entry) for key, entry in document.items()}
    except CatalogueError as error:
        raise located(error, text, file.name) from None


def _wish(key: str, entry: Any) -> Wish:
    if not isinstance(entry, Mapping):
        raise CatalogueError(f"wish {key!r} must be a table", path=(key,))
    if not _KEY.fullmatch(key):
        raise CatalogueError(f"the key {key!r} must be small letters, digits and _, at most 60", path=(key,))
    for field in entry.keys() - _FIELDS:
        raise CatalogueError(f"{key!r} has the unknown field {field!r}", path=(key, str(field)))
    return Wish(key, read_text(entry, "title", (key,)), read_text(entry, "description", (key,)))


WISHES = load_wishes()
"""The wishes by key, in the order in which they are shown when all have equally many votes."""
