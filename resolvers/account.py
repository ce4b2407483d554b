"""Client accounts, as their own people see them (section 3, *the client's side*; T1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.account import accounts
from models.grant import AccessType, grants, own_person
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.table import now
from resolvers.account_manager import FOR_MANAGERS, manages_users
from resolvers.error import AccessCode, AccessError
from resolvers.hub_id import hub_id_number
from resolvers.page import Projection
from resolvers.readable import readable_accounts
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class AccountRecord:
    """An account, by its own name."""

    id: int
    hub_id: int
    name: str


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id, rows.c.hub_id, rows.c.official_name).select_from(source)


_ACCOUNTS = Projection(accounts, _columns, AccountRecord)


def _choice(viewer: Viewer) -> Select[Any]:
    return select(accounts.c.id).where(accounts.c.id.in_(readable_accounts(viewer)))


async def accounts_by_id(reader: Reader, keys: Sequence[int]) -> list[AccountRecord | None]:
    """Returns the accounts with these keys; None for those whose own people the viewer is not one of (T1)."""
    return await _ACCOUNTS.by_key(reader, _choice(reader.viewer), keys)


async def account_by_hub_id(reader: Reader, hub_id: str) -> AccountRecord | None:
    """Returns the account with this Hub ID; None for what the viewer does not know of (T1)."""
    number = hub_id_number(hub_id)
    if number is None:
        return None
    found = await _ACCOUNTS.records(reader, _choice(reader.viewer).where(accounts.c.hub_id == number))
    return found[0] if found else None


async def viewer_accounts(reader: Reader) -> list[AccountRecord]:
    """Returns all accounts whose own people the viewer is one of now."""
    return await _ACCOUNTS.records(reader, _choice(reader.viewer))


async def decides_by_account(reader: Reader, keys: Sequence[int]) -> list[bool]:
    """Says for each account whether the viewer decides for it: as ``check_account_manager``, for reading."""
    own = grants.c
    rows = await reader.rows(
        select(own.account_id, own.access_type, permission_states.c.content)
        .join(permission_states, permission_states.c.id == own.state_id)
        .where(own.user_id == reader.viewer.user_id, own.account_id.in_(set(keys)), own_person(grants, now()))
    )
    deciding = {
        row.account_id
        for row in rows
        if row.access_type == AccessType.SUPER_ADMIN or manages_users(catalogue.decode(row.content))
    }
    return [key in deciding for key in keys]


def must_decide(decides: bool) -> None:  # noqa: FBT001 the answer of ``decides_by_account``
    """Refuses who may know the account's name and no more.

    Raises:
        AccessError: FORBIDDEN.
    """
    if not decides:
        raise AccessError(AccessCode.FORBIDDEN, FOR_MANAGERS)
