"""Why a removal that had to be all or nothing was nothing (R8)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, func, select

from models.operation import OutcomeStatus, decisions, operations
from models.outcome import outcomes
from resolvers.error import Refusal, RefusalCode
from resolvers.operation.execute import DryRun
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.operation.record import OperationRecord
from resolvers.readable import readable_operations
from resolvers.reader import Reader

_NOTHING = "Nothing was changed."
_PLACES: dict[OutcomeCode, tuple[RefusalCode, tuple[str, ...]]] = {
    OutcomeCode.LAST_SUPER_ADMIN: (RefusalCode.LAST_SUPER_ADMIN, ("input", "member")),
    OutcomeCode.WOULD_LOCK_OUT: (RefusalCode.WOULD_LOCK_OUT, ("input", "options", "acceptLockout")),
    OutcomeCode.STALE_REVIEW: (RefusalCode.STALE_REVIEW, ("input", "reviewToken")),
    OutcomeCode.REASSIGNEE_NOT_ACTIVE: (RefusalCode.CONFLICT, ("input", "reassign")),
}


async def removal_refusals(reader: Reader, parents: Sequence[OperationRecord]) -> list[list[Refusal]]:
    """Returns all reasons why each operation was not carried out as a whole, the earliest first; none if it was."""
    stored = [parent.id for parent in parents if parent.previewed is None]
    found = await _stored(reader, stored) if stored else {}
    return [
        [
            _refusal(code, count)
            for code, count in (
                found.get(parent.id, {}) if parent.previewed is None else _previewed(parent.previewed)
            ).items()
        ]
        for parent in parents
    ]


async def _stored(reader: Reader, keys: Sequence[int]) -> dict[int, dict[OutcomeCode, int]]:
    """Returns how many of each operation's rejected outcomes have which code."""
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    statement = (
        select(outcomes.c.operation_id, decisions.c.code, func.count())
        .join(decisions, ours)
        .where(outcomes.c.operation_id.in_(readable_operations(reader.viewer).where(operations.c.id.in_(keys))))
        .where(outcomes.c.status == OutcomeStatus.REJECTED.value)
        .where(decisions.c.code != OutcomeCode.ATOMIC_REJECTED.value)
        .group_by(outcomes.c.operation_id, decisions.c.code)
        .order_by(func.min(outcomes.c.position))
    )
    found: dict[int, dict[OutcomeCode, int]] = {}
    rows: Sequence[Any] = await reader.rows(statement)
    for key, code, count in rows:
        found.setdefault(key, {})[OutcomeCode(code)] = count
    return found


def _previewed(dry_run: DryRun) -> dict[OutcomeCode, int]:
    """Returns the same of a dry run."""
    codes = [dry_run.verdicts[number].code for number in dry_run.decisions if _is_rejected(dry_run, number)]
    return Counter(code for code in codes if code is not None and code is not OutcomeCode.ATOMIC_REJECTED)


def _is_rejected(dry_run: DryRun, number: int) -> bool:
    return dry_run.verdicts[number].status is OutcomeStatus.REJECTED


def _refusal(code: OutcomeCode, count: int) -> Refusal:
    """Returns what to tell whoever asked: why, where, and what to do next."""
    refused, place = _PLACES.get(code, (RefusalCode.CONFLICT, ("input", "member")))
    where = "One client" if count == 1 else f"{count:,} clients"
    return Refusal(refused, f"{where} cannot be left. {_advice(code)} {_NOTHING}", place)


def _advice(code: OutcomeCode) -> str:
    if code is OutcomeCode.LAST_SUPER_ADMIN:
        return (
            "The person is the account's only active super admin. Have somebody else made super admin there, then ask again; "
            "leaverReport.lastSuperAdminClients names where."
        )
    if code is OutcomeCode.WOULD_LOCK_OUT:
        return (
            "People would remain without an active partner admin, and nobody could change their access. Make somebody else "
            "partner admin there first (leaverReport.clientsWithoutPartnerAdmin names where and suggests whom), or say "
            "options.acceptLockout: true."
        )
    if code is OutcomeCode.STALE_REVIEW:
        return (
            "Access or assets have changed since the review. Read member.removalReview again, and send its new token."
        )
    return MESSAGES[code]
