"""A request as it is kept with its operation: enough to carry it out later, or to try again what failed (P01)."""

import json
from datetime import datetime
from typing import Any

from models.asset import AssetKind
from models.grant import Seat
from models.operation import OperationKind, RuleMode
from resolvers.issuer import Issuer
from resolvers.operation.request import (
    BillingChoice,
    Existing,
    Expiry,
    Migration,
    OnCustomised,
    OnExisting,
    OperationRequest,
    Reassignment,
    Removal,
    Targets,
    WriteOptions,
)
from resolvers.operation.stored_access import access_again, stored_access, stored_teams, teams_again

NO_TARGETS = Existing((), ())
"""Stands in a request that was read again: its targets are rows of their own."""


def stored(request: OperationRequest, *, with_review: bool = False) -> str:
    """Returns a request, without its targets, as JSON.

    Args:
        request: the request; it was found to name nothing unknown.
        with_review: whether to keep the token of the review, which only what is carried out later needs.
    """
    options = request.options
    kept: dict[str, Any] = {
        "kind": request.kind.value,
        "access": None if request.access is None else stored_access(request.access),
        "seat": request.seat and request.seat.value,
        "teams": None if request.teams is None else stored_teams(request.teams),
        "expiry": None
        if request.expiry is None
        else [request.expiry.at and request.expiry.at.isoformat(), request.expiry.of_cell],
        "onExisting": request.on_existing.value,
        "onCustomised": request.on_customised.value,
        "expectedVersions": [list(version) for version in request.expected_versions],
        "removal": request.removal and _stored_removal(request.removal, with_review=with_review),
        "migration": request.migration and _stored_migration(request.migration),
        "options": {
            "atomic": options.atomic,
            "mode": options.mode.value,
            "acceptLockout": options.accept_lockout,
            "includeSelf": options.include_self,
            "reason": options.reason,
            **({"runAt": options.run_at.isoformat()} if options.run_at else {}),
        },
        "extends": request.extends or None,
    }
    return json.dumps({name: value for name, value in kept.items() if value is not None}, ensure_ascii=False)


def read_again(text: str, issuer: Issuer, targets: Targets = NO_TARGETS) -> OperationRequest | None:
    """Returns the request that ``stored`` wrote; None for what was no request of the pipeline."""
    kept = json.loads(text)
    if "kind" not in kept or "options" not in kept:
        return None
    options, removal, migration = kept["options"], kept.get("removal"), kept.get("migration")
    expiry = kept.get("expiry")
    return OperationRequest(
        kind=OperationKind(kept["kind"]),
        targets=targets,
        access=access_again(kept["access"]) if "access" in kept else None,
        seat=Seat(kept["seat"]) if "seat" in kept else None,
        teams=teams_again(kept["teams"]) if "teams" in kept else None,
        expiry=None if expiry is None else Expiry(expiry[0] and datetime.fromisoformat(expiry[0]), *expiry[1:]),
        on_existing=OnExisting(kept["onExisting"]),
        on_customised=OnCustomised(kept.get("onCustomised", OnCustomised.RESET)),
        expected_versions=tuple((key, version) for key, version in kept.get("expectedVersions", ())),
        removal=removal
        and Removal(
            issuer,
            removal["reviewToken"],
            tuple(map(_reassignment, removal["reassign"])),
            removal.get("changedToo", False),
        ),
        migration=migration
        and Migration(migration["keepBilling"], tuple(BillingChoice(*choice) for choice in migration["choices"])),
        options=WriteOptions(
            atomic=options["atomic"],
            mode=RuleMode(options["mode"]),
            accept_lockout=options["acceptLockout"],
            include_self=options["includeSelf"],
            reason=options["reason"],
            run_at=datetime.fromisoformat(options["runAt"]) if "runAt" in options else None,
        ),
        extends=kept.get("extends", False),
    )


def _stored_removal(removal: Removal, *, with_review: bool) -> dict[str, Any]:
    return {
        "reviewToken": removal.review_token if with_review else "",
        "reassign": [[rule.client_id, rule.kind and rule.kind.value, rule.to_id] for rule in removal.reassign],
        **({"changedToo": True} if removal.changed_too else {}),
    }


def _reassignment(kept: list[Any]) -> Reassignment:
    client_id, kind, to_id = kept
    return Reassignment(client_id, AssetKind(kind) if kind else None, to_id)


def _stored_migration(migration: Migration) -> dict[str, Any]:
    choices = [[choice.member_id, choice.client_id, choice.keep] for choice in migration.choices]
    return {"keepBilling": migration.keep_billing, "choices": choices}
