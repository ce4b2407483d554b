"""Who could: the partner admins of a client, each with what they can give there (N02, F02, F04)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, or_, select

from models.client import clients
from models.grant import active_partner_admin, grants
from models.member import ManagerRights, MemberStatus, members
from models.outcome import outcomes
from models.partner import PartnerProgram, partners
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.permission.state import State
from models.table import now
from resolvers.client import ClientRecord
from resolvers.hand_off.asked import Asked, asked_by_operation
from resolvers.hand_off.standing import stands, with_living
from resolvers.hand_off.undone import Undone, undone
from resolvers.outcome import OutcomeRecord
from resolvers.readable import readable_grants, readable_members
from resolvers.reader import Reader
from resolvers.state_content import states_of
from resolvers.viewer import Viewer

_FEW = 1_000
"""Up to so many clients are asked for by key; for more, all grants of partner admins are read."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who can give access in a client, and how much."""

    member_id: int
    authority: State
    """G of the bounded rule (spec 2.2)."""

    def could(self, need: State) -> bool:
        """Says whether they can give and take all of it."""
        return not need & ~self.authority


def able_admins(viewer: Viewer) -> Select[Any]:
    """Selects the grants whose holders can give access by them, as ``resolvers.operation.actor`` finds them (F02, F04, F09)."""
    works = and_(members.c.status == MemberStatus.ACTIVE.value, members.c.verified)
    edits = or_(members.c.super_admin, members.c.manager_rights == ManagerRights.EDIT.value)
    return (
        readable_grants(viewer)
        .join(members, members.c.id == grants.c.member_id)
        .join(partners, partners.c.id == members.c.partner_id)
        .join(clients, clients.c.id == grants.c.client_id)
        .where(active_partner_admin(grants, now()), grants.c.ended == 0, works, edits)
        .where(partners.c.program != PartnerProgram.NONE.value)
    )


async def colleagues_of(reader: Reader, client_ids: Collection[int]) -> dict[int, list[Colleague]]:
    """Returns who can give access in each of these clients, by name."""
    statement = (
        able_admins(reader.viewer)
        .order_by(members.c.sort_name, members.c.id)
        .with_only_columns(*[grants.c.client_id, grants.c.member_id, grants.c.state_id, clients.c.ceiling_id])
    )
    if len(client_ids) <= _FEW:
        statement = statement.where(grants.c.client_id.in_(client_ids))
    wanted = set(client_ids)
    rows = [row for row in await reader.rows(statement) if row.client_id in wanted]
    states = await states_of(reader, {key for row in rows for key in (row.state_id, row.ceiling_id)})
    found: dict[int, list[Colleague]] = {client_id: [] for client_id in wanted}
    for row in rows:
        held = authority(states[row.state_id], states.get(row.ceiling_id), catalogue)
        found[row.client_id].append(Colleague(row.member_id, held))
    return found


async def who_could_by_client(reader: Reader, parents: Sequence[ClientRecord], *, need: State) -> list[list[int]]:
    """Returns the members who can give all of this in each client, by name."""
    found = await colleagues_of(reader, {parent.id for parent in parents})
    return [[colleague.member_id for colleague in found[parent.id] if colleague.could(need)] for parent in parents]


async def working(reader: Reader, member_ids: Collection[int]) -> dict[int, bool]:
    """Returns those of these people who work for the agency now, with whether their address is verified."""
    who = readable_members(reader.viewer).where(members.c.status == MemberStatus.ACTIVE.value)
    if len(member_ids) <= _FEW:
        who = who.where(members.c.id.in_(member_ids))
    rows = await reader.rows(who.with_only_columns(*[members.c.id, members.c.verified]))
    return {row.id: row.verified for row in rows}


async def who_could_by_outcome(reader: Reader, parents: Sequence[OutcomeRecord]) -> list[list[int]]:
    """Returns the members who could do all that each outcome has left undone; nobody, where nothing is.

    Nobody gives themselves anything (I8), so it is never the person whom the outcome is about.
    """
    asked = await asked_by_operation(reader, {key for parent in parents if (key := parent.operation_id) is not None})
    lefts = [_left(parent, asked) for parent in parents]
    open_ = [parent for parent, left in zip(parents, lefts, strict=True) if left]
    if not open_:
        return [[] for _ in parents]
    found = await colleagues_of(reader, {parent.client_id for parent in open_})
    verified = await working(reader, {parent.member_id for parent in open_})
    standing = await _standing(reader, asked, open_)
    listed: list[list[int]] = []
    for parent, left in zip(parents, lefts, strict=True):
        stands_ = parent.operation_id is None or (parent.operation_id, parent.position) in standing
        given = left is not None and stands_ and parent.member_id in verified
        if left is None or not given or not left.is_for(verified=verified[parent.member_id]):
            listed.append([])
            continue
        there = found[parent.client_id]
        listed.append([c.member_id for c in there if c.could(left.need) and c.member_id != parent.member_id])
    return listed


def _left(parent: OutcomeRecord, asked: Mapping[int, Asked]) -> Undone | None:
    """Returns what an outcome has left undone; one of a dry run knows itself what was asked for."""
    if parent.operation_id is not None:
        what = asked.get(parent.operation_id)
    else:
        what = None if parent.request is None else Asked.of(parent.request.kind, parent.request, now())
    return None if what is None else undone(parent.decision, what)


async def _standing(
    reader: Reader, asked: Mapping[int, Asked], parents: Sequence[OutcomeRecord]
) -> set[tuple[int, int]]:
    """Returns which outcomes, by operation and position, nobody has overtaken since."""
    positions: dict[int, list[int]] = {}
    for parent in parents:
        if parent.operation_id is not None:
            positions.setdefault(parent.operation_id, []).append(parent.position)
    if not positions:
        return set()
    outcome = outcomes.c
    chosen = [and_(outcome.operation_id == key, outcome.position.in_(found)) for key, found in positions.items()]
    statement = select(outcome.operation_id, outcome.position).select_from(with_living(outcomes))
    rows = await reader.rows(statement.where(or_(*chosen), stands(asked)))
    return {(row.operation_id, row.position) for row in rows}
