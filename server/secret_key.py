"""The secret key of the service: from the settings, or from a file beside the SQLite file that is made at the first start."""

import base64
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url

from resolvers.issuer import Issuer
from server.setting import ALLOWED, SettingError, Settings

SHORTEST = 32
"""Characters of a key."""


def secret_key(settings: Settings) -> bytes:
    """Returns the key, the same at every start and in every process.

    Raises:
        SettingError: if none is set and the database is not a file, or the file of the key cannot be used.
    """
    if settings.secret_key is not None:
        return settings.secret_key.encode()
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or url.database is None:
        raise SettingError(
            "With PostgreSQL the key that makes the tokens of links must be set: write one to a file with openssl rand -base64 48, "
            "readable by the service alone, and name the file in CAM_SECRET_KEY_FILE."
        )
    name = url.database
    if name.startswith("file:"):
        # SQLite's own form of an address, with options behind the name.
        name = unquote(urlsplit(name).path)
    return _kept(Path(f"{name}.key"))


def link_issuer(settings: Settings) -> Issuer:
    """Returns what makes the tokens of links and the stamps of reviews.

    Raises:
        SettingError: as ``secret_key`` does.
    """
    return Issuer(secret_key(settings), settings.link_address)


def _kept(file: Path) -> bytes:
    try:
        if not file.exists():
            _make(file)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingError(
            f"The key that makes the tokens of links cannot be kept in {file}: {reason}. Set CAM_SECRET_KEY_FILE instead."
        ) from error
    if len(key) < SHORTEST:
        raise SettingError(f"{file} is damaged: it must hold {ALLOWED['secret_key']}. Bring back the file as it was.")
    return key.encode()


def _make(file: Path) -> None:
    """Writes a new key, whole or not at all and readable by its owner alone; of two processes at once, one makes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Made under another name and linked, so that nobody reads half of it: linking refuses a name that is there already.
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(base64.b64encode(secrets.token_bytes(48)) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        Path(temporary).unlink()
