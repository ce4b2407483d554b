"""The mutations that make and revoke one's own API tokens."""

from typing import Annotated

import strawberry

from resolvers.own_token import TokenDraft, api_tokens_by_id, create_own_token, revoke_own_token
from schema.api_token import ApiToken
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.record import shown


@strawberry.input(description="A new API token of yours.")
class CreateApiTokenInput:
    """What createApiToken takes."""

    name: str = strawberry.field(description="What it is for: 1 to 100 characters.")
    scopes: list[str] = strawberry.field(description="What it allows: `read`, or `write`, which includes reading.")
    expires_in_days: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="After how many days it ends by itself, 1 to 3650; if left out, with the token you ask with.",
    )


@strawberry.input(description="The API token that is to end.")
class RevokeApiTokenInput:
    """What revokeApiToken takes."""

    api_token: strawberry.ID = strawberry.field(description="One of your own tokens: see viewer.apiTokens.")


@strawberry.type(description="The answer to making an API token.")
class CreateApiTokenPayload(Payload):
    """What createApiToken answers with."""

    token: str | None = strawberry.field(
        default=None,
        description="The token itself, shown this once: only a hash of it is stored. Null in the answer to a retry with the "
        "same idempotency key; if the first answer was lost, revoke the token and make another.",
    )
    api_token: ApiToken | None = strawberry.field(default=None, description="What is known of the token from now on.")


@strawberry.type(description="The answer to revoking an API token.")
class RevokeApiTokenPayload(Payload):
    """What revokeApiToken answers with."""

    api_token: ApiToken | None = strawberry.field(default=None, description="The token, which opens nothing any more.")


async def _token(info: Info, key: int) -> ApiToken:
    info.context.loaders.clear()
    found: ApiToken = shown(await info.context.load(api_tokens_by_id, key))
    return found


@strawberry.type
class ApiTokenMutation:
    """The part of the root of all writes that is about API tokens."""

    @field("Makes an API token of your own, with which programs sign in as you.")
    @refusing(CreateApiTokenPayload)
    async def create_api_token(
        self, info: Info, input: Annotated[CreateApiTokenInput, strawberry.argument(description="The new token.")]
    ) -> CreateApiTokenPayload:
        """Makes a token (P30)."""
        context = info.context
        draft = TokenDraft(input.name, tuple(input.scopes), given(input.expires_in_days))
        call = idempotent_call(info, input)
        key, secret = await create_own_token(context.database, context.reader.viewer, draft, call)
        return CreateApiTokenPayload(token=secret, api_token=await _token(info, key))

    @field("Revokes an API token of your own for good, at once; the one that you ask with too, if you name it.")
    @refusing(RevokeApiTokenPayload)
    async def revoke_api_token(
        self, info: Info, input: Annotated[RevokeApiTokenInput, strawberry.argument(description="Which token ends.")]
    ) -> RevokeApiTokenPayload:
        """Revokes a token (P30)."""
        context, token_id = info.context, decode_key(str(input.api_token), "ApiToken")
        call = idempotent_call(info, input)
        key = await revoke_own_token(context.database, context.reader.viewer, token_id, call)
        return RevokeApiTokenPayload(api_token=await _token(info, key))
