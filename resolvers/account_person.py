"""A partner's people in an account, as the client sees them: who, since when, and at what level in each area (N08)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.account import accounts
from models.client import clients
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberKind, members
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.mask import effective
from models.permission.permission import Area
from models.permission.state import State
from models.permission_state import permission_states
from models.table import now
from models.user import full_name, users
from resolvers.account import decides_by_account
from resolvers.cursor import SortKind
from resolvers.grant import GrantFilter, grant_conditions
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.readable import readable_account_partners
from resolvers.reader import Reader
from resolvers.viewer import Viewer

_BY_MEMBER = Order("account_person", SortKind.NUMBER, lambda rows: rows.c.member_id)


@dataclass(slots=True, eq=False)
class AreaLevelRecord:
    """How far somebody reaches in an area of the catalogue."""

    area: Area
    level: PermissionLevel
    """The highest at which they hold any permission there."""
    sensitive: bool


@dataclass(slots=True, eq=False)
class AccountPersonRecord:
    """One grant of a partner's person, under the name that the partner gives the person."""

    id: int
    """The grant's key."""
    name: str
    email: str
    state: State
    tiers: frozenset[str]
    client_id: int
    member_id: int
    account_id: int
    kind: MemberKind
    access_type: AccessType
    status: GrantStatus
    seat: Seat
    since: datetime
    expires_at: datetime | None

    @property
    def effective(self) -> State:
        """Returns what the person can really do: nothing unless the access is ACTIVE and has not expired (F11)."""
        if self.status != GrantStatus.ACTIVE or (self.expires_at is not None and self.expires_at <= now()):
            return 0
        return effective(self.state, self.seat, self.tiers, catalogue)

    @property
    def area_levels(self) -> list[AreaLevelRecord]:
        """Returns the areas in which the person can do anything, in the order of the catalogue."""
        levels = catalogue.levels(self.effective)
        found = []
        for area in catalogue.areas:
            held = [permission for permission in area.permissions if permission.key in levels]
            if held:
                highest = max((levels[permission.key] for permission in held), key=lambda level: level.rank)
                found.append(AreaLevelRecord(area, highest, any(permission.sensitive for permission in held)))
        return found


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    joined = (
        source.join(members, members.c.id == rows.c.member_id)
        .join(users, users.c.id == rows.c.user_id)
        .join(accounts, accounts.c.id == rows.c.account_id)
        .join(permission_states, permission_states.c.id == rows.c.state_id)
    )
    return select(
        rows.c.id,
        members.c.first_name,
        members.c.last_name,
        # In lower case: the spelling may be another partner's (T1).
        users.c.email_key,
        permission_states.c.content,
        accounts.c.tiers,
        rows.c.client_id,
        rows.c.member_id,
        rows.c.account_id,
        members.c.kind,
        rows.c.access_type,
        rows.c.status,
        rows.c.seat,
        rows.c.since,
        rows.c.expires_at,
    ).select_from(joined)


def _record(*row: Any) -> AccountPersonRecord:
    first, last, email, content, tiers, *rest = row[1:]
    name, held = full_name(first, last, email), catalogue.decode(content)
    return AccountPersonRecord(row[0], name, email, held, frozenset(tiers.split()), *rest)


PEOPLE = Projection(grants, _columns, _record)


def _choice(viewer: Viewer) -> Select[Any]:
    return select(grants.c.id).where(grants.c.client_id.in_(readable_account_partners(viewer)))


async def account_people_by_id(reader: Reader, keys: Sequence[int]) -> list[AccountPersonRecord | None]:
    """Returns the people of these grants; None for those in accounts for which the viewer does not decide (T1)."""
    found = await PEOPLE.by_key(reader, _choice(reader.viewer), keys)
    decides = await decides_by_account(reader, [record.account_id if record else 0 for record in found])
    return [record if may else None for record, may in zip(found, decides, strict=True)]


async def people_by_account_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[AccountPersonRecord]]:
    """Returns one page of each partner's people; the caller has made sure that the viewer decides for the account."""
    choice = _choice(reader.viewer).where(grants.c.client_id == clients.c.id, *grant_conditions(filter))
    return await PEOPLE.pages(reader, clients, parents, choice, order=_BY_MEMBER, request=page)


async def people_total_by_account_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many people each partner has in such a list."""
    choice = _choice(reader.viewer).where(*grant_conditions(filter))
    return await totals(reader, grants.c.client_id, parents, choice)
