"""Changing what a partner itself knows of a client: name, revenue, lead person (F20, F56, P21)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeAlias, TypeVar

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.member import MemberStatus, members
from resolvers import import_cell
from resolvers.acting_partner import check_acting
from resolvers.client_import import client_texts
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import optional_line, refusing_at
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.readable import readable_clients
from resolvers.viewer import Viewer


class Keep(Enum):
    """What a patch says about that which stays as it is; None would clear it."""

    KEEP = "KEEP"


LONGEST_NAME = 200

KEEP: Literal[Keep.KEEP] = Keep.KEEP

Value = TypeVar("Value")
Patched: TypeAlias = Value | Literal[Keep.KEEP] | None


@dataclass(frozen=True, slots=True)
class MoneyDraft:
    """An amount as the caller writes it."""

    amount: Decimal
    currency: str

    def checked(self, *field: str) -> "MoneyDraft":
        """Returns the amount, if it can be stored.

        Raises:
            RefusedError: INVALID_INPUT at ``field``.
        """
        part = "amount"
        try:
            amount = import_cell.amount(part, format(self.amount.normalize(), "f"))
            part = "currency"
            import_cell.currency(part, self.currency, amount)
        except ValueError as error:
            raise refuse(RefusalCode.INVALID_INPUT, str(error), *field, part) from None
        return self


@dataclass(frozen=True, slots=True)
class ClientPatch:
    """What is to change about a client."""

    display_name: Patched[str] = KEEP
    managed_mrr: Patched[MoneyDraft] = KEEP
    sold_mrr: Patched[MoneyDraft] = KEEP
    lead_id: Patched[int] = KEEP


async def update_client(
    database: Database, viewer: Viewer, client_id: int | None, patch: ClientPatch, call: IdempotentCall | None = None
) -> int:
    """Changes a client of a partner for which the viewer may act, and returns its key.

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, NOT_A_PARTNER, or INVALID_INPUT.
    """
    if patch == ClientPatch():
        raise refuse(
            RefusalCode.INVALID_INPUT, "Say what to change: displayName, managedMrr, soldMrr or lead.", "input"
        )
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        found = await _client(connection, viewer, client_id, None if patch.lead_id is KEEP else patch.lead_id)
        values = _named(found, patch) | _billed(found, patch)
        if patch.lead_id is not KEEP:
            await _check_lead(connection, found, patch.lead_id)
            values["lead_id"] = patch.lead_id
        await connection.execute(update(clients).where(clients.c.id == found.id).values(values))
        await remember(session, call, found.id)
    key: int = found.id
    return key


async def _client(connection: AsyncConnection, viewer: Viewer, client_id: int | None, lead_id: int | None) -> Row[Any]:
    """Returns the client with the account's official data; both and the coming lead are locked until the transaction ends."""
    readable = select(clients.c.partner_id, clients.c.account_id).where(
        clients.c.id == client_id, clients.c.id.in_(readable_clients(viewer))
    )
    known = (await connection.execute(readable)).one_or_none()
    if known is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such client.", "input", "client")
    # The client before the account, as an import locks them: the official name must not change under the texts made of it.
    await lock_rows(connection, select(clients.c.id).where(clients.c.id == client_id))
    # Nobody leaves the partner while they are made lead person.
    await lock_rows(connection, select(members.c.id).where(members.c.id == lead_id))
    await lock_rows(connection, select(accounts.c.id).where(accounts.c.id == known.account_id))
    await check_acting(connection, viewer, known.partner_id)
    statement = (
        select(clients, accounts.c.official_name, accounts.c.domain, accounts.c.hub_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.id == client_id)
    )
    return (await connection.execute(statement)).one()


def _named(found: Row[Any], patch: ClientPatch) -> dict[str, Any]:
    """Returns the columns that follow from the display name; an empty one is none (F20)."""
    if patch.display_name is KEEP:
        return {}
    with refusing_at("The name", "input", "displayName"):
        name = optional_line(patch.display_name or "", LONGEST_NAME) or None
    return {"display_name": name, **client_texts(name, found.official_name, found.domain, found.hub_id)}


def _billed(found: Row[Any], patch: ClientPatch) -> dict[str, Any]:
    """Returns the columns of the two amounts, which have one currency."""
    told: dict[str, MoneyDraft | None] = {}
    if patch.managed_mrr is not KEEP:
        told["managed_mrr"] = patch.managed_mrr and patch.managed_mrr.checked("input", "managedMrr")
    if patch.sold_mrr is not KEEP:
        told["sold_mrr"] = patch.sold_mrr and patch.sold_mrr.checked("input", "soldMrr")
    if not told:
        return {}
    amounts: dict[str, Any] = {name: None if money is None else money.amount for name, money in told.items()}
    kept = [name for name in ("managed_mrr", "sold_mrr") if name not in told and getattr(found, name) is not None]
    currencies = [money.currency for money in told.values() if money is not None]
    if kept and found.currency is not None:
        currencies.append(found.currency)
    if len(set(currencies)) > 1:
        wrong = "managedMrr" if "managed_mrr" in told else "soldMrr"
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"A client has one currency: {' and '.join(currencies)} do not go together. Send both amounts in the same one.",
            "input",
            wrong,
            "currency",
        )
    return {**amounts, "currency": currencies[0] if currencies else None}


async def _check_lead(connection: AsyncConnection, found: Row[Any], lead_id: int | None) -> None:
    """Refuses a lead person who is no ACTIVE member of the client's partner (P21)."""
    if lead_id is None:
        return
    own = (
        select(members.c.status)
        .join(clients, clients.c.partner_id == members.c.partner_id)
        .where(members.c.id == lead_id, clients.c.id == found.id)
    )
    status = (await connection.execute(own)).scalar_one_or_none()
    if status is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", "input", "lead")
    if status != MemberStatus.ACTIVE:
        raise refuse(
            RefusalCode.INVALID_INPUT, "Only an ACTIVE member of the partner can lead a client.", "input", "lead"
        )
