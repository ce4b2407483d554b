"""A person who can sign in."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.table import SortText, now, primary_key, table


class User(SQLModel, table=True):
    """One e-mail address is one user, whatever its case."""

    __tablename__ = "user"

    id: int | None = primary_key()
    email: str
    email_key: str = Field(unique=True, sa_type=SortText)
    """The address in lower case: what makes two spellings the same person."""
    first_name: str = ""
    """As first written; shown to the person alone, where no partner of theirs says another (T1)."""
    last_name: str = ""
    created_at: datetime = Field(default_factory=now)


def full_name(first_name: str, last_name: str, email: str) -> str:
    """Returns the name shown for a person; without one, the part of the address before the @ stands in."""
    return f"{first_name} {last_name}".strip() or email.partition("@")[0]


users = table(User)
