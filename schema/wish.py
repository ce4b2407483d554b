"""Wishes for the product, and the votes for them."""

import strawberry

from resolvers.wish import WishRecord
from schema.field import column
from schema.node import Node
from schema.record import shows


@shows(WishRecord)
@strawberry.type(
    description="Something that people want the product to do. Wishes and votes are the same for all partners."
)
class Wish(Node):
    """A wish (F48)."""

    record: strawberry.Private[WishRecord]
    title: str = column("What is wished for, in a few words.")
    description: str = column("What would be different then.")
    votes: int = column("How many people want it: one vote of each person.")
    viewer_has_voted: bool = column("Whether your vote is among them.")
