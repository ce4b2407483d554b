"""Whether people keep the billing permissions when they are migrated: what is said of one client, as rows (F43)."""

from typing import Any, Literal

from resolvers.error import Refusal, RefusalCode, RefusedError
from resolvers.operation.request import Key, Migration
from resolvers.operation.scope import Scope


def find_billing(migration: Migration, scope: Scope, *, checked: bool = False) -> list[dict[str, Any]]:
    """Returns the rows of ``billing_choices``.

    Args:
        migration: what was asked for.
        scope: the targets, or, if it was checked already, a part of them.
        checked: whether it was.

    Raises:
        RefusedError: NOT_FOUND, for a choice about somebody or something that is not among the targets; INVALID_INPUT, for two
            that contradict each other.
    """
    members, clients = {member.id for member in scope.members}, {client.id for client in scope.clients}
    pairs = None if scope.pairs is None else set(scope.pairs)
    refusals = []
    keeps: dict[tuple[Key, Key | Literal["ALL"]], bool] = {}
    for index, choice in enumerate(migration.choices):
        member_id, client_id = choice.member_id, choice.client_id
        place = ("input", "keepBillingFor", str(index))
        if checked:
            keeps[member_id, client_id] = choice.keep
        elif member_id not in members:
            told = "There is no such person among the targets."
            refusals.append(Refusal(RefusalCode.NOT_FOUND, told, (*place, "member")))
        elif client_id != "ALL" and (
            client_id not in clients or (pairs is not None and (member_id, client_id) not in pairs)
        ):
            told = "There is no such client among this person's targets."
            refusals.append(Refusal(RefusalCode.NOT_FOUND, told, (*place, "client")))
        elif keeps.setdefault((member_id, client_id), choice.keep) is not choice.keep:
            told = "Another entry says the opposite about the same person and client: keep one of the two."
            refusals.append(Refusal(RefusalCode.INVALID_INPUT, told, place))
    if refusals:
        raise RefusedError(refusals)
    return [
        {"client_id": client_id, "member_id": member_id, "keep": keep}
        for (member_id, client_id), keep in keeps.items()
        if client_id != "ALL"
    ]
