"""Template lockdowns: where access is given by permission sets only (P27)."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.account import decides_by_account, must_decide
from resolvers.lockdown.exception import (
    exception_totals_by_lockdown,
    exceptions_by_lockdown,
    people_by_lockdown,
    people_totals_by_lockdown,
)
from resolvers.lockdown.record import LockdownRecord, lockdowns_by_id, sets_by_lockdown
from resolvers.permission_set import permission_sets_by_id
from resolvers.user import users_by_id
from schema.connection import After, Before, First, Last, connection, requested
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.grant import GrantConnection
from schema.node import Node
from schema.permission_set import PermissionSet
from schema.record import shown, shown_all, shows
from schema.user import User

if TYPE_CHECKING:
    from schema.account import AccountPersonConnection


class LockdownOwner(StrEnum):
    """The two who can."""

    PARTNER = "PARTNER"
    CLIENT = "CLIENT"


described(
    LockdownOwner,
    "Who has locked access to permission sets.",
    PARTNER="The agency, for all of its clients.",
    CLIENT="The client, for all agencies that work in its account.",
)


@shows(LockdownRecord, lockdowns_by_id)
@strawberry.type(
    description="Lets access be given by permission sets only: a grant is exactly what its set contains. Whatever else is asked "
    "for, or could be given only in part, is rejected with LOCKED_TO_SETS. What was there before stays as it is, and is listed."
)
class TemplateLockdown(Node):
    """A lockdown, in force or ended."""

    record: strawberry.Private[LockdownRecord]
    reason: str | None = column("Why, in the words of who locked it.")
    since: datetime = column("When it was locked.")
    ended_at: datetime | None = column("When it ended; null while it is in force.")

    @field("Whose it is: the agency's for all of its clients, or the client's for everybody who works in its account.")
    def owned_by(self) -> LockdownOwner:
        """Returns who has locked it."""
        return LockdownOwner.CLIENT if self.record.partner_id is None else LockdownOwner.PARTNER

    @field("Who locked it; null if it was not a person you may know of.")
    async def set_by(self, info: Info) -> User | None:
        """Returns the person."""
        return await self._person(info, self.record.set_by_id)

    @field("Who ended it; null while it is in force, and if it was not a person you may know of.")
    async def ended_by(self, info: Info) -> User | None:
        """Returns the person."""
        return await self._person(info, self.record.ended_by_id)

    @field("The only permission sets that may be given; null for all that can be used there.")
    async def permission_sets(self, info: Info) -> list[PermissionSet] | None:
        """Returns the sets that the viewer knows of."""
        keys = await info.context.load(sets_by_lockdown, self.record)
        if keys is None:
            return None
        records = await asyncio.gather(*(info.context.load(permission_sets_by_id, key) for key in keys))
        found: list[PermissionSet] = shown_all([record for record in records if record is not None])
        return found

    @field(
        "Access of your partner's people that could not be given so now: it differs from its set, came from none, or from one that "
        "may not be given. Change it to a set to bring it into line."
    )
    async def exceptions(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> GrantConnection:
        """Returns one page of the grants."""
        load, page = info.context.load, requested(first, after, last, before)
        found: GrantConnection = connection(
            await load(exceptions_by_lockdown, self.record, page=page),
            lambda: load(exception_totals_by_lockdown, self.record),
        )
        return found

    @field("The same of all agencies, for those who decide for the account whose lockdown it is.")
    async def people(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["AccountPersonConnection", strawberry.lazy("schema.account")]:
        """Returns one page of the people."""
        load, page = info.context.load, requested(first, after, last, before)
        must_decide(await load(decides_by_account, self.record.account_id or 0))
        found: AccountPersonConnection = connection(
            await load(people_by_lockdown, self.record, page=page), lambda: load(people_totals_by_lockdown, self.record)
        )
        return found

    async def _person(self, info: Info, key: int | None) -> User | None:
        """Returns a person of the partner's; which of a client's people it was is the client's own (T1)."""
        if key is None or self.record.partner_id is None:
            return None
        found: User | None = shown(await info.context.load(users_by_id, key))
        return found
