"""What an imported file says, row by row, before anything is written: entries that can be taken, and rows that cannot."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Generic, Protocol, TypeVar

from resolvers.csv_table import CsvRow, read_rows
from resolvers.import_result import ImportedRow, rejected


class Entry(Protocol):
    """A row that can be taken."""

    @property
    def identity(self) -> Hashable:
        """What two rows about the same thing share."""

    @property
    def shown(self) -> str:
        """The identity in words."""


EntryType = TypeVar("EntryType", bound=Entry)


@dataclass(slots=True)
class EntryFile(Generic[EntryType]):
    """What a file says; an identity is in it once."""

    entries: list[EntryType] = field(default_factory=list)
    rejected: list[ImportedRow] = field(default_factory=list)


def read_entries(
    source: str | bytes | BinaryIO, columns: Sequence[str], make: Callable[[int, dict[str, str]], EntryType]
) -> EntryFile[EntryType]:
    """Reads a whole file and checks each row for itself; of two rows with one identity the second is rejected.

    Args:
        source: the file.
        columns: the columns it must have.
        make: makes an entry of a line number and its cells; raises ValueError with what to write instead.

    Raises:
        CsvTableError: if it cannot be read at all.
    """
    file = EntryFile[EntryType]()
    lines: dict[Hashable, int] = {}
    for row in read_rows(source, columns):
        try:
            entry = _checked(row, make)
            first = lines.setdefault(entry.identity, row.line)
            if first != row.line:
                raise ValueError(f"{entry.shown} is on line {first} already: keep one of the two rows.")  # noqa: TRY301 one way out for all reasons
        except ValueError as error:
            file.rejected.append(rejected(row.line, str(error)))
        else:
            file.entries.append(entry)
    return file


def _checked(row: CsvRow, make: Callable[[int, dict[str, str]], EntryType]) -> EntryType:
    if row.problem:
        raise ValueError(row.problem)
    return make(row.line, row.cells)
