"""E-mail addresses: one address is one user, whatever its case."""

import re
import unicodedata

_LOCAL = re.compile(r"""[^\s@"(),:;<>\[\]\\.]+(\.[^\s@"(),:;<>\[\]\\.]+)*""")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+")


def email_address(text: str) -> str:
    """Returns the address as it is stored.

    Raises:
        ValueError: if it cannot be an address; the message says what one looks like.
    """
    address = unicodedata.normalize("NFC", text.strip())
    local, _, domain = address.rpartition("@")
    usable = len(address) <= 254 and len(local) <= 64 and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)
    if not usable:
        shown = "It is empty" if not address else f"“{address:.80}” is no e-mail address"
        raise ValueError(f"{shown}: write one like name@example.com.")
    return address


def email_key(address: str) -> str:
    """Returns what makes two spellings of an address the same user."""
    return address.lower()
