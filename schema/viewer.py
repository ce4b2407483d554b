"""Who asks."""

import strawberry

from resolvers import viewer as viewer_values
from resolvers.member import members_by_id
from resolvers.user import users_by_id
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

    @field("What the token allows: `read`, `write`.")
    def scopes(self) -> list[str]:
        """Returns the token's scopes (P30)."""
        return sorted(self.record.scopes)
