"""What a caller asks of the write pipeline: which grants, which access, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from models.asset import AssetKind
from models.grant import Seat
from models.operation import OperationKind, RuleMode
from models.permission.level import PermissionLevel
from resolvers.client_filter import ClientFilter
from resolvers.issuer import Issuer
from resolvers.member_filter import MemberFilter
from resolvers.operation.wish import WishedCell

Key: TypeAlias = int | None
"""A key that a caller named; None stands for an id that cannot be read, which is as unknown as any other (T1)."""


@dataclass(frozen=True, slots=True)
class Product:
    """Every member × every client (F26–F28)."""

    members: tuple[Key, ...]
    clients: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """An explicit list of (member, client)."""

    pairs: tuple[tuple[Key, Key], ...]
    listed: bool = True
    """Whether a caller has listed them, who may list only so many."""


@dataclass(frozen=True, slots=True)
class Grants:
    """The people and clients of existing grants."""

    grants: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """Everything that the filters select, every such member × every such client (F31)."""

    partner_id: Key = None
    members: MemberFilter | None = None
    member_search: str | None = None
    clients: ClientFilter | None = None
    client_search: str | None = None
    except_members: tuple[Key, ...] = ()
    except_clients: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class OutdatedGrants:
    """Every ACTIVE grant that is on an older version of a permission set (P12)."""

    set_id: Key
    partner_id: Key = None


@dataclass(frozen=True, slots=True)
class Existing:
    """All access that these people have, or that there is in these clients, or both: what is not REMOVED (F36, F40, R8)."""

    members: tuple[Key, ...] | None = None
    clients: tuple[Key, ...] | None = None


@dataclass(frozen=True, slots=True)
class WishedPairs:
    """People in clients, each once, with an access of its own for each; they were looked up already (P28)."""

    pairs: tuple[tuple[int, int], ...]
    wishes: tuple[WishedCell, ...]


Targets: TypeAlias = Product | Pairs | Grants | Matching | OutdatedGrants | Existing | WishedPairs


@dataclass(frozen=True, slots=True)
class FromSet:
    """The access that a permission set gives."""

    set_id: Key
    version_id: int | None = None
    """The version that was the newest when a queued operation was asked for; None for the newest now."""


@dataclass(frozen=True, slots=True)
class FromPermissions:
    """Single permissions with levels; must miss no requirement."""

    permissions: tuple[tuple[str, PermissionLevel], ...]


@dataclass(frozen=True, slots=True)
class CopiedGrant:
    """What another person's grant was when a queued operation was asked for."""

    state_id: int
    set_version_id: int | None = None
    teams: tuple["TeamRequest", ...] = ()


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """A copy of another person's grant (F50)."""

    grant_id: Key
    copied: CopiedGrant | None = None
    """As it was when a queued operation was asked for; None as it is now."""


@dataclass(frozen=True, slots=True)
class DefaultSet:
    """Each person's own default set (F51)."""

    versions: Mapping[int, int] | None = None
    """By person: the version that was theirs when a queued operation was asked for; None for what is theirs now."""


@dataclass(frozen=True, slots=True)
class CurrentVersion:
    """The newest version of the set that each grant came from (P12)."""

    versions: Mapping[int, int] | None = None
    """By set: the version that was the newest when a queued operation was asked for; None for the newest now."""


@dataclass(frozen=True, slots=True)
class AsWished:
    """What each cell of ``WishedPairs`` says (P28)."""


RequestedAccess: TypeAlias = FromSet | FromPermissions | CopyFrom | DefaultSet | CurrentVersion | AsWished


@dataclass(frozen=True, slots=True)
class TeamRequest:
    """A team of a client's account to be given; at most one in a client is the primary one (F54)."""

    team_id: Key
    primary: bool = False
    account_id: int | None = None
    """Whose team it was when it was asked for: it may be gone when it is to be given. None if nobody has looked yet."""


@dataclass(frozen=True, slots=True)
class Reassignment:
    """Who takes over assets of people whose access is removed; the more a rule says, the more it counts (F39, P15)."""

    client_id: Key | Literal["ALL"] = "ALL"
    kind: AssetKind | None = None
    """None for all kinds."""
    to_id: Key | Literal["LEAD"] = "LEAD"
    """A member, or the client's lead person."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What belongs to taking access away: that it was reviewed, and what becomes of the assets (F38, F39)."""

    issuer: Issuer
    review_token: str
    reassign: tuple[Reassignment, ...] = ()
    changed_too: bool = False
    """Whether what has changed since the review is removed as well: for what was reviewed ahead of time (P14)."""


@dataclass(frozen=True, slots=True)
class BillingChoice:
    """Whether one person keeps the billing permissions when they are migrated, in one client or in all (F43)."""

    member_id: Key
    client_id: Key | Literal["ALL"]
    keep: bool


@dataclass(frozen=True, slots=True)
class Migration:
    """What belongs to making super admins partner admins (F42 to F45)."""

    keep_billing: bool = False
    choices: tuple[BillingChoice, ...] = ()


class OnExisting(StrEnum):
    """What granting does with somebody who is ACTIVE in the client already."""

    SKIP = "SKIP"
    CHANGE = "CHANGE"


class OnCustomised(StrEnum):
    """What bringing access to the newest version of its set does with what differs from the set (P12)."""

    RESET = "RESET"
    KEEP = "KEEP"


@dataclass(frozen=True, slots=True)
class Expiry:
    """A wish about the expiry: at a moment, or, with None, never."""

    at: datetime | None
    of_cell: bool = False
    """Each cell says itself when it ends (P28)."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write is carried out."""

    dry_run: bool = False
    atomic: bool = False
    mode: RuleMode = RuleMode.CLAMP
    accept_lockout: bool = False
    include_self: bool = False
    reason: str | None = None
    run_at: datetime | None = None
    """When it is carried out, with the authority of then; None for now (P14)."""


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """One request of the pipeline; ``access``, ``teams`` or ``expiry`` left out stay as they are."""

    kind: OperationKind
    targets: Targets
    access: RequestedAccess | None = None
    seat: Seat | None = None
    teams: tuple[TeamRequest, ...] | None = None
    expiry: Expiry | None = None
    on_existing: OnExisting = OnExisting.SKIP
    on_customised: OnCustomised = OnCustomised.RESET
    """For REAPPLY."""
    expected_versions: tuple[tuple[Key, int], ...] = ()
    removal: Removal | None = None
    """For REMOVE; without it nothing needs to have been reviewed: the service itself, or the client, takes the access away."""
    migration: Migration | None = None
    """For MIGRATE."""
    options: WriteOptions = field(default_factory=WriteOptions)
    repeatable: bool = True
    """Whether it can be tried again by itself; what is a part of something else, as somebody's leaving is, cannot."""
    checked: bool = False
    """Whether it was checked as a whole when it was queued, and a part of it is carried out now."""
    extends: bool = False
    """Whether the expiry only lengthens access, of those too who are deactivated (P05)."""
