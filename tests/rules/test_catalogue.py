"""The catalogue of the product: what is in it, and how its states are written (spec 2.1)."""

import pytest

from models.permission.catalogue import PARTNER_ADMIN, Catalogue, catalogue
from models.permission.error import InvalidLevelError, UnknownPermissionError
from models.permission.level import PermissionLevel
from models.permission.permission import Permission, Requirement
from models.permission.tier import provided
from tests.rules.oracle import Oracle

ALL, NONE, OWNED, TEAM = PermissionLevel.ALL, PermissionLevel.NONE, PermissionLevel.OWNED, PermissionLevel.TEAM
PERMISSIONS = list(catalogue.permissions.values())
OBJECTS = [
    "contacts",
    "companies",
    "deals",
    "tickets",
    "tasks",
    "calls",
    "meetings",
    "notes",
    "invoices",
    "custom_objects",
]
each_permission = pytest.mark.parametrize("permission", PERMISSIONS, ids=[each.key for each in PERMISSIONS])


def test_there_are_about_120_permissions_in_the_seven_areas() -> None:
    labels = [area.label for area in catalogue.areas]
    assert labels == ["Partner program", "CRM", "Marketing", "Sales", "Service", "Reports", "Account"]
    assert 115 <= len(catalogue.permissions) <= 130
    assert all(len(area.permissions) >= 5 for area in catalogue.areas)
    assert [each for area in catalogue.areas for each in area.permissions] == PERMISSIONS


@each_permission
def test_f14_every_permission_says_in_words_what_it_is(permission: Permission) -> None:
    assert permission.key == permission.key.lower()
    assert permission.label[0].isupper()
    assert not permission.label.endswith(".")
    assert len(permission.description) >= 15
    assert permission.description.endswith(".")
    assert permission.description.rstrip(".") != permission.label


def test_f14_no_two_permissions_of_an_area_read_the_same() -> None:
    for area in catalogue.areas:
        assert len({each.label for each in area.permissions}) == len(area.permissions)
    assert len({each.description for each in PERMISSIONS}) == len(PERMISSIONS)


@each_permission
def test_levels_are_a_rising_chain_from_none(permission: Permission) -> None:
    ranks = [level.rank for level in permission.levels]
    assert permission.levels[0] is NONE
    assert ranks == sorted(set(ranks))
    assert len(ranks) >= 2
    assert permission.levels[-1] is ALL


@each_permission
def test_whoever_can_use_a_permission_can_use_what_it_requires(permission: Permission) -> None:
    for requirement in permission.requires:
        required = catalogue.permissions[requirement.permission]
        assert permission.seats <= required.seats
        assert required.tier in {None, permission.tier, *provided([permission.tier or ""])}
        assert required.delegable or not permission.delegable


@each_permission
def test_seats_are_those_of_the_product(permission: Permission) -> None:
    assert permission.seats
    assert permission.seats <= {"PARTNER", "CORE", "SALES", "SERVICE", "VIEW_ONLY"}


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("level", [OWNED, TEAM, ALL])
def test_crm_objects_can_be_viewed_edited_and_deleted_at_each_level(name: str, level: PermissionLevel) -> None:
    delete = catalogue.closure(catalogue.state({f"{name}.delete": level}))
    assert catalogue.levels(delete) == {f"{name}.view": level, f"{name}.edit": level, f"{name}.delete": level}


@pytest.mark.parametrize("name", ["contacts", "companies", "deals", "tickets", "invoices"])
def test_communicating_requires_viewing_at_the_same_level(name: str) -> None:
    communicate = catalogue.closure(catalogue.state({f"{name}.communicate": TEAM}))
    assert catalogue.levels(communicate) == {f"{name}.view": TEAM, f"{name}.communicate": TEAM}


@pytest.mark.parametrize(
    ("key", "required"),
    [
        ("export", {"contacts.view": OWNED}),
        ("reports.export", {"reports.view": OWNED}),
        ("reports.edit", {"reports.view": ALL}),
        ("partner_admin", {"users.add": ALL, "users.edit": ALL}),
        ("teams.edit", {"users.edit": ALL}),
        ("billing", {}),
    ],
)
def test_what_single_permissions_require(key: str, required: dict[str, PermissionLevel]) -> None:
    assert catalogue.levels(catalogue.closure(catalogue.state({key: ALL}))) == {key: ALL, **required}


def test_requirements_are_told_per_level() -> None:
    edit, pages = (catalogue.permissions[key] for key in ("contacts.edit", "meeting_pages.edit"))
    assert edit.requires == tuple(Requirement(level, "contacts.view", level) for level in (OWNED, TEAM, ALL))
    assert pages.levels == (NONE, OWNED, ALL)
    assert pages.requires == (Requirement(OWNED, "meetings.edit", OWNED),)


def test_f05_the_never_delegable_permissions() -> None:
    assert set(catalogue.levels(catalogue.never_delegable)) == {
        "super_admins",
        "scim_provisioning",
        "user_managing_apps",
        "data_centre_migration",
    }
    assert catalogue.delegable == catalogue.everything & ~catalogue.never_delegable
    assert catalogue.is_valid(catalogue.delegable), "nothing delegable requires something that is not"


def test_billing_can_be_delegated_and_is_marked_sensitive() -> None:
    billing = catalogue.state({"billing": ALL})
    assert billing & catalogue.delegable == billing
    assert billing & catalogue.sensitive == billing


def test_the_partner_admin_permission_belongs_to_the_partner_program() -> None:
    assert catalogue.permissions[PARTNER_ADMIN].area == "partner_program"
    assert catalogue.levels(catalogue.partner_admin) == {PARTNER_ADMIN: ALL}


def test_the_requirements_are_acyclic() -> None:
    requires = Oracle(catalogue).requires
    remaining = set(requires)
    while free := {atom for atom in remaining if not requires[atom] & remaining}:
        remaining -= free
    assert not remaining


def test_a_level_contains_the_lower_ones() -> None:
    owned, team, everything = (catalogue.state({"deals.view": level}) for level in (OWNED, TEAM, ALL))
    assert owned & team == owned
    assert team & everything == team
    assert [each.bit_count() for each in (owned, team, everything)] == [1, 2, 3]
    assert catalogue.state({"deals.view": NONE}) == 0


def test_minimum_and_maximum_of_levels_are_intersection_and_union() -> None:
    owned, everything = (catalogue.state({"workflows.view": level}) for level in (OWNED, ALL))
    assert catalogue.level(owned & everything, "workflows.view") is OWNED
    assert catalogue.level(owned | everything, "workflows.view") is ALL
    assert catalogue.level(0, "workflows.view") is NONE


def test_a_state_holds_its_levels_and_nothing_that_they_require() -> None:
    state = catalogue.state({"contacts.edit": TEAM})
    assert catalogue.atoms(state) == [("contacts.edit", OWNED), ("contacts.edit", TEAM)]
    assert not catalogue.is_valid(state)
    assert catalogue.missing(state) == [
        ("contacts.edit", OWNED, "contacts.view", OWNED),
        ("contacts.edit", TEAM, "contacts.view", TEAM),
    ]


@pytest.mark.parametrize("state", [-1, catalogue.everything + 1, catalogue.everything << 1])
def test_a_state_outside_the_catalogue_is_not_valid(state: int) -> None:
    assert not catalogue.is_valid(state)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UnknownPermissionError, match=r"There is no permission 'contacts\.paint'"):
        catalogue.state({"contacts.paint": "ALL"})
    with pytest.raises(UnknownPermissionError):
        catalogue.level(0, "contacts.paint")


@pytest.mark.parametrize(("key", "level"), [("billing", "TEAM"), ("workflows.view", "TEAM"), ("billing", "SOME")])
def test_e23_a_level_that_the_key_does_not_have_is_refused(key: str, level: str) -> None:
    with pytest.raises(InvalidLevelError, match=rf"'{key}' has no level '{level}'; use one of NONE, "):
        catalogue.state({key: level})


def test_the_canonical_text_is_sorted_by_key() -> None:
    state = catalogue.state({"reports.view": "TEAM", "billing": "ALL", "contacts.view": "OWNED"})
    assert catalogue.encode(state) == "billing:ALL contacts.view:OWNED reports.view:TEAM"
    assert catalogue.encode(0) == ""
    assert catalogue.decode("") == 0
    assert catalogue.decode(catalogue.encode(catalogue.everything)) == catalogue.everything


def test_a_set_of_atoms_that_is_no_set_of_levels_has_no_canonical_text() -> None:
    top_only = catalogue.state({"deals.view": "ALL"}) & ~catalogue.state({"deals.view": "TEAM"})
    with pytest.raises(ValueError, match="contains the lower ones"):
        catalogue.encode(top_only)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("deals.view:TEAM fax.send:ALL", {"deals.view": TEAM}),
        ("fax.send:ALL", {}),
        ("deals.view:MOST billing:ALL", {"billing": ALL}),
        ("deals.view billing:ALL", {"billing": ALL}),
        ("billing:TEAM", {}),
        ("workflows.view:TEAM", {"workflows.view": OWNED}),
        ("deals.view:NONE", {}),
    ],
)
def test_e22_what_has_left_the_catalogue_is_ignored_when_reading(text: str, read: dict[str, PermissionLevel]) -> None:
    assert catalogue.levels(catalogue.decode(text)) == read


def test_the_canonical_text_outlives_a_new_order_of_the_catalogue() -> None:
    before = Catalogue.from_mapping({"a": {"levels": ["OWNED", "ALL"]}, "b": {}})
    after = Catalogue.from_mapping({"c": {}, "b": {}, "a": {"levels": ["OWNED", "ALL"]}})
    state = before.state({"a": "OWNED", "b": "ALL"})
    assert after.levels(after.decode(before.encode(state))) == {"b": ALL, "a": OWNED}
