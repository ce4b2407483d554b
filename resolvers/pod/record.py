"""Pods as they are read: their groups, exclusions and cells (P09)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Select, Table, select

from models.client import clients
from models.member import members
from models.partner import partners
from models.pod import pod_cells, pod_clients, pod_exclusions, pod_members, pods
from resolvers import client_order, member_order
from resolvers.client import ClientRecord, clients_by_id
from resolvers.cursor import SortKind
from resolvers.member import MemberRecord, members_by_id
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.pod.hold import is_shown, living_grant, state_of
from resolvers.pod.state import PodCellState
from resolvers.readable import readable_clients, readable_members, readable_pods
from resolvers.reader import Reader
from resolvers.viewer import Viewer

BY_NAME = Order("pod", SortKind.TEXT, lambda rows: rows.c.name_key)
_CELL_ORDER = Order("podCell", SortKind.KEY, lambda rows: rows.c.id)
_EXCLUSION_ORDER = Order("podExclusion", SortKind.KEY, lambda rows: rows.c.id)


@dataclass(slots=True, eq=False)
class PodRecord:
    """A pod."""

    id: int
    partner_id: int
    name: str
    set_id: int
    created_by_id: int
    created_at: datetime


@dataclass(slots=True, eq=False)
class PodCellRecord:
    """A person in a client of a pod."""

    id: int
    client_id: int
    member_id: int
    state: PodCellState
    grant_id: int | None
    """The access that is there, whoever gave it."""


@dataclass(slots=True, eq=False)
class PodExclusionRecord:
    """A person in a client to whom a pod gives nothing."""

    id: int
    client_id: int
    member_id: int


@dataclass(slots=True, eq=False)
class _Id:
    id: int


def _pod_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    names = ("id", "partner_id", "name", "set_id", "created_by_id", "created_at")
    return select(*(rows.c[name] for name in names)).select_from(source)


def _cell_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    columns = (rows.c.id, rows.c.client_id, rows.c.member_id, state_of(rows), living_grant(rows))
    return select(*columns).select_from(source)


def _exclusion_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id, rows.c.client_id, rows.c.member_id).select_from(source)


def _id_column(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id).select_from(source)


def _cell(key: int, client_id: int, member_id: int, state: str, grant_id: int | None) -> PodCellRecord:
    return PodCellRecord(key, client_id, member_id, PodCellState(state), grant_id)


_PODS = Projection(pods, _pod_columns, PodRecord)
_CELLS = Projection(pod_cells, _cell_columns, _cell)
_EXCLUSIONS = Projection(pod_exclusions, _exclusion_columns, PodExclusionRecord)
_CLIENT_IDS = Projection(clients, _id_column, _Id)
_MEMBER_IDS = Projection(members, _id_column, _Id)


async def pods_by_id(reader: Reader, keys: Sequence[int]) -> list[PodRecord | None]:
    """Returns the pods with these keys; None for those the viewer does not know of (T1)."""
    return await _PODS.by_key(reader, readable_pods(reader.viewer), keys)


async def pods_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PodRecord]]:
    """Returns one page of each partner's pods, by name."""
    choice = readable_pods(reader.viewer).where(pods.c.partner_id == partners.c.id)
    keys = [parent.id for parent in parents]
    return await _PODS.pages(reader, partners, keys, choice, order=BY_NAME, request=page)


async def pod_totals_by_partner(reader: Reader, parents: Sequence[PartnerRecord]) -> list[int]:
    """Returns how many pods each partner has."""
    keys = [parent.id for parent in parents]
    return await totals(reader, pods.c.partner_id, keys, readable_pods(reader.viewer))


async def pods_by_client(
    reader: Reader,
    parents: Sequence[ClientRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PodRecord]]:
    """Returns one page of the pods in which each client is, by name."""
    of_client = select(pod_clients.c.pod_id).where(pod_clients.c.client_id == clients.c.id).correlate(clients)
    choice = readable_pods(reader.viewer).where(pods.c.id.in_(of_client))
    keys = [parent.id for parent in parents]
    return await _PODS.pages(reader, clients, keys, choice, order=BY_NAME, request=page)


async def pod_totals_by_client(reader: Reader, parents: Sequence[ClientRecord]) -> list[int]:
    """Returns in how many pods each client is."""
    choice = readable_pods(reader.viewer).join(pod_clients, pod_clients.c.pod_id == pods.c.id)
    return await totals(reader, pod_clients.c.client_id, [parent.id for parent in parents], choice)


async def pods_by_member(
    reader: Reader,
    parents: Sequence[MemberRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PodRecord]]:
    """Returns one page of the pods in which each person is, by name."""
    of_member = select(pod_members.c.pod_id).where(pod_members.c.member_id == members.c.id).correlate(members)
    choice = readable_pods(reader.viewer).where(pods.c.id.in_(of_member))
    keys = [parent.id for parent in parents]
    return await _PODS.pages(reader, members, keys, choice, order=BY_NAME, request=page)


async def pod_totals_by_member(reader: Reader, parents: Sequence[MemberRecord]) -> list[int]:
    """Returns in how many pods each person is."""
    choice = readable_pods(reader.viewer).join(pod_members, pod_members.c.pod_id == pods.c.id)
    return await totals(reader, pod_members.c.member_id, [parent.id for parent in parents], choice)


async def clients_by_pod(
    reader: Reader,
    parents: Sequence[PodRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ClientRecord]]:
    """Returns one page of each pod's clients, by name."""
    of_pod = select(pod_clients.c.client_id).where(pod_clients.c.pod_id == pods.c.id).correlate(pods)
    choice = readable_clients(reader.viewer).where(clients.c.id.in_(of_pod))
    keys = [parent.id for parent in parents]
    pages = await _CLIENT_IDS.pages(reader, pods, keys, choice, order=client_order.BY_NAME, request=page)
    found = await clients_by_id(reader, [item.id for listed in pages for item in listed.items])
    return _filled(pages, {record.id: record for record in found if record is not None})


async def members_by_pod(
    reader: Reader,
    parents: Sequence[PodRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[MemberRecord]]:
    """Returns one page of each pod's people, by name."""
    of_pod = select(pod_members.c.member_id).where(pod_members.c.pod_id == pods.c.id).correlate(pods)
    choice = readable_members(reader.viewer).where(members.c.id.in_(of_pod))
    keys = [parent.id for parent in parents]
    pages = await _MEMBER_IDS.pages(reader, pods, keys, choice, order=member_order.BY_NAME, request=page)
    found = await members_by_id(reader, [item.id for listed in pages for item in listed.items])
    return _filled(pages, {record.id: record for record in found if record is not None})


def _filled(pages: Sequence[Page[_Id]], records: dict[int, Any]) -> list[Page[Any]]:
    """Returns the pages with the records of their keys; what is gone since is left out."""
    made = []
    for page in pages:
        kept = [(item.id, place) for item, place in zip(page.items, page.places, strict=True) if item.id in records]
        items, places = [records[key] for key, _ in kept], [place for _, place in kept]
        made.append(Page(items, places, page.order, page.has_next, page.has_previous))
    return made


async def client_totals_by_pod(reader: Reader, parents: Sequence[PodRecord]) -> list[int]:
    """Returns how many clients each pod has."""
    return await _totals(reader, parents, pod_clients)


async def member_totals_by_pod(reader: Reader, parents: Sequence[PodRecord]) -> list[int]:
    """Returns how many people each pod has."""
    return await _totals(reader, parents, pod_members)


async def exclusions_by_pod(
    reader: Reader,
    parents: Sequence[PodRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PodExclusionRecord]]:
    """Returns one page of each pod's exclusions, in the order in which they came."""
    known = pod_exclusions.c.pod_id.in_(readable_pods(reader.viewer))
    choice = select(pod_exclusions.c.id).where(pod_exclusions.c.pod_id == pods.c.id, known)
    keys = [parent.id for parent in parents]
    return await _EXCLUSIONS.pages(reader, pods, keys, choice, order=_EXCLUSION_ORDER, request=page)


async def exclusion_totals_by_pod(reader: Reader, parents: Sequence[PodRecord]) -> list[int]:
    """Returns how many exclusions each pod has."""
    return await _totals(reader, parents, pod_exclusions)


async def _totals(reader: Reader, parents: Sequence[PodRecord], rows: Table) -> list[int]:
    choice = select(rows.c.pod_id).where(rows.c.pod_id.in_(readable_pods(reader.viewer)))
    return await totals(reader, rows.c.pod_id, [parent.id for parent in parents], choice)


async def cells_by_pod(
    reader: Reader,
    parents: Sequence[PodRecord],
    *,
    states: tuple[PodCellState, ...] | None = None,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[PodCellRecord]]:
    """Returns one page of each pod's people in its clients, and how it stands with them; only those in some states, if any are named."""
    choice = _cells(reader.viewer, states).where(pod_cells.c.pod_id == pods.c.id)
    keys = [parent.id for parent in parents]
    return await _CELLS.pages(reader, pods, keys, choice, order=_CELL_ORDER, request=page)


async def cell_totals_by_pod(
    reader: Reader, parents: Sequence[PodRecord], *, states: tuple[PodCellState, ...] | None = None
) -> list[int]:
    """Returns how many there are in such a list."""
    keys = [parent.id for parent in parents]
    return await totals(reader, pod_cells.c.pod_id, keys, _cells(reader.viewer, states))


def _cells(viewer: Viewer, states: tuple[PodCellState, ...] | None) -> Select[Any]:
    known = pod_cells.c.pod_id.in_(readable_pods(viewer))
    choice = select(pod_cells.c.id).where(known, is_shown(pod_cells))
    if states is None:
        return choice
    return choice.where(state_of(pod_cells).in_([state.value for state in states]))
