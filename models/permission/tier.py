"""Product tiers: what an account pays for."""

from collections.abc import Iterable
from functools import lru_cache

PRODUCTS = ("MARKETING", "SALES", "SERVICE", "CONTENT", "OPERATIONS")
RUNGS = ("STARTER", "PROFESSIONAL", "ENTERPRISE")
TIERS = tuple(f"{product}_{rung}" for product in PRODUCTS for rung in RUNGS)
"""Every tier that an account can pay for."""

ANY = "ANY"
NEEDABLE_TIERS = (*TIERS, *(f"{ANY}_{rung}" for rung in RUNGS))
"""Every tier that a permission can need; ANY_ENTERPRISE is met by the enterprise tier of whatever product."""


def provided(tiers: Iterable[str]) -> frozenset[str]:
    """Returns the needs that an account's tiers meet: a tier meets all lower ones of its product, and the same of ANY."""
    return _provided(frozenset(tiers))


@lru_cache(maxsize=4096)
def _provided(tiers: frozenset[str]) -> frozenset[str]:
    met: set[str] = set()
    for tier in tiers.intersection(TIERS):
        product, _, rung = tier.partition("_")
        for lower in RUNGS[: RUNGS.index(rung) + 1]:
            met |= {f"{product}_{lower}", f"{ANY}_{lower}"}
    return frozenset(met)
