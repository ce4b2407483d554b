"""What a link opens for whoever it reaches, before anybody decides."""

from datetime import datetime
from typing import Any

import strawberry

from models.permission.built_in import PARTNER_ADMIN_SET
from resolvers.error import RefusalCode, refuse
from resolvers.invitation import InvitationKind, InvitationRecord, InvitedPerson, WayIn
from resolvers.permission import permissions_at_level as records_at_level
from schema.connection import given
from schema.enum import described
from schema.field import column, field
from schema.node import decode_text, encode
from schema.permission import PermissionAtLevel, permissions_at_level
from schema.record import shows
from schema.scalar import EmailAddress

_LETTERS = {"A": InvitationKind.ACCESS_LINK, "C": InvitationKind.CONFIRMATION_LINK}
_LARGEST_KEY = 2**63 - 1
_LONGEST_KEY = len(str(_LARGEST_KEY))

described(
    InvitationKind,
    "What a link asks of a client.",
    ACCESS_LINK="To let one person in as partner admin: `approveAccessLink` or `declineAccessLink`.",
    CONFIRMATION_LINK="To confirm that it works with the agency, and to let in whom the link names: `confirmRelationship` or "
    "`declineRelationship`.",
)


@strawberry.type(name="InvitedPerson", description="Somebody who would become partner admin of the account.")
class InvitedPersonShown:
    """A person of an invitation."""

    record: strawberry.Private[InvitedPerson]
    name: str = column("The name, as the agency writes it.")
    email: EmailAddress = column("The e-mail address, in lower case.")
    eligible: bool = column(
        "Whether they can become partner admin now: an active, verified person of an agency in a program."
    )


@shows(InvitationRecord)
@strawberry.type(
    description="What an access link or a confirmation link asks for: who, on behalf of which agency, and what they would get."
)
class AccessLinkInvitation:
    """An invitation, as the client sees it before deciding (F16)."""

    record: strawberry.Private[InvitationRecord]
    kind: InvitationKind = column("What is asked.")
    partner_name: str = column("The agency that asks.")
    partner_hub_id: str = column("The number by which people know the agency's own account.")
    requested_by: str = column("The name of the agency's person who made the link.")
    reference: str = column("What the agency calls the link; empty if it has no name.")
    single_use: bool = column("Whether it can be approved only once.")
    created_at: datetime = column("When the link was made.")
    expires_at: datetime = column("When the link ends by itself.")
    account_name: str | None = column("The account that it is for; null if any account may answer.")
    account_hub_id: str | None = column("The Hub ID of the account that it is for; null if any account may answer.")

    @field(
        "Opaque. Names the invitation instead of its token where it is for one account: see `account.pendingInvitations`.",
        name="id",
    )
    def invitation_id(self) -> strawberry.ID:
        """Returns the id that the answering mutations take."""
        letter = next(letter for letter, kind in _LETTERS.items() if kind is self.record.kind)
        return encode("Invitation", f"{letter}{self.record.link_id}")

    @field("Who would become partner admin of the account.")
    def people(self) -> list[InvitedPersonShown]:
        """Returns the people."""
        return [InvitedPersonShown(record=person) for person in self.record.people]

    @field("What each of them would get: the Partner Admin set. A ceiling that you give with your answer limits it.")
    def permissions(self) -> list[PermissionAtLevel]:
        """Returns what the Partner Admin set contains (F06)."""
        return permissions_at_level(records_at_level(PARTNER_ADMIN_SET.state)) if self.record.people else []


def way_in(token: Any, invitation: Any) -> WayIn:
    """Returns how a caller names an invitation; what cannot be read is named all the same, and opens nothing.

    Raises:
        RefusedError: INVALID_INPUT, unless it is exactly one of the two.
    """
    token, invitation = given(token), given(invitation)
    if (token is None) == (invitation is None):
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "Give either the token of the link, or the id of one of account.pendingInvitations.",
            "input",
        )
    if token is not None:
        return WayIn(token=token)
    kind, key = _decoded(str(invitation)) or (InvitationKind.ACCESS_LINK, 0)
    return WayIn(listed=(kind, key))


def _decoded(text: str) -> tuple[InvitationKind, int] | None:
    found = decode_text(text)
    if found is None or found[0] != "Invitation" or found[1][:1] not in _LETTERS:
        return None
    digits = found[1][1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_KEY and int(digits) <= _LARGEST_KEY):
        return None
    return _LETTERS[found[1][0]], int(digits)
