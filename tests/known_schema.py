"""The schema, with a memory for documents as the service has one: the tests send the same few again and again."""

from collections.abc import Iterator
from copy import copy

from graphql import DocumentNode, GraphQLError
from strawberry.extensions import SchemaExtension

from schema.schema import schema as service_schema

MOST = 500
_KNOWN: dict[str, tuple[DocumentNode, list[GraphQLError]]] = {}


class KnownDocuments(SchemaExtension):
    """Parses and validates each document once, whoever sends it."""

    def on_parse(self) -> Iterator[None]:
        """Takes the document and what is wrong with it from memory."""
        context = self.execution_context
        if context.query in _KNOWN:
            document, errors = _KNOWN[context.query]
            context.graphql_document, context.pre_execution_errors = document, list(errors)
        yield

    def on_validate(self) -> Iterator[None]:
        """Keeps what the rules of GraphQL say."""
        yield
        context = self.execution_context
        if context.query is not None and context.graphql_document is not None:
            _KNOWN.setdefault(context.query, (context.graphql_document, list(context.pre_execution_errors or ())))
            if len(_KNOWN) > MOST:
                del _KNOWN[next(iter(_KNOWN))]


schema = copy(service_schema)
schema.extensions = (KnownDocuments, *service_schema.extensions)
