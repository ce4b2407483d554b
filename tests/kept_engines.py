"""Engines that outlive a test: SQLAlchemy keeps the text of each statement with its engine, and writing it is half of a small test.

So do connections to PostgreSQL, and with them the plans that the server keeps.
"""

from typing import Any

from sqlalchemy import QueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine

from models.database import Database
from resolvers import interning


class KeptEngines:
    """Lends one engine of each kind to one test after the other."""

    def __init__(self) -> None:
        self._engines: dict[str, AsyncEngine] = {}
        self._file = ""

    def lend(self, url: str) -> Database:
        """Returns the database at ``url``; whoever is done with it gives it back."""
        database = Database(url, durable=False)
        kind = database.url.get_backend_name() if database.is_sqlite else url
        if database.is_sqlite:
            self._file = str(database.file)
        if kind not in self._engines:
            self._engines[kind] = database.engine
            if database.is_sqlite:
                event.listen(database.engine.sync_engine, "do_connect", self._open)
        database.engine = self._engines[kind]
        return database

    async def take_back(self, database: Database) -> None:
        """Closes the connections to a file, which is gone with the test, and all if one is still in use."""
        pool = database.engine.pool
        if database.is_sqlite or not isinstance(pool, QueuePool) or pool.checkedout():
            await database.dispose()
        # The next test's rows have the same keys.
        interning._known.pop(pool, None)

    async def close(self) -> None:
        """Closes every connection."""
        for engine in self._engines.values():
            await engine.dispose()

    def _open(self, _dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
        """Opens the file of the test that has the engine, instead of the one it was made for."""
        arguments[0] = self._file
