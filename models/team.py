"""Teams of a client account and who is in them (F54)."""

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import SQLModel

from models.table import primary_key, reference, table


class Team(SQLModel, table=True):
    """A team of a client's account."""

    __tablename__ = "team"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: int | None = primary_key()
    account_id: int = reference("account.id")
    name: str


class GrantTeam(SQLModel, table=True):
    """A grant's place in a team: one primary, the others additional."""

    __tablename__ = "grant_team"
    __table_args__ = (
        Index(
            "uq_grant_team_primary",
            "grant_id",
            unique=True,
            sqlite_where=text("is_primary"),
            postgresql_where=text("is_primary"),
        ),
    )

    grant_id: int = reference("grant.id", primary_key=True)
    team_id: int = reference("team.id", primary_key=True, index=True)
    is_primary: bool = False


teams = table(Team)
grant_teams = table(GrantTeam)
