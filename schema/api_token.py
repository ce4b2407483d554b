"""API tokens, as their owner sees them."""

from datetime import datetime

import strawberry

from resolvers.own_token import ApiTokenRecord, api_tokens_by_id
from schema.connection import Connection
from schema.field import column
from schema.node import Node
from schema.record import shows


@shows(ApiTokenRecord, api_tokens_by_id)
@strawberry.type(description="A token with which you sign in. The token itself is not stored, only a hash of it.")
class ApiToken(Node):
    """A token of the viewer's."""

    record: strawberry.Private[ApiTokenRecord]
    name: str = column("What it is for.")
    scopes: list[str] = column("What it allows: `read`, `write`.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("When it ends by itself; null for never.")
    last_used_at: datetime | None = column("When it was last used, to the minute; null for never.")
    revoked_at: datetime | None = column("When it was revoked; null if it was not.")


@strawberry.type(description="One page of a list of API tokens.")
class ApiTokenConnection(Connection[ApiToken]):
    """A page of tokens."""
