"""A partner's own permission sets: making, versions, applying again, ending; default sets (F13, F51, P12)."""

from dataclasses import replace
from typing import Any

import pytest

from models.member import ManagerRights
from resolvers.operation.queue import QueueLimits
from schema.node import encode
from tests.api.write_story import APPLIED, NO_CHANGE, Story, contents, node_id, permissions, product
from tests.factory import Factory

PARTS = """userErrors { __typename code message field }
  permissionSet { id name description origin version isPartnerAdmin permissions { permission { key } level } }"""


async def edit(story: Story, field: str, **values: Any) -> Any:
    """Returns the payload of a mutation of permission sets."""
    query = f"mutation($input: {field[0].upper()}{field[1:]}Input!) {{ {field}(input: $input) {{ {PARTS} }} }}"
    data, codes = await story.run(query, input=values)
    assert codes == []
    return data[field]


async def refused(story: Story, field: str, **values: Any) -> Any:
    """Returns the one reason why it is refused; nothing may have been written."""
    before = await contents(story.database)
    payload = await edit(story, field, **values)
    assert await contents(story.database) == before
    assert payload["permissionSet"] is None
    (refusal,) = payload["userErrors"]
    return refusal


async def make(story: Story, levels: dict[str, str], name: str = "Ours") -> Any:
    payload = await edit(story, "createPermissionSet", name=name, **permissions(levels))
    assert payload["userErrors"] == []
    return payload["permissionSet"]


async def test_f13_a_set_is_made_and_given(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL", "contacts.edit": "TEAM"}, "  Our   own ")
    assert (made["name"], made["origin"], made["version"], made["isPartnerAdmin"]) == ("Our own", "PARTNER", 1, False)
    told = await story.grant(await factory.member(story.partner), {"permissionSet": made["id"]})
    assert told.held == {at["permission"]["key"]: at["level"] for at in made["permissions"]}
    assert told.grant["permissionSet"] == {"id": made["id"]}


async def test_p12_an_edit_makes_a_version_and_grants_are_brought_to_it_under_the_rule(factory: Factory) -> None:
    """Grants keep theirs until then; customised ones are reset; what the actor lacks is withheld and retained."""
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "ALL", "tasks.view": "ALL"})
    made = await make(story, {"contacts.view": "ALL"})
    plain, customised, deactivated, other = await factory.members(story.partner, 4)
    await story.grant(plain, {"permissionSet": made["id"]})
    await story.grant(customised, {"permissionSet": made["id"]})
    await story.change(customised, permissions({"tasks.view": "ALL"}))
    row = await factory.permission_set(story.partner, {"notes.view": "ALL"})
    await factory.grant(story.client, other, permission_set=row)
    payload = await edit(
        story,
        "updatePermissionSet",
        permissionSet=made["id"],
        **permissions({"deals.view": "ALL", "reports.view": "ALL"}),
    )
    assert payload["permissionSet"]["version"] == 2
    data, _ = await story.run(
        "query($id: ID!) { node(id: $id) { ... on PermissionSet { grants(outdatedOnly: true) { totalCount } } } }",
        id=made["id"],
    )
    assert data["node"]["grants"]["totalCount"] == 2
    told = await story.outcomes("reapplyPermissionSet", permissionSet=made["id"])
    assert [outcome.cell[0] for outcome in told] == [node_id(plain), node_id(customised)]
    for outcome in told:
        assert outcome.verdict == APPLIED
        assert outcome.held == {"deals.view": "ALL"}
        assert outcome.withheld == {"reports.view": "ALL"}
        assert (outcome.grant["permissionSetVersion"], outcome.grant["outdated"], outcome.grant["customised"]) == (
            2,
            False,
            True,
        )
    # Nothing is left to do, which is no mistake of a job that asks every night.
    assert await story.outcomes("reapplyPermissionSet", permissionSet=made["id"]) == []
    everybody = product([plain, other, deactivated], [story.client])
    told = await story.outcomes("reapplyPermissionSet", targets=everybody)
    assert [outcome.verdict for outcome in told] == [NO_CHANGE, NO_CHANGE, ("REJECTED", "NOT_FOUND")]


async def test_p12_what_differs_from_the_set_is_kept_if_that_is_asked_for(factory: Factory) -> None:
    """What was added stays, what was taken out stays out; the rule bounds the rest, also for what waits in the queue."""
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "ALL", "tasks.view": "ALL"})
    made = await make(story, {"contacts.view": "ALL", "tasks.view": "ALL"})
    plain, customised, queued = await factory.members(story.partner, 3)
    for person in (plain, customised, queued):
        await story.grant(person, {"permissionSet": made["id"]})
    for person in (customised, queued):
        await story.change(person, permissions({"contacts.view": "TEAM", "deals.view": "ALL"}))
    levels = {"contacts.view": "ALL", "tasks.view": "ALL", "reports.view": "ALL", "deals.view": "OWNED"}
    await edit(story, "updatePermissionSet", permissionSet=made["id"], **permissions(levels))
    kept = {"contacts.view": "TEAM", "deals.view": "ALL"}
    for person, limits, held in (
        (plain, story.limits, {"contacts.view": "ALL", "tasks.view": "ALL", "deals.view": "OWNED"}),
        (customised, story.limits, kept),
        (queued, QueueLimits(queue_above=0), kept),
    ):
        (told,) = await replace(story, limits=limits).outcomes(
            "reapplyPermissionSet", targets=product([person], [story.client]), onCustomised="KEEP"
        )
        assert (told.verdict, told.held, told.withheld) == (APPLIED, held, {"reports.view": "ALL"})
        assert (told.grant["permissionSetVersion"], told.grant["customised"]) == (2, True)


async def test_p12_a_new_version_with_the_same_permissions_is_remembered_all_the_same(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    await story.grant(person, {"permissionSet": made["id"]})
    for levels in ({"deals.view": "ALL"}, {"contacts.view": "ALL"}):
        await edit(story, "updatePermissionSet", permissionSet=made["id"], **permissions(levels))
    (told,) = await story.outcomes("reapplyPermissionSet", permissionSet=made["id"])
    assert told.verdict == APPLIED
    assert (told.grant["permissionSetVersion"], told.granted, told.revoked) == (3, {}, {})


async def test_an_edit_of_words_or_to_the_same_permissions_makes_no_version(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL"})
    payload = await edit(
        story,
        "updatePermissionSet",
        permissionSet=made["id"],
        name="Renamed",
        description=" For new people. ",
        expectedVersion=1,
        **permissions({"contacts.view": "ALL"}),
    )
    shown = payload["permissionSet"]
    assert (shown["version"], shown["name"], shown["description"]) == (1, "Renamed", "For new people.")


async def test_p03_a_set_that_was_edited_since_is_a_conflict(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL"})
    await edit(story, "updatePermissionSet", permissionSet=made["id"], **permissions({"deals.view": "ALL"}))
    refusal = await refused(story, "updatePermissionSet", permissionSet=made["id"], name="Late", expectedVersion=1)
    assert (refusal["code"], refusal["__typename"]) == ("CONFLICT", "ConflictError")
    assert "at version 2" in refusal["message"]


async def test_a_deleted_set_is_given_to_nobody_and_its_grants_stay(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL"})
    person, other = await factory.members(story.partner, 2)
    told = await story.grant(person, {"permissionSet": made["id"]})
    assert (await edit(story, "deletePermissionSet", permissionSet=made["id"]))["permissionSet"]["id"] == made["id"]
    assert await story.levels(told) == {"contacts.view": "ALL"}
    targets = product([other], [story.client])
    for access in ({"permissionSet": made["id"]},):
        (refusal,) = await story.refusals("grantAccess", targets=targets, access=access)
        assert refusal["code"] == "NOT_FOUND"
    for field in ("updatePermissionSet", "deletePermissionSet"):
        assert (await refused(story, field, permissionSet=made["id"], **({"name": "X"} if "up" in field else {})))[
            "code"
        ] == "NOT_FOUND"
    (told,) = await story.outcomes("reapplyPermissionSet", targets=product([person], [story.client]))
    assert told.verdict == ("REJECTED", "NO_PERMISSION_SET")
    assert (await make(story, {"deals.view": "ALL"}))["name"] == "Ours"


@pytest.mark.parametrize("name", ["Ours", "ours", "  OÜRS".replace("Ü", "U"), "öurs"])
async def test_a_name_is_taken_whatever_its_case_and_accents(factory: Factory, name: str) -> None:
    story = await Story.begin(factory)
    await make(story, {"contacts.view": "ALL"})
    other = await make(story, {"contacts.view": "ALL"}, "Other")
    for field, values in (
        ("createPermissionSet", {"permissions": []}),
        ("updatePermissionSet", {"permissionSet": other["id"]}),
    ):
        refusal = await refused(story, field, name=name, **values)
        assert (refusal["code"], refusal["field"]) == ("NAME_TAKEN", ["input", "name"])
        assert "choose another name" in refusal["message"]


@pytest.mark.parametrize(
    ("values", "code", "phrase"),
    [
        ({"name": " "}, "INVALID_INPUT", "1 to 100 characters"),
        ({"name": "x" * 101}, "INVALID_INPUT", "1 to 100 characters"),
        ({"description": "x" * 2_001}, "INVALID_INPUT", "at most 2,000"),
        (permissions({"fax.send": "ALL"}), "UNKNOWN_PERMISSION", "permissionCatalog"),
        (permissions({"export": "TEAM"}), "INVALID_LEVEL", "choose one of"),
        (permissions({"contacts.edit": "ALL"}), "INVALID_PREREQUISITE", "requires contacts.view"),
        (permissions({"super_admins": "ALL"}), "NON_DELEGABLE", "leave it out"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_set_that_cannot_be_is_refused(
    factory: Factory, values: dict[str, Any], code: str, phrase: str
) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL"})
    for field, rest in (
        ("createPermissionSet", {"name": "New", "permissions": []}),
        ("updatePermissionSet", {"permissionSet": made["id"]}),
    ):
        refusal = await refused(story, field, **{**rest, **values})
        assert refusal["code"] == code
        assert phrase in refusal["message"]
    assert (await refused(story, "updatePermissionSet", permissionSet=made["id"]))["code"] == "INVALID_INPUT"


async def test_t1_only_the_partners_own_sets_can_be_changed(factory: Factory) -> None:
    """Foreign, unknown and garbage look alike; the built-in ones are known to everybody and nobody's to change."""
    story = await Story.begin(factory)
    foreign = await factory.permission_set(await factory.partner(), {"contacts.view": "ALL"})
    for field, values in (("updatePermissionSet", {"name": "Mine"}), ("deletePermissionSet", {})):
        answers = [
            await refused(story, field, permissionSet=key, **values)
            for key in (node_id(foreign), encode("PermissionSet", 10**9), encode("Team", 1), "x")
        ]
        assert answers == [answers[0]] * 4
        assert answers[0]["code"] == "NOT_FOUND"
        built_in = await refused(story, field, permissionSet=node_id(await factory.built_in_set()), **values)
        assert built_in["code"] == "FORBIDDEN"
        assert "make a set of your own" in built_in["message"]
    for partner in (node_id(await factory.partner()), "x"):
        refusal = await refused(story, "createPermissionSet", name="N", permissions=[], partner=partner)
        assert refusal["code"] == "NOT_FOUND"


async def test_f02_viewing_rights_change_no_set(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await make(story, {"contacts.view": "ALL"})
    reader = await story.as_member(await factory.member(story.partner, manager_rights=ManagerRights.VIEW))
    assert (await refused(reader, "createPermissionSet", name="N", permissions=[]))["code"] == "FORBIDDEN"
    assert (await refused(reader, "updatePermissionSet", permissionSet=made["id"], name="N"))["code"] == "FORBIDDEN"
    assert (await refused(reader, "deletePermissionSet", permissionSet=made["id"]))["code"] == "FORBIDDEN"


async def test_f51_many_people_get_the_same_default_set_at_once_or_none_of_them(factory: Factory) -> None:
    story = await Story.begin(factory)
    query = """mutation($input: SetDefaultPermissionSetInput!) { setDefaultPermissionSet(input: $input) {
      userErrors { code field } member { id } members { id defaultPermissionSet { id } } } }"""
    people, ours = await factory.members(story.partner, 3), node_id(await factory.built_in_set("sales"))
    listed = [node_id(person) for person in (*people, people[0])]

    async def answer(**values: Any) -> Any:
        data, codes = await story.run(query, input=values)
        assert codes == []
        return data["setDefaultPermissionSet"]

    done = await answer(members=listed, permissionSet=ours)
    assert (done["userErrors"], done["member"]) == ([], None)
    assert done["members"] == [{"id": key, "defaultPermissionSet": {"id": ours}} for key in listed[:3]]
    told = await story.outcomes("grantAccess", targets=product(people, [story.client]), access={"defaultSet": True})
    assert [outcome.grant["permissionSet"] for outcome in told] == [{"id": ours}] * 3
    foreign = node_id(await factory.member(await factory.partner()))
    before = await contents(factory.database)
    for values, code, places in (
        ({"members": [listed[0], foreign, "x"]}, "NOT_FOUND", [["input", "members", "1"], ["input", "members", "2"]]),
        ({"members": []}, "INVALID_INPUT", [["input", "members"]]),
        ({"members": listed[:1] * 1_001}, "INVALID_INPUT", [["input", "members"]]),
        ({"members": listed, "member": listed[0]}, "INVALID_INPUT", [["input"]]),
        ({}, "INVALID_INPUT", [["input"]]),
    ):
        refused = await answer(permissionSet=None, **values)
        assert refused["userErrors"] == [{"code": code, "field": place} for place in places]
        assert refused["members"] == []
    assert await contents(factory.database) == before
    cleared = await answer(members=listed, permissionSet=None)
    assert [person["defaultPermissionSet"] for person in cleared["members"]] == [None] * 3


async def test_f51_a_default_set_is_built_in_or_the_partners_own(factory: Factory) -> None:
    story = await Story.begin(factory)
    query = """mutation($input: SetDefaultPermissionSetInput!) {
      setDefaultPermissionSet(input: $input) { userErrors { code field } member { id } }
    }"""
    stranger = await factory.partner()
    known, good = node_id(story.actor), node_id(await factory.built_in_set("sales"))
    foreign = node_id(await factory.permission_set(stranger, {"contacts.view": "ALL"}))
    clients_own = node_id(await factory.permission_set(story.client.account, {"contacts.view": "ALL"}))
    before = await contents(factory.database)
    for member, permission_set, place in (
        (known, foreign, "permissionSet"),
        (known, clients_own, "permissionSet"),
        (known, "x", "permissionSet"),
        (node_id(await factory.member(stranger)), good, "member"),
        ("x", good, "member"),
    ):
        data, codes = await story.run(query, input={"member": member, "permissionSet": permission_set})
        assert codes == []
        assert data["setDefaultPermissionSet"] == {
            "userErrors": [{"code": "NOT_FOUND", "field": ["input", place]}],
            "member": None,
        }
    assert {
        name: rows for name, rows in (await contents(factory.database)).items() if name not in {"member", "user"}
    } == {name: rows for name, rows in before.items() if name not in {"member", "user"}}
    ended = await make(story, {"contacts.view": "ALL"})
    await story.run(query, input={"member": known, "permissionSet": ended["id"]})
    await edit(story, "deletePermissionSet", permissionSet=ended["id"])
    data, _ = await story.run(
        "query($id: ID!) { node(id: $id) { ... on Member { defaultPermissionSet { id } } } }", id=known
    )
    assert data["node"] == {"defaultPermissionSet": None}
