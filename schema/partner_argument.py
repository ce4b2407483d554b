"""For which partner a write is meant."""

import strawberry

from resolvers import acting_partner as partners
from resolvers.viewer import Viewer
from schema.node import decode_key


def acting_partner(viewer: Viewer, partner: strawberry.ID | None) -> int:
    """Returns the partner that is named, or the only one for which the viewer may act.

    Raises:
        RefusedError: as ``resolvers.acting_partner``; an id that cannot be read is as unknown as any other.
    """
    key = None if partner is None else decode_key(str(partner), "Partner") or 0
    return partners.acting_partner(viewer, key, "input", "partner")
