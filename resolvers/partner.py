"""The agencies that a viewer is a member of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.member import ManagerRights
from models.partner import PartnerProgram, partners
from resolvers.error import InputError
from resolvers.page import Projection
from resolvers.readable import readable_partners
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class PartnerRecord:
    """An agency."""

    id: int
    hub_id: int
    name: str
    program: PartnerProgram


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id, rows.c.hub_id, rows.c.name, rows.c.program).select_from(source)


_PARTNERS = Projection(partners, _columns, PartnerRecord)


async def partners_by_id(reader: Reader, keys: Sequence[int]) -> list[PartnerRecord | None]:
    """Returns the partners with these keys; None for those the viewer is no member of (T1)."""
    return await _PARTNERS.by_key(reader, readable_partners(reader.viewer), keys)


async def viewer_partners(reader: Reader) -> list[PartnerRecord]:
    """Returns all partners the viewer is a member of."""
    return await _PARTNERS.records(reader, readable_partners(reader.viewer))


async def only_partner(reader: Reader) -> PartnerRecord | None:
    """Returns the viewer's only partner, None if there is none.

    Raises:
        InputError: if there are several, so that one must be named.
    """
    found = await viewer_partners(reader)
    if len(found) > 1:
        raise InputError("You are a member of several partners: say which with id; the field partners lists them.")
    return found[0] if found else None


def viewer_rights(viewer: Viewer, partner_id: int) -> ManagerRights:
    """Returns what the viewer may do in a partner's manager (F02); NONE where the partner is in no program (F01)."""
    place = viewer.membership(partner_id)
    return place.rights if place is not None and place.eligible else ManagerRights.NONE
