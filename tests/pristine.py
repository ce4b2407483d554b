"""A PostgreSQL database that is brought back to how it was: quicker than making a new one for each test."""

import psycopg
from sqlalchemy.engine import URL

from models.metadata import metadata

JOB_QUEUE = ("workers", "jobs", "events", "periodic_defers")
PATIENCE = "SET lock_timeout = '20s'; SET cam.partners = '*'"
RESTORED_BETWEEN_VACUUMS = 50
"""What is deleted stays in the files until then: our server does not look after that itself, nor after statistics."""
SUPERUSER = b"SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
SEQUENCES = b"SELECT format('%I', sequencename), last_value FROM pg_sequences WHERE schemaname = 'public'"


class Pristine:
    """Remembers what the tables hold and puts it back."""

    def __init__(self, url: URL, service_url: URL) -> None:
        """Copies what is in the tables into a schema of its own.

        Args:
            url: for us, who may switch checks off.
            service_url: for the tests, under the service's role.
        """
        self.service_url = service_url
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        names = ["alembic_version", *(f'"{table.name}"' for table in metadata.sorted_tables)]
        names += [f"procrastinate_{name}" for name in JOB_QUEUE]
        with psycopg.connect(self._address) as connection:
            connection.execute(PATIENCE)
            connection.execute("CREATE SCHEMA pristine")
            filled = [name for name in names if connection.execute(f"SELECT 1 FROM {name} LIMIT 1".encode()).fetchone()]
            for name in filled:
                connection.execute(f"CREATE TABLE pristine.{name} AS TABLE {name}".encode())
            sequences = connection.execute(SEQUENCES).fetchall()
            statements = [f"DELETE FROM {name}" for name in reversed(names)]
            statements += [f"INSERT INTO {name} TABLE pristine.{name}" for name in filled]
            statements += [
                f"PERFORM setval('{name}', {last or 1}, {str(last is not None).lower()})" for name, last in sequences
            ]
            # A function, because the server keeps the plans of its statements.
            body = ";".join(statements)
            connection.execute(
                f"CREATE FUNCTION pristine.restore() RETURNS void LANGUAGE plpgsql AS $$BEGIN {body}; END$$".encode()
            )
        self._connection = self._connect()
        self._restored = 0

    def restore(self) -> None:
        """Puts everything back in one round trip."""
        try:
            self._connection.execute("SELECT pristine.restore()")
        except psycopg.OperationalError:
            if not self._connection.closed:
                raise
            # A test has ended all connections.
            self._connection = self._connect()
            self._connection.execute("SELECT pristine.restore()")
        self._restored += 1
        if self._restored % RESTORED_BETWEEN_VACUUMS == 0:
            self._connection.execute("VACUUM")

    def close(self) -> None:
        """Closes the connection over which everything is put back."""
        self._connection.close()

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(self._address, autocommit=True)
        connection.execute(PATIENCE)
        if connection.execute(SUPERUSER).fetchone() == (True,):
            # Without the checks of foreign keys: what is put back was right before.
            connection.execute("SET session_replication_role = replica")
        return connection
