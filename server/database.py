"""The database that the settings name."""

from models.database import Database, postgresql_url
from server.setting import Settings


def open_database(settings: Settings) -> Database:
    """Returns the database; it connects when it is first used."""
    replica, direct = settings.read_database_url, settings.direct_database_url
    return Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        pooled=settings.database_pooler == "transaction",
        replica=postgresql_url(replica, "CAM_READ_DATABASE_URL") if replica else None,
        direct=postgresql_url(direct, "CAM_DIRECT_DATABASE_URL") if direct else None,
    )


def open_past_pooler(settings: Settings) -> Database:
    """Returns the database itself, without the pooler that may stand before it: for tools that need a connection of their own."""
    return Database(settings.direct_database_url or settings.database_url)
