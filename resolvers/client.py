"""Clients: accounts as one partner knows them (F19 to F23, F29)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import FromClause, Select, and_, func, select

from models.account import AccountType, accounts
from models.client import clients
from models.grant import AccessType, GrantStatus, grants, unexpired
from models.partner import partners
from models.table import now
from resolvers.client_filter import ClientFilter, client_conditions
from resolvers.client_order import BY_NAME
from resolvers.error import InputError
from resolvers.hub_id import hub_id_number
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_clients
from resolvers.reader import Reader
from resolvers.viewer import Viewer

_OWN = grants.alias("own_grant")


@dataclass(slots=True, eq=False)
class ClientRecord:
    """A client with the viewer's own access type there and the counts of this partner's people (T2, R15)."""

    id: int
    partner_id: int
    account_id: int
    hub_id: int
    display_name: str
    official_name: str
    domain: str | None
    account_type: AccountType
    viewer_access_type: AccessType
    total_employees: int
    deactivated_employees: int
    managed_amount: Decimal | None
    sold_amount: Decimal | None
    currency: str | None
    lead_id: int | None
    since: datetime
    confirmed_at: datetime | None


def _columns(viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    is_own = and_(
        _OWN.c.client_id == rows.c.id,
        _OWN.c.member_id.in_([membership.member_id for membership in viewer.memberships]),
        _OWN.c.ended == 0,
        _OWN.c.status == GrantStatus.ACTIVE,
        unexpired(_OWN, now()),
    )
    joined = source.join(accounts, accounts.c.id == rows.c.account_id).outerjoin(_OWN, is_own)
    return select(
        rows.c.id,
        rows.c.partner_id,
        rows.c.account_id,
        accounts.c.hub_id,
        func.coalesce(rows.c.display_name, accounts.c.official_name),
        accounts.c.official_name,
        accounts.c.domain,
        accounts.c.account_type,
        func.coalesce(_OWN.c.access_type, AccessType.NONE.value),
        rows.c.active_people,
        rows.c.deactivated_people,
        rows.c.managed_mrr,
        rows.c.sold_mrr,
        rows.c.currency,
        rows.c.lead_id,
        rows.c.since,
        rows.c.confirmed_at,
    ).select_from(joined)


_CLIENTS = Projection(clients, _columns, ClientRecord)


async def clients_by_id(reader: Reader, keys: Sequence[int]) -> list[ClientRecord | None]:
    """Returns the clients with these keys; None for those the viewer does not know of (T1)."""
    return await _CLIENTS.by_key(reader, readable_clients(reader.viewer), keys)


async def client_by_hub_id(reader: Reader, hub_id: str, partner_id: int | None = None) -> ClientRecord | None:
    """Returns the client whose account has this Hub ID, None for what the viewer does not know of (T1).

    Raises:
        InputError: if several of the viewer's partners have it as a client and none of them is named.
    """
    number = hub_id_number(hub_id)
    if number is None:
        return None
    account = select(accounts.c.id).where(accounts.c.hub_id == number)
    chosen = readable_clients(reader.viewer).where(clients.c.account_id.in_(account))
    if partner_id is not None:
        chosen = chosen.where(clients.c.partner_id == partner_id)
    found = await _CLIENTS.records(reader, chosen)
    if len(found) > 1:
        raise InputError("Several of your partners have this client: say which partner with the argument partner.")
    return found[0] if found else None


async def clients_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    search: str | None = None,
    filter: ClientFilter | None = None,  # noqa: A002 the argument's name in the API
    order: Order = BY_NAME,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ClientRecord]]:
    """Returns one page of each partner's clients, those without any access included (F21)."""
    choice = _choice(reader, search, filter).where(clients.c.partner_id == partners.c.id)
    return await _CLIENTS.pages(reader, partners, [parent.id for parent in parents], choice, order=order, request=page)


async def client_totals_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    search: str | None = None,
    filter: ClientFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many clients each partner has in such a list."""
    keys = [parent.id for parent in parents]
    return await totals(reader, clients.c.partner_id, keys, _choice(reader, search, filter))


def _choice(reader: Reader, search: str | None, filter_: ClientFilter | None) -> Select[Any]:
    return readable_clients(reader.viewer).where(*client_conditions(reader.viewer, filter_, search))
