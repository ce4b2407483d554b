"""Cells of a CSV file that a spreadsheet program would take for a formula: an apostrophe before them says that they are text."""

import re

_FORMULA = re.compile(r"'*[=+\-@]")
_QUOTED = re.compile(r"'+[=+\-@]")


def as_text(cell: str) -> str:
    """Returns the cell so that no program calculates with it; ``as_written`` gives it back, whatever it is."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def as_written(cell: str) -> str:
    """Returns what ``as_text`` was given."""
    return cell[1:] if _QUOTED.match(cell) else cell
