"""A schema with everything that the transport must carry, and an application around it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import strawberry
from graphql import GraphQLError
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from strawberry.schema.config import StrawberryConfig

from models.database import Database
from models.replica import Freshness
from resolvers.error import AccessCode, AccessError
from resolvers.viewer import Viewer
from server.app import create_app
from server.body import document_id
from server.error import InvalidTokenError
from server.setting import Settings

TOKEN = "cam_" + "a" * 43
VIEWER = Viewer(user_id=7, scopes=frozenset({"read"}), memberships=())
SECRET = "password=hunter2 at /srv/secret"
PAGE = "<!doctype html><title>GraphiQL</title>"
STORED = 'query Stored($text: String! = "stored") { echo(text: $text) }'
STORED_ID = document_id(STORED)


@dataclass(frozen=True)
class Context:
    viewer: Viewer | None
    idempotency_key: str | None


@strawberry.interface
class Node:
    id: strawberry.ID

    @strawberry.field
    def itself(self) -> "Node":
        return self


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class Edge:
    cursor: str
    node: "Client"


@strawberry.type
class ClientConnection:
    nodes: list["Client"]
    edges: list[Edge]
    page_info: PageInfo
    total_count: int = 0


def page_of(size: int) -> ClientConnection:
    nodes = [Client(id=strawberry.ID(str(number))) for number in range(size)]
    return ClientConnection(nodes=nodes, edges=[Edge(cursor="c", node=node) for node in nodes], page_info=PageInfo())


@strawberry.type
class Client(Node):
    name: str = "Client"

    @strawberry.field
    def clients(self, first: int | None = None, last: int | None = None) -> ClientConnection:
        return page_of(first or last or 25)

    @strawberry.field
    def tags(self) -> list["Client"]:
        return []


@strawberry.input
class Tree:
    name: str | None = None
    both: list["Tree"] | None = None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"

    @strawberry.field
    def echo(self, text: str = "", number: int = 0, tree: Tree | None = None) -> str:
        return text or (f"{number} {tree.name}" if tree else "")

    @strawberry.field
    def me(self, info: strawberry.Info[Context, None]) -> int | None:
        return info.context.viewer.user_id if info.context.viewer else None

    @strawberry.field
    def key(self, info: strawberry.Info[Context, None]) -> str | None:
        return info.context.idempotency_key

    @strawberry.field
    def node(self, id: strawberry.ID) -> Node | None:  # noqa: A002 the contract's name
        return Client(id=id)

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Node | None]:
        return [Client(id=identifier) for identifier in ids]

    @strawberry.field
    def clients(self, first: int | None = None, last: int | None = None) -> ClientConnection:
        return page_of(first or last or 25)

    @strawberry.field
    def boom(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    def boom_required(self) -> str:
        raise RuntimeError(SECRET)

    @strawberry.field
    def bare_error(self) -> str | None:
        raise GraphQLError(SECRET)

    @strawberry.field
    def denied(self) -> str | None:
        raise AccessError(AccessCode.FORBIDDEN, "Ask a super admin.")

    @strawberry.field
    def bad_cursor(self) -> str | None:
        raise GraphQLError("Bad cursor.", extensions={"code": "BAD_CURSOR", "more": 1})

    @strawberry.field
    def unlisted(self) -> str | None:
        raise UnlistedError(SECRET)

    @strawberry.field
    def locked(self) -> str | None:
        raise database_error(sqlite3.SQLITE_BUSY, "database is locked")

    @strawberry.field
    def wrong_statement(self) -> str | None:
        raise database_error(sqlite3.SQLITE_ERROR, "no such table: secret")

    @strawberry.field
    def too_big(self) -> int | None:
        return 2**40


class UnlistedError(Exception):
    code = "NO_CODE_OF_THE_LIST"


def database_error(code: int, message: str) -> OperationalError:
    origin = sqlite3.OperationalError(message)
    origin.sqlite_errorcode = code
    return OperationalError("SELECT secret", {}, origin)


@strawberry.type
class Mutation:
    renamed = 0

    @strawberry.mutation
    def rename(self, name: str) -> str:
        Mutation.renamed += 1
        return name


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number
            await asyncio.sleep(0)

    @strawberry.subscription
    async def whose(self, info: strawberry.Info[Context, None]) -> AsyncIterator[int | None]:
        yield info.context.viewer.user_id if info.context.viewer else None

    @strawberry.subscription
    async def burst(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError(SECRET)

    @strawberry.subscription
    async def slip(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError(SECRET)

    @strawberry.subscription
    async def forever(self) -> AsyncIterator[int]:
        STREAMS.append("open")
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            STREAMS.remove("open")


STREAMS: list[str] = []
"""Subscriptions that have not ended."""

SCHEMA = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[Client],
    config=StrawberryConfig(disable_field_suggestions=True),
)


async def sign_in(token: str | None) -> Viewer | None:
    if token is None:
        return None
    if token == "cam_broken-database":
        raise database_error(sqlite3.SQLITE_BUSY, "database is locked")
    if token != TOKEN:
        raise InvalidTokenError
    return VIEWER


async def make_context(
    *, viewer: Viewer | None, idempotency_key: str | None, freshness: Freshness, token: str | None
) -> Context:
    return Context(viewer, idempotency_key)


async def ready() -> str | None:
    return None


def page() -> Response:
    return HTMLResponse(PAGE)


def toy_app(folder: Path, settings: Settings | None = None) -> Starlette:
    return create_app(
        settings or Settings(),
        schema=SCHEMA,
        database=Database(f"sqlite:///{folder / 'toy.sqlite3'}"),
        sign_in=sign_in,
        context=make_context,
        ready=ready,
        documents={STORED_ID: STORED},
        page=page,
        pages=(),
    )
