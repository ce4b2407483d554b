"""The access that does not keep to a lockdown: it was there before, and stays until somebody changes it (P27)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, select

from models.client import clients
from models.grant import grants
from models.template_lockdown import template_lockdowns
from resolvers.account_person import PEOPLE, AccountPersonRecord
from resolvers.cursor import SortKind
from resolvers.grant import GRANTS, GrantRecord
from resolvers.lockdown.record import LockdownRecord, breaks, under
from resolvers.page import Order, Page, PageRequest, totals
from resolvers.readable import readable_account_partners, readable_grants
from resolvers.reader import Reader

_BY_KEY = Order("lockdown_exception", SortKind.KEY, lambda rows: rows.c.id)


async def exceptions_by_lockdown(
    reader: Reader,
    parents: Sequence[LockdownRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[GrantRecord]]:
    """Returns one page of the grants of the viewer's partners that each lockdown would not let be given (T1)."""
    here = select(clients.c.id).where(under(template_lockdowns)).correlate(template_lockdowns)
    choice = readable_grants(reader.viewer).where(grants.c.client_id.in_(here), breaks(template_lockdowns))
    keys = [parent.id for parent in parents]
    return await GRANTS.pages(reader, template_lockdowns, keys, choice, order=_BY_KEY, request=page)


async def exception_totals_by_lockdown(reader: Reader, parents: Sequence[LockdownRecord]) -> list[int]:
    """Returns how many grants each lockdown has in such a list."""
    return await _totals(reader, parents, readable_grants(reader.viewer))


async def people_by_lockdown(
    reader: Reader,
    parents: Sequence[LockdownRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[AccountPersonRecord]]:
    """Returns the same of all partners for the account itself; the caller has made sure that the viewer decides for it."""
    here = select(clients.c.id).where(under(template_lockdowns)).correlate(template_lockdowns)
    choice = _people(reader).where(grants.c.client_id.in_(here), breaks(template_lockdowns))
    keys = [parent.id for parent in parents]
    return await PEOPLE.pages(reader, template_lockdowns, keys, choice, order=_BY_KEY, request=page)


async def people_totals_by_lockdown(reader: Reader, parents: Sequence[LockdownRecord]) -> list[int]:
    """Returns how many people each lockdown has in such a list."""
    return await _totals(reader, parents, _people(reader))


def _people(reader: Reader) -> Select[Any]:
    return select(grants.c.id).where(grants.c.client_id.in_(readable_account_partners(reader.viewer)))


async def _totals(reader: Reader, parents: Sequence[LockdownRecord], choice: Select[Any]) -> list[int]:
    joined = choice.join(clients, clients.c.id == grants.c.client_id).join(
        template_lockdowns, and_(under(template_lockdowns), breaks(template_lockdowns))
    )
    return await totals(reader, template_lockdowns.c.id, [parent.id for parent in parents], joined)
