"""The cells of an operation as a temporary table, filled by one statement whatever their number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.sql.selectable import FromClause, Join

from models.grant import grants
from models.table import BigKey
from models.team import grant_teams
from resolvers.operation.situation import OWN_PERSON, VANISHED
from resolvers.operation.wish import NEVER

_temporary = MetaData()
own_people = grants.alias("own_person")


def _table(name: str, *columns: Column[object]) -> Table:
    return Table(name, _temporary, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


target_clients = _table(
    "target_client",
    Column("id", BigKey, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Column("account_id", BigKey, nullable=False),
    Column("class", Integer, nullable=False),
    Column("has_teams", Boolean, nullable=False),
    Column("edits_teams", Boolean, nullable=False),
    Column("latest", grants.c.expires_at.type),
)
target_members = _table(
    "target_member",
    Column("id", BigKey, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Column("user_id", BigKey, nullable=False),
    Column("class", Integer, nullable=False),
)
target_pairs = _table(
    "target_pair",
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("member_id", BigKey, nullable=False),
    Column("client_id", BigKey, nullable=False),
    Column("class", Integer, nullable=False),
    Column("team_class", Integer),
    Column("expires_at", grants.c.expires_at.type),
)
target_teams = _table(
    "target_team",
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("class", Integer, primary_key=True, autoincrement=False),
    Column("team_id", BigKey, primary_key=True, autoincrement=False),
    Column("is_primary", Boolean, nullable=False),
)
"""The teams asked for: in a client those of the class 0, in a pair those of its ``team_class`` (N06)."""
held_teams = _table(
    "held_team",
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("team_id", BigKey, primary_key=True, autoincrement=False),
)
expected_versions = _table(
    "expected_version",
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("member_id", BigKey, primary_key=True, autoincrement=False),
    Column("grant_id", BigKey, nullable=False),
    Column("version", Integer, nullable=False),
)
reviewed_grants = _table("reviewed_grant", Column("grant_id", BigKey, primary_key=True, autoincrement=False))
"""The grants that are as the review of their removal showed them (F38)."""
blocked_grants = _table("blocked_grant", Column("grant_id", BigKey, primary_key=True, autoincrement=False))
"""The grants whose holder's assets are to go to somebody who is not active in the client (F39)."""
reassignments = _table(
    "reassignment",
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("member_id", BigKey, primary_key=True, autoincrement=False),
    Column("kind", String, primary_key=True),
    Column("to_id", BigKey, nullable=False),
)
"""Who takes over a person's assets of a kind when the person's access to a client is removed (F39)."""
billing_choices = _table(
    "billing_choice",
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("member_id", BigKey, primary_key=True, autoincrement=False),
    Column("keep", Boolean, nullable=False),
)
"""Whether a person keeps the billing permissions in a client when they are migrated (F43)."""
held_back = _table("held_back", Column("position", Integer, primary_key=True, autoincrement=False))
"""The cells that a guard rejects."""
situations = _table(
    "situation",
    Column("client_class", Integer, primary_key=True, autoincrement=False),
    Column("member_class", Integer, primary_key=True, autoincrement=False),
    Column("grant_key", String, primary_key=True),
    Column("pair_class", Integer, primary_key=True, autoincrement=False),
    Column("decision", Integer, nullable=False),
)
cells = _table(
    "cell",
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("member_id", BigKey, nullable=False),
    Column("user_id", BigKey, nullable=False),
    Column("client_id", BigKey, nullable=False),
    Column("account_id", BigKey, nullable=False),
    Column("grant_id", BigKey),
    Column("decision", Integer, nullable=False),
    Column("expires_at", grants.c.expires_at.type),
    Column("teams", String),
    Column("until", grants.c.expires_at.type),
    Column("team_class", Integer),
)
"""``expires_at`` is the expiry as it is, ``until`` as the cell itself wants it (P28), or gets it if nothing is said (P04); ``team_class``
says which of ``target_teams`` it gets, NULL to keep those that it has."""

_TARGETS = (target_clients, target_members, target_pairs, target_teams)
TEMPORARY = (*_TARGETS, held_teams, expected_versions, situations, cells)
"""What every operation needs."""
OF_REMOVAL = (reviewed_grants, blocked_grants, reassignments)
OF_MIGRATION = (billing_choices,)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a grant beside its permissions decides, because the request is about it."""

    at: datetime
    """The moment of the operation: what expires until then has expired."""
    expiry: tuple[datetime | None] | None
    teams: bool
    removal: bool = False
    """Access is to be removed as reviewed (F38)."""
    migration: bool = False
    """Super admins are to become partner admins (F42)."""
    gains: bool = False
    """Somebody may come to hold more, in the teams that they are in (F54, E6)."""
    wishes: bool = False
    """Each pair has a wish of its own (P28)."""
    undone: bool = False
    """What there was before is wished, also where there may not be as much any more (N06)."""

    @property
    def absent_too(self) -> bool:
        """Says whether it decides what there is where there is no grant."""
        return self.migration or self.wishes


def team_list(rows: Table) -> ColumnElement[str]:
    """Returns the aggregate that lists teams by key, the primary one with a ``*``, as timeline entries hold them."""
    mark = case((rows.c.is_primary, literal("*")), else_=literal(""))
    return func.aggregate_strings(cast(rows.c.team_id, String) + mark, " ")


def _flag(condition: ColumnElement[bool]) -> ColumnElement[str]:
    return case((condition, literal(" 1")), else_=literal(" 0"))


def _team_class(asked: Asked) -> ColumnElement[int | None]:
    """Returns which class of ``target_teams`` is asked for in a cell; NULL for none."""
    return target_pairs.c.team_class if asked.wishes else case((target_clients.c.has_teams, literal(0)))


def _of_cell(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that a team is one that is asked for in the cell of a grant."""
    return and_(target_teams.c.client_id == grants.c.client_id, target_teams.c["class"] == _team_class(asked))


def _surplus(asked: Asked, *, unless: ColumnElement[bool]) -> ColumnElement[bool]:
    """Returns the condition that the grant is in a team which is not asked for, and for which the other does not hold."""
    wanted = exists().where(_of_cell(asked), target_teams.c.team_id == grant_teams.c.team_id)
    return (
        exists()
        .where(grant_teams.c.grant_id == grants.c.id)
        .where(not_(wanted.correlate(grants, grant_teams, target_clients, target_pairs)), not_(unless))
        .correlate(grants, target_clients, target_pairs)
    )


def _other_teams(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that a grant's teams differ from those asked for."""
    same = and_(target_teams.c.team_id == grant_teams.c.team_id, target_teams.c.is_primary == grant_teams.c.is_primary)
    missing = (
        exists()
        .where(_of_cell(asked))
        .where(not_(exists().where(grant_teams.c.grant_id == grants.c.id).where(same).correlate(grants, target_teams)))
        .correlate(grants, target_clients, target_pairs)
    )
    return and_(_team_class(asked).is_not(None), or_(missing, _surplus(asked, unless=false())))


def _takes_foreign_team(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that the request takes the person out of a team that the actor is not in and may not edit."""
    cannot = not_(target_clients.c.edits_teams)
    return and_(_team_class(asked).is_not(None), cannot, _surplus(asked, unless=_held_team()))


def _in_foreign_team() -> ColumnElement[bool]:
    """Returns the condition that the grant is in a team that the actor is not in and may not edit."""
    unheld = exists().where(grant_teams.c.grant_id == grants.c.id, not_(_held_team()))
    return and_(not_(target_clients.c.edits_teams), unheld.correlate(grants, target_clients))


def _held_team() -> ColumnElement[bool]:
    """Returns the condition that the actor is in a team of a grant."""
    held = and_(held_teams.c.client_id == target_clients.c.id, held_teams.c.team_id == grant_teams.c.team_id)
    return exists().where(held).correlate(target_clients, grant_teams)


def _expiry(asked: tuple[datetime | None]) -> ColumnElement[str]:
    """Returns how the expiry asked for lies to the grant's own: the same, EARLIER or LATER."""
    (at,) = asked
    if at is None:
        return case((grants.c.expires_at.is_(None), literal(" SAME")), else_=literal(" LATER"))
    return case(
        (grants.c.expires_at.is_(None), literal(" EARLIER")),
        (grants.c.expires_at > at, literal(" EARLIER")),
        (grants.c.expires_at < at, literal(" LATER")),
        else_=literal(" SAME"),
    )


def _until(asked: Asked) -> ColumnElement[datetime | None]:
    """Returns when access is to end by a pair's own wish (P28); where it is limited, *never* is as long as it may last (P04)."""
    wished = target_pairs.c.expires_at
    # An undo does not pass over in silence that access which had no end may not be without one any more.
    limited = (
        grants.c.id.is_(None) if asked.undone else or_(grants.c.id.is_(None), target_clients.c.latest.is_not(None))
    )
    return case((wished.is_(None), _unsaid()), (wished == NEVER, case((limited, _unsaid()))), else_=wished)


def _unsaid() -> ColumnElement[datetime | None]:
    """Returns when access ends if nothing is said: as before, and what is new when it has lasted as long as it may (P04)."""
    return case((grants.c.id.is_(None), target_clients.c.latest), else_=grants.c.expires_at)


def _expiry_of_cell(asked: Asked) -> ColumnElement[str]:
    """Returns how the expiry that a pair itself asks for lies to the grant's own, as ``_expiry`` does (P28)."""
    wished = target_pairs.c.expires_at
    return case(
        (_until(asked).is_not_distinct_from(grants.c.expires_at), literal(" SAME")),
        (or_(grants.c.expires_at.is_(None), wished < grants.c.expires_at), literal(" EARLIER")),
        else_=literal(" LATER"),
    )


def grant_key(asked: Asked) -> ColumnElement[str]:
    """Returns the column that packs what decides about a grant; ``GrantFacts.of_key`` reads it. Empty for no grant."""
    known = expected_versions.c.version.is_not(None)
    fresh = and_(expected_versions.c.grant_id == grants.c.id, expected_versions.c.version == grants.c.version)
    packed = (
        grants.c.status
        + literal(" ")
        + grants.c.access_type
        + literal(" ")
        + grants.c.seat
        + literal(" ")
        + cast(grants.c.state_id, String)
        + literal(" ")
        + cast(func.coalesce(grants.c.set_version_id, 0), String)
        + _flag(grants.c.customised)
        + _flag(func.coalesce(grants.c.expires_at <= asked.at, false()))
        + _flag(and_(known, not_(fresh)))
        + (_expiry_of_cell(asked) if asked.wishes else _expiry(asked.expiry) if asked.expiry else literal(" SAME"))
        + (_flag(_other_teams(asked)) if asked.teams else literal(" 0"))
        + (_flag(_takes_foreign_team(asked)) if asked.teams else literal(" 0"))
        + (_flag(_in_foreign_team()) if asked.gains else literal(" 0"))
        + (_flag(_listed(reviewed_grants)) if asked.removal else literal(" 0"))
        + (_flag(_listed(blocked_grants)) if asked.removal else literal(" 0"))
        + (_billing() if asked.migration else literal(" -"))
    )
    absent: ColumnElement[str] = literal("")
    if asked.migration:
        absent = case((_is_own_person(), literal(OWN_PERSON)), else_=absent)
    if asked.wishes:
        absent = case((func.coalesce(expected_versions.c.grant_id, 0) != 0, literal(VANISHED)), else_=absent)
    return case((grants.c.id.is_(None), absent), else_=packed)


def _listed(listed: Table) -> ColumnElement[bool]:
    return exists().where(listed.c.grant_id == grants.c.id).correlate(grants)


def _billing() -> ColumnElement[str]:
    """Returns what was said about a person's billing permissions in a client: 1, 0, or - for nothing."""
    said = (
        select(case((billing_choices.c.keep, literal("1")), else_=literal("0")))
        .where(billing_choices.c.client_id == grants.c.client_id, billing_choices.c.member_id == grants.c.member_id)
        .correlate(grants)
        .scalar_subquery()
    )
    return literal(" ") + func.coalesce(said, literal("-"))


def _is_own_person() -> ColumnElement[bool]:
    """Returns the condition that a target is one of the account's own people (M8)."""
    mine = and_(
        own_people.c.account_id == target_clients.c.account_id, own_people.c.user_id == target_members.c.user_id
    )
    living = and_(own_people.c.client_id.is_(None), own_people.c.ended == 0)
    return exists().where(mine, living).correlate(target_clients, target_members)


def _targets(*, paired: bool) -> tuple[FromClause, ColumnElement[int]]:
    """Returns clients × members, or the listed pairs of them, and each cell's position in the order of the input."""
    if paired:
        source: Join = target_pairs.join(target_clients, target_clients.c.id == target_pairs.c.client_id).join(
            target_members, target_members.c.id == target_pairs.c.member_id
        )
        return source, target_pairs.c.position
    width = select(func.count()).select_from(target_members).scalar_subquery()
    return target_clients.join(target_members, true()), target_clients.c.position * width + target_members.c.position


def _living() -> ColumnElement[bool]:
    return and_(
        grants.c.client_id == target_clients.c.id, grants.c.member_id == target_members.c.id, grants.c.ended == 0
    )


def _expected() -> ColumnElement[bool]:
    return and_(
        expected_versions.c.client_id == target_clients.c.id, expected_versions.c.member_id == target_members.c.id
    )


def _pair_class(asked: Asked) -> ColumnElement[int]:
    return target_pairs.c["class"] if asked.wishes else literal(0)


def existing_situations(key: ColumnElement[str], asked: Asked, *, paired: bool) -> Select[Any]:
    """Selects each situation with a grant once: client class, member class, grant key and pair class.

    Those without a grant need no statement: they are the combinations of the classes; except where it matters which targets
    are the account's own people, or what was expected of them.
    """
    targets, _ = _targets(paired=paired)
    source = targets.join(grants, _living(), isouter=asked.absent_too).outerjoin(expected_versions, _expected())
    return (
        select(
            target_clients.c["class"].label("client_class"),
            target_members.c["class"].label("member_class"),
            key.label("grant_key"),
            _pair_class(asked).label("pair_class"),
        )
        .select_from(source)
        .distinct()
    )


def filled_cells(key: ColumnElement[str], asked: Asked, *, paired: bool) -> Select[Any]:
    """Selects every cell with the decision of its situation, in the columns of ``cells``."""
    targets, position = _targets(paired=paired)
    present_teams = (
        select(team_list(grant_teams)).where(grant_teams.c.grant_id == grants.c.id).correlate(grants).scalar_subquery()
    )
    decided = and_(
        situations.c.client_class == target_clients.c["class"],
        situations.c.member_class == target_members.c["class"],
        situations.c.grant_key == key,
        situations.c.pair_class == _pair_class(asked),
    )
    return select(
        position,
        target_members.c.id,
        target_members.c.user_id,
        target_clients.c.id,
        target_clients.c.account_id,
        grants.c.id,
        situations.c.decision,
        grants.c.expires_at,
        present_teams if asked.teams else null(),
        _until(asked) if asked.wishes else _unsaid(),
        _team_class(asked) if asked.teams else null(),
    ).select_from(
        targets.outerjoin(grants, _living()).outerjoin(expected_versions, _expected()).join(situations, decided)
    )
