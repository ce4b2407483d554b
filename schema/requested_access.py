"""Which access a write asks for, and how it is to be carried out."""

from datetime import datetime
from typing import Any

import strawberry

from models.operation import RuleMode
from models.permission.level import PermissionLevel
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.operation.request import (
    CopyFrom,
    DefaultSet,
    FromPermissions,
    FromSet,
    OnCustomised,
    OnExisting,
    RequestedAccess,
    TeamRequest,
    WriteOptions,
)
from resolvers.schedule.moment import time_ahead
from schema.connection import given
from schema.enum import described
from schema.node import decode_key

MOST_PERMISSIONS = 500
MOST_TEAMS = 1_000
LONGEST_REASON = 1_000

described(
    RuleMode,
    "What happens with what lies beyond the permissions of who asks.",
    CLAMP="The rest is carried out; `withheld` and `retained` say what was not.",
    STRICT="The outcome is rejected with EXCEEDS_AUTHORITY.",
)
described(
    OnExisting,
    "What granting does with somebody who has access already.",
    SKIP="Leaves it alone: NOOP ALREADY_GRANTED.",
    CHANGE="Changes it to what is requested.",
)


described(
    OnCustomised,
    "What bringing access to the newest version of its permission set does with what differs from the set.",
    RESET="The access becomes what the set contains: what was added is taken, what was taken out is given.",
    KEEP="What was added stays, and what was taken out stays out, as far as the permissions go together.",
)


@strawberry.input(description="A permission at a level.")
class PermissionInput:
    """One permission of a requested state."""

    permission: str = strawberry.field(description="The permission's key, such as `contacts.view`.")
    level: PermissionLevel = strawberry.field(description="The level; NONE is the same as leaving it out.")


@strawberry.input(one_of=True, description="Which access: exactly one way to say it.")
class RequestedAccessInput:
    """The four sources of a requested state (F13, F50, F51)."""

    permission_set: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="What a permission set gives, at its present version."
    )
    permissions: list[PermissionInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Single permissions, at most 500; what a permission requires must be among them.",
    )
    copy_from: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="A copy of the grant with this id, its teams included."
    )
    default_set: bool | None = strawberry.field(
        default=strawberry.UNSET, description="`true`: each person's own default permission set."
    )


@strawberry.input(description="A team to be given.")
class TeamInput:
    """A team of a client's account (F54)."""

    team: strawberry.ID = strawberry.field(description="The team. In the other clients it means nothing.")
    primary: bool = strawberry.field(default=False, description="Whether it becomes the person's primary team there.")


@strawberry.input(name="WriteOptions", description="How a write is carried out.")
class WriteOptionsInput:
    """The options of every write."""

    dry_run: bool | None = strawberry.field(
        default=False, description="Answers with the exact outcomes and writes nothing."
    )
    atomic: bool | None = strawberry.field(default=False, description="One rejection rejects all.")
    mode: RuleMode | None = strawberry.field(
        default=RuleMode.CLAMP, description="What happens with what lies beyond your own permissions."
    )
    accept_lockout: bool | None = strawberry.field(
        default=False, description="Accepts that a client is left with people but without an active partner admin."
    )
    include_self: bool | None = strawberry.field(default=False, description="Your own access is meant as well.")
    reason: str | None = strawberry.field(default=None, description="Why, for the record: at most 1,000 characters.")
    run_at: datetime | None = strawberry.field(
        default=None,
        description="When it is carried out, at most a year ahead; at once for a moment that has passed. The answer is the operation, "
        "QUEUED, with whom and where fixed now. Whether you may is judged when it runs: what you have lost the authority for by "
        "then is rejected with ACTOR_LOST_AUTHORITY. `Partner.operations` lists what waits, cancelOperation stops it. With "
        "`dryRun`, the outcomes are those of now.",
    )


def access_of(access: RequestedAccessInput | None) -> RequestedAccess | None:
    """Returns the requested access in the words of the resolvers.

    Raises:
        RefusedError: INVALID_INPUT for `defaultSet: false` and for too many permissions.
    """
    if not access:
        return None
    if (set_id := given(access.permission_set)) is not None:
        return FromSet(decode_key(str(set_id), "PermissionSet"))
    if (grant_id := given(access.copy_from)) is not None:
        return CopyFrom(decode_key(str(grant_id), "Grant"))
    if (permissions := given(access.permissions)) is not None:
        return FromPermissions(permission_list(permissions, "input", "access", "permissions"))
    if not access.default_set:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "defaultSet can only be true: to leave it out, choose another form of access.",
            "input",
            "access",
            "defaultSet",
        )
    return DefaultSet()


def permission_list(permissions: list[PermissionInput], *field: str) -> tuple[tuple[str, PermissionLevel], ...]:
    """Returns listed permissions in the words of the resolvers.

    Raises:
        RefusedError: INVALID_INPUT for too many.
    """
    if len(permissions) > MOST_PERMISSIONS:
        raise refuse(RefusalCode.INVALID_INPUT, f"List at most {MOST_PERMISSIONS} permissions.", *field)
    return tuple((permission.permission, permission.level) for permission in permissions)


def teams_of(teams: Any) -> tuple[TeamRequest, ...] | None:
    """Returns the teams in the words of the resolvers; None if none were mentioned.

    Raises:
        RefusedError: INVALID_INPUT for too many.
    """
    listed: list[TeamInput] | None = given(teams)
    if listed is None:
        return None
    if len(listed) > MOST_TEAMS:
        raise refuse(RefusalCode.INVALID_INPUT, f"List at most {MOST_TEAMS:,} teams.", "input", "teams")
    return tuple(TeamRequest(decode_key(str(team.team), "Team"), team.primary) for team in listed)


def options_of(options: WriteOptionsInput | None) -> WriteOptions:
    """Returns the options in the words of the resolvers.

    Raises:
        RefusedError: INVALID_INPUT for a reason that is too long or holds control characters, and for a moment too far ahead.
    """
    if not options:
        return WriteOptions()
    with refusing_at("The reason", "input", "options", "reason"):
        reason = several_lines(options.reason or "", LONGEST_REASON)
    return WriteOptions(
        dry_run=bool(options.dry_run),
        atomic=bool(options.atomic),
        mode=options.mode or RuleMode.CLAMP,
        accept_lockout=bool(options.accept_lockout),
        include_self=bool(options.include_self),
        reason=reason or None,
        run_at=time_ahead(options.run_at, "input", "options", "runAt"),
    )
