"""What is there, by which it is judged who could do what an outcome has left undone (N02)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.permission.state import State
from resolvers.operation.situation import Decision

Teams = frozenset[tuple[int, bool]]
"""Teams by key, each with whether it is the primary one."""


def teams_of(text: str | None) -> Teams:
    """Returns the teams of a list that ``resolvers.operation.cell.team_list`` made."""
    return frozenset((int(part.removesuffix("*")), part.endswith("*")) for part in (text or "").split())


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an outcome is about, as far as it decides."""

    status: MemberStatus
    verified: bool
    default_version_id: int | None = None
    """The newest version of the person's default set."""


@dataclass(frozen=True, slots=True)
class Living:
    """The access that is there."""

    status: GrantStatus
    access_type: AccessType
    seat: Seat
    state: State
    set_version_id: int | None
    customised: bool
    expires_at: datetime | None
    teams: Teams = frozenset()

    @classmethod
    def of_row(cls, row: Any, state: State) -> Self:
        """Returns the access of a row with these columns."""
        return cls(
            GrantStatus(row.status),
            AccessType(row.access_type),
            Seat(row.seat),
            state,
            row.set_version_id,
            row.customised,
            row.expires_at,
            teams_of(row.teams),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """Outcomes that are alike in all that decides: of one decision, in one client."""

    operation: int
    """The key of what was asked for."""
    number: int
    """Of the decision."""
    client_id: int
    person: Person
    member_id: int | None
    """The person, where it matters who it is: a partner admin there, or somebody to be migrated."""
    living: Living | None
    position: int | None = None
    """Of a migration, whose order decides who stays super admin (M3)."""


def left_by(decision: Decision, expires_at: datetime | None, teams: Teams) -> Living | None:
    """Returns the access that a decision leaves, once it is carried out.

    Args:
        decision: the decision.
        expires_at: when the access ends.
        teams: the teams that the person is in afterwards.
    """
    status, access_type, seat = decision.after_status, decision.after_access_type, decision.seat
    if status is None or access_type is None or seat is None or status is GrantStatus.REMOVED:
        return None
    # Deactivated access counts for nothing in what was decided about reactivating it: what would have counted was asked for.
    state = decision.requested if status is GrantStatus.DEACTIVATED and not decision.after else decision.after
    return Living(status, access_type, seat, state, decision.set_version_id, decision.customised, expires_at, teams)
