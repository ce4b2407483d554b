"""The decisions of one operation, numbered: cells hold the number."""

from collections.abc import Iterator
from dataclasses import replace

from models.operation import OutcomeStatus
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision


class Verdicts:
    """Every distinct decision once, with the number that stands for it in the cells and outcomes."""

    def __init__(self, first: int = 0) -> None:
        """Begins with no decision; the next one has the number ``first``."""
        self._first = first
        self._numbers: dict[Decision, int] = {}
        self._decisions: list[Decision] = []

    def number(self, decision: Decision) -> int:
        """Returns the number of a decision, a new one if it was not made before."""
        following = self._first + len(self._decisions)
        number = self._numbers.setdefault(decision, following)
        if number == following:
            self._decisions.append(decision)
        return number

    def numbered(self) -> Iterator[tuple[int, Decision]]:
        """Yields each decision with its number."""
        return iter(list(enumerate(self._decisions, self._first)))

    def __getitem__(self, number: int) -> Decision:
        """Returns the decision with a number."""
        return self._decisions[number - self._first]

    def rejected_twin(self, number: int, code: OutcomeCode) -> int:
        """Returns the number of the decision that rejects what this one would have applied."""
        decision = self[number]
        return self.number(
            replace(
                decision,
                status=OutcomeStatus.REJECTED,
                code=code,
                requested=decision.before,
                dropped=0,
                dropped_teams=(),
                seat=decision.before_seat,
                set_version_id=decision.before_set_version_id,
                shortened=False,
                after=decision.before,
                after_status=decision.before_status,
                after_access_type=decision.before_access_type,
            )
        )
