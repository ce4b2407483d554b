"""What the checks of histories are made of: what is demanded, and rows as they are read and shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from models.grant import AccessType, GrantStatus, Seat
from models.operation import OperationKind
from tests.histories.model import (
    Held,
    Line,
)
from tests.histories.stage import Row, moment_of


class BrokenError(AssertionError):
    """An invariant that does not hold."""


def demand(holds: object, told: str) -> None:
    if not holds:
        raise BrokenError(told)


@dataclass
class Replayed:
    """A grant as the timeline tells it."""

    client: str
    member: str
    status: GrantStatus
    kind: AccessType
    seat: Seat
    state: int
    origin: int | None
    expires: datetime | None
    teams: str
    entries: int = 1


@dataclass(frozen=True)
class Did:
    """An operation that a step is to have made, and of whom."""

    user: str
    partner: str
    kind: OperationKind
    lines: Sequence[Line]
    by_client: bool = False


@dataclass
class Rows:
    """The present rows of a history."""

    members: dict[str, Row]
    clients: dict[str, Row]
    grants: list[Row]
    teams: dict[int, list[tuple[int, bool]]]
    holdings: list[Row]
    assets: list[Row]


MEMBER_COLUMNS = "id, partner_id, user_id, kind, status, verified, manager_rights, super_admin, active_clients"
CLIENT_COLUMNS = (
    "id, partner_id, account_id, ceiling_id, confirmed_at, active_people, deactivated_people, active_partner_admins"
)
GRANT_COLUMNS = (
    "id, client_id, member_id, status, ended, access_type, seat, state_id, set_version_id, customised, expires_at, version, "
    "account_id, user_id"
)
ENTRY_COLUMNS = (
    "id, operation_id, client_id, member_id, grant_id, at, before_status, before_access_type, before_seat, before_state_id, "
    "before_set_version_id, before_expires_at, before_teams, after_status, after_access_type, after_seat, after_state_id, "
    "after_set_version_id, after_expires_at, after_teams"
)


def listed(keys: Any) -> str:
    return f"({', '.join(map(str, keys))})"


def unexpired(expires: Any, at: datetime) -> bool:
    moment = moment_of(expires)
    return moment is None or moment > at


def team_list(teams: list[tuple[int, bool]]) -> str:
    return " ".join(sorted(f"{key}*" if primary else str(key) for key, primary in teams))


def difference(found: dict[Any, Any], expected: dict[Any, Any]) -> str:
    return "\n".join(
        f"{key}: {_shown(found.get(key))}\n    and not {_shown(expected.get(key))}"
        for key in dict.fromkeys([*found, *expected])
        if found.get(key) != expected.get(key)
    )


def _shown(value: Any) -> str:
    if isinstance(value, Held):
        return f"{len(value.atoms)} atoms, {replace(value, atoms=frozenset())}"
    return repr(value)
