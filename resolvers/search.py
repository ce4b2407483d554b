"""Search in folded text (F22, T5)."""

from typing import Any

from sqlalchemy import ColumnElement, false, true

from models.text import fold, like_pattern
from resolvers.error import InputError

LONGEST_SEARCH = 200


def contains(column: ColumnElement[Any], search: str | None) -> ColumnElement[bool]:
    """Returns the condition that a folded column contains the text, whatever characters it has; blank finds everything.

    Raises:
        InputError: if the text is longer than any name is.
    """
    if search is None or not fold(search):
        return true()
    if len(search) > LONGEST_SEARCH:
        raise InputError(f"A search text has at most {LONGEST_SEARCH} characters.")
    # A NUL or half a surrogate pair is in no stored text, and a database may refuse the whole statement for it.
    if "\0" in search or any("\ud800" <= letter <= "\udfff" for letter in search):
        return false()
    return column.like(like_pattern(search), escape="\\")
