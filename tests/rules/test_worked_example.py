"""The worked examples of the bounded rule (spec section 11) over the real catalogue, as far as the rule alone decides."""

import pytest

from models.permission.built_in import BUILT_IN_SETS, PARTNER_ADMIN_SET, SUPER_ADMIN_STATE
from models.permission.catalogue import catalogue
from models.permission.error import UnclosedStateError
from models.permission.rule import Change, apply_rule, authority

PARTNER_ADMIN = PARTNER_ADMIN_SET.state
BILLING = catalogue.state({"billing": "ALL"})


def state(text: str) -> int:
    return catalogue.state(dict(part.split(":") for part in text.split()))


def changed(actor: int, target: int, requested: int, ceiling: int | None = None) -> Change:
    return apply_rule(target, requested, authority(actor, ceiling, catalogue), catalogue)


def texts(atoms: int) -> list[str]:
    return [f"{key}:{level}" for key, level in catalogue.atoms(atoms)]


def test_e1_what_the_actor_lacks_is_withheld() -> None:
    change = changed(state("contacts.view:ALL"), 0, state("contacts.view:ALL reports.view:ALL"))
    assert change.after == state("contacts.view:ALL")
    assert change.granted == state("contacts.view:ALL")
    assert change.withheld == state("reports.view:ALL")
    assert change.exceeds_authority


def test_e2_what_the_actor_lacks_is_retained() -> None:
    change = changed(state("contacts.view:ALL"), state("reports.view:ALL"), 0)
    assert change.after == change.retained_actor_lacks == state("reports.view:ALL")
    assert change.retained_required == 0
    assert change.is_noop
    assert change.exceeds_authority


def test_e3_a_higher_level_is_given_as_far_as_the_actor_has_it() -> None:
    change = changed(state("deals.view:TEAM"), 0, state("deals.view:ALL"))
    assert change.after == state("deals.view:TEAM")
    assert texts(change.withheld) == ["deals.view:ALL"]


@pytest.mark.parametrize("requested", ["", "deals.view:OWNED", "deals.view:TEAM"])
def test_e4_above_the_actor_nothing_moves(requested: str) -> None:
    change = changed(state("deals.view:TEAM"), state("deals.view:ALL"), state(requested))
    assert change.after == state("deals.view:ALL")
    assert change.is_noop
    assert "deals.view:ALL" in texts(change.retained_actor_lacks)


def test_e5_below_the_actor_everything_moves() -> None:
    change = changed(state("deals.view:TEAM"), state("deals.view:OWNED"), 0)
    assert change.after == 0
    assert change.revoked == state("deals.view:OWNED")
    assert not change.is_noop
    assert not change.exceeds_authority


def test_e6_at_team_level_the_rule_gives_the_level_and_leaves_the_team_to_others() -> None:
    assert changed(state("deals.view:TEAM"), 0, state("deals.view:TEAM")).after == state("deals.view:TEAM")


def test_e7_what_something_retained_requires_is_retained_too() -> None:
    both = state("contacts.view:ALL contacts.edit:ALL")
    change = changed(state("contacts.view:ALL"), both, 0)
    assert change.after == both
    assert change.retained_actor_lacks == state("contacts.edit:ALL")
    assert change.retained_required == state("contacts.view:ALL")


def test_e8_bad_data_of_an_actor_gives_nothing() -> None:
    actor = state("contacts.edit:ALL")
    assert authority(actor, None, catalogue) == 0
    requested = catalogue.closure(actor)
    change = changed(actor, 0, requested)
    assert change.after == 0
    assert change.withheld == requested


def test_e9_billing_is_withheld_by_a_partner_admin_without_it() -> None:
    change = changed(PARTNER_ADMIN, 0, PARTNER_ADMIN | BILLING)
    assert change.after == PARTNER_ADMIN
    assert change.withheld == BILLING


def test_e10_billing_is_given_by_a_partner_admin_who_kept_it_and_marked_sensitive() -> None:
    template = state("contacts.view:ALL billing:ALL")
    change = changed(PARTNER_ADMIN | BILLING, 0, template)
    assert change.after == template
    assert change.granted & catalogue.sensitive == BILLING
    assert not change.exceeds_authority


def test_e11_billing_is_retained_from_a_partner_admin_without_it() -> None:
    change = changed(PARTNER_ADMIN, BILLING, PARTNER_ADMIN)
    assert change.after == PARTNER_ADMIN | BILLING
    assert change.retained_actor_lacks == BILLING


@pytest.mark.parametrize("key", catalogue.levels(catalogue.never_delegable))
def test_e12_nobody_gives_or_takes_a_never_delegable_key(key: str) -> None:
    forbidden = state(f"{key}:ALL")
    assert authority(SUPER_ADMIN_STATE, None, catalogue) & forbidden == 0
    assert changed(SUPER_ADMIN_STATE, 0, forbidden).withheld == forbidden
    assert changed(SUPER_ADMIN_STATE, forbidden, 0).retained_actor_lacks == forbidden


def test_e13_a_partner_admin_without_reports_makes_a_partner_admin_without_reports() -> None:
    reports = catalogue.where(lambda permission: permission.area == "reports")
    actor = PARTNER_ADMIN & ~reports
    assert catalogue.is_valid(actor), "nothing outside Reports requires something in it"
    change = changed(actor, 0, PARTNER_ADMIN)
    assert change.after == actor
    assert change.after & catalogue.partner_admin
    assert change.withheld == PARTNER_ADMIN & reports
    assert change.withheld


def test_e14_a_partner_admin_under_a_template_is_one_no_more() -> None:
    (marketing,) = [built_in.state for built_in in BUILT_IN_SETS if built_in.key == "marketing"]
    change = changed(PARTNER_ADMIN, PARTNER_ADMIN, marketing)
    assert change.after == marketing
    assert change.after & catalogue.partner_admin == 0
    assert not change.exceeds_authority


def test_e18_asking_for_everything_for_oneself_gives_nothing_more() -> None:
    change = changed(PARTNER_ADMIN, PARTNER_ADMIN, catalogue.everything)
    assert change.after == PARTNER_ADMIN
    assert change.is_noop


@pytest.mark.parametrize("order", [("products.edit", "domains.edit"), ("domains.edit", "products.edit")])
def test_e19_two_actors_take_everything_together_and_only_their_own_alone(order: tuple[str, str]) -> None:
    first, second = (state(f"{key}:ALL") for key in order)
    one = changed(first, first | second, 0)
    assert one.after == second
    assert one.retained_actor_lacks == second
    assert changed(second, one.after, 0).after == 0


def test_e24_a_ceiling_holds_new_grants_and_leaves_present_ones() -> None:
    ceiling = state("contacts.view:ALL deals.view:TEAM")
    assert (
        changed(PARTNER_ADMIN, 0, state("contacts.edit:ALL contacts.view:ALL deals.view:ALL"), ceiling).after == ceiling
    )
    above = state("deals.view:ALL")
    assert changed(PARTNER_ADMIN, above, above, ceiling).is_noop


def test_e26_a_request_for_what_is_there_changes_nothing() -> None:
    change = changed(PARTNER_ADMIN, PARTNER_ADMIN, PARTNER_ADMIN)
    assert change.is_noop
    assert change.retained == change.withheld == 0


@pytest.mark.parametrize(
    ("target", "requested", "held", "name"),
    [
        ("contacts.edit:ALL", "", "", "target"),
        ("", "contacts.edit:ALL", "", "requested"),
        ("", "", "contacts.edit:ALL", "authority"),
    ],
)
def test_the_rule_closes_nothing_that_is_not_valid(target: str, requested: str, held: str, name: str) -> None:
    with pytest.raises(
        UnclosedStateError, match=rf"The {name} state is not valid: contacts.edit@OWNED requires"
    ) as caught:
        apply_rule(state(target), state(requested), state(held), catalogue)
    assert ("contacts.edit", "ALL", "contacts.view", "ALL") in caught.value.missing


def test_the_rule_refuses_atoms_outside_the_catalogue() -> None:
    with pytest.raises(UnclosedStateError, match="not in the catalogue"):
        apply_rule(0, catalogue.everything + 1, 0, catalogue)
