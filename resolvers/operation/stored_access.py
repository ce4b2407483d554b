"""The access of a request as it is kept with its operation (``resolvers.operation.stored_request``)."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.permission.level import PermissionLevel
from resolvers.operation.request import (
    AsWished,
    CopiedGrant,
    CopyFrom,
    CurrentVersion,
    DefaultSet,
    FromPermissions,
    FromSet,
    RequestedAccess,
    TeamRequest,
)


def stored_access(access: RequestedAccess) -> list[Any]:
    """Returns an access as a list for JSON: its form first, and then what it says."""
    kept: list[Any]
    match access:
        case FromSet(set_id=set_id, version_id=version_id):
            kept = ["permissionSet", set_id, version_id]
        case FromPermissions(permissions=permissions):
            kept = ["permissions", *([key, level.value] for key, level in permissions)]
        case CopyFrom(grant_id=grant_id, copied=copied):
            kept = ["copyFrom", grant_id, *([] if copied is None else _stored_copy(copied))]
        case DefaultSet(versions=versions):
            kept = ["defaultSet", *_stored_versions(versions)]
        case CurrentVersion(versions=versions):
            kept = ["currentVersion", *_stored_versions(versions)]
        case AsWished():
            kept = ["asWished"]
    return kept


def access_again(kept: Sequence[Any]) -> RequestedAccess:
    """Returns the access that ``stored_access`` wrote."""
    form, *said = kept
    access: RequestedAccess = AsWished()
    match form:
        case "permissionSet":
            access = FromSet(*said)
        case "permissions":
            access = FromPermissions(tuple((key, PermissionLevel(level)) for key, level in said))
        case "copyFrom":
            grant_id, *copied = said
            access = CopyFrom(grant_id, _copy_again(*copied) if copied else None)
        case "defaultSet":
            access = DefaultSet(_versions_again(*said))
        case "currentVersion":
            access = CurrentVersion(_versions_again(*said))
    return access


def stored_teams(teams: Sequence[TeamRequest]) -> list[list[Any]]:
    """Returns teams as lists for JSON."""
    return [[team.team_id, team.primary, team.account_id] for team in teams]


def teams_again(kept: Sequence[Sequence[Any]]) -> tuple[TeamRequest, ...]:
    """Returns the teams that ``stored_teams`` wrote."""
    return tuple(TeamRequest(*team) for team in kept)


def _stored_copy(copied: CopiedGrant) -> list[Any]:
    return [copied.state_id, copied.set_version_id, stored_teams(copied.teams)]


def _copy_again(state_id: int, set_version_id: int | None, teams: Sequence[Sequence[Any]]) -> CopiedGrant:
    return CopiedGrant(state_id, set_version_id, teams_again(teams))


def _stored_versions(versions: Mapping[int, int] | None) -> list[Any]:
    """Returns each version with whose it is: many people have the same."""
    if versions is None:
        return []
    whose: dict[int, list[int]] = {}
    for key, version_id in versions.items():
        whose.setdefault(version_id, []).append(key)
    return [[[version_id, keys] for version_id, keys in whose.items()]]


def _versions_again(kept: Sequence[tuple[int, Sequence[int]]] | None = None) -> dict[int, int] | None:
    return None if kept is None else {key: version_id for version_id, keys in kept for key in keys}
