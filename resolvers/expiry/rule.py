"""What a partner has decided about the end of access: how long it lasts at most, what becomes of it, who hears before (P04)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from models.database import Database
from models.dialect import insert_or_ignore
from models.expiry import REMIND_DAYS, ExpiryAction, expiry_rules
from models.partner import partners
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.client_edit import KEEP, Keep
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_partners
from resolvers.reader import Reader
from resolvers.viewer import Viewer

MOST_DAYS = 3_650
MOST_REMINDERS = 5
FARTHEST_REMINDER = 90


@dataclass(slots=True, eq=False)
class ExpiryRuleRecord:
    """A partner's decision, or what holds without one."""

    longest_days: int | None
    action: ExpiryAction
    remind_days: tuple[int, ...]
    set_by_id: int | None
    """Who decided it last; None as long as nobody has."""
    set_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExpiryRulePatch:
    """What is to change; KEEP and None leave it as it is, but a None for ``longest_days`` ends the limit."""

    longest_days: int | Keep | None = KEEP
    action: ExpiryAction | None = None
    remind_days: tuple[int, ...] | None = None

    def values(self) -> dict[str, Any]:
        """Returns the columns that change.

        Raises:
            RefusedError: INVALID_INPUT, for what is out of range.
        """
        values: dict[str, Any] = {}
        if not isinstance(self.longest_days, Keep):
            values["longest_days"] = checked_days(self.longest_days, "input", "longestDays")
        if self.action is not None:
            values["action"] = self.action.value
        if self.remind_days is not None:
            values["remind_days"] = " ".join(map(str, self._reminders(self.remind_days)))
        return values

    @staticmethod
    def _reminders(asked: Sequence[int]) -> list[int]:
        days = sorted(set(asked), reverse=True)
        if len(days) > MOST_REMINDERS or any(not 1 <= number <= FARTHEST_REMINDER for number in days):
            raise refuse(
                RefusalCode.INVALID_INPUT,
                f"Choose at most {MOST_REMINDERS} different numbers from 1 to {FARTHEST_REMINDER}; none for no reminders.",
                "input",
                "remindDays",
            )
        return days


def checked_days(days: int | None, *field: str) -> int | None:
    """Returns a limit, if it can be one.

    Raises:
        RefusedError: INVALID_INPUT.
    """
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise refuse(RefusalCode.INVALID_INPUT, f"Choose from 1 to {MOST_DAYS:,} days, or null for no limit.", *field)
    return days


async def set_expiry_rule(
    database: Database, viewer: Viewer, partner_id: int, patch: ExpiryRulePatch, call: IdempotentCall | None = None
) -> int:
    """Changes a partner's rule and returns the partner's key; access that is there keeps its end.

    Only the partner account's super admins: a limit that everybody with EDIT could lift would limit nobody.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER (F01), INVALID_INPUT.
    """
    values = patch.values()
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        if not await check_acting(connection, viewer, partner_id):
            raise refuse(
                RefusalCode.FORBIDDEN, "Only a super admin of the partner account decides about the end of access."
            )
        default = {"partner_id": partner_id, "action": ExpiryAction.DEACTIVATE.value, "remind_days": REMIND_DAYS}
        await connection.execute(insert_or_ignore(connection, expiry_rules).values(default))
        if values:
            ours = expiry_rules.c.partner_id == partner_id
            trace = {"set_by_id": viewer.user_id, "set_at": now()}
            await connection.execute(update(expiry_rules).where(ours).values(values | trace))
        await remember(session, call, partner_id)
    return partner_id


async def expiry_rules_by_partner(reader: Reader, parents: Sequence[PartnerRecord]) -> list[ExpiryRuleRecord]:
    """Returns what each partner has decided."""
    rule = expiry_rules.c
    statement = (
        select(partners.c.id, rule.longest_days, rule.action, rule.remind_days, rule.set_by_id, rule.set_at)
        .outerjoin(expiry_rules, rule.partner_id == partners.c.id)
        .where(partners.c.id.in_({parent.id for parent in parents}))
        .where(partners.c.id.in_(readable_partners(reader.viewer)))
    )
    found = {row.id: _record(row) for row in await reader.rows(statement)}
    return [found[parent.id] for parent in parents]


def _record(row: Any) -> ExpiryRuleRecord:
    reminders = REMIND_DAYS if row.remind_days is None else row.remind_days
    action = ExpiryAction(row.action) if row.action else ExpiryAction.DEACTIVATE
    days = tuple(int(day) for day in reminders.split())
    return ExpiryRuleRecord(row.longest_days, action, days, row.set_by_id, row.set_at)
