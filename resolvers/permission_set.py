"""Permission sets as a viewer finds them (F13, P12)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, and_, or_, select

from models.account import accounts
from models.partner import partners
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from models.permission_state import permission_states
from resolvers.client import ClientRecord
from resolvers.client_set.editor import reads_sets_by_account
from resolvers.cursor import SortKind
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_account_sets, readable_permission_sets
from resolvers.reader import Reader
from resolvers.search import contains
from resolvers.viewer import Viewer

_PRESENT = permission_set_versions.alias("present_version")


@dataclass(slots=True, eq=False)
class PermissionSetRecord:
    """A set at its present version."""

    id: int
    origin: PermissionSetOrigin
    partner_id: int | None
    account_id: int | None
    name: str
    description: str
    version: int
    content: str

    @property
    def state(self) -> State:
        """Returns what the set contains."""
        return catalogue.decode(self.content)

    @property
    def is_partner_admin(self) -> bool:
        """Says whether whoever gets the set becomes a partner admin (F08)."""
        return bool(self.state & catalogue.partner_admin)


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    is_present = and_(_PRESENT.c.set_id == rows.c.id, _PRESENT.c.version == rows.c.version)
    return select(
        rows.c.id,
        rows.c.origin,
        rows.c.partner_id,
        rows.c.account_id,
        rows.c.name,
        rows.c.description,
        rows.c.version,
        permission_states.c.content,
    ).select_from(
        source.join(_PRESENT, is_present).join(permission_states, permission_states.c.id == _PRESENT.c.state_id)
    )


_SETS = Projection(permission_sets, _columns, PermissionSetRecord)
_ORDER = Order("permission_set", SortKind.KEY, lambda rows: rows.c.id)


async def permission_sets_by_id(reader: Reader, keys: Sequence[int]) -> list[PermissionSetRecord | None]:
    """Returns the sets with these keys, archived or not; None for those the viewer does not know of (T1)."""
    found = await _SETS.by_key(reader, readable_permission_sets(reader.viewer), keys)
    if None not in found or not reader.viewer.account_ids:
        return found
    own = await _SETS.by_key(reader, readable_account_sets(reader.viewer), keys)
    reads = await reads_sets_by_account(reader, [record.account_id or 0 if record else 0 for record in own])
    return [
        known or (record if record and (may or record.account_id is None) else None)
        for known, record, may in zip(found, own, reads, strict=True)
    ]


async def permission_sets_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    search: str | None = None,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PermissionSetRecord]]:
    """Returns one page of what each partner can use: the built-in sets, then its own in the order of their making."""
    own = or_(permission_sets.c.origin == PermissionSetOrigin.BUILT_IN, permission_sets.c.partner_id == partners.c.id)
    keys = [parent.id for parent in parents]
    return await _SETS.pages(reader, partners, keys, _choice(reader, search).where(own), order=_ORDER, request=page)


async def permission_set_totals_by_partner(
    reader: Reader, parents: Sequence[PartnerRecord], *, search: str | None = None
) -> list[int]:
    """Returns how many sets each partner has in such a list, with one statement for both owners."""
    keys = [parent.id for parent in parents]
    shared = permission_sets.c.origin == PermissionSetOrigin.BUILT_IN
    choice = _choice(reader, search).join(partners, or_(shared, permission_sets.c.partner_id == partners.c.id))
    return await totals(reader, partners.c.id, keys, choice)


async def permission_sets_by_client(reader: Reader, parents: Sequence[ClientRecord]) -> list[list[PermissionSetRecord]]:
    """Returns what can be used in each client: the built-in sets, the partner's and the client's own (F49)."""
    usable = or_(
        permission_sets.c.origin == PermissionSetOrigin.BUILT_IN,
        permission_sets.c.partner_id.in_({parent.partner_id for parent in parents}),
        permission_sets.c.account_id.in_({parent.account_id for parent in parents}),
    )
    found = await _SETS.records(reader, _choice(reader, None).where(usable))
    return [
        [
            record
            for record in found
            if record.partner_id in {None, parent.partner_id} and record.account_id in {None, parent.account_id}
        ]
        for parent in parents
    ]


async def permission_sets_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    search: str | None = None,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PermissionSetRecord]]:
    """Returns one page of each account's own sets; the caller has made sure that the viewer may look at them (F49)."""
    choice = _own_choice(reader, search).where(permission_sets.c.account_id == accounts.c.id)
    return await _SETS.pages(reader, accounts, parents, choice, order=_ORDER, request=page)


async def permission_set_totals_by_account(
    reader: Reader, parents: Sequence[int], *, search: str | None = None
) -> list[int]:
    """Returns how many sets each account has in such a list."""
    return await totals(reader, permission_sets.c.account_id, parents, _own_choice(reader, search))


def _own_choice(reader: Reader, search: str | None) -> Select[Any]:
    choice = readable_account_sets(reader.viewer).where(permission_sets.c.archived_at.is_(None))
    return choice if search is None else choice.where(contains(permission_sets.c.name_key, search))


def _choice(reader: Reader, search: str | None) -> Select[Any]:
    choice = readable_permission_sets(reader.viewer).where(permission_sets.c.archived_at.is_(None))
    return choice if search is None else choice.where(contains(permission_sets.c.name_key, search))
