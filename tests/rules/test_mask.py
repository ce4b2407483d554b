"""What seat and tiers let through (F11, E20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.permission.built_in import PARTNER_ADMIN_SET, SUPER_ADMIN_STATE
from models.permission.catalogue import Catalogue, catalogue
from models.permission.level import PermissionLevel
from models.permission.mask import effective, mask, seat_mask, tier_mask
from models.permission.permission import Area, Permission, Requirement
from models.permission.tier import TIERS, provided
from tests.rules.oracle import Oracle
from tests.rules.strategy import atom_sets, examples

SEATS = ("PARTNER", "CORE", "SALES", "SERVICE", "VIEW_ONLY")


def state(text: str) -> int:
    return catalogue.state(dict(part.split(":") for part in text.split()))


def test_e20_a_key_whose_tier_the_client_lacks_has_no_effect() -> None:
    stored = state("workflows.view:ALL contacts.view:ALL")
    assert effective(stored, "PARTNER", [], catalogue) == state("contacts.view:ALL")
    assert effective(stored, "PARTNER", ["MARKETING_PROFESSIONAL"], catalogue) == stored
    assert catalogue.levels(stored & ~tier_mask([], catalogue)) == {"workflows.view": PermissionLevel.ALL}


@pytest.mark.parametrize(
    ("tiers", "through"),
    [
        (["MARKETING_STARTER"], False),
        (["SALES_ENTERPRISE"], False),
        (["MARKETING_PROFESSIONAL"], True),
        (["MARKETING_ENTERPRISE"], True),
        (["SALES_STARTER", "MARKETING_ENTERPRISE"], True),
        (["ANY_PROFESSIONAL"], False),
        (["MARKETING_DELUXE"], False),
        ([""], False),
    ],
)
def test_a_higher_tier_of_the_product_meets_the_need_for_a_lower_one(tiers: list[str], *, through: bool) -> None:
    stored = state("campaigns.view:ALL")
    assert effective(stored, "CORE", tiers, catalogue) == (stored if through else 0)


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier.endswith("_ENTERPRISE")])
def test_any_product_meets_a_need_for_any(tier: str) -> None:
    stored = state("sandboxes:ALL")
    assert effective(stored, "PARTNER", [tier], catalogue) == stored
    assert effective(stored, "PARTNER", [tier.replace("ENTERPRISE", "PROFESSIONAL")], catalogue) == 0


def test_a_tier_provides_the_lower_ones_and_no_other_product() -> None:
    assert provided(["SALES_PROFESSIONAL"]) == {
        "SALES_STARTER",
        "SALES_PROFESSIONAL",
        "ANY_STARTER",
        "ANY_PROFESSIONAL",
    }


@pytest.mark.parametrize(
    ("seat", "sales", "service", "edit"),
    [
        ("PARTNER", True, True, True),
        ("CORE", False, False, True),
        ("SALES", True, False, True),
        ("SERVICE", False, True, True),
        ("VIEW_ONLY", False, False, False),
    ],
)
def test_f11_a_seat_lets_its_features_through(seat: str, *, sales: bool, service: bool, edit: bool) -> None:
    through = effective(SUPER_ADMIN_STATE, seat, TIERS, catalogue)
    assert bool(through & state("sequences.use:ALL")) == sales
    assert bool(through & state("help_desk.use:ALL")) == service
    assert bool(through & state("contacts.edit:ALL")) == edit
    assert through & state("contacts.view:ALL")


def test_a_view_only_seat_lets_nothing_through_that_changes_anything() -> None:
    keys = catalogue.levels(seat_mask("VIEW_ONLY", catalogue))
    assert all(key.endswith(".view") or key == "partner.relationship" for key in keys)


def test_f12_only_a_partner_seat_lets_the_partner_admin_permission_through() -> None:
    assert [seat for seat in SEATS if seat_mask(seat, catalogue) & catalogue.partner_admin] == ["PARTNER"]


def test_a_partner_admin_in_a_fully_paid_account_has_the_whole_set() -> None:
    assert effective(PARTNER_ADMIN_SET.state, "PARTNER", TIERS, catalogue) == PARTNER_ADMIN_SET.state


def test_an_unknown_seat_lets_nothing_through() -> None:
    assert effective(SUPER_ADMIN_STATE, "BENCH", TIERS, catalogue) == 0


def test_what_requires_something_masked_is_masked_too() -> None:
    def permission(key: str, seats: set[str], *requires: Requirement) -> Permission:
        levels = (PermissionLevel.NONE, PermissionLevel.ALL)
        return Permission(key, key, key, "a", levels, requires, seats=frozenset(seats))

    upper = Requirement(PermissionLevel.ALL, "view", PermissionLevel.ALL)
    known = Catalogue([Area("a", "A", (permission("view", {"SALES"}), permission("edit", {"SALES", "CORE"}, upper)))])
    both = known.everything
    assert mask("CORE", [], known) == known.state({"edit": "ALL"})
    assert effective(both, "CORE", [], known) == 0
    assert effective(both, "SALES", [], known) == both


@examples
@given(stored=atom_sets(catalogue), seat=st.sampled_from(SEATS), tiers=st.sets(st.sampled_from(TIERS)))
def test_f11_effective_is_the_largest_closed_subset_under_the_mask(stored: int, seat: str, tiers: set[str]) -> None:
    oracle = Oracle(catalogue)
    through = {
        (key, level)
        for key, level in catalogue.atoms(stored)
        if seat in catalogue.permissions[key].seats
        and (catalogue.permissions[key].tier is None or catalogue.permissions[key].tier in provided(tiers))
    }
    assert oracle.atoms(effective(stored, seat, tiers, catalogue)) == oracle.largest_closed_subset(through)
