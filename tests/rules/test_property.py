"""I1, I2, I3, I4, I5, I6, I7, I8 and I9 over random catalogues and states and over the real catalogue, thousands of examples with --thorough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.permission.catalogue import Catalogue
from models.permission.rule import apply_rule, authority
from tests.rules.oracle import Oracle
from tests.rules.strategy import RANDOM, REAL, atom_sets, examples, situations, valid_states

Catalogues = st.SearchStrategy[Catalogue]
over_catalogues = pytest.mark.parametrize("catalogues", [RANDOM, REAL], ids=["random", "real"])


@over_catalogues
@examples
@given(data=st.data())
def test_authority_is_the_largest_closed_subset_of_what_is_held_and_delegable(
    catalogues: Catalogues, data: st.DataObject
) -> None:
    s = data.draw(situations(catalogues))
    oracle = Oracle(s.catalogue)
    held = oracle.atoms(s.actor if s.ceiling is None else s.actor & s.ceiling)
    delegable = {atom for atom in held if s.catalogue.permissions[atom[0]].delegable}
    assert oracle.atoms(s.authority) == oracle.largest_closed_subset(delegable)


@over_catalogues
@examples
@given(data=st.data())
def test_i1_nothing_is_granted_beyond_the_authority(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    change = apply_rule(s.target, s.requested, s.authority, s.catalogue)
    assert change.after & ~s.target & ~s.authority == 0


@over_catalogues
@examples
@given(data=st.data())
def test_i2_nothing_is_taken_beyond_the_authority(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    change = apply_rule(s.target, s.requested, s.authority, s.catalogue)
    assert s.target & ~change.after & ~s.authority == 0


@over_catalogues
@examples
@given(data=st.data())
def test_i3_the_result_is_valid(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    assert Oracle(s.catalogue).is_valid(apply_rule(s.target, s.requested, s.authority, s.catalogue).after)


@over_catalogues
@examples
@given(data=st.data())
def test_i4_repeating_changes_nothing(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    once = apply_rule(s.target, s.requested, s.authority, s.catalogue)
    again = apply_rule(once.after, s.requested, s.authority, s.catalogue)
    assert again.after == once.after
    assert again.is_noop


@over_catalogues
@examples
@given(data=st.data())
def test_i5_full_authority_does_as_requested_and_none_does_nothing(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    assert apply_rule(s.target, s.requested, s.catalogue.everything, s.catalogue).after == s.requested
    assert apply_rule(s.target, s.requested, 0, s.catalogue).after == s.target


@over_catalogues
@examples
@given(data=st.data())
def test_i6_the_result_is_the_least_valid_state_with_what_stays_and_what_is_given(
    catalogues: Catalogues, data: st.DataObject
) -> None:
    s = data.draw(situations(catalogues))
    oracle = Oracle(s.catalogue)
    target, requested, held = oracle.atoms(s.target), oracle.atoms(s.requested), oracle.atoms(s.authority)
    after = apply_rule(s.target, s.requested, s.authority, s.catalogue).after
    assert oracle.atoms(after) == oracle.closure((target - held) | (requested & held))


@over_catalogues
@examples
@given(data=st.data())
def test_i7_the_result_grows_with_the_request_and_with_the_target(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    more_requested = s.catalogue.closure(s.requested | data.draw(valid_states(s.catalogue)))
    more_targeted = s.catalogue.closure(s.target | data.draw(valid_states(s.catalogue)))
    after = apply_rule(s.target, s.requested, s.authority, s.catalogue).after
    assert after & ~apply_rule(s.target, more_requested, s.authority, s.catalogue).after == 0
    assert after & ~apply_rule(more_targeted, s.requested, s.authority, s.catalogue).after == 0


@over_catalogues
@examples
@given(data=st.data())
def test_i8_applied_to_oneself_it_only_reduces(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    held = authority(s.target, s.ceiling, s.catalogue)
    assert apply_rule(s.target, s.requested, held, s.catalogue).after & ~s.target == 0


@over_catalogues
@examples
@given(data=st.data())
def test_i9_the_order_of_two_actors_matters_only_inside_both_authorities(
    catalogues: Catalogues, data: st.DataObject
) -> None:
    s = data.draw(situations(catalogues))
    other_requested = data.draw(valid_states(s.catalogue))
    first, second = s.authority, authority(data.draw(atom_sets(s.catalogue)), None, s.catalogue)

    def both(orders: list[tuple[int, int]]) -> int:
        state = s.target
        for requested, held in orders:
            state = apply_rule(state, requested, held, s.catalogue).after
        return state

    one_way = both([(s.requested, first), (other_requested, second)])
    other_way = both([(other_requested, second), (s.requested, first)])
    assert (one_way ^ other_way) & ~(first & second) == 0


@over_catalogues
@examples
@given(data=st.data())
def test_the_report_is_the_difference_and_its_reasons(catalogues: Catalogues, data: st.DataObject) -> None:
    s = data.draw(situations(catalogues))
    oracle = Oracle(s.catalogue)
    change = apply_rule(s.target, s.requested, s.authority, s.catalogue)
    target, requested, held = oracle.atoms(s.target), oracle.atoms(s.requested), oracle.atoms(s.authority)
    after = oracle.atoms(change.after)
    assert oracle.atoms(change.granted) == after - target
    assert oracle.atoms(change.revoked) == target - after
    assert oracle.atoms(change.withheld) == requested - target - held
    assert oracle.atoms(change.retained_actor_lacks) == after - requested - held
    assert oracle.atoms(change.retained_required) == (after - requested) & held
    assert change.exceeds_authority == (after != requested)


@over_catalogues
@examples
@given(data=st.data())
def test_closure_and_largest_closed_subset_agree_with_sets(catalogues: Catalogues, data: st.DataObject) -> None:
    known = data.draw(catalogues)
    state = data.draw(atom_sets(known))
    oracle = Oracle(known)
    held = oracle.atoms(state)
    assert oracle.atoms(known.closure(state)) == oracle.closure(held)
    assert oracle.atoms(known.largest_closed_subset(state)) == oracle.largest_closed_subset(held)
    assert known.is_valid(state) == oracle.is_valid(state) == (known.missing(state) == [])


@over_catalogues
@examples
@given(data=st.data())
def test_valid_states_survive_their_canonical_text(catalogues: Catalogues, data: st.DataObject) -> None:
    known = data.draw(catalogues)
    state = data.draw(valid_states(known))
    text = known.encode(state)
    assert known.decode(text) == state
    assert known.state(known.levels(state)) == state
    keys = [part.rpartition(":")[0] for part in text.split()]
    assert keys == sorted(set(keys))
