"""For how long access may be given in a client: what is allowed there, and the client's own part in it (P04)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from models.client import clients
from models.database import Database
from models.expiry import expiry_rules
from models.operation import OperationKind
from models.table import now
from resolvers.client import ClientRecord
from resolvers.client_authority import ClientAnswer, ClientDecision, ClientOrder, decide_as_client
from resolvers.expiry.rule import checked_days
from resolvers.idempotency import IdempotentCall
from resolvers.operation.term import latest_end, shorter
from resolvers.readable import readable_clients
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class AccessLimitRecord:
    """For how long access may be given in a client."""

    days: int
    by_partner: int | None
    by_client: int | None
    latest_end: datetime | None
    """When access ends at the latest that is given now."""


async def access_limits_by_client(reader: Reader, parents: Sequence[ClientRecord]) -> list[AccessLimitRecord | None]:
    """Returns the limit in each client, None where there is none."""
    rule = expiry_rules.c
    statement = (
        select(clients.c.id, rule.longest_days.label("by_partner"), clients.c.longest_days.label("by_client"))
        .outerjoin(expiry_rules, rule.partner_id == clients.c.partner_id)
        .where(clients.c.id.in_({parent.id for parent in parents}), clients.c.id.in_(readable_clients(reader.viewer)))
    )
    at, found = now(), {}
    for row in await reader.rows(statement):
        days = shorter(row.by_partner, row.by_client)
        if days is not None:
            found[row.id] = AccessLimitRecord(days, row.by_partner, row.by_client, latest_end(days, at))
    return [found.get(parent.id) for parent in parents]


async def set_access_limit(
    database: Database, viewer: Viewer, order: ClientOrder, days: int | None, call: IdempotentCall | None = None
) -> ClientAnswer:
    """Sets for how long a partner's people are given access, for the people who decide for the account.

    Access that is there keeps its end: what the client wants to end at once it revokes.

    Raises:
        RefusedError: as ``decide_as_client``; INVALID_INPUT for what is no number of days.
    """
    limit = checked_days(days, "input", "longestDays")

    async def work(decision: ClientDecision) -> ClientAnswer:
        ours = clients.c.id == decision.client.id
        trace = {"longest_days_by_id": viewer.user_id, "longest_days_at": now()}
        await decision.connection.execute(update(clients).where(ours).values(longest_days=limit, **trace))
        return await decision.carry_out(OperationKind.CHANGE, ())

    return await decide_as_client(database, viewer, order, call, work)
