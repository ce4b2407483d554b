"""The built-in sets and the comparison of the two administrators (F03, F06 to F10)."""

import pytest

from models.permission.built_in import (
    ADMIN_COMPARISON,
    BUILT_IN_SETS,
    FINANCIAL_STATE,
    PARTNER_ADMIN_SET,
    SUPER_ADMIN_STATE,
    BuiltInSet,
)
from models.permission.catalogue import PARTNER_ADMIN, catalogue
from models.permission.level import PermissionLevel
from models.permission.mask import effective, seat_mask
from models.permission.tier import TIERS

each_set = pytest.mark.parametrize("built_in", BUILT_IN_SETS, ids=[each.key for each in BUILT_IN_SETS])


def held(built_in: BuiltInSet) -> dict[str, PermissionLevel]:
    return catalogue.levels(built_in.state)


def named(key: str) -> BuiltInSet:
    (found,) = [built_in for built_in in BUILT_IN_SETS if built_in.key == key]
    return found


def test_f06_partner_admin_and_six_or_more_role_templates_are_built_in() -> None:
    keys = [built_in.key for built_in in BUILT_IN_SETS]
    assert keys[0] == "partner_admin"
    assert len(set(keys)) == len(keys) >= 7
    assert {"marketing", "sales", "service", "reporting", "read_only", "developer"} <= set(keys)
    assert len({built_in.name for built_in in BUILT_IN_SETS}) == len(keys)
    assert len({built_in.state for built_in in BUILT_IN_SETS}) == len(keys)


@each_set
def test_each_set_is_valid_and_says_what_it_is_for(built_in: BuiltInSet) -> None:
    assert catalogue.is_valid(built_in.state)
    assert built_in.state
    assert built_in.name
    assert len(built_in.description) > 30
    assert built_in.description.endswith(".")


@each_set
def test_each_set_can_be_given_whole_by_a_partner_admin(built_in: BuiltInSet) -> None:
    assert built_in.state & ~PARTNER_ADMIN_SET.state == 0
    assert built_in.state & catalogue.never_delegable == 0


def test_f08_the_partner_admin_set_alone_contains_the_partner_admin_permission() -> None:
    assert [built_in.key for built_in in BUILT_IN_SETS if built_in.is_partner_admin] == ["partner_admin"]
    assert [built_in.key for built_in in BUILT_IN_SETS if PARTNER_ADMIN in held(built_in)] == ["partner_admin"]


@pytest.mark.parametrize(
    "key",
    [
        "crm_development_tools",
        "app_integrations",
        "sandboxes",
        "permission_sets.edit",
        "product_betas",
        "deal_settings",
        "approval_settings",
    ],
)
def test_f10_the_partner_admin_set_is_a_workable_alternative_to_super_admin(key: str) -> None:
    assert held(PARTNER_ADMIN_SET)[key] is PermissionLevel.ALL


def test_f10_the_partner_admin_set_is_everything_but_the_financial_and_the_never_delegable() -> None:
    assert catalogue.everything == SUPER_ADMIN_STATE
    left_out = catalogue.levels(SUPER_ADMIN_STATE & ~PARTNER_ADMIN_SET.state)
    assert set(left_out) == set(catalogue.levels(FINANCIAL_STATE | catalogue.never_delegable))
    assert set(catalogue.levels(FINANCIAL_STATE)) == {
        "billing",
        "billing.purchases",
        "payments.settings",
        "payments.refunds",
    }


def test_f42_billing_can_be_kept_beside_the_partner_admin_set() -> None:
    assert catalogue.is_valid(PARTNER_ADMIN_SET.state | FINANCIAL_STATE)
    assert FINANCIAL_STATE & catalogue.sensitive == FINANCIAL_STATE


def test_the_read_only_set_is_what_a_view_only_seat_lets_through_of_records_and_tools() -> None:
    assert effective(named("read_only").state, "VIEW_ONLY", TIERS, catalogue) == named("read_only").state
    assert named("read_only").state == seat_mask("VIEW_ONLY", catalogue)


def test_the_reporting_set_edits_nothing_but_reports() -> None:
    area = {key for key in held(named("reporting")) if not key.endswith(".view")}
    assert area == {"reports.edit", "reports.delete", "reports.export", "dashboards.edit"}


def test_the_developer_set_has_the_tools_of_developers() -> None:
    assert {"crm_development_tools", "app_integrations", "sandboxes", "workflows.edit"} <= held(
        named("developer")
    ).keys()


def test_f03_the_comparison_of_the_two_administrators() -> None:
    rows = [(row.super_admin, row.partner_admin) for row in ADMIN_COMPARISON]
    assert rows == [(True, True), (True, False), (False, True), (False, True)]
    words = [row.label.lower() for row in ADMIN_COMPARISON]
    for row, word in zip(words, ["elevated access", "billing", "sales and service", "several accounts"], strict=True):
        assert word in row


def test_f03_the_comparison_is_true_of_the_states_and_seats() -> None:
    super_admin = effective(SUPER_ADMIN_STATE, "CORE", TIERS, catalogue)
    partner_admin = effective(PARTNER_ADMIN_SET.state, "PARTNER", TIERS, catalogue)
    full = catalogue.state({"super_admins": "ALL", "billing": "ALL"})
    paid = catalogue.state({"sequences.use": "ALL", "help_desk.use": "ALL"})
    assert (super_admin & full, partner_admin & full) == (full, 0)
    assert (super_admin & paid, partner_admin & paid) == (0, paid)
    assert (super_admin & catalogue.partner_admin, partner_admin & catalogue.partner_admin) == (
        0,
        catalogue.partner_admin,
    )
