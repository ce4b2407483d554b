"""Finds the line of an entry in a TOML file, which the parser of the standard library does not tell."""

import tomllib
from typing import Any

from models.permission.error import CatalogueError


def line_of(text: str, path: tuple[str, ...], items: tuple[str, ...] = ()) -> int:
    """Returns the line of the entry at `path`, or of the first of `items` quoted in it, in whatever spelling.

    The statement that brings the entry in ends at the shortest prefix of the file that parses and has it.
    """
    lines = text.split("\n")
    while path and not _has(_prefix(lines, len(lines)), path):
        path = path[:-1]
    if not path:
        return 1
    before, end = 0, len(lines)
    while end - before > 1:
        middle = (before + end) // 2
        candidate = middle
        while candidate > before and _prefix(lines, candidate) is None:
            candidate -= 1
        if candidate > before and _has(_prefix(lines, candidate), path):
            end = candidate
        else:
            before = middle
    start = end
    while start > 1 and _prefix(lines, start - 1) is None:
        start -= 1
    for item in items:
        for number in range(start, end + 1):
            if f'"{item}"' in lines[number - 1] or f"'{item}'" in lines[number - 1]:
                return number
    return start


def parsed(text: str, file: str) -> dict[str, Any]:
    """Returns the document; raises CatalogueError naming the line that does not parse."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        number = place.partition("line ")[2].partition(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1
        raise CatalogueError(f"not valid TOML: {reason}", file=file, line=line) from error


def located(error: CatalogueError, text: str, file: str) -> CatalogueError:
    """Returns the error with the line that it is about."""
    line = line_of(text, error.path, error.items)
    return CatalogueError(error.reason, path=error.path, items=error.items, file=file, line=line)


def _prefix(lines: list[str], count: int) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines[:count]))
    except tomllib.TOMLDecodeError:
        return None


def _has(document: Any, path: tuple[str, ...]) -> bool:
    for step in path:
        if isinstance(document, list):
            document = document[int(step)] if step.isdigit() and int(step) < len(document) else None
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return False
    return document is not None
