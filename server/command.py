"""The command line, `cam`: whatever goes wrong is one line that says what to do, never a traceback."""

import os
import sys

import typer
from sqlalchemy.exc import DBAPIError
from typer.exceptions import TyperException

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main() -> None:
    """Runs `cam` with the arguments of the process, and ends it with an exit code."""
    sys.exit(_run())


def _run() -> int:
    try:
        # Not before: a catalogue that cannot be read must be one line as well.
        from server.command_line import app  # noqa: PLC0415

        code = app(standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        _say(_usage(error))
        return int(getattr(error, "exit_code", MISUSED))
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has stopped; the interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if os.environ.get("CAM_LOG_LEVEL", "").lower() == "debug":
            raise
        _say(f"cam: {_line(error)}")
        return FAILED
    return code if isinstance(code, int) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 the command line's own voice


def _usage(error: TyperException) -> str:
    """Returns what is wrong with the arguments as one line; a command without any gets its help."""
    context = getattr(error, "ctx", None)
    text = str(getattr(error, "format_message", lambda: error)())
    if context is None:
        return f"cam: {text}"
    help_text = context.get_help()
    return (
        help_text
        if text == help_text
        else f"{context.command_path}: {text.rstrip('.')}. See {context.command_path} --help."
    )


def _line(error: Exception) -> str:
    """Returns what went wrong as one line."""
    if isinstance(error, DBAPIError):
        said = " ".join(str(error.orig).split())
        return (
            f"The database cannot be used: {said}. Check CAM_DATABASE_URL, and that no other process writes for long."
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    text = " ".join(str(error).split())
    known = type(error).__module__.partition(".")[0] in {"server", "schema", "resolvers", "models"}
    return text if known and text else f"{type(error).__name__}: {text}. Set CAM_LOG_LEVEL=debug to see where."
