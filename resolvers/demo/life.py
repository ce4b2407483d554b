"""What the demo agency's people own in client accounts, and the links by which its clients let people in."""

import random
from datetime import timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import access_links
from models.asset import AssetKind, assets
from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.dialect import insert_many
from models.grant import GrantStatus, grants
from models.table import now
from resolvers.access_link import PURPOSE as ACCESS_LINK
from resolvers.asset_holding import Held, move_holdings
from resolvers.confirmation_link import PURPOSE as CONFIRMATION_LINK
from resolvers.demo.blueprint import BEGINNING
from resolvers.demo.population import Troupe
from resolvers.issuer import Issuer

CLIENTS_WITH_ASSETS = 60
MOST_OF_A_KIND = 6
LINK_LIFE = timedelta(days=90)

_WORDS = [
    "Autumn",
    "Birthday",
    "Checkout",
    "Demo",
    "Early-bird",
    "Farewell",
    "Guide",
    "Harvest",
    "Invoice",
    "Jubilee",
    "Kick-off",
    "Launch",
]


async def write_life(connection: AsyncConnection, troupe: Troupe, issuer: Issuer) -> None:
    """Writes the assets and links of the demo agency, the same each time but for their moments."""
    await _write_assets(connection, troupe)
    await _write_links(connection, troupe, issuer)


async def _write_assets(connection: AsyncConnection, troupe: Troupe) -> None:
    first = select(clients.c.id).where(clients.c.partner_id == troupe.partner_id).order_by(clients.c.id)
    held = await connection.execute(
        select(grants.c.client_id, grants.c.member_id)
        .where(grants.c.client_id.in_(first.limit(CLIENTS_WITH_ASSETS)), grants.c.status != GrantStatus.REMOVED)
        .order_by(grants.c.client_id, grants.c.member_id)
    )
    rows = []
    totals: dict[Held, int] = {}
    for client_id, member_id in held:
        rng = random.Random(f"{client_id}:{member_id}")  # noqa: S311 the same demo each time, nothing secret
        for kind in rng.sample(list(AssetKind), rng.randint(0, 4)):
            total = totals[client_id, member_id, kind] = rng.randint(1, MOST_OF_A_KIND)
            rows += [
                {
                    "partner_id": troupe.partner_id,
                    "client_id": client_id,
                    "kind": kind.value,
                    "external_id": f"{member_id}-{number}",
                    "name": f"{rng.choice(_WORDS)} {kind.value.replace('_', ' ').lower()} {number}",
                    "owner_id": member_id,
                    "recorded_at": BEGINNING,
                }
                for number in range(1, total + 1)
            ]
    await insert_many(connection, assets, rows)
    await move_holdings(connection, totals)


async def _write_links(connection: AsyncConnection, troupe: Troupe, issuer: Issuer) -> None:
    """Writes the owner's personal link, and invitations that the first client can answer."""
    found = await connection.scalars(
        select(clients.c.id).where(clients.c.partner_id == troupe.partner_id).order_by(clients.c.id).limit(1)
    )
    client_id: int = found.one()
    owner, _, guest, _, named, *_, other = (place.member_id for place in troupe.places[:10])
    common = {
        "partner_id": troupe.partner_id,
        "created_by_id": troupe.places[0].user_id,
        "created_at": now(),
        "expires_at": now() + LINK_LIFE,
    }

    links = [(owner, None, ""), (guest, client_id, "spring launch"), (other, client_id, "autumn audit")]
    await connection.execute(
        insert(access_links),
        [
            {
                **common,
                **issuer.secret(ACCESS_LINK, f"demo-{number}"),
                "member_id": member_id,
                "client_id": place,
                "client_key": place or 0,
                "reference": reference,
                "single_use": False,
                "ended": 0,
            }
            for number, (member_id, place, reference) in enumerate(links)
        ],
    )
    confirmations = [issuer.secret(CONFIRMATION_LINK, f"demo-{number}") for number in range(2)]
    made = await connection.scalars(
        insert(confirmation_links).returning(confirmation_links.c.id, sort_by_parameter_order=True),
        [{**common, **tokens, "client_id": client_id} for tokens in confirmations],
    )
    await connection.execute(insert(confirmation_link_members).values(link_id=made.all()[0], member_id=named))
