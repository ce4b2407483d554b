"""For which partner a request is meant, when it does not follow from what the request names."""

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
