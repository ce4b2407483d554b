"""The schema as a caller reads it: scalars, descriptions, ids, loaders (R1, R2, R23, R30)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    parse,
)
from graphql import validate as find_errors
from hypothesis import given, settings
from hypothesis import strategies as st

import schema as schema_package
from models.database import Database
from resolvers.reader import Reader
from schema import scalar
from schema.loader import Loaders, loader_name
from schema.node import decode, decode_key, encode
from schema.schema import sdl
from tests.api.caller import QUERIES

BUILT = build_schema(sdl())


def test_the_package_schema_is_ours() -> None:
    """A package of this name is also on the index; ours must win the import."""
    assert Path(str(schema_package.__file__)).parents[1] == QUERIES.parent


def test_every_element_is_described() -> None:
    """R30."""
    silent = []
    for name, kind in BUILT.type_map.items():
        if name.startswith("__") or name in {"Boolean", "Float", "ID", "Int", "String"}:
            continue
        parts: dict[str, Any] = {name: kind}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                parts[f"{name}.{field_name}"] = field
                for argument_name, argument in getattr(field, "args", {}).items():
                    parts[f"{name}.{field_name}({argument_name})"] = argument
        if isinstance(kind, GraphQLEnumType):
            parts |= {f"{name}.{value}": definition for value, definition in kind.values.items()}
        silent += [place for place, part in parts.items() if not part.description]
    assert silent == []


@pytest.mark.parametrize("file", sorted(QUERIES.glob("*.graphql")), ids=lambda file: file.stem)
def test_every_operation_in_queries_is_valid_named_and_says_who_uses_it(file: Path) -> None:
    text = file.read_text()
    document = parse(text)
    assert find_errors(BUILT, document) == []
    assert text.startswith("# For ")
    assert [getattr(definition, "name", None) is not None for definition in document.definitions] == [True]


def test_moments_are_printed_in_utc_with_z_and_naive_ones_are_refused() -> None:
    """R23."""
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    assert scalar.print_date_time(moment) == "2026-11-21T07:30:00Z"
    assert scalar.print_date_time(moment.replace(microsecond=50)) == "2026-11-21T07:30:00.000050Z"
    assert scalar.read_date_time("2026-11-21T09:30:00+02:00") == moment
    assert scalar.read_date_time("2026-11-21t07:30:00.5z") == moment.replace(microsecond=500_000)
    assert scalar.read_date_time("2026-11-21T07:30Z").tzinfo is UTC
    with pytest.raises(TypeError):
        scalar.print_date_time(datetime(2026, 1, 1))  # noqa: DTZ001 the point of the test
    for wrong in (
        "2026-11-21T09:30:00",
        "2026-11-21",
        "2026-13-01T00:00:00Z",
        "x",
        7,
        None,
        "0001-01-01T00:00:00+14:00",
        "2026-11-21T25:00:00Z",
    ):
        with pytest.raises(ValueError, match="DateTime"):
            scalar.read_date_time(wrong)


def test_decimals_are_exact_strings() -> None:
    """R23: no exponent, no trailing zeros, never a float."""
    for value, printed in (
        (Decimal("1250.5000"), "1250.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "-0.1"),
        (Decimal(100), "100"),
        (Decimal("0.0000"), "0"),
    ):
        assert scalar.print_decimal(value) == printed
        assert scalar.read_decimal(printed) == value
    assert scalar.read_decimal(7) == 7
    for wrong in (1.5, "1e3", "NaN", "", " 1", "1,5", True, None, "1" * 19, "٣"):
        with pytest.raises(ValueError, match="Decimal"):
            scalar.read_decimal(wrong)


def test_dates_and_addresses_are_read_strictly() -> None:
    assert scalar.read_date("2026-02-28") == date(2026, 2, 28)
    assert scalar.read_email_address(" A.b+c@Exämple.org ") == "A.b+c@Exämple.org"
    for wrong in ("2026-02-30", "20260228", 5, None):
        with pytest.raises(ValueError, match="Date"):
            scalar.read_date(wrong)
    for bad in ("a", "a@", "@b", "a b@c.d", "a@b@c", "a" * 300 + "@b.c", 5, None, "a\0@b.c"):
        with pytest.raises(ValueError, match="EmailAddress"):
            scalar.read_email_address(bad)


@settings(max_examples=200)
@given(st.sampled_from(["Client", "PermissionSet"]), st.integers(1, 2**63 - 1))
def test_an_id_carries_its_type_and_key(name: str, key: int) -> None:
    """R1."""
    made = encode(name, key)
    assert decode(made) == (name, key)
    assert decode_key(made, name) == key
    assert decode_key(made, "Grant") is None


@settings(max_examples=200)
@given(st.one_of(st.text(), st.text("ABCxyz019_-=", max_size=40), st.binary().map(lambda raw: raw.decode("latin1"))))
def test_garbage_is_no_id_and_no_exception(text: str) -> None:
    """R2: whatever is decoded at all is the one spelling of that id."""
    found = decode(text)
    assert found is None or encode(*found) == text


async def test_loads_of_a_wave_are_one_call_however_their_fields_get_there(database: Database) -> None:
    """T3: two branches of different length that lead to the same rows share one call; a failure reaches each."""
    calls: list[tuple[str, list[Any]]] = []

    async def doubled(_reader: Reader, keys: Sequence[int], *, plus: int = 0) -> list[int]:
        calls.append(("doubled", list(keys)))
        await asyncio.sleep(0.01 * len(calls))
        return [key * 2 + plus for key in keys]

    async def broken(_reader: Reader, keys: Sequence[int]) -> list[int]:
        calls.append(("broken", list(keys)))
        raise LookupError(str(keys))

    loaders = Loaders(Reader(database, None))

    async def quick() -> int:
        first = await loaders.load(doubled, 1, plus=1)
        return await loaders.load(doubled, first)

    async def slow() -> int:
        first = await loaders.load(doubled, 5)
        return await loaders.load(doubled, first)

    assert list(await asyncio.gather(quick(), slow(), quick())) == [6, 20, 6]
    assert calls == [("doubled", [1]), ("doubled", [5]), ("doubled", [3, 10])]
    results = await asyncio.gather(loaders.load(broken, 1), loaders.load(broken, 2), return_exceptions=True)
    assert [str(result) for result in results] == ["[1, 2]", "[1, 2]"]
    given_up = asyncio.ensure_future(loaders.load(doubled, 77))
    kept = asyncio.ensure_future(loaders.load(doubled, 77))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await kept == 154
    loaders.clear()
    assert await loaders.load(doubled, 77) == 154
    assert calls[-2:] == [("doubled", [77]), ("doubled", [77])]
    assert loader_name(doubled) == "DoubledLoader"


async def test_closed_loaders_wait_for_what_is_being_read_and_read_nothing_more(database: Database) -> None:
    """T3: a field that fails can give the answer away while others still read."""
    calls: list[list[Any]] = []
    begun = asyncio.Event()

    async def slow(_reader: Reader, keys: Sequence[int]) -> list[int]:
        calls.append(list(keys))
        begun.set()
        await asyncio.sleep(0.01)
        return list(keys)

    loaders = Loaders(Reader(database, None))

    async def one_after_the_other() -> int:
        return await loaders.load(slow, await loaders.load(slow, 1) + 1)

    left_behind = asyncio.ensure_future(one_after_the_other())
    await begun.wait()
    at_once = loaders.load(slow, 3)
    await loaders.close()
    with pytest.raises(asyncio.CancelledError):
        await at_once
    with pytest.raises(RuntimeError, match="answered"):
        await left_behind
    assert calls == [[1]]
