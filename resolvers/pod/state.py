"""How it stands with a person in a client of a pod (P09)."""

from enum import StrEnum


class PodCellState(StrEnum):
    """How it stands with a person in a client of a pod."""

    GIVEN = "GIVEN"
    NOT_GIVEN = "NOT_GIVEN"
    FORMER_SET = "FORMER_SET"
    OTHER_ACCESS = "OTHER_ACCESS"
    LEFT_OVER = "LEFT_OVER"
