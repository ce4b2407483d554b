"""Folding of names, so that search and order ignore case and accents on every database alike."""

import unicodedata

# What decomposition leaves alone though people type the plain letter instead.
_PLAIN = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ħ": "h"})


def fold(text: str) -> str:
    """Returns the text without case, accents and repeated white space (F22, T5)."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.translate(_PLAIN).split())


def like_pattern(search: str) -> str:
    r"""Returns the LIKE pattern, escaped with ``\``, that finds the folded text anywhere (T5: %, _ and \ are literal)."""
    escaped = fold(search).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
