"""Names and other short texts that a caller writes."""

import unicodedata

from resolvers.error import RefusalCode, refuse

LONGEST = 200

_UNSTORABLE = {"Cc", "Cs"}


def short_text(text: str, *field: str, longest: int = LONGEST) -> str:
    """Returns the text as it is stored: without white space around it and with single spaces in it; may be empty.

    Raises:
        RefusedError: INVALID_INPUT at ``field``, for a text that is too long or has control characters.
    """
    value = " ".join(text.split())
    if len(value) > longest:
        raise refuse(RefusalCode.INVALID_INPUT, f"This has at most {longest} characters: shorten it.", *field)
    if any(unicodedata.category(letter) in _UNSTORABLE for letter in value):
        raise refuse(RefusalCode.INVALID_INPUT, "This has a control character: remove it.", *field)
    return value
