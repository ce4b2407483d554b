"""The limits of a GraphQL document, checked before graphql-core's own rules see it (R34).

Strawberry's depth and alias limiters walk every path through the fragments, so 26 small fragments keep them busy for minutes, and
graphql-core's rule about mergeable fields compares all pairs. The walk here looks at each selection once: what a fragment adds up to
is worked out the first time and remembered, so the time is linear in the length of the document.

The cost of a document is the number of objects it may ask for: an object counts 1, a scalar nothing, a page of a connection
multiplies what is below its ``nodes`` and ``edges`` by ``first`` or ``last``, another list by ``LIST_SIZE`` or by the length of the
list it is asked for.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    specified_rules,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from server.error import ErrorCode

# Reading a document costs about 5 µs a token, checking it about as much again: these two keep it below 100 ms.
DOCUMENT_LENGTH = 262_144
TOKENS = 5_000
# Comments are no tokens, yet they are read.
COMMENTS = 1_000
# The introspection query of the usual tools is 15 deep; the deepest sensible path of the schema is 12.
DEPTH = 20
# Fragments inside fragments without a field between them; it bounds this module's own recursion.
NESTING = 100
# Each alias repeats work that a batch argument (`nodes(ids:)`, lists in inputs) does once.
ALIASES = 50
# Fields after the fragments are put in place.
FIELDS = 2_000
DIRECTIVES = 50
FRAGMENTS = 100
# Rules follow the fragments of each operation anew.
OPERATIONS = 50
# The mergeable-fields rule compares repeated fields pair by pair; a leaf counts 1, a field with a selection 10.
REPEATS = 300
REPEATED_SELECTION = 10
# The default page of the API (F23), and what a list without pages is taken to hold.
PAGE_SIZE = 25
LIST_SIZE = 5
# Larger numbers are not told apart: Python refuses to read thousands of digits.
LARGEST = 1_000_000_000
# A document that breaks twenty rules is not helped by hearing of the next eighty.
VALIDATION_ERRORS = 20
# Documents kept parsed and validated, and the longest that is kept.
CACHED_DOCUMENTS = 256
CACHED_LENGTH = 32_768

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
PARSE_OPTIONS = {"max_lexical_tokens": TOKENS, "max_comments": COMMENTS, "max_source_length": DOCUMENT_LENGTH}


class QueryTooComplexError(GraphQLError):
    """A document is over a limit; the message says which, by how much and what to do (R34)."""

    def __init__(self, what: str, figure: int, limit: int, advice: str) -> None:
        shown = str(figure) if figure < LARGEST else f"more than {LARGEST}"
        super().__init__(
            f"The document has {what} {shown}; the limit is {limit}. {advice}",
            extensions={"code": ErrorCode.QUERY_TOO_COMPLEX},
        )


@dataclass(slots=True)
class Figures:
    """What a selection adds up to."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    repeats: int = 0
    cost: int = 0
    item_cost: int = 0  # of each item of the page, where the selection is a connection's
    names: dict[str, int] = field(default_factory=dict)  # response name -> weight, on the selection's own level

    def add(self, other: "Figures") -> None:
        """Adds what another selection adds up to, names apart."""
        self.fields = min(self.fields + other.fields, LARGEST)
        self.aliases = min(self.aliases + other.aliases, LARGEST)
        self.directives = min(self.directives + other.directives, LARGEST)
        self.repeats = min(self.repeats + other.repeats, LARGEST)

    def merge(self, other: "Figures") -> None:
        """Adds a fragment of the same level."""
        self.add(other)
        self.depth = max(self.depth, other.depth)
        self.cost = min(self.cost + other.cost, LARGEST)
        self.item_cost = min(self.item_cost + other.item_cost, LARGEST)
        for name, weight in other.names.items():
            self.count(name, weight)

    def count(self, name: str, weight: int) -> None:
        """Notes a response name; the second and each further time it is a repeat."""
        if name in self.names:
            self.repeats = min(self.repeats + max(weight, self.names[name]), LARGEST)
        else:
            self.names[name] = weight


class Measure:
    """Adds up a document, each selection once; page sizes come from the variables of the operation that is to run."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
        list_sizes: Mapping[str, int],
    ) -> None:
        self.schema = schema
        self.list_sizes = list_sizes
        self.variables = dict(variables)
        for definition in operation.variable_definitions or ():
            default = definition.default_value
            if definition.variable.name.value not in self.variables and isinstance(default, IntValueNode):
                self.variables[definition.variable.name.value] = _integer(default)
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, Figures | None] = {}

    def check_fragments(self) -> None:
        """Raises when a fragment is over a limit, used or not: the rules look at all of them."""
        if len(self.fragments) > FRAGMENTS:
            raise QueryTooComplexError("fragments:", len(self.fragments), FRAGMENTS, "Put selections in place.")
        for name in self.fragments:
            self._check(self._fragment(name, 1))

    def cost(self, operation: OperationDefinitionNode) -> int:
        """Returns the cost of an operation, or raises when it is over another limit."""
        root = self.schema.get_root_type(operation.operation)
        total = Figures(directives=len(operation.directives or ()))
        total.merge(self._selection(operation.selection_set, root, 1))
        self._check(total)
        return total.cost

    def _check(self, total: Figures) -> None:
        for what, figure, limit, advice in (
            ("a depth of", total.depth, DEPTH, "Ask for less at once and read the rest by `node(id:)`."),
            ("fields:", total.fields, FIELDS, "Split it into several documents."),
            (
                "aliases:",
                total.aliases,
                ALIASES,
                "Use `nodes(ids:)` or a list in an input instead of repeating a field.",
            ),
            ("directives:", total.directives, DIRECTIVES, "Leave fields out of the document instead."),
            ("repeated fields:", total.repeats, REPEATS, "Write each field once in a selection."),
        ):
            if figure > limit:
                raise QueryTooComplexError(what, figure, limit, advice)

    def _selection(self, node: SelectionSetNode, parent: GraphQLNamedType | None, nesting: int) -> Figures:
        if nesting > NESTING:
            raise QueryTooComplexError("a depth of", nesting, NESTING, "Nest less.")
        total = Figures()
        for selection in node.selections:
            total.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                self._field(total, selection, parent, nesting)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                narrowed = self.schema.get_type(condition.name.value) if condition else parent
                total.merge(self._selection(selection.selection_set, narrowed, nesting + 1))
            elif isinstance(selection, FragmentSpreadNode):
                total.merge(self._fragment(selection.name.value, nesting + 1))
            if total.fields > FIELDS:
                self._check(total)
        return total

    def _fragment(self, name: str, nesting: int) -> Figures:
        if name in self._known:
            # None: it is being worked out, so it spreads itself; graphql-core says so later.
            return self._known[name] or Figures()
        definition = self.fragments.get(name)
        if definition is None:
            return Figures()
        self._known[name] = None
        condition = self.schema.get_type(definition.type_condition.name.value)
        figures = self._selection(definition.selection_set, condition, nesting)
        figures.directives += len(definition.directives or ())
        self._known[name] = figures
        return figures

    def _field(self, total: Figures, node: FieldNode, parent: GraphQLNamedType | None, nesting: int) -> None:
        name = node.name.value
        total.fields += 1
        total.aliases += node.alias is not None
        total.depth = max(total.depth, 1)
        response_name = node.alias.value if node.alias else name
        if node.selection_set is None:
            total.count(response_name, 1)
            return
        total.count(response_name, REPEATED_SELECTION)
        definition = parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
        kind = get_named_type(definition.type) if definition else None
        below = self._selection(node.selection_set, kind, nesting + 1)
        total.add(below)
        total.depth = max(total.depth, below.depth + 1)
        if definition is None or parent is None or not is_composite_type(kind):
            # Introspection, or a field that does not exist: the schema bounds the first, validation refuses the second.
            total.cost = min(total.cost + 1 + below.cost + below.item_cost, LARGEST)
            return
        page = self._page_size(node, definition)
        cost = 1 + below.cost + below.item_cost * (PAGE_SIZE if page is None else page)
        if not is_list_type(get_nullable_type(definition.type)):
            total.cost = min(total.cost + cost, LARGEST)
        elif _is_connection(parent):
            total.item_cost = min(total.item_cost + cost, LARGEST)
        else:
            size = self._list_size(node, f"{parent.name}.{name}") if page is None else page
            total.cost = min(total.cost + size * cost, LARGEST)

    def _page_size(self, node: FieldNode, definition: GraphQLField) -> int | None:
        """Returns the page that a field with ``first`` or ``last`` is asked for, or None where there is neither."""
        if "first" not in definition.args and "last" not in definition.args:
            return None
        sizes = [
            self._value(argument.value)
            for argument in node.arguments or ()
            if argument.name.value in {"first", "last"} and not isinstance(argument.value, NullValueNode)
        ]
        known = [size for size in sizes if size is not None]
        return max(known) if known else PAGE_SIZE

    def _value(self, node: ValueNode) -> int | None:
        if isinstance(node, IntValueNode):
            return _integer(node)
        value = self.variables.get(node.name.value) if isinstance(node, VariableNode) else None
        return max(0, min(value, LARGEST)) if isinstance(value, int) and not isinstance(value, bool) else None

    def _list_size(self, node: FieldNode, coordinate: str) -> int:
        """Returns how many items a list without pages is taken to hold: as many as it is asked for, if it is asked by a list."""
        size = self.list_sizes.get(coordinate, LIST_SIZE)
        for argument in node.arguments or ():
            value: object = argument.value
            if isinstance(value, VariableNode):
                value = self.variables.get(value.name.value)
            if isinstance(value, list | tuple):
                size = max(size, len(value))
            elif isinstance(value, ListValueNode):
                size = max(size, len(value.values))
        return size


def _integer(node: IntValueNode) -> int:
    return LARGEST if len(node.value) >= len(str(LARGEST)) else max(0, int(node.value))


def _is_connection(kind: GraphQLNamedType) -> bool:
    return isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and "pageInfo" in kind.fields


class Limiter:
    """The limits of one schema, and the documents already checked against it."""

    def __init__(
        self, schema: strawberry.Schema, *, cost_limit: int, list_sizes: Mapping[str, int] | None = None
    ) -> None:
        """Makes the limiter of a schema.

        Args:
            schema: the schema whose lists and connections are counted.
            cost_limit: the highest cost that is executed.
            list_sizes: what to take as the length of lists without pages, by coordinate ("Grant.permissions").
        """
        self.schema: GraphQLSchema = schema._schema  # noqa: SLF001 Strawberry has no public name for it
        self.cost_limit = cost_limit
        self.list_sizes = list_sizes or {}
        self._checked: OrderedDict[str, tuple[DocumentNode, list[GraphQLError]]] = OrderedDict()

    def extension(self) -> SchemaExtension:
        """Returns a new extension for one operation; pass this method to Strawberry as the factory."""
        return LimitExtension(self)

    def parsed(self, text: str) -> DocumentNode | None:
        """Returns the document of a text that has been checked before."""
        checked = self._checked.get(text)
        return checked[0] if checked else None

    def cost(self, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> int:
        """Returns the cost of an operation, or raises ``QueryTooComplexError`` when another limit is passed.

        The other operations of the document keep to the same limits, since they are validated too.
        """
        measure = Measure(self.schema, document, operation, variables, self.list_sizes)
        measure.check_fragments()
        for other in _operations(document):
            if other is not operation:
                measure.cost(other)
        return measure.cost(operation)

    def errors(self, text: str, document: DocumentNode) -> list[GraphQLError]:
        """Returns what graphql-core's rules find wrong, without suggestions, from memory when it was asked before."""
        checked = self._checked.get(text)
        if checked is not None:
            self._checked.move_to_end(text)
            return list(checked[1])
        errors = validate(self.schema, document, RULES, max_errors=VALIDATION_ERRORS, hide_suggestions=True)
        if len(text) <= CACHED_LENGTH:
            self._checked[text] = (document, errors)
            if len(self._checked) > CACHED_DOCUMENTS:
                self._checked.popitem(last=False)
        return list(errors)


class LimitExtension(SchemaExtension):
    """Runs the limiter, then the rules, and reports the cost in ``extensions.cost``."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.requested: int | None = None

    def on_operation(self) -> Iterator[None]:
        """Gives the parser its limits."""
        # Strawberry's type names only the older of graphql-core's options.
        cast("dict[str, int]", self.execution_context.parse_options).update(PARSE_OPTIONS)
        yield

    def on_parse(self) -> Iterator[None]:
        """Takes the document from memory if its text has been checked before."""
        text = self.execution_context.query
        self.execution_context.graphql_document = self.limiter.parsed(text) if text else None
        yield

    def on_validate(self) -> Iterator[None]:
        """Refuses what is over a limit; the rules of graphql-core see only the rest."""
        context = self.execution_context
        document = context.graphql_document
        if document is not None and context.query is not None:
            try:
                named = context._provided_operation_name is not None  # noqa: SLF001 the public name falls back to the first
                operation = _chosen(document, context.operation_name if named else None)
                self.requested = self.limiter.cost(document, operation, context.variables or {})
                if self.requested > self.limiter.cost_limit:
                    advice = "Ask for smaller pages (`first:`) or fewer levels of lists."
                    raise QueryTooComplexError("a cost of", self.requested, self.limiter.cost_limit, advice)
                context.pre_execution_errors = self.limiter.errors(context.query, document)
            except GraphQLError as error:
                context.pre_execution_errors = [error]
        yield

    def get_results(self) -> dict[str, object]:
        """Returns the cost for the response's ``extensions``."""
        if self.requested is None:
            return {}
        return {"cost": {"requested": self.requested, "limit": self.limiter.cost_limit}}


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Returns the operation to execute; several operations without a name are an error, not the first of them."""
    operations = _operations(document)
    if len(operations) > OPERATIONS:
        raise QueryTooComplexError("operations:", len(operations), OPERATIONS, "Send only the one that is to run.")
    if name is None and len(operations) > 1:
        raise GraphQLError(
            "The document has several operations: say which one in `operationName`.",
            extensions={"code": ErrorCode.GRAPHQL_VALIDATION_FAILED},
        )
    return next(node for node in operations if name is None or (node.name and node.name.value == name))
