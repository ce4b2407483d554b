"""What a seat and an account's product tiers let through of a state (F11).

The mask applies when reading and never to what is stored: an account that buys a tier has its permissions at once (E20).
"""

from collections.abc import Iterable
from functools import lru_cache

from models.permission.catalogue import Catalogue
from models.permission.state import State
from models.permission.tier import provided


def seat_mask(seat: str, catalogue: Catalogue) -> State:
    """Returns all atoms that a seat lets through; an unknown seat lets nothing through."""
    return _seat_mask(seat, catalogue)


def tier_mask(tiers: Iterable[str], catalogue: Catalogue) -> State:
    """Returns all atoms that an account's product tiers let through; what is outside is NOT_IN_TIER (E20)."""
    return _tier_mask(frozenset(tiers), catalogue)


def mask(seat: str, tiers: Iterable[str], catalogue: Catalogue) -> State:
    """Returns all atoms that seat and tiers let through."""
    return seat_mask(seat, catalogue) & tier_mask(tiers, catalogue)


def effective(state: State, seat: str, tiers: Iterable[str], catalogue: Catalogue) -> State:
    """Returns what a person can really do: the largest closed subset of the state under the mask (F11)."""
    return catalogue.largest_closed_subset(state & mask(seat, tiers, catalogue))


@lru_cache(64)
def _seat_mask(seat: str, catalogue: Catalogue) -> State:
    return catalogue.where(lambda permission: seat in permission.seats)


@lru_cache(4096)
def _tier_mask(tiers: frozenset[str], catalogue: Catalogue) -> State:
    met = provided(tiers)
    return catalogue.where(lambda permission: permission.tier is None or permission.tier in met)
