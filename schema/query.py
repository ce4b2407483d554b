"""The entrances to everything that can be read."""

import asyncio
from typing import Annotated

import strawberry

from resolvers.account import account_by_hub_id, accounts_by_id
from resolvers.client import client_by_hub_id, clients_by_id
from resolvers.error import InputError
from resolvers.invitation import invitation_by_token
from resolvers.member import member_by_email, members_by_id
from resolvers.partner import only_partner, partners_by_id, viewer_partners
from resolvers.wish import wishes_by_key
from schema.account import Account
from schema.client import Client
from schema.connection import given
from schema.context import Context, Info
from schema.field import field
from schema.invitation import AccessLinkInvitation
from schema.member import Member
from schema.node import Node, decode, decode_key, decode_text
from schema.partner import Partner
from schema.permission import PermissionCatalog
from schema.record import ENTITIES, shown, shown_all
from schema.scalar import EmailAddress
from schema.viewer import Viewer

MOST_NODES = 100


@strawberry.input(one_of=True, description="The ways to name a client.")
class ClientKey:
    """Exactly one key of a client (R10)."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its id.")
    hub_id: str | None = strawberry.field(default=strawberry.UNSET, description="The account's Hub ID.")


@strawberry.input(one_of=True, description="The ways to name a member.")
class MemberKey:
    """Exactly one key of a member (R10)."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Their id.")
    email: EmailAddress | None = strawberry.field(
        default=strawberry.UNSET, description="The e-mail address, in whatever spelling of upper and lower case."
    )


@strawberry.input(one_of=True, description="The ways to name an account.")
class AccountKey:
    """Exactly one key of an account (R10)."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its id.")
    hub_id: str | None = strawberry.field(default=strawberry.UNSET, description="Its Hub ID.")


AmongPartners = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The partner's id; needed only if several of your partners have what you ask for."),
]


@strawberry.type(
    description="What can be read. All of it but `permissionCatalog` needs a token with the scope `read`, or `write`, which includes it. "
    "What you may not know of looks like what does not exist: null."
)
class Query:
    """The root of all reads."""

    @field("You, as the token says.")
    def viewer(self, info: Info) -> Viewer | None:
        """Returns who asks."""
        return Viewer(record=info.context.signed_in("read"))

    @field("Whatever has this id; null for everything else.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id.")],
    ) -> Node | None:
        """Returns an entity (R1, R2)."""
        info.context.signed_in("read")
        return await _node(info.context, id)

    @field("Whatever has these ids, in their order, with null in the place of everything else.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids.")]
    ) -> list[Node | None]:
        """Returns several entities with one statement for each type."""
        info.context.signed_in("read")
        if len(ids) > MOST_NODES:
            raise InputError(f"nodes takes at most {MOST_NODES} ids.")
        return list(await asyncio.gather(*(_node(info.context, key) for key in ids)))

    @field("The partners you are a member of.")
    async def partners(self, info: Info) -> list[Partner]:
        """Returns the viewer's partners."""
        info.context.signed_in("read")
        found: list[Partner] = shown_all(await viewer_partners(info.context.reader))
        return found

    @field("A partner you are a member of.")
    async def partner(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Its id; without it, the only one you are a member of."),
        ] = strawberry.UNSET,
    ) -> Partner | None:
        """Returns one partner, null for unknown and foreign ones alike (T1)."""
        info.context.signed_in("read")
        if given(id) is None:
            only: Partner | None = shown(await only_partner(info.context.reader))
            return only
        key = decode_key(str(id), "Partner")
        found: Partner | None = None if key is None else shown(await info.context.load(partners_by_id, key))
        return found

    @field("A client of one of your partners.")
    async def client(
        self,
        info: Info,
        by: Annotated[ClientKey, strawberry.argument(description="Which client.")],
        partner: AmongPartners = strawberry.UNSET,
    ) -> Client | None:
        """Returns one client, null for unknown and foreign ones alike (T1)."""
        info.context.signed_in("read")
        if by.hub_id:
            among = given(partner)
            partner_id = None if among is None else decode_key(among, "Partner") or 0
            record = await client_by_hub_id(info.context.reader, by.hub_id, partner_id)
        else:
            key = decode_key(str(by.id), "Client")
            record = None if key is None else await info.context.load(clients_by_id, key)
        found: Client | None = shown(record)
        return found

    @field("A member of one of your partners.")
    async def member(
        self,
        info: Info,
        by: Annotated[MemberKey, strawberry.argument(description="Which member.")],
        partner: AmongPartners = strawberry.UNSET,
    ) -> Member | None:
        """Returns one member, null for unknown and foreign ones alike (T1)."""
        info.context.signed_in("read")
        if by.email:
            among = given(partner)
            partner_id = None if among is None else decode_key(among, "Partner") or 0
            record = await member_by_email(info.context.reader, by.email, partner_id)
        else:
            key = decode_key(str(by.id), "Member")
            record = None if key is None else await info.context.load(members_by_id, key)
        found: Member | None = shown(record)
        return found

    @field("An account whose own people you are one of: the client's side.")
    async def account(
        self, info: Info, by: Annotated[AccountKey, strawberry.argument(description="Which account.")]
    ) -> Account | None:
        """Returns one account, null for unknown and foreign ones alike (T1)."""
        info.context.signed_in("read")
        if by.hub_id:
            record = await account_by_hub_id(info.context.reader, by.hub_id)
        else:
            key = decode_key(str(by.id), "Account")
            record = None if key is None else await info.context.load(accounts_by_id, key)
        found: Account | None = shown(record)
        return found

    @field(
        "What the token of an access link or confirmation link opens: look at it before you decide. Null for everything that does "
        "not open: unknown, cut, expired, revoked, used or answered, or for an account whose own people you are not one of."
    )
    async def access_link(
        self, info: Info, token: Annotated[str, strawberry.argument(description="What follows the # in the address.")]
    ) -> AccessLinkInvitation | None:
        """Returns who asks for what (F16, F53, L8)."""
        info.context.signed_in("read")
        found: AccessLinkInvitation | None = shown(await invitation_by_token(info.context.reader, token))
        return found

    @field("All permissions there are, and the comparison of the two kinds of admin. Needs no token.")
    def permission_catalog(self) -> PermissionCatalog:
        """Returns the catalogue (F03, F14)."""
        return PermissionCatalog()


async def _node(context: Context, text: str) -> Node | None:
    named = decode_text(text)
    if named is not None and named[0] == "Wish":
        wish: Node | None = shown(await context.load(wishes_by_key, named[1]))
        return wish
    found = decode(text)
    if found is None or found[0] not in ENTITIES:
        return None
    entity: Node | None = shown(await context.load(ENTITIES[found[0]], found[1]))
    return entity
