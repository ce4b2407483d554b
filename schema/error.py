"""The one form in which a write says why it was refused (R15, R16)."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import strawberry

from models.conflict import again_after_conflict
from resolvers.error import Refusal, RefusalCode, RefusedError
from schema.context import Info
from schema.enum import described

Parameters = ParamSpec("Parameters")
PayloadType = TypeVar("PayloadType", bound="Payload")

described(
    RefusalCode,
    "Why a write was refused as a whole; nothing was written. More codes may come: treat unknown ones as a refusal.",
    "UserErrorCode",
    NOT_FOUND="An id is unknown, not readable for you, or of another type; they look alike.",
    FORBIDDEN="You may look but not act: it needs EDIT in the manager, or it is not yours to change.",
    NOT_A_PARTNER="The partner is in no program that may manage access.",
    INVALID_INPUT="A value cannot be used; the message says what can.",
    UNKNOWN_PERMISSION="There is no permission with this key.",
    INVALID_LEVEL="The permission has no such level.",
    INVALID_PREREQUISITE="A permission is asked for without one that it requires.",
    NON_DELEGABLE="The permission can be held by a super admin only.",
    SOURCE_IS_SUPER_ADMIN="A super admin's access cannot be copied.",
    NAME_TAKEN="There is one with this name already.",
    CONFLICT="It has changed since you read it, or does not go together with what is there; the message says what to do.",
    LAST_EDITOR="Nobody would be left who can act in the manager.",
    INVALID_FILE="The file cannot be read as a table.",
    LINK_OWNER_NOT_ELIGIBLE="Whom the link is for cannot be partner admin now: they have left, are deactivated or not verified.",
    ALREADY_SUPER_ADMIN="The person is super admin there already: a migration makes them partner admin.",
    LAST_SUPER_ADMIN="It would take the account's only active super admin.",
    WOULD_LOCK_OUT="It would leave a client with people but without an active partner admin.",
    STALE_REVIEW="Access or assets have changed since the review.",
)


@strawberry.interface(description="One reason why a write was refused.")
class UserError:
    """What every error of a payload has."""

    code: RefusalCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people: what is wrong and what to do.")
    field: list[str] | None = strawberry.field(
        description="Where in the arguments it lies, as a path with list indexes as texts; null for the whole request."
    )


@strawberry.type(description="A value of the input cannot be used as it is.")
class InputError(UserError):
    """Something to correct in the input."""


@strawberry.type(description="Something that the input names is not there for you.")
class NotFoundError(UserError):
    """An unknown or unreadable id."""


@strawberry.type(description="You may not do this.")
class AuthorityError(UserError):
    """A right that is missing."""


@strawberry.type(description="It clashes with what is there: a name that is taken, or a change that came before yours.")
class ConflictError(UserError):
    """A clash with the present state."""


ERROR_TYPES = (InputError, NotFoundError, AuthorityError, ConflictError)

_TYPE_OF: dict[RefusalCode, type[UserError]] = {
    RefusalCode.NOT_FOUND: NotFoundError,
    RefusalCode.FORBIDDEN: AuthorityError,
    RefusalCode.NOT_A_PARTNER: AuthorityError,
    RefusalCode.NAME_TAKEN: ConflictError,
    RefusalCode.CONFLICT: ConflictError,
    RefusalCode.LAST_EDITOR: ConflictError,
    RefusalCode.LINK_OWNER_NOT_ELIGIBLE: ConflictError,
    RefusalCode.ALREADY_SUPER_ADMIN: ConflictError,
    RefusalCode.LAST_SUPER_ADMIN: ConflictError,
    RefusalCode.WOULD_LOCK_OUT: ConflictError,
    RefusalCode.STALE_REVIEW: ConflictError,
}


def user_error(refusal: Refusal) -> UserError:
    """Returns the GraphQL object that shows a refusal."""
    made = _TYPE_OF.get(refusal.code, InputError)
    return made(code=refusal.code, message=refusal.message, field=list(refusal.field) or None)


@strawberry.interface(description="What a mutation answers with.")
class Payload:
    """What every payload has."""

    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty when it was carried out."
    )


Mutating = Callable[Concatenate[Any, Info, Parameters], Coroutine[Any, Any, PayloadType]]


def refusing(
    payload: type[PayloadType],
) -> Callable[[Mutating[Parameters, PayloadType]], Mutating[Parameters, PayloadType]]:
    """Returns the decorator of every mutation: checks the scope `write` and turns refusals into the payload's errors."""

    def decorate(resolver: Mutating[Parameters, PayloadType]) -> Mutating[Parameters, PayloadType]:
        @functools.wraps(resolver)
        async def refused(root: Any, info: Info, *args: Parameters.args, **kwargs: Parameters.kwargs) -> PayloadType:
            info.context.signed_in("write")
            try:
                return await again_after_conflict(lambda: resolver(root, info, *args, **kwargs))
            except RefusedError as error:
                return payload(user_errors=[user_error(refusal) for refusal in error.refusals])
            finally:
                info.context.loaders.clear()

        return cast(Mutating[Parameters, PayloadType], refused)

    return decorate
