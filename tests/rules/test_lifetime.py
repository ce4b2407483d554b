"""The tree of lives finds, for every moment, what lasted then and nothing else (N05)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select
from sqlalchemy.engine import Engine

from models.grant import grants
from models.lifetime import HEIGHT, ancestors, fork, fork_of, lasted

TICK = timedelta(microseconds=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# Round numbers and those around them: where the branches of the tree part.
EDGES = [1 << level for level in range(HEIGHT)] + [(1 << 50) + (1 << level) for level in range(50)]
NUMBERS = st.one_of(
    st.integers(1, 40),
    st.builds(lambda edge, off: max(1, edge + off), st.sampled_from(EDGES), st.integers(-3, 3)),
    st.integers(1, (1 << HEIGHT) - 1),
)
LIVES = Table("life", MetaData(), *(Column(name, grants.c[name].type) for name in ("since", "removed_at", "fork")))


def moment(number: int) -> datetime:
    return BEGINNING + number * TICK


@st.composite
def lives_and_moments(draw: st.DrawFn) -> tuple[list[tuple[datetime, datetime]], list[datetime]]:
    """Lives, short and long and of no time at all, and moments: many of them the ends of lives, or beside them."""
    pairs = draw(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
    short = draw(st.lists(st.tuples(NUMBERS, st.integers(0, 9)), max_size=12))
    lives = [*(sorted(pair) for pair in pairs), *((first, min(first + length, 1 << HEIGHT)) for first, length in short)]
    ends = [end for life in lives for end in life]
    near = [end + off for end in ends for off in (-1, 0, 1)]
    asked = draw(st.lists(st.sampled_from(near) if near else NUMBERS, max_size=12)) + draw(
        st.lists(NUMBERS, max_size=6)
    )
    return [(moment(first), moment(last)) for first, last in lives], [moment(number) for number in asked]


@given(lives_and_moments())
def test_n05_each_life_is_found_at_each_of_its_moments_once_and_at_no_other(
    drawn: tuple[list[tuple[datetime, datetime]], list[datetime]],
) -> None:
    lives, asked = drawn
    for at in asked:
        before, after = ancestors(at)
        assert len(before) + len(after) <= HEIGHT
        for since, until in lives:
            hangs = fork(since, until)
            found = (hangs in before and until > at) + (hangs in after and since <= at)
            assert found == (since <= at < until), (since, until, at)


@pytest.mark.parametrize(
    "at",
    [datetime(1, 1, 1, tzinfo=UTC), BEGINNING - TICK, moment(1 << HEIGHT), datetime(9999, 12, 31, tzinfo=UTC)],
)
def test_n05_at_moments_outside_the_tree_nothing_lasted(at: datetime) -> None:
    assert ancestors(at) == ([], [])


def test_n05_small_trees_are_right_in_every_combination() -> None:
    every = range(1, 34)
    hangs = {(first, last): fork(moment(first), moment(last)) for first in every for last in every}
    for at in range(36):
        before, after = ancestors(moment(at))
        for (first, last), node in hangs.items():
            assert (node in before and last > at) + (node in after and first <= at) == (first <= at < last)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A database without any service."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as kept:
        engine = create_engine("sqlite://", creator=lambda: kept)
        LIVES.create(engine)
        yield engine


@settings(max_examples=30)
@given(drawn=lives_and_moments())
def test_n05_the_database_files_and_finds_as_the_tree_does(
    engine: Engine, drawn: tuple[list[tuple[datetime, datetime]], list[datetime]]
) -> None:
    """Many lives that end at the same moment are filed by one statement, whatever the moment: it is the same statement."""
    lives, asked = drawn
    with engine.begin() as connection:
        connection.execute(LIVES.delete())
        if lives:
            connection.execute(insert(LIVES), [{"since": since, "removed_at": until} for since, until in lives])
        for until in {until for _, until in lives}:
            ended = LIVES.update().where(LIVES.c.removed_at == until)
            connection.execute(ended.values(fork=fork_of(LIVES.c.since, until)))
        for since, until, node in connection.execute(select(LIVES)):
            assert node == fork(since, until)
        for at in asked:
            found = [
                tuple(row)
                for condition in lasted(LIVES, at)
                for row in connection.execute(select(LIVES.c.since, LIVES.c.removed_at).where(condition))
            ]
            assert sorted(found) == sorted(life for life in lives if life[0] <= at < life[1])


def test_n05_what_ends_at_another_moment_is_filed_by_the_same_statement() -> None:
    statements = {str(fork_of(LIVES.c.since, moment(number))) for number in (1, 7, 1 << 40, (1 << 51) - 1)}
    assert len(statements) == 1
