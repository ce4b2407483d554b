"""Bringing access that differs from its set to the set's next version: the differences stay, and the result is valid (P12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.permission.catalogue import Catalogue
from models.permission.rebase import rebase
from tests.rules.oracle import Oracle
from tests.rules.strategy import RANDOM, REAL, examples, valid_states

Catalogues = st.SearchStrategy[Catalogue]
over_catalogues = pytest.mark.parametrize("catalogues", [RANDOM, REAL], ids=["random", "real"])


@over_catalogues
@examples
@given(data=st.data())
def test_p12_what_was_added_stays_and_what_was_taken_out_stays_out(catalogues: Catalogues, data: st.DataObject) -> None:
    """And it is the largest such state: nothing of the new version is lost without a reason."""
    known = data.draw(catalogues)
    held, old, new = (data.draw(valid_states(known)) for _ in range(3))
    oracle, after = Oracle(known), rebase(held, old, new, known)
    assert oracle.is_valid(after)
    assert held & ~old & ~after == 0
    assert old & ~held & after == 0
    added = oracle.closure(oracle.atoms(held & ~old))
    allowed = (oracle.atoms(new) - oracle.atoms(old & ~held)) | added
    assert oracle.atoms(after) == oracle.largest_closed_subset(allowed)


@examples
@given(data=st.data())
def test_p12_without_a_difference_it_is_the_new_version_and_without_a_new_version_what_is_held(
    data: st.DataObject,
) -> None:
    known = data.draw(RANDOM)
    held, old, new = (data.draw(valid_states(known)) for _ in range(3))
    assert rebase(old, old, new, known) == new
    assert rebase(held, old, old, known) == held
