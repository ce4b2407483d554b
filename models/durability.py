"""What is set on a PostgreSQL server that a ledger of access should not run on."""

from sqlalchemy import text

from models.database import Database

_SETTINGS = text(
    "SELECT current_setting('fsync') = 'off' AS fsync, current_setting('synchronous_commit') = 'off' AS synchronous_commit, "
    "rolsuper AS superuser FROM pg_roles WHERE rolname = current_user"
)
RISKS = {
    "fsync": "PostgreSQL runs with fsync=off: a power failure can destroy the whole database. Set fsync=on.",
    "synchronous_commit": "PostgreSQL runs with synchronous_commit=off: a crash can undo changes of access that people were told of. "
    "Set synchronous_commit=on.",
    "superuser": "The service connects to PostgreSQL as a superuser, whom row-level security does not bind and who can read files of "
    "the server. Give it a role of its own: CREATE ROLE cam LOGIN, and make that the owner of its database.",
}


async def risks(database: Database) -> list[str]:
    """Returns one sentence for each of them, with what to do; none on SQLite, which this service itself sets up."""
    if database.is_sqlite:
        return []
    async with database.read() as connection:
        found = (await connection.execute(_SETTINGS)).mappings().one()
    return [sentence for name, sentence in RISKS.items() if found[name]]
