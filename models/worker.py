"""The processes that carry out queued operations, so that those of two versions do not work side by side."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.table import now, primary_key, table


class Worker(SQLModel, table=True):
    """A process at work; it is gone if it has not been seen for some time. The moments are by the database's clock."""

    __tablename__ = "worker"

    id: int | None = primary_key()
    name: str
    """Machine and process, for people."""
    version: str
    """Of the service, its tables and its permissions."""
    started_at: datetime = Field(default_factory=now)
    seen_at: datetime = Field(default_factory=now)


workers = table(Worker)
