"""Bringing access that differs from its permission set to the set's next version, with the differences (P12)."""

from models.permission.catalogue import Catalogue
from models.permission.state import State


def rebase(held: State, old: State, new: State, catalogue: Catalogue) -> State:
    """Returns ``new`` with what ``held`` has more and less than ``old``, as far as that is a valid state.

    What was taken out stays out, with whatever new requires it; what was added stays, with all that it requires. Without a
    difference the answer is ``new``; with ``new`` equal to ``old`` it is ``held``.

    Args:
        held: what somebody has, a valid state.
        old: the version of the set from which that came, a valid state.
        new: the version that it is brought to, a valid state.
        catalogue: what requires what.
    """
    # What is held has all that it requires, so nothing that was taken out comes back with what was added.
    added = catalogue.closure(held & ~old)
    return catalogue.largest_closed_subset((new & ~(old & ~held)) | added)
