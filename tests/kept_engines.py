"""Engines that outlive a test: SQLAlchemy keeps the text of each statement with its engine, and writing it is half of a small test."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from models.database import Database


class KeptEngines:
    """Lends one engine of each kind to one test after the other."""

    def __init__(self) -> None:
        self._engines: dict[str, AsyncEngine] = {}
        self._file = ""

    def lend(self, url: str) -> Database:
        """Returns the database at ``url``; whoever disposes of it closes its connections and gives the engine back."""
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

    def _open(self, _dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
        """Opens the file of the test that has the engine, instead of the one it was made for."""
        arguments[0] = self._file
