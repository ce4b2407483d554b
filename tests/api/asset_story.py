"""What the tests of assets have in common: recording them through the API, and reading what is stored."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from models.asset import AssetKind, asset_holdings, assets
from models.database import Database
from tests.api.write_story import Story, node_id
from tests.factory import ClientRow, MemberRow

RECORD = """mutation($input: RecordAssetsInput!) {
  recordAssets(input: $input) { userErrors { code field message } counts { created updated unchanged } }
}"""


def asset(
    client: ClientRow, owner: MemberRow, external_id: str, kind: str = "DEAL", name: str = "Something"
) -> dict[str, Any]:
    return {
        "client": node_id(client),
        "owner": node_id(owner),
        "kind": kind,
        "externalId": external_id,
        "name": name,
    }


def several(client: ClientRow, owner: MemberRow, count: int, kind: str = "DEAL") -> list[dict[str, Any]]:
    """So many assets, with external ids that no other owner's have: ``{owner.id}-{number}``, after the kind unless DEAL."""
    before = "" if kind == "DEAL" else f"{kind} "
    return [asset(client, owner, f"{before}{owner.id}-{number}", kind) for number in range(count)]


async def record(story: Story, assets: Sequence[dict[str, Any]], **values: Any) -> tuple[int, int, int]:
    """Records assets that must not be refused; returns how many were created, updated and unchanged."""
    answer = await recorded(story, assets, **values)
    assert answer["userErrors"] == []
    counts = answer["counts"]
    return counts["created"], counts["updated"], counts["unchanged"]


async def recorded(story: Story, assets: Sequence[dict[str, Any]], **values: Any) -> Any:
    data, codes = await story.run(RECORD, input={"assets": list(assets), **values})
    assert codes == []
    return data["recordAssets"]


async def holdings(database: Database) -> dict[tuple[int, int, str], tuple[int, int]]:
    """Total and version of each holding that has any, by client, member and kind."""
    async with database.read() as connection:
        rows = (await connection.execute(select(asset_holdings))).all()
    return {(row.client_id, row.member_id, row.kind): (row.total, row.version) for row in rows if row.total}


async def owners(database: Database) -> dict[str, tuple[int | None, int | None]]:
    """Owner and former owner of each asset, by external id."""
    async with database.read() as connection:
        rows = (await connection.execute(select(assets))).all()
    return {row.external_id: (row.owner_id, row.former_owner_id) for row in rows}


async def assert_holdings_are_true(database: Database) -> None:
    """Compares the kept totals with what the assets themselves say."""
    key = (assets.c.client_id, assets.c.owner_id, assets.c.kind)
    counted = select(*key, func.count()).where(assets.c.owner_id.is_not(None)).group_by(*key)
    async with database.read() as connection:
        true = {(row[0], row[1], row[2]): row[3] for row in await connection.execute(counted)}
    assert {held: total for held, (total, _) in (await holdings(database)).items()} == true


KINDS = [kind.value for kind in AssetKind]
