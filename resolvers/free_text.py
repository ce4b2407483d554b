"""Free texts that people write: names, descriptions, reasons."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from models.text import fold
from resolvers.error import RefusalCode, refuse

# They turn the reading direction of what follows around, so that a text shows as something that it is not.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, and halves of characters, which no database stores.
_UNUSABLE = frozenset({"Cc", "Cs"})


def one_line(text: str, longest: int) -> str:
    """Returns a name as it is kept: one line, with single spaces.

    Raises:
        ValueError: if it is empty, shows nothing, is too long, or holds control characters.
    """
    name = " ".join(text.split())
    if not fold("".join(letter for letter in name if unicodedata.category(letter) != "Cf")) or len(name) > longest:
        raise ValueError(f"Write 1 to {longest:,} characters.")
    return _without_controls(name)


def optional_line(text: str, longest: int) -> str:
    """Returns a name that may be left empty.

    Raises:
        ValueError: as ``one_line``, for anything but white space.
    """
    return one_line(text, longest) if text.strip() else ""


def several_lines(text: str, longest: int) -> str:
    """Returns a text as it is kept, which may be empty and may have several lines.

    Raises:
        ValueError: if it is too long, or holds control characters.
    """
    kept = text.strip().replace("\r\n", "\n")
    if len(kept) > longest:
        raise ValueError(f"Write at most {longest:,} characters.")
    return _without_controls(kept)


@contextmanager
def refusing_at(what: str, *field: str) -> Iterator[None]:
    """Turns the reason why a text cannot be used into a refusal at ``field`` of the input.

    Raises:
        RefusedError: INVALID_INPUT.
    """
    try:
        yield
    except ValueError as error:
        raise refuse(RefusalCode.INVALID_INPUT, f"{what} cannot be used. {error}", *field) from error


def _without_controls(text: str) -> str:
    for letter in text:
        if letter in _OVERRIDES or (unicodedata.category(letter) in _UNUSABLE and letter not in "\n\t"):
            raise ValueError(f"Leave out the control character U+{ord(letter):04X}.")
    return text
