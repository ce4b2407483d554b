"""Assets, as far as the API shows them: how many of which kind, and what became of them."""

import strawberry

from models.asset import AssetKind
from resolvers.member import members_by_id
from resolvers.operation.removal import AssetTransferRecord
from resolvers.removal_review import AssetCount as AssetCountRecord
from schema.context import Info
from schema.field import column, field
from schema.member import Member
from schema.record import shown, shows


@shows(AssetCountRecord)
@strawberry.type(description="How many assets of one kind there are.")
class AssetCount:
    """A kind and its count."""

    record: strawberry.Private[AssetCountRecord]
    kind: AssetKind = column("The kind.")
    total: int = column("How many.")


@shows(AssetTransferRecord)
@strawberry.type(description="What became of a person's assets of one kind when their access to a client was removed.")
class AssetTransfer:
    """A kind, its count and who took it over (F39, P15)."""

    record: strawberry.Private[AssetTransferRecord]
    kind: AssetKind = column("The kind.")
    total: int = column("How many.")

    @field("Who took them over; null where nobody did: they keep the removed person as former owner.")
    async def to(self, info: Info) -> Member | None:
        """Returns the new owner."""
        key = self.record.to_id
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found
