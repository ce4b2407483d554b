"""Files that appear whole or not at all: a backup that was interrupted must not look like one."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED_SECONDS = 3_600.0
"""After so long without a write, half a file is one whose process was killed."""


class FileError(RuntimeError):
    """A file cannot be copied or put in its place; the message is one line that says why and what to do."""


@contextmanager
def whole_file(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields the path of an empty file, readable by its owner alone, that becomes ``target`` when the block has ended well.

    What lies on the disk is there before the name is. On an error nothing is left, and what had the name keeps it.

    Raises:
        FileError: if there is a file with that name and it is not to be replaced, or none can be made there.
    """
    if not replace and target.exists():
        raise taken(target)
    partial = _partial(target)
    try:
        yield partial
        _flush(partial)
        _name(partial, target, replace=replace)
    except OSError as error:
        raise unwritten(target, error.strerror or str(error)) from error
    finally:
        for left in partial.parent.glob(f"{partial.name}*"):
            left.unlink(missing_ok=True)


def taken(target: Path) -> FileError:
    """Returns what is said of a name that is in use."""
    return FileError(f"{target} is there already: name another file, or replace it with --force.")


def unwritten(target: Path, reason: str) -> FileError:
    """Returns what is said when a file cannot be written."""
    return FileError(
        f"{target} cannot be written: {reason}. Make room on the disk or name another place; nothing was left behind, and an "
        "older file of that name is as it was."
    )


def _partial(target: Path) -> Path:
    prefix, suffix = f".{target.name}.", ".partial"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.glob(f"{prefix}*{suffix}*"):
            with suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > ABANDONED_SECONDS:
                    old.unlink()
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=suffix)
    except OSError as error:
        raise unwritten(target, error.strerror or str(error)) from error
    os.close(descriptor)
    return Path(name)


def _name(partial: Path, target: Path, *, replace: bool) -> None:
    if replace:
        partial.replace(target)
    else:
        try:
            # A link refuses a name that has come up meanwhile; renaming would take it away.
            os.link(partial, target)
        except FileExistsError:
            raise taken(target) from None
    flush_folder(target.parent)


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Makes sure that the names in a folder survive a loss of power."""
    _flush(folder)
