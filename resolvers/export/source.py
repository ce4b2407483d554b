"""Whose records are exported, and how they name places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from resolvers.account import accounts_by_id, decides_by_account, must_decide
from resolvers.client import clients_by_id
from resolvers.error import AccessCode, AccessError
from resolvers.operation.record import operations_by_id
from resolvers.reader import Reader
from resolvers.timeline import TimelineRecord

Identify: TypeAlias = Callable[[str, int], str]
"""Makes the id by which the API knows an entity, of its type and key."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """Exactly one of them: all of a partner's records, those of an operation, or those of an account for its own people."""

    partner_id: int | None = None
    operation_id: int | None = None
    account_id: int | None = None

    async def check(self, reader: Reader) -> None:
        """Refuses whoever may not read these records.

        Raises:
            AccessError: FORBIDDEN, NOT_A_PARTNER, or NOT_FOUND for what the viewer may not know of (T1).
        """
        if self.partner_id is not None:
            reader.viewer.open_manager(self.partner_id)
        elif self.operation_id is not None:
            if await operations_by_id(reader, [self.operation_id]) == [None]:
                raise AccessError(AccessCode.NOT_FOUND, "There is no such operation.")
        else:
            keys = [self.account_id or 0]
            if await accounts_by_id(reader, keys) == [None]:
                raise AccessError(AccessCode.NOT_FOUND, "There is no such account.")
            (decides,) = await decides_by_account(reader, keys)
            must_decide(decides)

    async def places(self, reader: Reader, entries: Sequence[TimelineRecord]) -> list[tuple[str | None, str | None]]:
        """Returns the Hub ID and the name of the client that each entry is about, as whoever reads it knows them."""
        if self.account_id is not None:
            (account,) = await accounts_by_id(reader, [self.account_id])
            place = (None, None) if account is None else (str(account.hub_id), account.name)
            return [place] * len(entries)
        keys = sorted({entry.client_id for entry in entries if entry.client_id is not None})
        found = {client.id: client for client in await clients_by_id(reader, keys) if client is not None}
        named = [found.get(entry.client_id or 0) for entry in entries]
        return [(str(client.hub_id), client.display_name) if client else (None, None) for client in named]
