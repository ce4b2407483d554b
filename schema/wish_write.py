"""The mutations that give one's vote to a wish and take it back."""

from typing import Annotated

import strawberry

from resolvers.wish import vote, wishes_by_key
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_text
from schema.record import shown
from schema.wish import Wish


@strawberry.input(description="The wish that gets your vote.")
class VoteForWishInput:
    """What voteForWish takes."""

    wish: strawberry.ID = strawberry.field(description="The wish: see partner.wishes.")


@strawberry.input(description="The wish that your vote is taken back from.")
class WithdrawVoteInput:
    """What withdrawVote takes."""

    wish: strawberry.ID = strawberry.field(description="The wish: see partner.wishes.")


@strawberry.type(description="The answer to voting for a wish.")
class VoteForWishPayload(Payload):
    """What voteForWish answers with."""

    wish: Wish | None = strawberry.field(default=None, description="The wish with your vote.")


@strawberry.type(description="The answer to taking a vote back.")
class WithdrawVotePayload(Payload):
    """What withdrawVote answers with."""

    wish: Wish | None = strawberry.field(default=None, description="The wish without your vote.")


async def _voted(info: Info, input: VoteForWishInput | WithdrawVoteInput, *, wanted: bool) -> Wish:
    context, call = info.context, idempotent_call(info, input)
    known = decode_text(str(input.wish))
    key = known[1] if known is not None and known[0] == "Wish" else None
    voted = await vote(context.database, context.reader.viewer, key, call, wanted=wanted)
    context.loaders.clear()
    wish: Wish = shown(await context.load(wishes_by_key, voted))
    return wish


@strawberry.type
class WishMutation:
    """The part of the root of all writes that is about wishes."""

    @field("Gives your vote to a wish. You have one for each wish; giving it again changes nothing.")
    @refusing(VoteForWishPayload)
    async def vote_for_wish(
        self, info: Info, input: Annotated[VoteForWishInput, strawberry.argument(description="Which wish.")]
    ) -> VoteForWishPayload:
        """Gives a vote (F48)."""
        return VoteForWishPayload(wish=await _voted(info, input, wanted=True))

    @field("Takes your vote for a wish back. Without one, nothing changes.")
    @refusing(WithdrawVotePayload)
    async def withdraw_vote(
        self, info: Info, input: Annotated[WithdrawVoteInput, strawberry.argument(description="Which wish.")]
    ) -> WithdrawVotePayload:
        """Takes a vote back (F48)."""
        return WithdrawVotePayload(wish=await _voted(info, input, wanted=False))
