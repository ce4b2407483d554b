"""For which partner a request is meant, and whether whoever asks may still act for it when it is carried out."""

from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.member import ManagerRights, MemberStatus, members
from models.partner import PartnerProgram, partners
from resolvers.error import RefusalCode, refuse
from resolvers.viewer import Viewer


def acting_partner(viewer: Viewer, partner_id: int | None, *field: str) -> int:
    """Returns the partner that is named, or the only one for which the viewer may act.

    Args:
        viewer: who asks.
        partner_id: the partner that was named; None if none was.
        field: where in the input one is named.

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, NOT_A_PARTNER, or INVALID_INPUT if one of several must be named.
    """
    if partner_id is not None:
        if viewer.membership(partner_id) is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such partner.", *field)
        return viewer.acting(partner_id).partner_id
    acting = [place for place in viewer.memberships if place.acts]
    if len(acting) > 1:
        raise refuse(RefusalCode.INVALID_INPUT, "You act for several partners: say for which one.", *field)
    candidates = acting or viewer.memberships
    return viewer.acting(candidates[0].partner_id if candidates else 0).partner_id


def acting_place(user_id: int, partner_id: int) -> Select[Any]:
    """Selects a person's membership in a partner if it lets them act there, as the database says it now (F01, F02)."""
    return (
        select(members.c.id, members.c.verified, members.c.super_admin)
        .join(partners, partners.c.id == members.c.partner_id)
        .where(members.c.user_id == user_id, members.c.partner_id == partner_id)
        .where(members.c.status == MemberStatus.ACTIVE.value, partners.c.program != PartnerProgram.NONE.value)
        .where(or_(members.c.super_admin, members.c.manager_rights == ManagerRights.EDIT.value))
    )


async def check_acting(connection: AsyncConnection, viewer: Viewer, partner_id: int) -> bool:
    """Refuses whoever may not act for a partner, judged inside the transaction; says whether they are its super admin.

    The viewer was found out when the request came in, and a writer may have waited since then.

    Raises:
        RefusedError: NOT_A_PARTNER (F01) or FORBIDDEN (F02).
    """
    viewer.acting(partner_id)
    place = (await connection.execute(acting_place(viewer.user_id, partner_id))).one_or_none()
    if place is None:
        raise refuse(RefusalCode.FORBIDDEN, "You have lost the right to act for this partner in the meantime.")
    return bool(place.super_admin)
