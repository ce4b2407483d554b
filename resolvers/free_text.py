"""Free texts that people write: names, descriptions, reasons."""

import unicodedata

from models.text import fold

# They turn the reading direction of what follows around, so that a text shows as something that it is not.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str, longest: int) -> str:
    """Returns a name as it is kept: one line, with single spaces.

    Raises:
        ValueError: if it is empty, shows nothing, is too long, or holds control characters.
    """
    name = " ".join(text.split())
    if not fold("".join(letter for letter in name if unicodedata.category(letter) != "Cf")) or len(name) > longest:
        raise ValueError(f"Write 1 to {longest:,} characters.")
    return _without_controls(name)


def several_lines(text: str, longest: int) -> str:
    """Returns a text as it is kept, which may be empty and may have several lines.

    Raises:
        ValueError: if it is too long, or holds control characters.
    """
    kept = text.strip().replace("\r\n", "\n")
    if len(kept) > longest:
        raise ValueError(f"Write at most {longest:,} characters.")
    return _without_controls(kept)


def _without_controls(text: str) -> str:
    for letter in text:
        if letter in _OVERRIDES or (unicodedata.category(letter) == "Cc" and letter not in "\n\t"):
            raise ValueError(f"Leave out the control character U+{ord(letter):04X}.")
    return text
