"""The mutation that records who owns what in client accounts."""

from typing import Annotated

import strawberry

from models.asset import AssetKind
from resolvers.asset import LONGEST_TEXT, MOST_ASSETS, AssetDraft, RecordedCounts, record_assets
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import column, field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.partner_argument import acting_partner


@strawberry.input(description="Something in a client account, and who of your partner's people owns it.")
class AssetInput:
    """One asset; client, kind and external id say which."""

    client: strawberry.ID = strawberry.field(description="In whose account it is.")
    owner: strawberry.ID = strawberry.field(
        description="Who owns it: one of the partner's people who has not left, with or without access there."
    )
    kind: AssetKind = strawberry.field(description="What kind of thing it is.")
    external_id: str = strawberry.field(
        description=f"Its id in the client's account, 1 to {LONGEST_TEXT} characters; unique there for its kind."
    )
    name: str = strawberry.field(description=f"Its name, 1 to {LONGEST_TEXT} characters.")


@strawberry.input(description="Who owns what.")
class RecordAssetsInput:
    """What recordAssets takes."""

    assets: list[AssetInput] = strawberry.field(
        description=f"1 to {MOST_ASSETS:,} assets, each once. One that is known already gets this owner and name."
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )


@strawberry.type(description="What became of the assets of a request.")
class RecordedAssetCounts:
    """The counts of recordAssets."""

    record: strawberry.Private[RecordedCounts]
    created: int = column("How many are new.")
    updated: int = column("How many have another owner or name now.")
    unchanged: int = column("How many were there just so.")


@strawberry.type(description="The answer to recording assets.")
class RecordAssetsPayload(Payload):
    """What recordAssets answers with."""

    counts: RecordedAssetCounts | None = strawberry.field(default=None, description="What became of the assets.")


@strawberry.type
class AssetMutation:
    """The part of the root of all writes that is about assets."""

    @field(
        "Records what your partner's people own in client accounts, so that it is seen and handed over when their access is "
        "removed: all of it or nothing; recording the same again changes nothing. Needs EDIT in the manager."
    )
    @refusing(RecordAssetsPayload)
    async def record_assets(
        self, info: Info, input: Annotated[RecordAssetsInput, strawberry.argument(description="Who owns what.")]
    ) -> RecordAssetsPayload:
        """Records assets (F38)."""
        context, viewer = info.context, info.context.reader.viewer
        partner_id = acting_partner(viewer, given(input.partner))
        drafts = [
            AssetDraft(
                client_id=decode_key(str(asset.client), "Client"),
                owner_id=decode_key(str(asset.owner), "Member"),
                kind=asset.kind,
                external_id=asset.external_id,
                name=asset.name,
            )
            for asset in input.assets
        ]
        counts = await record_assets(context.database, viewer, partner_id, drafts, idempotent_call(info, input))
        return RecordAssetsPayload(counts=RecordedAssetCounts(record=counts))
