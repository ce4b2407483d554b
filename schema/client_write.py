"""The mutation that changes what a partner knows of a client."""

from decimal import Decimal
from typing import Annotated

import strawberry

from resolvers.client import clients_by_id
from resolvers.client_edit import KEEP, ClientPatch, MoneyDraft, Patched, update_client
from schema.client import Client
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.record import shown


@strawberry.input(description="An exact amount in one currency.")
class MoneyInput:
    """An amount and its currency."""

    amount: Decimal = strawberry.field(
        description="How much: not negative, at most 12 digits before the point and 4 after it."
    )
    currency: str = strawberry.field(description="The currency's three capital letters (ISO 4217).")


@strawberry.input(description="What is to change about a client; what is left out stays, and null clears.")
class UpdateClientInput:
    """What updateClient takes (R12)."""

    client: strawberry.ID = strawberry.field(description="The client.")
    display_name: strawberry.Maybe[str | None] = strawberry.field(
        description="The name in your partner's own company record, at most 200 characters; without one the official name "
        "stands in."
    )
    managed_mrr: strawberry.Maybe[MoneyInput | None] = strawberry.field(
        description="The monthly recurring revenue that your partner manages here. Both amounts of a client have one "
        "currency: to change it, send both."
    )
    sold_mrr: strawberry.Maybe[MoneyInput | None] = strawberry.field(
        description="The monthly recurring revenue that your partner sold here, in the same currency."
    )
    lead: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="Who leads the work for this client: an ACTIVE member of your partner."
    )


@strawberry.type(description="The answer to changing a client.")
class UpdateClientPayload(Payload):
    """What updateClient answers with."""

    client: Client | None = strawberry.field(default=None, description="The client as it is now.")


def _money(value: strawberry.Some[MoneyInput | None] | None) -> Patched[MoneyDraft]:
    if value is None:
        return KEEP
    return None if value.value is None else MoneyDraft(value.value.amount, value.value.currency)


def _lead(value: strawberry.Some[strawberry.ID | None] | None) -> Patched[int]:
    if value is None:
        return KEEP
    # 0 is nobody's key: garbage is refused as an unknown member is, and does not clear the lead.
    return None if value.value is None else decode_key(str(value.value), "Member") or 0


@strawberry.type
class ClientMutation:
    """The part of the root of all writes that is about clients."""

    @field("Changes what your partner knows of a client: its name, revenue and lead person. Needs EDIT in the manager.")
    @refusing(UpdateClientPayload)
    async def update_client(
        self,
        info: Info,
        input: Annotated[UpdateClientInput, strawberry.argument(description="What changes about which client.")],
    ) -> UpdateClientPayload:
        """Changes a client (F20, F56, P21)."""
        context = info.context
        patch = ClientPatch(
            display_name=KEEP if input.display_name is None else input.display_name.value,
            managed_mrr=_money(input.managed_mrr),
            sold_mrr=_money(input.sold_mrr),
            lead_id=_lead(input.lead),
        )
        client_id, call = decode_key(str(input.client), "Client"), idempotent_call(info, input)
        key = await update_client(context.database, context.reader.viewer, client_id, patch, call)
        context.loaders.clear()
        client: Client = shown(await context.load(clients_by_id, key))
        return UpdateClientPayload(client=client)
