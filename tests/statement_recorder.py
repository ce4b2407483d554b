"""Records the SQL statements that a piece of work sends to the database."""

from types import TracebackType
from typing import Any, Self

from sqlalchemy import event

from models.database import Database

HOUSEKEEPING = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "SELECT SET_CONFIG")


class StatementRecorder:
    """``with recorder: …`` and then ``recorder.count`` and ``recorder.statements``; each ``with`` begins anew.

    One executemany is one statement. What only opens and closes transactions is not recorded.
    """

    def __init__(self, database: Database) -> None:
        self.statements: list[str] = []
        self._engine = database.engine.sync_engine

    @property
    def count(self) -> int:
        return len(self.statements)

    def _record(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.lstrip().upper().startswith(HOUSEKEEPING):
            self.statements.append(statement)

    def __enter__(self) -> Self:
        self.statements = []
        event.listen(self._engine, "before_cursor_execute", self._record)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        event.remove(self._engine, "before_cursor_execute", self._record)
