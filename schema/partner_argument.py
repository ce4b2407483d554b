"""For which partner a write is meant."""

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.viewer import Viewer
from schema.node import decode_key


def acting_partner(viewer: Viewer, partner: strawberry.ID | None) -> int:
    """Returns the partner that is named, or the only one for which the viewer may act.

    Raises:
        RefusedError: NOT_FOUND, FORBIDDEN, NOT_A_PARTNER, or INVALID_INPUT if one of several must be named.
    """
    if partner is not None:
        place = viewer.membership(decode_key(str(partner), "Partner") or 0)
        if place is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such partner.", "input", "partner")
        return viewer.acting(place.partner_id).partner_id
    acting = [place for place in viewer.memberships if place.acts]
    if len(acting) > 1:
        raise refuse(RefusalCode.INVALID_INPUT, "You act for several partners: say for which one.", "input", "partner")
    candidates = acting or viewer.memberships
    return viewer.acting(candidates[0].partner_id if candidates else 0).partner_id
