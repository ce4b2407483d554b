"""I1 to I6 and I8 for every acyclic requirement graph on up to four atoms, every valid P and R and every actor's state.

Every acyclic graph can be numbered so that its edges lead from higher to lower numbers, so these graphs are all.
"""

from collections.abc import Iterator
from itertools import combinations

import pytest

from models.permission.catalogue import Catalogue
from models.permission.rule import apply_rule, authority
from tests.rules.oracle import greatest_valid_subset, least_valid_superset, subsets, valid_subsets

Graph = dict[int, frozenset[int]]


def graphs(size: int) -> Iterator[Graph]:
    edges = [(high, low) for low, high in combinations(range(size), 2)]
    for chosen in subsets(edges):
        yield {atom: frozenset(low for high, low in chosen if high == atom) for atom in range(size)}


def catalogue_of(graph: Graph, never_delegable: frozenset[int] = frozenset()) -> Catalogue:
    return Catalogue.from_mapping(
        {
            f"k{atom}": {
                "levels": ["ALL"],
                "requires": {"ALL": [f"k{required}@ALL" for required in sorted(direct)]},
                "delegable": atom not in never_delegable,
            }
            for atom, direct in graph.items()
        }
    )


def integer(held: frozenset[int]) -> int:
    return sum(1 << atom for atom in held)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 1), (2, 2), (3, 8), (4, 64)])
def test_all_graphs_are_there(size: int, count: int) -> None:
    assert len({tuple(sorted(graph.items())) for graph in graphs(size)}) == count


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 8), (2, 100), (3, 2032), (4, 69664)])
def test_i1_to_i6_hold_for_every_graph_target_request_and_actor(size: int, count: int) -> None:
    tried = 0
    for graph in graphs(size):
        known = catalogue_of(graph)
        valid = valid_subsets(graph)
        closed = {integer(held): integer(least_valid_superset(held, valid)) for held in subsets(graph)}
        opened = {integer(held): integer(greatest_valid_subset(held, valid)) for held in subsets(graph)}
        states = [integer(held) for held in valid]
        for target in states:
            for requested in states:
                for actor in range(1 << size):
                    held = authority(actor, None, known)
                    assert held == opened[actor]
                    after = apply_rule(target, requested, held, known).after
                    assert after & ~target & ~held == 0, "I1"
                    assert target & ~after & ~held == 0, "I2"
                    assert closed[after] == after, "I3"
                    assert apply_rule(after, requested, held, known).after == after, "I4"
                    assert after == closed[(target & ~held) | (requested & held)], "I6"
                    tried += 1
                assert apply_rule(target, requested, (1 << size) - 1, known).after == requested, "I5"
                assert apply_rule(target, requested, 0, known).after == target, "I5"
    assert tried == count


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4])
def test_i8_holds_for_every_graph_person_and_request(size: int) -> None:
    for graph in graphs(size):
        known = catalogue_of(graph)
        states = [integer(held) for held in valid_subsets(graph)]
        for own in states:
            for requested in states:
                for ceiling in range(1 << size):
                    after = apply_rule(own, requested, authority(own, ceiling, known), known).after
                    assert after & ~own == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_f05_no_graph_lets_a_never_delegable_atom_pass(size: int) -> None:
    for graph in graphs(size):
        valid = valid_subsets(graph)
        states = [integer(held) for held in valid]
        for forbidden in subsets(graph):
            known = catalogue_of(graph, forbidden)
            assert known.never_delegable == integer(forbidden)
            for actor in subsets(graph):
                held = authority(integer(actor), None, known)
                assert held == integer(greatest_valid_subset(actor - forbidden, valid))
                for target in states:
                    for requested in states:
                        change = apply_rule(target, requested, held, known)
                        assert (change.granted | change.revoked) & integer(forbidden) == 0
