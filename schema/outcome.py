"""What became of each person and client of an operation."""

import asyncio
from enum import StrEnum

import strawberry

from models.operation import OutcomeStatus
from models.permission.level import PermissionLevel
from resolvers.asset import asset_transfers_by_outcome
from resolvers.client import clients_by_id
from resolvers.grant import grants_by_id
from resolvers.hand_off.capability import who_could_by_outcome
from resolvers.member import members_by_id
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.outcome import OutcomeRecord, not_in_tier_by_outcome
from resolvers.permission import permissions_at_level
from resolvers.team import teams_by_id
from schema.asset import AssetTransfer
from schema.client import Client
from schema.connection import Connection
from schema.context import Info
from schema.enum import described
from schema.field import field
from schema.grant import Grant
from schema.member import Member
from schema.permission import Permission, PermissionAtLevel
from schema.record import shown, shown_all, shows
from schema.team import Team
from schema.who_could import listed_members

described(
    OutcomeStatus,
    "What became of one person in one client.",
    PENDING="Still waits.",
    APPLIED="Was carried out.",
    NOOP="Needed no change.",
    REJECTED="Was refused; the code says why.",
    FAILED="Went wrong; a retry may succeed.",
)


@strawberry.enum(description="Why a permission stayed although it was not requested.")
class RetainedReason(StrEnum):
    """The two reasons for which the bounded rule retains (spec 2.2)."""

    ACTOR_LACKS_IT = "ACTOR_LACKS_IT"
    REQUIRED_BY_RETAINED = "REQUIRED_BY_RETAINED"


described(
    RetainedReason,
    "Why a permission stayed although it was not requested.",
    ACTOR_LACKS_IT="Who asked does not have it, so cannot take it.",
    REQUIRED_BY_RETAINED="Something else that stayed requires it.",
)


@strawberry.type(description="A permission that stayed although it was not requested.")
class RetainedPermission:
    """A permission at a level that the bounded rule retains."""

    permission: Permission = strawberry.field(description="The permission.")
    level: PermissionLevel = strawberry.field(description="The highest level of it that stayed.")
    above: PermissionLevel = strawberry.field(description="Only what lies above this level is meant.")
    reason: RetainedReason = strawberry.field(description="Why it stayed.")


@shows(OutcomeRecord)
@strawberry.type(description="One person in one client of an operation, and what became of it.")
class Outcome:
    """An outcome (P01, N01)."""

    record: strawberry.Private[OutcomeRecord]

    @field("The client.")
    async def client(self, info: Info) -> Client:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("The person.")
    async def member(self, info: Info) -> Member:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The grant as it is now; null where there was none and none was made.")
    async def grant(self, info: Info) -> Grant | None:
        """Returns the grant."""
        key = self.record.grant_id
        grant: Grant | None = None if key is None else shown(await info.context.load(grants_by_id, key))
        return grant

    @field("What became of it.")
    def status(self) -> OutcomeStatus:
        """Returns the status."""
        return self.record.decision.status

    @field("Why it was rejected or changed nothing; null where it was carried out.")
    def code(self) -> OutcomeCode | None:
        """Returns the code."""
        return self.record.decision.code

    @field("The code in words: what happened and what to do next.")
    def message(self) -> str | None:
        """Returns the message of the code."""
        return self.record.decision.code and MESSAGES[self.record.decision.code]

    @field("What the person has now and had not before.")
    def granted(self) -> list[PermissionAtLevel]:
        """Returns P′ without P."""
        return _listed(self.record.granted)

    @field("What the person had before and has no more.")
    def revoked(self) -> list[PermissionAtLevel]:
        """Returns P without P′."""
        return _listed(self.record.revoked)

    @field("What was requested and not given, because who asked does not have it themselves.")
    def withheld(self) -> list[PermissionAtLevel]:
        """Returns (R without P) without G (F32)."""
        return _listed(self.record.change.withheld)

    @field("What was not requested and stayed all the same, with the reason.")
    def retained(self) -> list[RetainedPermission]:
        """Returns P′ without R (F33)."""
        change = self.record.change
        return [
            RetainedPermission(
                permission=Permission(record=at.permission), level=at.level, above=at.above, reason=reason
            )
            for atoms, reason in (
                (change.retained_actor_lacks, RetainedReason.ACTOR_LACKS_IT),
                (change.retained_required, RetainedReason.REQUIRED_BY_RETAINED),
            )
            for at in permissions_at_level(atoms)
        ]

    @field(
        "The colleagues who could do all that was left undone here, by name: what was withheld or retained, or all of it where you "
        "are no partner admin, have too little, or may not give a team. Each is judged as if they asked for it now, by all the rules "
        "that hold for that. See handOffOperation."
    )
    async def who_could(self, info: Info) -> list[Member]:
        """Returns those who could (N02)."""
        return await listed_members(info, await info.context.load(who_could_by_outcome, self.record))

    @field("What the copied grant has and this client cannot have, because it lacks the product tier.")
    def dropped(self) -> list[PermissionAtLevel]:
        """Returns what a copy left out (E27)."""
        return _listed(self.record.decision.dropped)

    @field("The copied grant's teams that this client does not have.")
    async def dropped_teams(self, info: Info) -> list[Team]:
        """Returns the teams that a copy left out (E27)."""
        loads = [info.context.load(teams_by_id, key) for key in self.record.decision.dropped_teams]
        found: list[Team] = shown_all([team for team in await asyncio.gather(*loads) if team is not None])
        return found

    @field("What of the granted counts for nothing until the client has the product tier for it.")
    async def not_in_tier(self, info: Info) -> list[PermissionAtLevel]:
        """Returns what is stored with the effective level NONE (E20)."""
        return _listed(await info.context.load(not_in_tier_by_outcome, self.record))

    @field("Where access was removed: what became of the person's assets there, by kind.")
    async def asset_transfers(self, info: Info) -> list[AssetTransfer]:
        """Returns what became of the assets (F39, P15)."""
        found: list[AssetTransfer] = shown_all(await info.context.load(asset_transfers_by_outcome, self.record))
        return found


def _listed(atoms: int) -> list[PermissionAtLevel]:
    listed: list[PermissionAtLevel] = shown_all(permissions_at_level(atoms))
    return listed


@strawberry.type(description="One page of the outcomes of an operation, in the order of the request.")
class OutcomeConnection(Connection[Outcome]):
    """A page of outcomes."""
