"""Interned permission states: an immutable row for each distinct content, so that a grant holds only a number."""

import hashlib

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from models.table import primary_key, table


class PermissionState(SQLModel, table=True):
    """A state as canonical text (``Catalogue.encode``); the digest makes it unique, because the text outgrows an index."""

    __tablename__ = "permission_state"

    id: int | None = primary_key()
    digest: str = Field(unique=True)
    content: str = Field(sa_type=Text)


def digest_of(content: str) -> str:
    """Returns the key under which a state's canonical text is interned."""
    return hashlib.sha256(content.encode()).hexdigest()


permission_states = table(PermissionState)
