"""The review that goes before removing access."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from resolvers.client import ClientRecord, clients_by_id
from resolvers.grant import grants_by_id
from resolvers.member import MemberRecord, members_by_id
from resolvers.operation.request import Key
from resolvers.removal_review import (
    RemovalReviewRecord,
    ReviewEntryRecord,
    removal_reviews_by_client,
    removal_reviews_by_member,
    review_page,
)
from schema.connection import After, Before, Connection, First, Last, connection, given, requested
from schema.context import Info
from schema.field import column, field
from schema.node import decode_key
from schema.record import shown, shown_all, shows

if TYPE_CHECKING:
    from schema.asset import AssetCount
    from schema.client import Client
    from schema.grant import Grant
    from schema.member import Member

ReviewedClients: TypeAlias = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="Only these clients, at most 1,000; all if left out.")
]
ReviewedMembers: TypeAlias = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="Only these people, at most 1,000; all if left out.")
]


@shows(ReviewEntryRecord)
@strawberry.type(
    description="One person in one client: the access that a removal ends, and what the person owns there."
)
class RemovalReviewEntry:
    """A line of a review (F38)."""

    record: strawberry.Private[ReviewEntryRecord]
    would_lock_out: bool = column(
        "Whether removing everybody in this review leaves the client with people but without an active partner admin, this person "
        "being one: it needs `acceptLockout`."
    )
    last_super_admin: bool = column(
        "Whether the person is an active super admin there and removing everybody in this review would leave the account without "
        "any: the last one cannot be removed."
    )

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("The person.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The access, active or deactivated.")
    async def grant(self, info: Info) -> Annotated["Grant", strawberry.lazy("schema.grant")]:
        """Returns the grant."""
        grant: Grant = shown(await info.context.load(grants_by_id, self.record.grant_id))
        return grant

    @field("What the person owns there, by kind.")
    def assets(self) -> list[Annotated["AssetCount", strawberry.lazy("schema.asset")]]:
        """Returns the counts of the person's assets."""
        counts: list[AssetCount] = shown_all(self.record.assets)
        return counts


@strawberry.type(description="One page of a review: of a person by client name, of a client by the people's names.")
class RemovalReviewEntryConnection(Connection[RemovalReviewEntry]):
    """A page of a review."""


@shows(RemovalReviewRecord)
@strawberry.type(
    description="What a removal would end, to be looked at before. The token stands for all of it, whichever entries are read."
)
class RemovalReview:
    """A review (F38, F39, F40)."""

    record: strawberry.Private[RemovalReviewRecord]
    token: str = column(
        "What removing takes as `reviewToken`. Where access or assets have changed since, it is refused with STALE_REVIEW."
    )
    grant_count: int = column("How many grants it is about.")

    @field(
        "What is owned there in all, by kind. What somebody owns in clients where they have no access is not in it: "
        "`Member.leaverReport.assets` counts that too."
    )
    def totals(self) -> list[Annotated["AssetCount", strawberry.lazy("schema.asset")]]:
        """Returns the counts of all assets."""
        counts: list[AssetCount] = shown_all(self.record.totals)
        return counts

    @field("Each person in each client.")
    def entries(
        self,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> RemovalReviewEntryConnection:
        """Returns one page of the review."""

        async def total() -> int:
            return self.record.grant_count

        page = review_page(self.record, requested(first, after, last, before))
        found: RemovalReviewEntryConnection = connection(page, total)
        return found


async def review_of_member(info: Info, member: MemberRecord, clients: Sequence[strawberry.ID] | None) -> RemovalReview:
    """Returns the review of removing a person from all clients, or from some (F38)."""
    context = info.context
    review: RemovalReview = shown(
        await context.load(
            removal_reviews_by_member, member, issuer=context.issuer, narrowed=_keys(given(clients), "Client")
        )
    )
    return review


async def review_of_client(info: Info, client: ClientRecord, members: Sequence[strawberry.ID] | None) -> RemovalReview:
    """Returns the review of removing all of the partner's people from a client, or some (F40)."""
    context = info.context
    review: RemovalReview = shown(
        await context.load(
            removal_reviews_by_client, client, issuer=context.issuer, narrowed=_keys(given(members), "Member")
        )
    )
    return review


def _keys(ids: Sequence[strawberry.ID] | None, type_name: str) -> tuple[Key, ...] | None:
    return None if ids is None else tuple(decode_key(str(key), type_name) for key in ids)
