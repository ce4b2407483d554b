"""Migration: a super admin becomes a partner admin, the one sanctioned exception to the bounded rule (F42 to F45)."""

from collections.abc import Iterator
from dataclasses import replace

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.operation import OutcomeStatus
from models.permission.built_in import FINANCIAL_STATE
from models.permission.catalogue import Catalogue
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import Migration, OperationRequest
from resolvers.operation.situation import Decision, Requested, Situation


def migrate(request: OperationRequest, situation: Situation, catalogue: Catalogue) -> Decision:
    """Returns what a migration makes of every cell in a situation.

    The whole Partner Admin set, not clamped (M10), and billing if it is kept; oneself, and others as partner admin there (M7).
    The last super admin is held back afterwards, over the whole account (M1 to M4).
    """
    known = situation.known()
    refusal = next(_refusals(situation), None)
    if refusal is OutcomeCode.NO_CHANGE:
        return replace(known, status=OutcomeStatus.NOOP, code=refusal)
    if refusal is not None:
        return replace(known, code=refusal)
    if not isinstance(situation.requested, Requested):
        raise TypeError("A migration is to the Partner Admin set.")
    after = situation.requested.state
    if _keeps_billing(request, situation):
        after = catalogue.closure(after | FINANCIAL_STATE)
    if situation.client.lockdown is not None and after != situation.requested.set_state:
        return replace(known, code=OutcomeCode.LOCKED_TO_SETS)
    return replace(
        known,
        status=OutcomeStatus.APPLIED,
        after=after,
        requested=after,
        authority=catalogue.everything,
        after_access_type=AccessType.PARTNER_ADMIN,
        seat=Seat.PARTNER,
        set_version_id=situation.requested.set_version_id,
        customised=after != situation.requested.set_state,
    )


def _refusals(situation: Situation) -> Iterator[OutcomeCode]:
    member, grant = situation.member, situation.grant
    if not member.is_actor and situation.client.authority is None:
        yield OutcomeCode.NOT_PARTNER_ADMIN
    if situation.is_own_person or member.status is MemberStatus.LEFT:
        yield OutcomeCode.NOT_A_MEMBER
    if member.status is not MemberStatus.ACTIVE:
        yield OutcomeCode.NOT_ACTIVE
    # Deactivated or expired, a super admin counts for nothing (M2, R11).
    if grant is None or grant.status is not GrantStatus.ACTIVE or grant.expired:
        yield OutcomeCode.NOT_SUPER_ADMIN
        return
    if grant.access_type is AccessType.PARTNER_ADMIN:
        yield OutcomeCode.NO_CHANGE
    if grant.access_type is not AccessType.SUPER_ADMIN:
        yield OutcomeCode.NOT_SUPER_ADMIN
    if grant.conflict:
        yield OutcomeCode.CONFLICT
    if not member.verified:
        yield OutcomeCode.NOT_VERIFIED


def _keeps_billing(request: OperationRequest, situation: Situation) -> bool:
    """Says whether billing is kept: what is said of the person in this client counts most, then of the person, then of all."""
    here = None if situation.grant is None else situation.grant.keeps_billing
    said = situation.member.keeps_billing if here is None else here
    return (request.migration or Migration()).keep_billing if said is None else said
