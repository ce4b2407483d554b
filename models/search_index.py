"""The index that finds a few letters anywhere in a name, on PostgreSQL (F22): trigrams, from the extension ``pg_trgm``.

Not a step of the migrations, because it may be impossible now and possible later: whoever owns the database has to make the extension
where the service's own role may not. Without it, and under row-level security, which puts the tenant's rows before every search,
PostgreSQL looks through the names of one agency: 10 to 40 ms for 20,000 clients, where the index takes less than one.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from models.client import clients
from models.database import Database
from models.member import members

EXTENSION = "pg_trgm"
INDEXES = {f"ix_{table.name}_search": table.name for table in (clients, members)}
ADVICE = (
    "Search does without its index, which is slower for agencies with many clients: as a superuser of the database run "
    "CREATE EXTENSION pg_trgm, then run cam migrate again."
)

_PLACE = text(
    "SELECT quote_ident(n.nspname) FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace "
    "WHERE o.opcname = 'gin_trgm_ops'"
)
_MISSING = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(quote_ident(name)) IS NULL ORDER BY name"
)


def make_search_index(connection: Connection) -> None:
    """Makes the extension and the indexes, where they can be made and are not there."""
    if connection.dialect.name != "postgresql":
        return
    place = connection.scalar(_PLACE) or _made_extension(connection)
    if place is not None:
        for name, table in INDEXES.items():
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING gin (search_text {place}.gin_trgm_ops)"
            )


async def search_advice(database: Database) -> str | None:
    """Returns what to do about an index that is not there; None if there is nothing to do."""
    if database.is_sqlite:
        return None
    async with database.read() as connection:
        missing = (await connection.execute(_MISSING, {"names": list(INDEXES)})).all()
    return ADVICE if missing else None


def _made_extension(connection: Connection) -> str | None:
    """Makes the extension and returns the schema of its operators; None if this role may not, or the server has no such files."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return None
    place: str | None = connection.scalar(_PLACE)
    return place
