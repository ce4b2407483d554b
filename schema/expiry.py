"""The end of access: what limits it, and what becomes of it."""

from datetime import datetime

import strawberry

from models.expiry import ExpiryAction
from resolvers.expiry.hold import ExpiryHoldRecord
from resolvers.expiry.limit import AccessLimitRecord
from resolvers.expiry.rule import ExpiryRuleRecord
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.user import users_by_id
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.record import shown, shows
from schema.user import User

described(
    ExpiryAction,
    "What becomes of access that has expired. A contractor's is always removed.",
    DEACTIVATE="It is deactivated: a partner admin can extend and then reactivate it.",
    REMOVE="It is removed, and what the person owns there keeps them as former owner. What was deactivated before, by whomever or by "
    "DEACTIVATE, stays so.",
)


@shows(ExpiryRuleRecord)
@strawberry.type(description="What a partner has decided about the end of access.")
class ExpiryRule:
    """A partner's rule (P04)."""

    record: strawberry.Private[ExpiryRuleRecord]
    longest_days: int | None = column("For how many days access is given at most; null for no limit.")
    action: ExpiryAction = column("What becomes of access that has expired.")
    remind_days: list[int] = column(
        "How many days before its end the person, and the client's lead person, are reminded by mail; empty for never."
    )
    set_at: datetime | None = column("When somebody last decided any of this; null as long as nobody has.")

    @field("Who decided it last; null as long as nobody has, and for somebody you may not know of.")
    async def set_by(self, info: Info) -> User | None:
        """Returns the person."""
        key = self.record.set_by_id
        found: User | None = None if key is None else shown(await info.context.load(users_by_id, key))
        return found


@shows(AccessLimitRecord)
@strawberry.type(
    description="For how long access may be given in a client: as the partner or the client allows, the shorter of both."
)
class AccessLimit:
    """A client's limit (P04)."""

    record: strawberry.Private[AccessLimitRecord]
    days: int = column("For how many days.")
    by_partner: int | None = column("For how many days by the partner's own rule; null where it says nothing.")
    by_client: int | None = column("For how many days by the client's decision; null where it says nothing.")
    latest_end: datetime = column("The latest `expiresAt` that can be asked for now; what is left without one gets it.")


@shows(ExpiryHoldRecord)
@strawberry.type(description="Why access that has expired stays.")
class ExpiryHold:
    """A grant that could not be ended (P04)."""

    record: strawberry.Private[ExpiryHoldRecord]
    code: OutcomeCode = column("The reason, for programs.")
    at: datetime = column("When it was to end, and did not.")

    @field("The reason, for people.")
    def message(self) -> str:
        """Returns what to do about it."""
        return self.record.message
