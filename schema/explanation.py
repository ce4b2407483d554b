"""Explanations: why somebody has a permission in a client, or what is missing (P11)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import strawberry

from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.permission import Permission as PermissionRow
from resolvers.client import clients_by_id
from resolvers.explanation.account import Account, Given, Hindered, Obstacle, account_of
from resolvers.explanation.attempt import Attempt, attempts_by_pair, last_attempt
from resolvers.explanation.fact import Step
from resolvers.explanation.history import GrantHistory, entries_of_history
from resolvers.explanation.set_version import SetVersionRecord, set_versions_by_id
from resolvers.explanation.subject import named_permission
from resolvers.grant import grants_by_id
from resolvers.member import members_by_id
from resolvers.operation.record import operations_by_id
from resolvers.permission_set import permission_sets_by_id
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.node import decode_text
from schema.permission import Permission
from schema.permission_set import PermissionSet
from schema.record import shown, shows
from schema.timeline import TimelineEntry

if TYPE_CHECKING:
    from schema.client import Client
    from schema.grant import Grant
    from schema.member import Member
    from schema.operation import Operation
    from schema.outcome import Outcome

PermissionArgument: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description="The permission: its id, or its key, such as `contacts.view`.")
]

MESSAGES = {
    Obstacle.NO_GRANT: "The person has never had access to this client: a partner admin there can give it with grantAccess.",
    Obstacle.MEMBER_LEFT: "The person has left the agency, and whoever leaves loses all access.",
    Obstacle.REMOVED: "The access was removed. A partner admin there can give it anew with grantAccess.",
    Obstacle.DEACTIVATED: "The access is deactivated and counts for nothing. A partner admin there can reactivate it.",
    Obstacle.EXPIRED: "The access has expired. A partner admin there can extend it: changeAccess with a later expiresAt.",
    Obstacle.NOT_REQUESTED: "No change of this access gave it. Where somebody asked for it in vain, lastAttempt says why.",
    Obstacle.WITHHELD: "It was asked for and not given: what who asked had there, or the client's ceiling, did not reach so far. See "
    "client.whoCould.",
    Obstacle.DROPPED: "It was left out of a copy, because the client does not have the product tier for it.",
    Obstacle.REVOKED: "It was given once, and taken by this change.",
    Obstacle.NEVER_DELEGABLE: "Only a super admin of the account ever has it: nobody can give it here.",
    Obstacle.CEILING: "The client allows your agency's people less than that here: only the client can raise the ceiling.",
    Obstacle.SEAT: "The seat does not let it through: another seat would.",
    Obstacle.TIER: "The client does not have the product tier for it: it counts as soon as it has.",
    Obstacle.REQUIREMENT: "Something that it requires does not count here, because of the seat or the product tier.",
}

described(
    Obstacle,
    "Why a level of a permission does not count for somebody in a client. More may come.",
    **{obstacle.value: message for obstacle, message in MESSAGES.items()},
)


@strawberry.type(description="Levels of a permission that somebody holds, and the change that gave them.")
class PermissionSource:
    """Where levels of a permission come from."""

    key: strawberry.Private[str]
    given: strawberry.Private[Given]
    history: strawberry.Private[GrantHistory]

    @property
    def _step(self) -> Step:
        return self.history.steps[self.given.step]

    @field("The highest level that the change gave.")
    def level(self) -> PermissionLevel:
        """Returns the level."""
        return self.given.run.level

    @field("Only what lies above this level is meant.")
    def above(self) -> PermissionLevel:
        """Returns the level below the run."""
        return self.given.run.above

    @field("The change: who asked, when and why, as what kind of operation, and all that came with it.")
    async def change(self, info: Info) -> TimelineEntry:
        """Returns the timeline's entry."""
        return await _entry(info, self.history, self.given.step)

    @field("The permission set that was given with the change, if it was one you may know of.")
    async def permission_set(self, info: Info) -> PermissionSet | None:
        """Returns the set."""
        version = await self._set_version(info)
        found: PermissionSet | None = (
            None if version is None else shown(await info.context.load(permission_sets_by_id, version.set_id))
        )
        return found

    @field("The version of that set.")
    async def permission_set_version(self, info: Info) -> int | None:
        """Returns the version (P12)."""
        version = await self._set_version(info)
        return None if version is None else version.version

    @field("The level that this version of the set contains. If it is another one, the access was customised.")
    async def set_level(self, info: Info) -> PermissionLevel | None:
        """Returns the level of the set (F13)."""
        version = await self._set_version(info)
        return None if version is None else catalogue.level(version.state, self.key)

    @field("The level that was requested; null where the service itself or its operator has made the change.")
    def requested_level(self) -> PermissionLevel | None:
        """Returns R of the rule."""
        requested = self._step.requested
        return None if requested is None else catalogue.level(requested, self.key)

    @field(
        "The level up to which whoever asked could give it there: their own permissions as far as the client's ceiling "
        "allowed, all of it for the client's own people and for a migration. Null where no rule decided."
    )
    def authority_level(self) -> PermissionLevel | None:
        """Returns G of the rule."""
        authority = self._step.authority
        return None if authority is None else catalogue.level(authority, self.key)

    @field("Whether the rule gave or left another level than the one that was requested.")
    def clamped(self) -> bool:
        """Says whether the rule held the request back (F32, F33)."""
        requested = self.requested_level()
        return requested is not None and requested is not catalogue.level(self._step.after, self.key)

    @field(
        "The latest change since then that did not ask for these levels, and left them because who asked could not take them."
    )
    async def kept_by(self, info: Info) -> TimelineEntry | None:
        """Returns the change that retained them (F33)."""
        return None if self.given.kept is None else await _entry(info, self.history, self.given.kept)

    async def _set_version(self, info: Info) -> SetVersionRecord | None:
        key = self._step.set_version_id
        return None if key is None else await info.context.load(set_versions_by_id, key)


@strawberry.type(description="Levels of a permission that do not count for somebody, and why.")
class PermissionObstacle:
    """What is missing."""

    hindered: strawberry.Private[Hindered]
    history: strawberry.Private[GrantHistory]

    @field("Why, for programs.")
    def reason(self) -> Obstacle:
        """Returns the reason."""
        return self.hindered.obstacle

    @field("Why, for people, and what can be done.")
    def message(self) -> str:
        """Returns the reason in words."""
        return MESSAGES[self.hindered.obstacle]

    @field("The highest level that is meant.")
    def level(self) -> PermissionLevel:
        """Returns the level."""
        return self.hindered.run.level

    @field("Only what lies above this level is meant.")
    def above(self) -> PermissionLevel:
        """Returns the level below the run."""
        return self.hindered.run.above

    @field("The change that is to blame, if one is.")
    async def change(self, info: Info) -> TimelineEntry | None:
        """Returns the timeline's entry."""
        return None if self.hindered.step is None else await _entry(info, self.history, self.hindered.step)


@shows(Attempt)
@strawberry.type(description="An outcome by which nothing was given, and the operation in which it was asked for.")
class AccessAttempt:
    """What was tried in vain."""

    record: strawberry.Private[Attempt]
    at: datetime = column("When it was.")

    @field("What became of it: its `code` and `message` say why, and `whoCould` who could have done it.")
    def outcome(self) -> Annotated["Outcome", strawberry.lazy("schema.outcome")]:
        """Returns the outcome."""
        outcome: Outcome = shown(self.record.outcome)
        return outcome

    @field("The operation: who asked, what for, and why.")
    async def operation(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")]:
        """Returns the operation."""
        operation: Operation = shown(await info.context.load(operations_by_id, self.record.operation_id))
        return operation


@strawberry.type(
    description="Why somebody has a permission in a client, at which level, and what stands in the way of more."
)
class PermissionExplanation:
    """The explanation of one permission (P11)."""

    row: strawberry.Private[PermissionRow]
    account: strawberry.Private[Account]
    history: strawberry.Private[GrantHistory]
    client_id: strawberry.Private[int]
    member_id: strawberry.Private[int]

    @field("The permission.")
    def permission(self) -> Permission:
        """Returns the permission."""
        return Permission(record=self.row)

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.client_id))
        return client

    @field("The person.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.member_id))
        return member

    @field(
        "The access that is explained: the present one, else the one that was removed last. Null if there never was any."
    )
    async def grant(self, info: Info) -> Annotated["Grant", strawberry.lazy("schema.grant")] | None:
        """Returns the grant."""
        key = self.history.grant_id
        grant: Grant | None = None if key is None else shown(await info.context.load(grants_by_id, key))
        return grant

    @field("The level that the access contains.")
    def level(self) -> PermissionLevel:
        """Returns the stored level."""
        return self.account.level

    @field("The level that seat and product tiers let through of it, as in `grant.permissions`.")
    def effective_level(self) -> PermissionLevel:
        """Returns the effective level (F11)."""
        return self.account.effective

    @field(
        "The level that the person has there now: the effective one, but NONE while the access does not count at all."
    )
    def level_now(self) -> PermissionLevel:
        """Returns the effective level of access that counts."""
        return self.account.now

    @field("The level that the version of the set contains which was given; null without a set.")
    def set_level(self) -> PermissionLevel | None:
        """Returns the level of the set."""
        return self.account.of_set

    @field("Whether the access contains another level than its version of the set.")
    def customised(self) -> bool:
        """Says whether this permission was customised (F13)."""
        return self.account.of_set not in {None, self.account.level}

    @field(
        "The highest level that the client lets your agency's people be given by now; null if it has set no ceiling."
    )
    def ceiling_level(self) -> PermissionLevel | None:
        """Returns the level of the ceiling (P08)."""
        return self.account.ceiling

    @field("Whether the access lies above the ceiling: what was there before stays until the client enforces it.")
    def exceeds_ceiling(self) -> bool:
        """Says whether the ceiling would hold some of it back by now (E24)."""
        return self.account.exceeds_ceiling

    @field("Where the levels that the access contains come from, the lowest first.")
    def sources(self) -> list[PermissionSource]:
        """Returns the changes that gave them."""
        return [PermissionSource(key=self.row.key, given=given, history=self.history) for given in self.account.given]

    @field(
        "The change since which the access counts again; null if it has counted ever since it was given, or does not."
    )
    async def reactivated_by(self, info: Info) -> TimelineEntry | None:
        """Returns the change that made the access count again."""
        return None if self.account.started is None else await _entry(info, self.history, self.account.started)

    @field("What keeps levels of it from counting; empty if the person has all of it.")
    def obstacles(self) -> list[PermissionObstacle]:
        """Returns what is missing."""
        return [PermissionObstacle(hindered=hindered, history=self.history) for hindered in self.account.hindered]

    @field(
        "Where levels of it do not count: the last time that somebody asked here in vain for access for the person that was, or may "
        "have been, about this permission. Null if nobody has, or if a change since then has given or taken this one; NOT_REQUESTED "
        "and the like say what the changes did."
    )
    async def last_attempt(self, info: Info) -> AccessAttempt | None:
        """Returns what was tried last, and why it failed (P11)."""
        attempts = await info.context.load(attempts_by_pair, (self.client_id, self.member_id))
        return cast("AccessAttempt | None", shown(last_attempt(self.row, self.history, attempts)))


def permission_key(permission: str) -> str:
    """Returns the key of a permission that is named by its id or its key."""
    named = decode_text(permission)
    return named[1] if named is not None and named[0] == "Permission" else permission


def explained(history: GrantHistory, client_id: int, member_id: int, permission: str) -> PermissionExplanation:
    """Returns the explanation of one permission in a history.

    Raises:
        InputError: if there is no such permission.
    """
    row = named_permission(permission_key(permission))
    account = account_of(row, history.place, history.held, history.steps)
    return PermissionExplanation(row=row, account=account, history=history, client_id=client_id, member_id=member_id)


async def _entry(info: Info, history: GrantHistory, step: int) -> TimelineEntry:
    entry: TimelineEntry = shown(await info.context.load(entries_of_history, history.entry_ids[step]))
    return entry
