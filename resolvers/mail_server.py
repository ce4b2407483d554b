"""The server that takes mails for delivery, and the address that they come from, as the settings name them."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import parseaddr
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP

from resolvers.email_address import email_address

STEP_SECONDS = 20.0
"""How long one step of the conversation with the server may take."""

# Underscores are no part of a host's name by the book, but container networks have them. Only addresses end in a number.
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?![0-9]+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_NAME = 253
_PORTS = {"smtp": 25, "smtps": 465}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails go.

    ``smtps`` speaks TLS from the first byte. ``smtp`` changes to TLS (STARTTLS) where the server offers it, and must where there
    is a password, which never goes over an open line except to this machine itself. Certificates are always verified.
    """

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def starttls(self) -> bool | None:
        """Whether to change to TLS: yes, no, or (None) where the server offers it."""
        if self.tls:
            return False
        return True if self.username and self.host not in _LOCAL else None

    def client(self) -> SMTP:
        """Returns a client that is not connected yet."""
        return SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            timeout=STEP_SECONDS,
            use_tls=self.tls,
            start_tls=self.starttls,
        )


def mail_server(url: str) -> MailServer:
    """Returns the server that an address such as ``smtp://user:password@host:587`` names.

    Raises:
        ValueError: if it is no such address.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("not like smtp://user:password@host:587 or smtps://user:password@host")
    if parts.port == 0:
        raise ValueError("port 0 is nobody's")
    if (parts.username is None) != (parts.password is None) or parts.username == "":
        raise ValueError("user and password come together")
    return MailServer(
        host=_host(parts.hostname),
        port=_PORTS[parts.scheme] if parts.port is None else parts.port,
        tls=parts.scheme == "smtps",
        username=parts.username and unquote(parts.username),
        password=parts.password and unquote(parts.password),
    )


def _host(text: str) -> str:
    """Returns the address, or the name in ASCII, of a machine.

    Raises:
        ValueError: if it can be neither.
    """
    with suppress(ValueError):
        return str(ip_address(text))
    name = text.encode("idna").decode("ascii").removesuffix(".")
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError("not the name of a machine")
    return name


def mail_sender(text: str) -> Address:
    """Returns the sender that ``name@example.com`` or ``A name <name@example.com>`` stands for.

    Raises:
        ValueError: if it is neither.
    """
    if not text.isprintable():
        raise ValueError("control characters")
    name, address = parseaddr(text)
    if text.strip() != address and not text.rstrip().endswith(f"<{address}>"):
        raise ValueError("more than one address")
    return mailbox(address, name)


def mailbox(address: str, name: str = "") -> Address:
    """Returns an e-mail address as it stands in a header: the domain in ASCII, as mail servers know it.

    Raises:
        ValueError: if it is no e-mail address.
    """
    local, _, domain = email_address(address).rpartition("@")
    return Address(name, local, domain.encode("idna").decode("ascii"))
