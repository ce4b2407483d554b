"""A PostgreSQL database that is brought back to how it was: quicker than making a new one for each test."""

import psycopg
from sqlalchemy.engine import URL

from models.metadata import metadata

PATIENCE = "SET lock_timeout = '20s'"
SUPERUSER = b"SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
SEQUENCES = b"SELECT format('%I', sequencename), last_value FROM pg_sequences WHERE schemaname = 'public'"


class Pristine:
    """Remembers what the tables hold and puts it back."""

    def __init__(self, url: URL) -> None:
        """Copies what is in the tables into a schema of its own."""
        self.url = url
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        names = ["alembic_version", *(f'"{table.name}"' for table in metadata.sorted_tables)]
        with psycopg.connect(self._address) as connection:
            connection.execute("CREATE SCHEMA pristine")
            filled = [name for name in names if connection.execute(f"SELECT 1 FROM {name} LIMIT 1".encode()).fetchone()]
            for name in filled:
                connection.execute(f"CREATE TABLE pristine.{name} AS TABLE {name}".encode())
            superuser = connection.execute(SUPERUSER).fetchone() == (True,)
            sequences = connection.execute(SEQUENCES).fetchall()
        statements = [PATIENCE]
        if superuser:
            # Without the checks of foreign keys: what is put back was right before.
            statements.append("SET session_replication_role = replica")
        statements += [f"DELETE FROM {name}" for name in reversed(names)]
        statements += [f"INSERT INTO {name} TABLE pristine.{name}" for name in filled]
        statements += [
            f"SELECT setval('{name}', {last or 1}, {str(last is not None).lower()})" for name, last in sequences
        ]
        self._restore = ";".join(statements).encode()

    def restore(self) -> None:
        """Puts everything back in one round trip."""
        with psycopg.connect(self._address) as connection:
            connection.execute(self._restore)
