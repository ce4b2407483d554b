"""What somebody can really do, worked out anew from raw rows: with words and sets, and not with the masks of the catalogue (F11, E20)."""

from models.permission.catalogue import catalogue
from tests.rules.oracle import Oracle

_RUNGS = ["STARTER", "PROFESSIONAL", "ENTERPRISE"]
_RULES = Oracle(catalogue)


def stored_levels(content: str) -> dict[str, str]:
    """Returns the levels that the text of a permission state names; what has left the catalogue counts for nothing (E22)."""
    named = dict(part.split(":") for part in content.split())
    return {key: level for key, level in named.items() if key in catalogue.permissions}


def effective_levels(content: str, seat: str, tiers: str) -> dict[str, str]:
    """Returns the levels of a state that a seat and an account's tiers let through, with all that they require."""
    held = set()
    for key, level in stored_levels(content).items():
        permission = catalogue.permissions[key]
        names = [known.value for known in permission.levels]
        if seat in permission.seats and (permission.tier is None or _is_paid_for(permission.tier, tiers)):
            held |= {(key, known) for known in permission.levels[1 : names.index(level) + 1]}
    found: dict[str, str] = {}
    for key, level in sorted(_RULES.largest_closed_subset(held), key=lambda atom: atom[1].rank):
        found[key] = level.value
    return found


def _is_paid_for(tier: str, tiers: str) -> bool:
    """Says whether one of an account's tiers is as high as a permission needs it, of the same product or of any."""
    product, _, rung = tier.partition("_")
    paid = [owned.split("_") for owned in tiers.split()]
    return any(product in {"ANY", of} and _RUNGS.index(high) >= _RUNGS.index(rung) for of, high in paid)
