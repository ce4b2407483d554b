"""Somebody who calls the API: runs operations against the schema as the service does, without HTTP."""

from pathlib import Path
from typing import Any

from models.database import Database
from resolvers.sign_in import sign_in
from resolvers.viewer import Viewer
from schema.context import Context
from tests.factory import Factory, MemberRow, UserRow
from tests.known_schema import schema

QUERIES = Path(__file__).parents[2] / "queries"


class Caller:
    """A person with a token, or nobody."""

    def __init__(self, database: Database, viewer: Viewer | None) -> None:
        self.database = database
        self.viewer = viewer

    @classmethod
    async def signed_in(cls, factory: Factory, person: MemberRow | UserRow, scopes: str = "read write") -> "Caller":
        token = await factory.api_token(person, scopes)
        return cls(factory.database, await sign_in(factory.database, token))

    async def run(self, query: str, **variables: Any) -> tuple[Any, list[str]]:
        """Returns the data and the codes of the errors."""
        result = await schema.execute(query, variables, context_value=Context(self.database, self.viewer))
        codes = [getattr(error.original_error, "code", error.message) for error in result.errors or []]
        return result.data, codes

    async def data(self, query: str, **variables: Any) -> Any:
        """Returns the data of an operation that must succeed."""
        data, codes = await self.run(query, **variables)
        assert codes == []
        return data

    async def code(self, query: str, **variables: Any) -> str:
        """Returns the code with which an operation is refused."""
        _, codes = await self.run(query, **variables)
        assert len(codes) == 1
        return codes[0]


def operation(name: str) -> str:
    """Returns the operation of a file in queries/."""
    return (QUERIES / f"{name}.graphql").read_text()
