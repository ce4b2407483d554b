"""What is wanted for one person in one client, where each has a wish of its own: the cells of an access matrix (P28)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

from models.grant import GrantStatus, Seat

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands in a wish for access that does not end by itself."""

UNSEEN = (-1, 0)
"""Stands for the grant that was seen, where what is there is something else: no grant has this key."""

WishedTeams: TypeAlias = tuple[tuple[int, bool], ...]
"""The keys of teams, in their order, each with whether it is the primary one."""
_NO_TEAM = "none"


def teams_listed(text: str | None) -> WishedTeams:
    """Returns the teams that an entry of the timeline lists."""
    return tuple(sorted((int(name.rstrip("*")), name.endswith("*")) for name in (text or "").split()))


class WishForm(StrEnum):
    """What becomes of a cell."""

    GIVE = "GIVE"
    """A version of a permission set is given, or changed to."""
    KEEP = "KEEP"
    """What is described is left as it is: a set alone does not say it, so it cannot be given."""
    RESTORE = "RESTORE"
    """What was there before an operation is brought back (N06); without a status there was nothing."""
    NONE = "NONE"
    """There should be no access; only a reviewed removal takes it away (F38)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The part of a wish that decides; cells with the same one share their situations."""

    form: WishForm
    set_version_id: int | None = None
    customised: bool = False
    super_admin: bool = False
    status: GrantStatus | None = None
    """None if nothing was said."""
    seat: Seat | None = None
    """None as it is."""
    state_id: int | None = None
    """The permissions that were there, where they are brought back."""
    obstacle: str | None = None
    """Why they cannot be brought back: the code of the outcome."""
    teams: WishedTeams | None = None
    """The teams that are brought back; None leaves those that there are."""

    def packed(self) -> str:
        """Returns the wish as text, as it waits with a queued operation; ``of_text`` reads it."""
        flags = ("-c"[self.customised], "-s"[self.super_admin])
        status, seat = self.status or "-", self.seat or "-"
        teams = (
            "-" if self.teams is None else ",".join(f"{key}{'*' * primary}" for key, primary in self.teams) or _NO_TEAM
        )
        before = f"{self.state_id or 0} {self.obstacle or '-'} {teams}"
        return f"{self.form} {self.set_version_id or 0} {flags[0]}{flags[1]} {status} {seat} {before}"

    @classmethod
    def of_text(cls, text: str) -> "Wish":
        """Returns the wish that ``packed`` wrote."""
        form, version_id, flags, status, seat, *before = text.split()
        state_id, obstacle, teams = (*before, *("0", "-", "-")[len(before) :])
        return cls(
            form=WishForm(form),
            set_version_id=int(version_id) or None,
            customised=flags[0] == "c",
            super_admin=flags[1] == "s",
            status=None if status == "-" else GrantStatus(status),
            seat=None if seat == "-" else Seat(seat),
            state_id=int(state_id) or None,
            obstacle=None if obstacle == "-" else obstacle,
            teams=None if teams == "-" else teams_listed(teams.removeprefix(_NO_TEAM).replace(",", " ")),
        )


@dataclass(frozen=True, slots=True)
class WishedCell:
    """A wish with what is its cell's own."""

    wish: Wish
    expires_at: datetime | None = None
    """When the access is to end: None as it does now, NEVER for never."""
    seen: tuple[int, int] | None = None
    """The key and version of the grant that the wish was made on, zeros for no grant; None if nothing is expected."""
