"""The outbox: every e-mail, written in the transaction of what it reports and delivered afterwards."""

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from models.table import now, primary_key, table

_UNSENT = text("sent_at IS NULL")


class Mail(SQLModel, table=True):
    """One e-mail to one person about one event; the unique event makes sure that there is never a second."""

    __tablename__ = "mail"
    __table_args__ = (Index("ix_mail_due", "due_at", "id", sqlite_where=_UNSENT, postgresql_where=_UNSENT),)

    id: int | None = primary_key()
    event: str = Field(unique=True)
    """What it reports, such as ``approval:17:owner``."""
    message_id: str = Field(unique=True)
    """Stable over all tries, so that a mail delivered twice can be recognised."""
    recipient: str
    subject: str
    text: str = Field(sa_type=Text)
    html: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now)
    due_at: datetime = Field(default_factory=now)
    """When it is tried next."""
    tries: int = 0
    last_error: str | None = Field(default=None, sa_type=Text)
    sent_at: datetime | None = None
    given_up_at: datetime | None = None
    """When the server refused it for good."""


mails = table(Mail)
