"""Why access that has expired is still there (P04)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from models.expiry import expiry_holds
from models.grant import grants
from resolvers.grant import GrantRecord
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.readable import readable_grants
from resolvers.reader import Reader

_MESSAGES = MESSAGES | {
    OutcomeCode.INTERNAL_ERROR: (
        "There was an error in the service, which is in its log. It tries again after a day; until then the access counts for nothing, "
        "and can be extended, deactivated or removed. If it goes on, tell whoever runs the service."
    ),
}


@dataclass(slots=True, eq=False)
class ExpiryHoldRecord:
    """The reason for which a grant stays."""

    code: OutcomeCode
    at: datetime

    @property
    def message(self) -> str:
        """Returns what to do about it."""
        return _MESSAGES[self.code]


async def expiry_holds_by_grant(reader: Reader, parents: Sequence[GrantRecord]) -> list[ExpiryHoldRecord | None]:
    """Returns why each grant stays although it has expired; None for all others."""
    hold = expiry_holds.c
    statement = (
        select(hold.grant_id, hold.code, hold.at)
        .join(grants, grants.c.id == hold.grant_id)
        .where(hold.grant_id.in_({parent.id for parent in parents}), hold.grant_id.in_(readable_grants(reader.viewer)))
        .where(grants.c.ended == 0, grants.c.expires_at == hold.expires_at)
    )
    found = {row.grant_id: ExpiryHoldRecord(OutcomeCode(row.code), row.at) for row in await reader.rows(statement)}
    return [found.get(parent.id) for parent in parents]
