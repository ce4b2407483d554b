"""The cells of an operation as a temporary table, filled by one statement whatever their number."""

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
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.sql.selectable import FromClause, Join

from models.grant import grants
from models.table import BigKey
from models.team import grant_teams

_temporary = MetaData()


def _table(name: str, *columns: Column[object]) -> Table:
    return Table(name, _temporary, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


target_clients = _table(
    "target_client",
    Column("id", BigKey, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Column("account_id", BigKey, nullable=False),
    Column("class", Integer, nullable=False),
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
)
target_teams = _table(
    "target_team",
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("team_id", BigKey, primary_key=True, autoincrement=False),
    Column("is_primary", Boolean, nullable=False),
)
expected_versions = _table(
    "expected_version",
    Column("grant_id", BigKey, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)
situations = _table(
    "situation",
    Column("client_class", Integer, primary_key=True, autoincrement=False),
    Column("member_class", Integer, primary_key=True, autoincrement=False),
    Column("grant_key", String, primary_key=True),
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
)

TEMPORARY = (target_clients, target_members, target_pairs, target_teams, expected_versions, situations, cells)


def _flag(condition: ColumnElement[bool]) -> ColumnElement[str]:
    return case((condition, literal(" 1")), else_=literal(" 0"))


def _other_teams() -> ColumnElement[bool]:
    """Returns the condition that a grant's teams differ from those asked for in its client."""
    wanted = and_(target_teams.c.client_id == grants.c.client_id, target_teams.c.team_id == grant_teams.c.team_id)
    same = and_(wanted, target_teams.c.is_primary == grant_teams.c.is_primary)
    missing = (
        exists()
        .where(target_teams.c.client_id == grants.c.client_id)
        .where(not_(exists().where(grant_teams.c.grant_id == grants.c.id).where(same).correlate(grants, target_teams)))
        .correlate(grants)
    )
    surplus = (
        exists()
        .where(grant_teams.c.grant_id == grants.c.id)
        .where(not_(exists().where(wanted).correlate(grants, grant_teams)))
        .correlate(grants)
    )
    asked = exists().where(target_teams.c.client_id == grants.c.client_id).correlate(grants)
    return and_(asked, or_(missing, surplus))


def grant_key(*, expiry: tuple[datetime | None] | None, teams: bool) -> ColumnElement[str]:
    """Returns the column that packs what decides about a grant; ``GrantFacts.of_key`` reads it. Empty for no grant."""
    conflict = and_(expected_versions.c.version.is_not(None), expected_versions.c.version != grants.c.version)
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
        + _flag(conflict)
        + (_flag(grants.c.expires_at.is_distinct_from(expiry[0])) if expiry else literal(" 0"))
        + (_flag(_other_teams()) if teams else literal(" 0"))
    )
    return case((grants.c.id.is_(None), literal("")), else_=packed)


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


def existing_situations(key: ColumnElement[str], *, paired: bool) -> Select[Any]:
    """Selects each situation with a grant once: client class, member class and grant key.

    Those without a grant need no statement: they are the combinations of the classes.
    """
    targets, _ = _targets(paired=paired)
    source = targets.join(grants, _living()).outerjoin(expected_versions, expected_versions.c.grant_id == grants.c.id)
    return (
        select(
            target_clients.c["class"].label("client_class"),
            target_members.c["class"].label("member_class"),
            key.label("grant_key"),
        )
        .select_from(source)
        .distinct()
    )


def filled_cells(key: ColumnElement[str], *, paired: bool) -> Select[Any]:
    """Selects every cell with the decision of its situation, in the columns of ``cells``."""
    targets, position = _targets(paired=paired)
    decided = and_(
        situations.c.client_class == target_clients.c["class"],
        situations.c.member_class == target_members.c["class"],
        situations.c.grant_key == key,
    )
    return select(
        position,
        target_members.c.id,
        target_members.c.user_id,
        target_clients.c.id,
        target_clients.c.account_id,
        grants.c.id,
        situations.c.decision,
    ).select_from(
        targets.outerjoin(grants, _living())
        .outerjoin(expected_versions, expected_versions.c.grant_id == grants.c.id)
        .join(situations, decided)
    )
