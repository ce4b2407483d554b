"""What the service says when it will not do something.

ServiceError
├── AccessError     the caller may not look, or did not sign in: a GraphQL error with a code
│   └── InputError  an argument of a query cannot be used
└── RefusedError    a write is refused before anything happened: the payload's userErrors
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class AccessCode(StrEnum):
    """The codes of GraphQL errors that a resolver can raise."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_A_PARTNER = "NOT_A_PARTNER"
    NOT_FOUND = "NOT_FOUND"
    BAD_INPUT = "BAD_INPUT"
    BAD_CURSOR = "BAD_CURSOR"
    IDEMPOTENCY_KEY_MISMATCH = "IDEMPOTENCY_KEY_MISMATCH"


class RefusalCode(StrEnum):
    """Why a write is refused as a whole, before anything happened."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    NOT_A_PARTNER = "NOT_A_PARTNER"
    INVALID_INPUT = "INVALID_INPUT"
    UNKNOWN_PERMISSION = "UNKNOWN_PERMISSION"
    INVALID_LEVEL = "INVALID_LEVEL"
    INVALID_PREREQUISITE = "INVALID_PREREQUISITE"
    NON_DELEGABLE = "NON_DELEGABLE"
    SOURCE_IS_SUPER_ADMIN = "SOURCE_IS_SUPER_ADMIN"
    NAME_TAKEN = "NAME_TAKEN"
    CONFLICT = "CONFLICT"
    LAST_EDITOR = "LAST_EDITOR"
    INVALID_FILE = "INVALID_FILE"
    LINK_OWNER_NOT_ELIGIBLE = "LINK_OWNER_NOT_ELIGIBLE"
    ALREADY_SUPER_ADMIN = "ALREADY_SUPER_ADMIN"
    LAST_SUPER_ADMIN = "LAST_SUPER_ADMIN"
    WOULD_LOCK_OUT = "WOULD_LOCK_OUT"
    STALE_REVIEW = "STALE_REVIEW"


class ServiceError(Exception):
    """The root of everything that the service says no with."""


class AccessError(ServiceError):
    """The caller may not look at this, or did not sign in; becomes a GraphQL error (R17)."""

    def __init__(self, code: AccessCode, message: str) -> None:
        super().__init__(message)
        self.code = code.value
        self.message = message


class InputError(AccessError):
    """An argument of a query cannot be used; the message says what to write instead."""

    def __init__(self, message: str, code: AccessCode = AccessCode.BAD_INPUT) -> None:
        super().__init__(code, message)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a write is refused, and where in the input it lies (R15, R16)."""

    code: RefusalCode
    message: str
    field: tuple[str, ...] = ()


@dataclass(slots=True)
class RefusedError(ServiceError):
    """A write is refused as a whole, for one or more reasons; nothing was written."""

    refusals: Sequence[Refusal] = field(default_factory=list)

    def __str__(self) -> str:
        """Returns the messages, one after the other."""
        return " ".join(refusal.message for refusal in self.refusals)


def refuse(code: RefusalCode, message: str, *field: str) -> RefusedError:
    """Returns the error that refuses a write for one reason, at ``field`` of the input."""
    return RefusedError([Refusal(code, message, field)])
