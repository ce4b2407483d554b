"""Which rows of an applied matrix were not carried out, for whoever has no console to look at the operation's outcomes."""

from sqlalchemy import and_, select

from models.account import accounts
from models.client import clients
from models.member import members
from models.operation import OutcomeStatus, decisions
from models.outcome import outcomes
from models.user import users
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.readable import readable_operations
from resolvers.reader import Reader

_REFUSED = (OutcomeStatus.REJECTED.value, OutcomeStatus.FAILED.value)


async def refused_rows(reader: Reader, operation_id: int) -> list[tuple[OutcomeStatus, str, int, OutcomeCode]]:
    """Returns what was rejected or failed in an operation, in the order of the rows: whom, where and why."""
    decided = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    statement = (
        select(outcomes.c.status, users.c.email, accounts.c.hub_id, decisions.c.code)
        .join(decisions, decided)
        .join(members, members.c.id == outcomes.c.member_id)
        .join(users, users.c.id == members.c.user_id)
        .join(clients, clients.c.id == outcomes.c.client_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(outcomes.c.operation_id == operation_id, outcomes.c.status.in_(_REFUSED))
        .where(outcomes.c.operation_id.in_(readable_operations(reader.viewer)))
        .order_by(outcomes.c.position)
    )
    return [
        (OutcomeStatus(row.status), row.email, row.hub_id, OutcomeCode(row.code))
        for row in await reader.rows(statement)
    ]
