"""Answers of two databases that are to say the same: ids and tokens differ, but each stands for one of the other's throughout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schema.node import decode
from tests.histories.rows import demand
from tests.histories.stage import Stage

_SECRET = frozenset({"token", "url"})
"""Fields that hold what is drawn by lot."""


@dataclass(frozen=True)
class Answer:
    """One answer of the API."""

    query: str
    told: Any
    """The data, and the errors if there are any."""


class TellingStage(Stage):
    """Keeps every answer."""

    answers: list[Answer]

    async def _ask(self, token: str, query: str, variables: dict[str, Any]) -> Any:
        result = await super()._ask(token, query, variables)
        errors = [(getattr(error.original_error, "code", None), error.message) for error in result.errors or []]
        self.answers.append(Answer(query, {"data": result.data, "errors": errors}))
        return result


@dataclass
class Pairing:
    """Which ids and tokens of one database are which of the other."""

    there: dict[str, str] = field(default_factory=dict)
    here: dict[str, str] = field(default_factory=dict)

    def pair(self, one: str, other: str) -> bool:
        """Says whether two of them stand for each other; what was never seen does from now on."""
        return self.there.setdefault(one, other) == other and self.here.setdefault(other, one) == one

    def compare(self, ours: Answer, theirs: Answer) -> None:
        """Demands that two answers say the same."""
        found = ours.query == theirs.query
        place = "the request" if not found else self._difference(ours.told, theirs.told, "answer")
        demand(not place, f"(f) the databases differ in {place} of {ours.query}\n{ours.told}\nand not\n{theirs.told}")

    def _difference(self, one: Any, other: Any, place: str) -> str:
        """Where two parts of answers differ first; nothing if they do not."""
        if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
            pairs = [(f"{place}.{key}", one[key], other[key]) for key in one]
        elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
            pairs = [(f"{place}[{number}]", x, y) for number, (x, y) in enumerate(zip(one, other, strict=True))]
        else:
            return "" if self._same(one, other, place.rpartition(".")[2]) else place
        return next((found for name, x, y in pairs if (found := self._difference(x, y, name))), "")

    def _same(self, one: Any, other: Any, name: str) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            ours, theirs = decode(one), decode(other)
            if ours is not None and theirs is not None:
                return ours[0] == theirs[0] and self.pair(one, other)
            if name in _SECRET:
                return self.pair(one, other)
        return bool(one == other)
