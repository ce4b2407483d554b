"""The mutations with which colleagues hand work to each other, and answer (N02)."""

from typing import Annotated

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.hand_off.acceptance import Acceptance, accept_hand_off, preview_acceptance
from resolvers.hand_off.answer import decline_hand_off, withdraw_hand_off
from resolvers.hand_off.proposal import DAYS, HandOffDraft, hand_off_operation
from resolvers.hand_off.record import hand_offs_by_id
from resolvers.operation.record import of_dry_run
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.hand_off import HandOff
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.operation import Operation
from schema.operation_write import shown_operation
from schema.record import shown
from schema.requested_access import LONGEST_REASON

HAND_OFF = "One of partner.handOffs."


@strawberry.input(description="What a colleague is asked to do.")
class HandOffOperationInput:
    """What handOffOperation takes."""

    operation: strawberry.ID = strawberry.field(
        description="The operation in which it could not be done: one of your own, that has ended."
    )
    to: strawberry.ID = strawberry.field(
        description="The colleague: see operation.whoCould. Handed off are the outcomes of which they could do all by now; left out "
        "is what somebody has changed since, and whom it could not be given to whoever asks."
    )
    clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Only the outcomes in these clients: 1 to 1,000."
    )
    members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Only the outcomes about these people: 1 to 1,000."
    )
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="What you write to the colleague: at most 2,000 characters."
    )
    expires_in_days: int | None = strawberry.field(
        default=DAYS, description="For how many days it can be answered: 1 to 90."
    )


@strawberry.input(description="What of a hand-off is accepted.")
class AcceptHandOffInput:
    """What acceptHandOff takes."""

    hand_off: strawberry.ID = strawberry.field(description=HAND_OFF)
    reason: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Why, for the record: at most 1,000 characters. If left out, as whoever asked has put it.",
    )
    dry_run: bool | None = strawberry.field(
        default=False, description="Answers with the exact outcomes and writes nothing: it can still be declined."
    )


@strawberry.input(description="Which hand-off is declined, and why.")
class DeclineHandOffInput:
    """What declineHandOff takes."""

    hand_off: strawberry.ID = strawberry.field(description=HAND_OFF)
    reason: str = strawberry.field(description="Why: 1 to 1,000 characters. Whoever asked reads it.")


@strawberry.input(description="Which hand-off is taken back.")
class WithdrawHandOffInput:
    """What withdrawHandOff takes."""

    hand_off: strawberry.ID = strawberry.field(description=HAND_OFF)


@strawberry.type(description="The answer to asking a colleague.")
class HandOffOperationPayload(Payload):
    """What handOffOperation answers with."""

    hand_off: HandOff | None = strawberry.field(
        default=None,
        description="The hand-off, which awaits the colleague's answer; `total` says how much they could do.",
    )


@strawberry.type(description="The answer to accepting a hand-off.")
class AcceptHandOffPayload(Payload):
    """What acceptHandOff answers with."""

    hand_off: HandOff | None = strawberry.field(default=None, description="The hand-off.")
    operation: Operation | None = strawberry.field(default=None, description="What became of it, under your authority.")


@strawberry.type(description="The answer to declining a hand-off.")
class DeclineHandOffPayload(Payload):
    """What declineHandOff answers with."""

    hand_off: HandOff | None = strawberry.field(default=None, description="The hand-off.")


@strawberry.type(description="The answer to taking a hand-off back.")
class WithdrawHandOffPayload(Payload):
    """What withdrawHandOff answers with."""

    hand_off: HandOff | None = strawberry.field(default=None, description="The hand-off.")


@strawberry.type
class HandOffMutation:
    """The part of the root of all writes with which colleagues hand work to each other."""

    @field(
        "Asks a colleague to do what an operation has left undone because whoever asked for it could not, and tells them by mail. "
        "Nothing changes until they accept. Needs EDIT in the manager."
    )
    @refusing(HandOffOperationPayload)
    async def hand_off_operation(
        self, info: Info, input: Annotated[HandOffOperationInput, strawberry.argument(description="What is asked.")]
    ) -> HandOffOperationPayload:
        """Asks a colleague (N02)."""
        context, named_clients, named_members = info.context, given(input.clients), given(input.members)
        draft = HandOffDraft(
            operation_id=decode_key(str(input.operation), "Operation"),
            to_id=decode_key(str(input.to), "Member"),
            issuer=context.issuer,
            note=given(input.note) or "",
            client_ids=None
            if named_clients is None
            else tuple(decode_key(str(key), "Client") for key in named_clients),
            member_ids=None
            if named_members is None
            else tuple(decode_key(str(key), "Member") for key in named_members),
            expires_in_days=DAYS if input.expires_in_days is None else input.expires_in_days,
        )
        call = idempotent_call(info, input)
        key = await hand_off_operation(context.database, context.reader.viewer, draft, call)
        return HandOffOperationPayload(hand_off=await _shown(info, key))

    @field(
        "Accepts a hand-off: what was asked for is done as an operation of your own, under your own authority, for exactly these "
        "people and clients, and whoever asked is told. Access that has changed since then is left alone: CONFLICT. What a "
        "set, a default or a copied grant would give differently by now is left out. Needs EDIT in the manager."
    )
    @refusing(AcceptHandOffPayload)
    async def accept_hand_off(
        self, info: Info, input: Annotated[AcceptHandOffInput, strawberry.argument(description="Which hand-off.")]
    ) -> AcceptHandOffPayload:
        """Accepts a hand-off (N02)."""
        context, reason = info.context, given(input.reason)
        if reason is not None:
            with refusing_at("The reason", "input", "reason"):
                reason = several_lines(reason, LONGEST_REASON) or None
        key = decode_key(str(input.hand_off), "HandOff")
        acceptance = Acceptance(key, context.issuer, reason)
        viewer = context.reader.viewer
        if input.dry_run:
            record = of_dry_run(await preview_acceptance(context.database, viewer, acceptance))
            return AcceptHandOffPayload(hand_off=await _shown(info, key or 0), operation=Operation(record=record))
        call = idempotent_call(info, input)
        key = await accept_hand_off(context.database, viewer, acceptance, call, context.queue_limits)
        shown_hand_off = await _shown(info, key)
        operation = await shown_operation(info, shown_hand_off.record.accepted_id or 0)
        return AcceptHandOffPayload(hand_off=shown_hand_off, operation=operation)

    @field("Declines a hand-off; whoever asked is told why by mail. Nothing is changed.")
    @refusing(DeclineHandOffPayload)
    async def decline_hand_off(
        self, info: Info, input: Annotated[DeclineHandOffInput, strawberry.argument(description="Which hand-off.")]
    ) -> DeclineHandOffPayload:
        """Declines a hand-off (N02)."""
        context, call = info.context, idempotent_call(info, input)
        named = decode_key(str(input.hand_off), "HandOff")
        key = await decline_hand_off(context.database, context.reader.viewer, named, input.reason, call)
        return DeclineHandOffPayload(hand_off=await _shown(info, key))

    @field("Takes a hand-off back that you have asked for and that awaits its answer.")
    @refusing(WithdrawHandOffPayload)
    async def withdraw_hand_off(
        self, info: Info, input: Annotated[WithdrawHandOffInput, strawberry.argument(description="Which hand-off.")]
    ) -> WithdrawHandOffPayload:
        """Takes a hand-off back (N02)."""
        context, call = info.context, idempotent_call(info, input)
        named = decode_key(str(input.hand_off), "HandOff")
        key = await withdraw_hand_off(context.database, context.reader.viewer, named, call)
        return WithdrawHandOffPayload(hand_off=await _shown(info, key))


async def _shown(info: Info, key: int) -> HandOff:
    """Returns a hand-off that was just written, or was before under the same idempotency key.

    Raises:
        RefusedError: FORBIDDEN, if the caller may not see it any more.
    """
    info.context.loaders.clear()
    record = await info.context.load(hand_offs_by_id, key)
    if record is None:
        raise refuse(RefusalCode.FORBIDDEN, "This was done before, but you may not see it any more.")
    found: HandOff = shown(record)
    return found
