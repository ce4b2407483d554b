"""Which grants a write is about: exactly one way to say it."""

from typing import Any

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.operation.place import MOST_KEYS
from resolvers.operation.request import Existing, Grants, Key, Matching, Pairs, Product, Targets
from schema.client import ClientFilter, client_filter
from schema.connection import given
from schema.member import MemberFilter, member_filter
from schema.node import decode_key

_MOST = f"1 to {MOST_KEYS:,} ids."


@strawberry.input(description="Every member × every client. Whoever or whatever is named twice counts once.")
class ProductInput:
    """People × clients (F26 to F28)."""

    members: list[strawberry.ID] = strawberry.field(description=f"The people: {_MOST}")
    clients: list[strawberry.ID] = strawberry.field(description=f"The clients: {_MOST}")


@strawberry.input(description="One person in one client.")
class PairInput:
    """A single cell."""

    member: strawberry.ID = strawberry.field(description="The person.")
    client: strawberry.ID = strawberry.field(description="The client.")


@strawberry.input(
    description="Everything that the filters select: every such person × every such client. Who left is never meant."
)
class MatchingInput:
    """Targets by filters, for thousands (F31)."""

    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    members: MemberFilter | None = strawberry.field(
        default=strawberry.UNSET, description="Which people; all if left out."
    )
    member_search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Only people found by this text in name or e-mail address."
    )
    clients: ClientFilter | None = strawberry.field(
        default=strawberry.UNSET, description="Which clients; all if left out."
    )
    client_search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Only clients found by this text in name, domain or Hub ID."
    )
    except_members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"People to leave out: {_MOST}"
    )
    except_clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Clients to leave out: {_MOST}"
    )


@strawberry.input(
    description="All access that there is, active or deactivated: of these people, in these clients, or, with both, of these "
    "people in these clients. At least one of the two."
)
class ExistingInput:
    """Existing access by person or client (F36, F40)."""

    members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"The people; everybody if left out: {_MOST}"
    )
    clients: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"The clients; everywhere if left out: {_MOST}"
    )


@strawberry.input(one_of=True, description="Which people and clients: exactly one way to say it.")
class TargetsInput:
    """The five forms of targets."""

    product: ProductInput | None = strawberry.field(default=strawberry.UNSET, description="People × clients.")
    pairs: list[PairInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Single pairs of a person and a client, 1 to {MOST_KEYS:,}."
    )
    grants: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description=f"The people and clients of existing grants: {_MOST}"
    )
    matching: MatchingInput | None = strawberry.field(
        default=strawberry.UNSET, description="Everything that filters select."
    )
    existing: ExistingInput | None = strawberry.field(
        default=strawberry.UNSET, description="All access that people have, or that there is in clients."
    )


def _keys(ids: Any, type_name: str) -> tuple[Key, ...]:
    return tuple(decode_key(str(key), type_name) for key in given(ids) or ())


def _existing(existing: ExistingInput) -> Existing:
    people, places = given(existing.members), given(existing.clients)
    if people is None and places is None:
        raise refuse(RefusalCode.INVALID_INPUT, "Name people, clients or both.", "input", "targets", "existing")
    return Existing(
        None if people is None else _keys(people, "Member"), None if places is None else _keys(places, "Client")
    )


def targets_of(targets: TargetsInput) -> Targets:
    """Returns the targets in the words of the resolvers; ids that cannot be read become unknown ones.

    Raises:
        RefusedError: INVALID_INPUT, for existing access of nobody in particular and nowhere in particular.
    """
    if product := given(targets.product):
        return Product(_keys(product.members, "Member"), _keys(product.clients, "Client"))
    if matching := given(targets.matching):
        partner = given(matching.partner)
        return Matching(
            # An id that cannot be read is as unknown as any other: 0 is the key of no row.
            partner_id=None if partner is None else decode_key(str(partner), "Partner") or 0,
            members=member_filter(given(matching.members)),
            member_search=given(matching.member_search),
            clients=client_filter(given(matching.clients)),
            client_search=given(matching.client_search),
            except_members=_keys(matching.except_members, "Member"),
            except_clients=_keys(matching.except_clients, "Client"),
        )
    if existing := given(targets.existing):
        return _existing(existing)
    if (grants := given(targets.grants)) is not None:
        return Grants(_keys(grants, "Grant"))
    pairs = given(targets.pairs) or ()
    return Pairs(tuple((decode_key(str(p.member), "Member"), decode_key(str(p.client), "Client")) for p in pairs))
