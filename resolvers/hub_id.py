"""Hub IDs as callers write them."""

_LARGEST = 2**63 - 1
_DIGITS = len(str(_LARGEST))


def hub_id_number(text: str) -> int | None:
    """Returns the number that a Hub ID is; None for anything that can be none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None
    return number if (number := int(text)) <= _LARGEST else None
