"""Who takes over the assets of people whose access is removed, in the caller's words."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from models.asset import AssetKind
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.operation.reassignment import MOST_RULES
from resolvers.operation.request import Reassignment
from schema.connection import given
from schema.node import decode_key

REASSIGN = (
    f"Who takes over the assets, by at most {MOST_RULES:,} rules; whatever no rule is about keeps the removed person as former owner. "
    "Of several rules the most specific one counts: client and kind, then client, then kind."
)

ACCEPT_CHANGES = (
    "Only with `runAt`: what changes between now and then is removed as well. Otherwise it is rejected with STALE_REVIEW. What is there "
    "now has to be as reviewed either way."
)


@strawberry.input(description="A rule that says who takes over assets: somebody active in the client.")
class ReassignInput:
    """A rule of reassignment (F39, P15). Exactly one of `to` and `toLead`."""

    client: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Only in this client; in all if left out."
    )
    kind: AssetKind | None = strawberry.field(
        default=strawberry.UNSET, description="Only assets of this kind; all if left out."
    )
    to: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who takes them over: somebody active in the client, who keeps their access there.",
    )
    to_lead: bool | None = strawberry.field(
        default=strawberry.UNSET, description="True: the lead person of each client takes them over."
    )


def reassignments_of(rules: Sequence[ReassignInput] | None) -> tuple[Reassignment, ...]:
    """Returns the rules in the words of the resolvers; ids that cannot be read become unknown ones.

    Raises:
        RefusedError: INVALID_INPUT for a rule that names nobody, or both a person and the lead.
    """
    listed = given(rules) or ()
    refusals = [
        Refusal(
            RefusalCode.INVALID_INPUT,
            "Say who takes the assets over: either to, or toLead: true.",
            ("input", "reassign", str(index)),
        )
        for index, rule in enumerate(listed)
        if (given(rule.to) is None) is not bool(given(rule.to_lead))
    ]
    if refusals:
        raise RefusedError(refusals)
    return tuple(_reassignment(rule) for rule in listed)


def accepts_changes(run_at: datetime | None, *field: str, accepted: bool | None) -> bool:
    """Says whether what has changed since the review is removed as well.

    Raises:
        RefusedError: INVALID_INPUT, where it is removed at once.
    """
    if accepted and run_at is None:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "This is for what is removed later, with runAt: what is removed at once can be reviewed again.",
            *field,
            "acceptChanges",
        )
    return bool(accepted)


def _reassignment(rule: ReassignInput) -> Reassignment:
    client, to = given(rule.client), given(rule.to)
    return Reassignment(
        client_id="ALL" if client is None else decode_key(str(client), "Client"),
        kind=given(rule.kind),
        to_id="LEAD" if to is None else decode_key(str(to), "Member"),
    )
