"""Who could: colleagues who can do what somebody's own permissions did not allow (N02)."""

import asyncio
from collections.abc import Sequence

import strawberry

from resolvers.hand_off.capability import MOST_GROUPS, Capability, UndoneGroup
from resolvers.member import members_by_id
from resolvers.permission import permissions_at_level
from schema.context import Info
from schema.field import column, field
from schema.member import Member
from schema.permission import PermissionAtLevel
from schema.record import shown_all, shows


async def listed_members(info: Info, keys: Sequence[int]) -> list[Member]:
    """Returns the members with these keys, in their order."""
    records = await asyncio.gather(*(info.context.load(members_by_id, key) for key in keys))
    found: list[Member] = shown_all([record for record in records if record is not None])
    return found


@strawberry.type(description="A colleague, and how much of what an operation has left undone they could do.")
class CapableColleague:
    """One of those who could (N02)."""

    member_id: strawberry.Private[int]
    outcomes: int = strawberry.field(description="How many of the outcomes they could do all of.")

    @field("The colleague.")
    async def member(self, info: Info) -> Member | None:
        """Returns the colleague."""
        return next(iter(await listed_members(info, [self.member_id])), None)


@shows(UndoneGroup)
@strawberry.type(description="Outcomes that have left the same undone, and that the same colleagues could do.")
class UndoneOutcomes:
    """A group of outcomes (N02)."""

    record: strawberry.Private[UndoneGroup]
    outcomes: int = column("How many outcomes these are.")

    @field("What was requested and not given.")
    def withheld(self) -> list[PermissionAtLevel]:
        """Returns what was withheld (F32)."""
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(self.record.undone.withheld))
        return found

    @field("What was not requested and stayed all the same.")
    def retained(self) -> list[PermissionAtLevel]:
        """Returns what was retained (F33)."""
        left = self.record.undone
        atoms = left.retained_actor_lacks | left.retained_required
        found: list[PermissionAtLevel] = shown_all(permissions_at_level(atoms))
        return found

    @field(
        "The colleagues who could do all of it, in each of these clients and for each of these people; empty if nobody could."
    )
    async def members(self, info: Info) -> list[Member]:
        """Returns those who could."""
        return await listed_members(info, self.record.member_ids)


@shows(Capability)
@strawberry.type(
    description="Who could do what an operation has left undone because whoever asked could not: as things stand now."
)
class OperationWhoCould:
    """The answer for a whole operation, whatever its size (N02)."""

    record: strawberry.Private[Capability]
    outcomes: int = column(
        "How many outcomes have left something undone: withheld or retained, or rejected because who asked is no partner admin "
        "there, has too little, or may not give a team. What somebody has changed since, and what nobody at all could do, as where "
        "access is locked to other sets, may not last so long, or would take the last super admin, is not counted."
    )
    by_nobody: int = column("How many of them no colleague could do all of.")

    @field(
        f"The colleagues who could do any of the outcomes wholly, those who could do the most first: at most {MOST_GROUPS}."
    )
    def colleagues(self) -> list[CapableColleague]:
        """Returns those who could."""
        listed = self.record.by_member[:MOST_GROUPS]
        return [CapableColleague(member_id=member_id, outcomes=number) for member_id, number in listed]

    @field(
        f"The outcomes by what they have left undone and by who could do it, the largest groups first: at most {MOST_GROUPS}."
    )
    def groups(self) -> list[UndoneOutcomes]:
        """Returns the groups."""
        found: list[UndoneOutcomes] = shown_all(self.record.groups[:MOST_GROUPS])
        return found
