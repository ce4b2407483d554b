"""Makes the tokens of links, and the stamps of reviews, from the service's secret key.

A link's token is the keyed hash of a nonce that is stored beside the token's own hash: so a link can be shown again to whoever
may see it, while the database alone opens nothing (L8).
"""

import base64
import hmac
import secrets
from dataclasses import dataclass, field

from resolvers.api_token import token_hash

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

    def secret(self, purpose: str, nonce: str | None = None) -> dict[str, str]:
        """Returns the columns from which a link's token is made again and found: a nonce, a new one unless told, and the hash."""
        nonce = new_nonce() if nonce is None else nonce
        return {"nonce": nonce, "token_hash": token_hash(self.token(purpose, nonce))}

    def shown(self, purpose: str, nonce: str, hashed: str) -> str | None:
        """Returns the token with this hash made again from its nonce; None if it was made under another key."""
        token = self.token(purpose, nonce)
        return token if same(token_hash(token), hashed) else None

    def stamp(self, purpose: str, text: str) -> bytes:
        """Returns 32 bytes that nobody without the key can make for this text and purpose."""
        return hmac.digest(self.key, f"{purpose}\n{text}".encode(), "sha256")

    def url(self, token: str) -> str:
        """Returns the address that opens a link."""
        return f"{self.link_address}#{token}"


def new_nonce() -> str:
    """Returns 256 random bits as text."""
    return secrets.token_urlsafe(32)


def same(first: str, second: str) -> bool:
    """Compares two hashes in constant time (L8)."""
    return hmac.compare_digest(first.encode(), second.encode())


EPHEMERAL = Issuer(secrets.token_bytes(32), "http://127.0.0.1:8000/access-link")
"""An issuer for a process that keeps nothing: its links end with it."""
