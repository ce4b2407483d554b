"""Makes the tokens of links, and the stamps of reviews, from the service's secret key.

A link's token is the keyed hash of a nonce that is stored beside the token's own hash: so a link can be shown again to whoever
may see it, while the database alone opens nothing (L8).
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

TOKEN_LENGTH = 43
"""Characters of a token: 256 bits in base64url."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """The secret key of the service, and where people open links."""

    key: bytes = field(repr=False)
    """At least 32 random bytes, the same in every process of the service."""
    link_address: str
    """The page that opens a link; the token follows after a ``#``, which browsers send to nobody."""

    def token(self, purpose: str, nonce: str) -> str:
        """Returns the 256-bit token that belongs to a nonce, as 43 characters."""
        return base64.urlsafe_b64encode(self.stamp(purpose, nonce)).decode().rstrip("=")

    def stamp(self, purpose: str, text: str) -> bytes:
        """Returns 32 bytes that nobody without the key can make for this text and purpose."""
        return hmac.digest(self.key, f"{purpose}\n{text}".encode(), "sha256")

    def url(self, token: str) -> str:
        """Returns the address that opens a link."""
        return f"{self.link_address}#{token}"


def new_nonce() -> str:
    """Returns 256 random bits as text."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Returns what is stored of a token: with 256 random bits, one round of SHA-256 cannot be turned back."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(first: str, second: str) -> bool:
    """Compares two hashes in constant time (L8)."""
    return hmac.compare_digest(first.encode(), second.encode())


EPHEMERAL = Issuer(secrets.token_bytes(32), "http://127.0.0.1:8000/access-link")
"""An issuer for a process that keeps nothing: its links end with it."""
