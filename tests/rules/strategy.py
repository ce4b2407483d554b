"""Random catalogues and states."""

import os
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from models.permission.catalogue import Catalogue, catalogue
from models.permission.permission import Atom
from models.permission.rule import authority

THOROUGH = os.environ.get("CAM_THOROUGH") == "1"

# The same examples in each ordinary run, new ones in each thorough one.
examples = settings(
    max_examples=2000 if THOROUGH else 200,
    derandomize=not THOROUGH,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_CHAINS = [["ALL"], ["OWNED", "ALL"], ["OWNED", "TEAM"], ["TEAM", "ALL"], ["OWNED"], ["OWNED", "TEAM", "ALL"]]


@st.composite
def random_catalogues(draw: st.DrawFn) -> Catalogue:
    """Acyclic: each key requires only keys before it, declared in any order."""
    chains = draw(st.lists(st.sampled_from(_CHAINS), min_size=1, max_size=6))
    entries: list[tuple[str, object]] = []
    earlier: list[str] = []
    for number, levels in enumerate(chains):
        required = st.lists(st.sampled_from(earlier), max_size=3, unique=True) if earlier else st.just([])
        requires = {level: draw(required) for level in levels}
        entries.append(
            (f"k{number}", {"levels": levels, "requires": requires, "delegable": draw(st.integers(0, 4)) > 0})
        )
        earlier += [f"k{number}@{level}" for level in levels]
    return Catalogue.from_mapping(dict(draw(st.permutations(entries))))


RANDOM = random_catalogues()
REAL = st.just(catalogue)


def atom_sets(known: Catalogue) -> st.SearchStrategy[int]:
    """Any set of atoms, whether or not anything in it has what it requires."""
    return st.integers(0, known.everything)


def valid_states(known: Catalogue) -> st.SearchStrategy[int]:
    """Valid states of all sizes: few atoms closed upwards, many closed downwards."""
    few = st.sets(st.sampled_from(known.atoms(known.everything)), max_size=8).map(
        lambda atoms: known.closure(_union(known, atoms))
    )
    return st.one_of(few, atom_sets(known).map(known.largest_closed_subset), st.just(known.everything))


def _union(known: Catalogue, atoms: set[Atom]) -> int:
    state = 0
    for key, level in atoms:
        state |= known.state({key: level})
    return state


@dataclass(frozen=True)
class Situation:
    """What one application of the rule depends on."""

    catalogue: Catalogue
    actor: int
    ceiling: int | None
    target: int
    requested: int

    @property
    def authority(self) -> int:
        return authority(self.actor, self.ceiling, self.catalogue)


@st.composite
def situations(draw: st.DrawFn, catalogues: st.SearchStrategy[Catalogue]) -> Situation:
    """An actor's state and a ceiling may be anything, target and request are valid."""
    known = draw(catalogues)
    states = valid_states(known)
    return Situation(
        known,
        actor=draw(st.one_of(states, atom_sets(known))),
        ceiling=draw(st.one_of(st.none(), states, atom_sets(known))),
        target=draw(states),
        requested=draw(states),
    )
