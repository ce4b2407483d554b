"""The partners that work in an account, as the client sees them: all of them, none of whom sees another (N08, L9, P08)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Select, func, select

from models.client import clients
from models.grant import grants
from models.partner import PartnerProgram, partners
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_state import permission_states
from models.user import users
from resolvers.account import decides_by_account
from resolvers.page import Projection
from resolvers.readable import readable_account_partners
from resolvers.reader import Reader
from resolvers.viewer import Viewer

_ACCESS = grants.alias("access")


@dataclass(slots=True, eq=False)
class AccountPartnerRecord:
    """The relationship of an account with one partner."""

    id: int
    """The key of the partner's client row."""
    account_id: int
    name: str
    hub_id: int
    program: PartnerProgram
    active_people: int
    deactivated_people: int
    confirmed_at: datetime | None
    since: datetime | None
    """When somebody of the partner first had access; None if nobody ever had."""
    ceiling_content: str | None
    longest_days: int | None
    """For how many days its people are given access at most, as the client has decided (P04)."""
    longest_days_at: datetime | None
    """When that was decided last."""
    longest_days_by: str | None
    """The address of who decided it, one of the account's people then."""

    @property
    def ceiling(self) -> State | None:
        """Returns the most that the partner's people may hold; None for no ceiling (P08)."""
        return None if self.ceiling_content is None else catalogue.decode(self.ceiling_content)


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    first = select(func.min(_ACCESS.c.since)).where(_ACCESS.c.client_id == rows.c.id).correlate(rows)
    joined = source.join(partners, partners.c.id == rows.c.partner_id).outerjoin(
        permission_states, permission_states.c.id == rows.c.ceiling_id
    )
    joined = joined.outerjoin(users, users.c.id == rows.c.longest_days_by_id)
    return select(
        rows.c.id,
        rows.c.account_id,
        partners.c.name,
        partners.c.hub_id,
        partners.c.program,
        rows.c.active_people,
        rows.c.deactivated_people,
        rows.c.confirmed_at,
        first.scalar_subquery(),
        permission_states.c.content,
        rows.c.longest_days,
        rows.c.longest_days_at,
        users.c.email,
    ).select_from(joined)


_PARTNERS = Projection(clients, _columns, AccountPartnerRecord)


async def account_partners_by_id(reader: Reader, keys: Sequence[int]) -> list[AccountPartnerRecord | None]:
    """Returns the relationships with these keys; None for those of accounts for which the viewer does not decide (T1)."""
    found = await _PARTNERS.by_key(reader, readable_account_partners(reader.viewer), keys)
    decides = await decides_by_account(reader, [record.account_id if record else 0 for record in found])
    return [record if may else None for record, may in zip(found, decides, strict=True)]


async def partners_by_account(reader: Reader, parents: Sequence[int]) -> list[list[AccountPartnerRecord]]:
    """Returns the partners of each account by name; the caller has made sure that the viewer decides for it."""
    chosen = readable_account_partners(reader.viewer).where(clients.c.account_id.in_(set(parents)))
    by_account: dict[int, list[AccountPartnerRecord]] = {key: [] for key in parents}
    for record in await _PARTNERS.records(reader, chosen):
        by_account[record.account_id].append(record)
    for found in by_account.values():
        found.sort(key=lambda record: (record.name.casefold(), record.id))
    return [by_account[key] for key in parents]
