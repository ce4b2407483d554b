"""Who asks."""

import strawberry

from resolvers import viewer as viewer_values
from resolvers.account import viewer_accounts
from resolvers.member import members_by_id
from resolvers.own_token import api_token_totals_by_user, api_tokens_by_user
from resolvers.user import users_by_id
from schema.account import Account
from schema.api_token import ApiTokenConnection
from schema.connection import After, Before, First, Last, connection, requested
from schema.context import Info
from schema.field import field
from schema.member import Member
from schema.record import shown, shown_all
from schema.user import User


@strawberry.type(description="You, as the token says.")
class Viewer:
    """The person who asks."""

    record: strawberry.Private[viewer_values.Viewer]

    @field("The person you are.")
    async def user(self, info: Info) -> User:
        """Returns the person."""
        user: User = shown(await info.context.load(users_by_id, self.record.user_id))
        return user

    @field("Your places in partners.")
    async def memberships(self, info: Info) -> list[Member]:
        """Returns the viewer's active memberships."""
        found = [
            await place for place in [info.context.load(members_by_id, m.member_id) for m in self.record.memberships]
        ]
        members: list[Member] = shown_all([record for record in found if record is not None])
        return members

    @field("The accounts whose own people you are one of, by their age here.")
    async def accounts(self, info: Info) -> list[Account]:
        """Returns the accounts of the client's side."""
        found: list[Account] = shown_all(await viewer_accounts(info.context.reader))
        return found

    @field("What the token allows: `read`, `write`.")
    def scopes(self) -> list[str]:
        """Returns the token's scopes (P30)."""
        return sorted(self.record.scopes)

    @field("Your API tokens, the newest first; the revoked and the expired are among them.")
    async def api_tokens(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ApiTokenConnection:
        """Returns one page of the viewer's own tokens (P30)."""
        load, key = info.context.load, self.record.user_id
        page = await load(api_tokens_by_user, key, page=requested(first, after, last, before))
        found: ApiTokenConnection = connection(page, lambda: load(api_token_totals_by_user, key))
        return found
