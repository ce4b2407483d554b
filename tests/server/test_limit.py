"""Documents that are attacks, and documents that are not (R34)."""

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, get_introspection_query, parse

from server.limit import (
    ALIASES,
    CACHED_DOCUMENTS,
    CACHED_LENGTH,
    DEPTH,
    Figures,
    Limiter,
    Measure,
    QueryTooComplexError,
)
from tests.server.toy import SCHEMA
from tests.server.yardstick import at_most

COST_LIMIT = 20_000
SHARE = 1.5
"""Of parsing 20,000 fields, what a document may cost: some 150 ms."""


async def answered(query: str, variables: dict[str, object] | None = None) -> tuple[dict[str, Any], list[str]]:
    """Returns the extensions of a request and the messages of its errors."""
    result = await guarded().execute(query, variable_values=variables)
    return result.extensions or {}, [error.message for error in result.errors or ()]


def guarded(cost_limit: int = COST_LIMIT) -> strawberry.Schema:
    schema = copy(SCHEMA)
    schema.extensions = (Limiter(SCHEMA, cost_limit=cost_limit).extension,)
    return schema


def cost(query: str, variables: dict[str, object] | None = None, sizes: dict[str, int] | None = None) -> int:
    document = parse(query)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    limiter = Limiter(SCHEMA, cost_limit=COST_LIMIT, list_sizes=sizes)
    return limiter.cost(document, operation, variables or {})


def fragment_bomb(size: int, body: str) -> str:
    spreads = "".join(f"fragment F{i} on Node {{ {body.replace('NEXT', f'F{i + 1}')} }}" for i in range(size))
    return f'{{ node(id: "1") {{ ...F0 }} }} {spreads} fragment F{size} on Node {{ id }}'


def chain_of_fragments(size: int) -> str:
    spreads = "".join(f"fragment F{i} on Query {{ hello ...F{i + 1} }}" for i in range(size))
    return f"{{ ...F0 }} {spreads} fragment F{size} on Query {{ hello }}"


def nested(levels: int) -> str:
    return "{ clients { nodes" + " { itself" * levels + " { id }" + " }" * levels + "}}"


def repeated(parents: int, children: int) -> str:
    inner = "itself { id } " * children
    return "{" + f'node(id: "1") {{ {inner} }} ' * parents + "}"


ATTACKS: dict[str, Callable[[], str]] = {
    "fragment bomb of 2^22": lambda: fragment_bomb(22, "...NEXT ...NEXT"),
    "fragment bomb of 2^26": lambda: fragment_bomb(26, "...NEXT ...NEXT"),
    "fragment bomb through fields": lambda: fragment_bomb(22, "a: itself { ...NEXT } b: itself { ...NEXT }"),
    "fragment bomb that nobody spreads": lambda: "{ hello }" + fragment_bomb(22, "...NEXT ...NEXT").split("}", 2)[2],
    "thousands of fragments": lambda: chain_of_fragments(600),
    "2,000 repeated node{id}": lambda: "{" + 'node(id: "1") { id } ' * 2_000 + "}",
    "500 repeated node{id}": lambda: "{" + 'node(id: "1") { id } ' * 500 + "}",
    "repeated in repeated": lambda: repeated(20, 20),
    "4,000 repeated leaves": lambda: "{" + "hello " * 4_000 + "}",
    "2,000 aliases": lambda: "{" + " ".join(f"a{i}: hello" for i in range(2_000)) + "}",
    "aliases in a fragment": lambda: (
        "{" + "...F " * 60 + "} fragment F on Query {" + " ".join(f"a{i}: hello" for i in range(40)) + "}"
    ),
    "2,000 directives": lambda: "{ hello " + "@include(if: true) " * 600 + "}",
    "unknown directives": lambda: "{ hello " + "@aa " * 2_000 + "}",
    "nested first:100": lambda: (
        "{ clients(first: 100) { nodes { clients(first: 100) { nodes { clients(first: 100) { nodes { id } } } } } } }"
    ),
    "nested default pages": lambda: (
        "{ clients { nodes " + "{ clients { edges { node " * 4 + "{ id }" + " } } }" * 4 + "}}"
    ),
    "nested lists": lambda: "{ clients(first: 100) { nodes" + " { tags" * 5 + " { id }" + " }" * 5 + " } }",
    "a page of 10^5000": lambda: "{ clients(first: 1" + "0" * 5_000 + ") { nodes { id } } }",
    "deep nesting": lambda: nested(90),
    "very deep nesting": lambda: nested(2_000),
    "deep inline fragments": lambda: "{" + " ... {" * 190 + "hello" + " }" * 190 + "}",
    "very deep literal": lambda: "{ echo(tree: " + "{ both: [" * 1_000 + "]}" * 1_000 + ") }",
    "1 MB literal": lambda: '{ echo(text: "' + "x" * 1_000_000 + '") }',
    "1 MB block string": lambda: '{ echo(text: """' + "x\n" * 500_000 + '""") }',
    "1 MB of comments": lambda: "{ hello }" + "#\n" * 500_000,
    "250 KB of comments": lambda: "{ hello }" + "#\n" * 100_000,
    "100,000 tokens": lambda: "{" + "a " * 100_000 + "}",
    "60 operations": lambda: " ".join(f"query A{i} {{ hello }}" for i in range(60)),
    "introspection in circles": lambda: (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    ),
    "2,000 unknown fields": lambda: "{" + " ".join(f"unknown{i}" for i in range(2_000)) + "}",
}

# These look alike and are within the limits.
HARMLESS: dict[str, Callable[[], str]] = {
    "fragments of fragments": lambda: chain_of_fragments(90),
    "deep literal": lambda: "{ echo(tree: " + "{ both: [" * 90 + "]}" * 90 + ") }",
    "250 KB of commas": lambda: "{ hello " + "," * 250_000 + "}",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_an_attack_is_refused_at_once(attack: Callable[[], str]) -> None:
    """R34: whatever the document, finding out that it is refused is cheap, and nothing is executed."""
    document = attack()
    _, messages = await at_most(SHARE, lambda: answered(document))
    assert messages


@pytest.mark.parametrize("document", HARMLESS.values(), ids=HARMLESS)
async def test_an_odd_document_within_the_limits_is_cheap(document: Callable[[], str]) -> None:
    """R34: the limits are low enough that what they let through costs little."""
    text = document()
    _, messages = await at_most(SHARE, lambda: answered(text))
    assert messages == []


@pytest.mark.parametrize("size", [22, 26, 60])
async def test_the_limiter_is_linear_in_the_fragments(size: int) -> None:
    """R34: each fragment is added up once, however often it is spread."""
    document = parse(fragment_bomb(size, "...NEXT ...NEXT"))
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    visits = 0

    class Counting(Measure):
        def _fragment(self, name: str, nesting: int) -> Figures:
            nonlocal visits
            visits += 1
            return super()._fragment(name, nesting)

    measure = Counting(SCHEMA._schema, document, operation, {}, {})
    with pytest.raises(QueryTooComplexError):
        measure.cost(operation)
    assert visits <= 2 * size + 1


async def test_a_refusal_says_which_limit_the_figure_and_what_to_do() -> None:
    """R34: the reader of the message can change the document."""
    query = "{" + " ".join(f"a{i}: hello" for i in range(ALIASES + 1)) + "}"
    advice = "Use `nodes(ids:)` or a list in an input instead of repeating a field."
    extensions, messages = await answered(query)
    assert messages == [
        f"The document has aliases: {ALIASES + 1}; the limit is {ALIASES}. {advice}",
    ]
    assert "cost" not in extensions


async def test_a_limit_lets_through_what_is_exactly_at_it() -> None:
    """R34: the figure of the limit itself is allowed."""
    at = "{" + " ".join(f"a{i}: hello" for i in range(ALIASES)) + "}"
    assert (await answered(at))[1] == []
    deep = '{ node(id: "1") ' + "{ itself " * (DEPTH - 2) + "{ id }" + "}" * (DEPTH - 1)
    assert (await answered(deep))[1] == []
    deeper = '{ node(id: "1") ' + "{ itself " * (DEPTH - 1) + "{ id }" + "}" * DEPTH
    assert (await answered(deeper))[1] == [
        f"The document has a depth of {DEPTH + 1}; the limit is {DEPTH}. Ask for less at once and read the rest by `node(id:)`."
    ]


async def test_the_introspection_of_the_usual_tools_is_answered() -> None:
    """R34: GraphiQL, codegen and the diff tools read the whole schema with one document."""
    query = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    extensions, messages = await answered(query)
    assert (messages, extensions["cost"]["limit"]) == ([], COST_LIMIT)


async def test_the_response_says_what_it_cost() -> None:
    """R34: `extensions.cost`, whether the document was executed or refused for its cost."""
    extensions, _ = await answered("{ clients(first: 3) { nodes { id } } }")
    assert extensions == {"cost": {"requested": 4, "limit": COST_LIMIT}}
    extensions, messages = await answered("{ clients(first: 30000) { nodes { id } } }")
    assert extensions == {"cost": {"requested": 30_001, "limit": COST_LIMIT}}
    assert messages[0].startswith("The document has a cost of 30001; the limit is 20000.")


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{ hello }", {}, 0),
        ('{ node(id: "1") { id } }', {}, 1),
        ("{ clients { totalCount } }", {}, 1),
        ("{ clients { nodes { id } } }", {}, 1 + 25),
        ("{ clients(first: 100) { nodes { id } } }", {}, 1 + 100),
        ("{ clients(last: 7) { nodes { id } pageInfo { hasNextPage } } }", {}, 1 + 7 + 1),
        ("{ clients(first: 10) { edges { node { id } } } }", {}, 1 + 10 * 2),
        ("{ clients(first: 10) { nodes { id } edges { cursor } } }", {}, 1 + 10 + 10),
        ("{ clients(first: 2, last: 9) { nodes { id } } }", {}, 1 + 9),
        ("{ clients(first: null) { nodes { id } } }", {}, 1 + 25),
        ("{ clients(first: -5) { nodes { id } } }", {}, 1),
        ("{ clients(first: 10) { nodes { clients(first: 10) { nodes { id } } } } }", {}, 1 + 10 * (1 + 1 + 10)),
        ("{ clients(first: 2) { nodes { tags { id } } } }", {}, 1 + 2 * (1 + 5)),
        ("query($n: Int) { clients(first: $n) { nodes { id } } }", {"n": 40}, 1 + 40),
        ("query($n: Int) { clients(first: $n) { nodes { id } } }", {}, 1 + 25),
        ("query($n: Int = 60) { clients(first: $n) { nodes { id } } }", {}, 1 + 60),
        ("query($n: Int = 60) { clients(first: $n) { nodes { id } } }", {"n": "x"}, 1 + 25),
        ('{ nodes(ids: ["1", "2"]) { id } }', {}, 5),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 300}, 300),
        ("{ clients(first: 4) { ...F } } fragment F on ClientConnection { nodes { id } }", {}, 1 + 4),
        (
            "{ a: clients(first: 4) { ...F } b: clients(first: 6) { ...F } } fragment F on ClientConnection { nodes { id } }",
            {},
            2 + 10,
        ),
        ("{ clients(first: 4) { ... on ClientConnection { ... { nodes { id } } } } }", {}, 1 + 4),
    ],
)
def test_the_cost_is_the_number_of_objects(query: str, variables: dict[str, object], expected: int) -> None:
    """R34: pages multiply, scalars are free, the default page is 25 (F23)."""
    assert cost(query, variables) == expected


def test_the_length_of_a_list_without_pages_can_be_told() -> None:
    """R34: 120 permissions of a grant are not five."""
    query = "{ clients(first: 1) { nodes { tags { id } } } }"
    assert cost(query, sizes={"Client.tags": 120}) == 1 + 1 + 120


async def test_a_document_is_checked_again_with_other_variables() -> None:
    """R34: the text is remembered, the cost is not."""
    schema = guarded()
    query = "query($n: Int) { clients(first: $n) { nodes { id } } }"
    for size, refused in ((5, False), (50_000, True), (6, False)):
        result = await schema.execute(query, variable_values={"n": size})
        assert bool(result.errors) is refused
        assert result.extensions == {"cost": {"requested": size + 1, "limit": COST_LIMIT}}


async def test_a_wrong_document_stays_wrong_from_memory() -> None:
    schema = guarded()
    texts = [[error.message for error in (await schema.execute("{ nothing }")).errors or ()] for _ in range(3)]
    assert texts == [["Cannot query field 'nothing' on type 'Query'."]] * 3


async def test_the_memory_of_documents_is_bounded() -> None:
    """R34: other texts each time must not fill the memory."""
    limiter = Limiter(SCHEMA, cost_limit=COST_LIMIT)
    schema = copy(SCHEMA)
    schema.extensions = (limiter.extension,)
    for number in range(CACHED_DOCUMENTS + 20):
        await schema.execute(f"query Q{number} {{ hello }}")
    await schema.execute("{ hello }" + " " * CACHED_LENGTH)
    assert len(limiter._checked) == CACHED_DOCUMENTS
