"""Where histories are played: a database, a clock, the API as a person with a token calls it, and a second way to look at the rows.

Hypothesis plays synchronously, so the stage has a loop of its own; and it looks at rows with the bare driver, beside SQLAlchemy and
the code under test.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiosqlite
import psycopg
import pytest
from sqlalchemy import make_url

from models.database import Database
from models.permission.catalogue import catalogue
from resolvers.sign_in import sign_in
from schema.context import Context
from tests.factory import Factory
from tests.histories.clock import Clock
from tests.histories.model import ORACLE, Atoms
from tests.known_schema import schema

Result = TypeVar("Result")
Row = tuple[Any, ...]


class Stage:
    """Everything that histories share."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.clock.rule_over(monkeypatch)
        _quicken(monkeypatch)
        self._loop = asyncio.new_event_loop()
        self.database = Database(url, durable=False, pool_size=2)
        self.factory = Factory(self.database)
        self._rows: sqlite3.Connection | psycopg.Connection = (_sqlite if self.database.is_sqlite else _postgresql)(url)
        self._states: dict[int, Atoms] = {}
        self.sets = {
            row[0]: row[1]
            for row in self.rows(
                "SELECT v.id, s.key FROM permission_set_version v JOIN permission_set s ON s.id = v.set_id"
            )
        }
        """The built-in sets by the keys of their versions."""
        self.set_keys = {row[1]: row[0] for row in self.rows("SELECT id, key FROM permission_set")}

    def close(self) -> None:
        self._rows.close()
        self.run(self.database.dispose())
        # A request that was refused leaves what it was about to load.
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self.run(asyncio.sleep(0))
        self._loop.close()

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def ask(self, token: str, query: str, **variables: Any) -> Any:
        """Returns the data of a request that is not refused as such; the sender's rights are found out anew each time."""
        result = self.run(self._ask(token, query, variables))
        if result.errors:
            raise AssertionError(f"{result.errors} for {variables}") from result.errors[0].original_error
        return result.data

    def codes(self, token: str, query: str, **variables: Any) -> set[str]:
        """Returns the codes with which a request is refused as such."""
        errors = self.run(self._ask(token, query, variables)).errors or []
        return {getattr(error.original_error, "code", error.message) for error in errors}

    async def _ask(self, token: str, query: str, variables: dict[str, Any]) -> Any:
        context = Context(self.database, await sign_in(self.database, token))
        return await schema.execute(query, variables, context_value=context)

    def rows(self, statement: str) -> list[Row]:
        with closing(self._rows.cursor()) as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def atoms(self, state_id: int) -> Atoms:
        """What a state contains."""
        if state_id not in self._states:
            ((content,),) = self.rows(f"SELECT content FROM permission_state WHERE id = {state_id}")
            self._states[state_id] = self.atoms_of(content)
        return self._states[state_id]

    @staticmethod
    def atoms_of(content: str) -> Atoms:
        return ORACLE.atoms(catalogue.decode(content))


def moment_of(value: datetime | str | None) -> datetime | None:
    """A moment as the drivers give it: SQLite as text without an offset, in UTC."""
    if value is None:
        return None
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _sqlite(url: str) -> sqlite3.Connection:
    return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)


def _postgresql(url: str) -> psycopg.Connection:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    rows = psycopg.connect(address, autocommit=True)
    # Without asking for all tenants' rows, it would see none.
    rows.execute("SET cam.partners = '*'")
    return rows


def _quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends each statement to SQLite at once instead of by way of a thread: nothing runs beside it here."""

    async def at_once(_self: aiosqlite.Connection, work: Callable[..., Result], *args: Any, **named: Any) -> Result:
        return work(*args, **named)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", at_once)
