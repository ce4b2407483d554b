"""Adding one person and changing one: who may, what stays, and that somebody can always act (F02, F09, R14, R16)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from models.database import Database
from models.dialect import lock_rows
from models.grant import GrantStatus
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import PartnerProgram
from schema.node import encode
from tests.api.write_story import Story, contents, node_id
from tests.factory import Factory, MemberRow

MEMBER = """member { id kind status verified managerRights totalClients defaultPermissionSet { id }
  user { id name email } partner { id } }"""


async def edit(story: Story, field: str, key: str | None = None, **values: Any) -> Any:
    """Returns the payload of addMember or updateMember."""
    query = f"""mutation($input: {field[0].upper()}{field[1:]}Input!) {{
      {field}(input: $input) {{ {MEMBER} userErrors {{ __typename code message field }} }} }}"""
    data, codes = await story.run(query, header=key, input=values)
    assert codes == []
    return data[field]


async def done(story: Story, field: str, **values: Any) -> Any:
    """Returns the person as the mutation left them."""
    payload = await edit(story, field, **values)
    assert payload["userErrors"] == []
    return payload["member"]


async def refused(story: Story, field: str, **values: Any) -> Any:
    """Returns the one reason why it is refused; nothing may have been written."""
    before = await contents(story.database)
    payload = await edit(story, field, **values)
    assert await contents(story.database) == before
    assert payload["member"] is None
    (refusal,) = payload["userErrors"]
    return refusal


def why(refusal: Any) -> tuple[str, list[str]]:
    return refusal["code"], refusal["field"]


async def found(story: Story, search: str) -> list[str]:
    """The names that a search among the partner's people finds, in the list's order."""
    query = "query($search: String) { partner { members(search: $search) { nodes { user { name } } } } }"
    data, codes = await story.run(query, search=search)
    assert codes == []
    return [node["user"]["name"] for node in data["partner"]["members"]["nodes"]]


async def row_of(database: Database, person: MemberRow) -> Any:
    async with database.read() as connection:
        return (await connection.execute(select(members).where(members.c.id == person.id))).one()


async def test_a_person_is_added_found_and_given_access(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await done(
        story,
        "addMember",
        email="Ída.Iversen@Example.com",
        firstName="  Ída ",
        lastName="van  Iversen",
        kind="CONTRACTOR",
        managerRights="VIEW",
        verified=True,
    )
    assert made["user"]["name"] == "Ída van Iversen"
    assert made["user"]["email"] == "ída.iversen@example.com"
    assert (made["kind"], made["status"], made["verified"], made["managerRights"], made["totalClients"]) == (
        "CONTRACTOR",
        "ACTIVE",
        True,
        "VIEW",
        0,
    )
    assert made["partner"] == {"id": node_id(story.partner)}
    for search in ("ida van", "iversen@example"):
        assert await found(story, search) == ["Ída van Iversen"]
    operation = await story.operation(
        "grantAccess",
        targets={"product": {"members": [made["id"]], "clients": [node_id(story.client)]}},
        access={"permissions": [{"permission": "contacts.view", "level": "ALL"}]},
    )
    assert operation["counts"]["applied"] == 1


async def test_what_is_left_out_is_the_least(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = await done(story, "addMember", email="kim@example.com", kind="EMPLOYEE")
    assert (made["user"]["name"], made["verified"], made["managerRights"]) == ("kim", False, "NONE")


async def test_one_address_is_one_user_whatever_its_case_and_a_member_is_not_added_twice(factory: Factory) -> None:
    story = await Story.begin(factory)
    await done(story, "addMember", email="kim@example.com", kind="EMPLOYEE")
    refusal = await refused(story, "addMember", email="KIM@Example.com", kind="CONTRACTOR", firstName="Other")
    assert (why(refusal), refusal["__typename"]) == (("CONFLICT", ["input", "email"]), "ConflictError")
    assert "updateMember" in refusal["message"]
    idle = await factory.member(story.partner, status=MemberStatus.DEACTIVATED)
    refusal = await refused(story, "addMember", email=idle.email.upper(), kind="EMPLOYEE")
    assert why(refusal) == ("CONFLICT", ["input", "email"])
    assert "deactivated" in refusal["message"]


async def test_t1_a_person_of_another_partner_is_the_same_user_and_keeps_name_and_place_there(factory: Factory) -> None:
    """What the partner writes is its own name of the person."""
    story = await Story.begin(factory)
    there = await factory.member(await factory.partner(), "Carla Cruz", manager_rights=ManagerRights.EDIT)
    made = await done(
        story, "addMember", email=there.email.upper(), firstName="Other", lastName="Name", kind="CONTRACTOR"
    )
    assert made["user"] == {"id": encode("User", there.user_id), "name": "Other Name", "email": there.email}
    assert made["id"] != node_id(there)
    assert (await found(story, "other name"), await found(story, "carla cruz")) == (["Other Name"], [])
    before = await row_of(story.database, there)
    assert (before.manager_rights, before.kind, before.first_name) == ("EDIT", "EMPLOYEE", "Carla")


async def test_who_left_comes_back_and_nothing_of_the_former_time_does(factory: Factory) -> None:
    """An import brings nobody back; neither grants, rights, super admin nor the default set return with addMember."""
    story = await Story.begin(factory)
    default = await factory.permission_set(story.partner, {"contacts.view": "ALL"})
    gone = await factory.member(
        story.partner,
        "Gone Girl",
        status=MemberStatus.LEFT,
        super_admin=True,
        kind=MemberKind.EMPLOYEE,
        default_permission_set_id=default.id,
    )
    await factory.grant(story.client, gone, {"contacts.view": "ALL"}, status=GrantStatus.REMOVED)
    back = await done(story, "addMember", email=gone.email, lastName="Back", firstName="Is", kind="CONTRACTOR")
    assert back == {
        "id": node_id(gone),
        "kind": "CONTRACTOR",
        "status": "ACTIVE",
        "verified": False,
        "managerRights": "NONE",
        "totalClients": 0,
        "defaultPermissionSet": None,
        "user": {"id": encode("User", gone.user_id), "name": "Is Back", "email": gone.email},
        "partner": {"id": node_id(story.partner)},
    }
    assert not (await row_of(story.database, gone)).super_admin
    assert await found(story, "is back") == ["Is Back"]
    data, _ = await story.run(
        "query($id: ID!) { node(id: $id) { ... on Member { grants { nodes { status } } } } }", id=back["id"]
    )
    assert [grant["status"] for grant in data["node"]["grants"]["nodes"] if grant["status"] != "REMOVED"] == []
    returned = await story.as_member(gone)
    assert why(await refused(returned, "addMember", email="x@example.com", kind="EMPLOYEE"))[0] == "FORBIDDEN"


async def test_f09_who_comes_back_as_a_partner_admin_comes_back_verified(factory: Factory) -> None:
    story = await Story.begin(factory)
    gone = await factory.member(story.partner, status=MemberStatus.LEFT)
    await factory.partner_admin(await factory.client(story.partner), gone)
    refusal = await refused(story, "addMember", email=gone.email, kind="EMPLOYEE")
    assert why(refusal) == ("CONFLICT", ["input"])
    assert "active partner admin in one client" in refusal["message"]
    assert (await done(story, "addMember", email=gone.email, kind="EMPLOYEE", verified=True))["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"email": "kim@localhost"}, "email"),
        ({"firstName": "x" * 201}, "firstName"),
        ({"lastName": "a\0b"}, "lastName"),
    ],
    ids=["address", "long", "control"],
)
async def test_a_person_who_cannot_be_is_refused_where_it_lies(
    factory: Factory, values: dict[str, Any], place: str
) -> None:
    story = await Story.begin(factory)
    new = {"email": "kim@example.com", "kind": "EMPLOYEE", **values}
    assert why(await refused(story, "addMember", **new)) == ("INVALID_INPUT", ["input", place])
    if place != "email":
        changed = {"member": node_id(story.actor), **values}
        assert why(await refused(story, "updateMember", **changed)) == ("INVALID_INPUT", ["input", place])


async def test_f02_people_are_changed_by_those_with_edit_in_their_own_partner(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    reader = await story.as_member(await factory.member(story.partner, manager_rights=ManagerRights.VIEW))
    assert (await refused(reader, "addMember", email="x@example.com", kind="EMPLOYEE"))["code"] == "FORBIDDEN"
    assert (await refused(reader, "updateMember", member=node_id(person), verified=True))["code"] == "FORBIDDEN"
    other = await factory.partner(program=PartnerProgram.NONE)
    outside = await story.as_member(await factory.member(other))
    assert (await refused(outside, "addMember", email="x@example.com", kind="EMPLOYEE"))["code"] == "NOT_A_PARTNER"
    data, codes = await (await story.as_member(story.actor, "read")).run(
        "mutation($input: AddMemberInput!) { addMember(input: $input) { userErrors { code } } }",
        input={"email": "x@example.com", "kind": "EMPLOYEE"},
    )
    assert (data, codes) == (None, ["FORBIDDEN"])


async def test_t1_foreign_unknown_and_garbage_look_alike(factory: Factory) -> None:
    story = await Story.begin(factory)
    stranger = await factory.partner()
    foreign = await factory.member(stranger)
    answers = [
        await refused(story, "updateMember", member=key, verified=False)
        for key in (node_id(foreign), encode("Member", 10**9), node_id(story.client), "x")
    ]
    assert answers == [answers[0]] * 4
    assert why(answers[0]) == ("NOT_FOUND", ["input", "member"])
    for partner in (node_id(stranger), "x"):
        refusal = await refused(story, "addMember", partner=partner, email="x@example.com", kind="EMPLOYEE")
        assert why(refusal) == ("NOT_FOUND", ["input", "partner"])


async def test_r12_what_is_left_out_stays_and_null_takes_a_name_away(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, "Ann Ash", verified=True, manager_rights=ManagerRights.VIEW)
    changed = await done(story, "updateMember", member=node_id(person), lastName="Äsh-Birch")
    assert changed["user"]["name"] == "Ann Äsh-Birch"
    assert (changed["verified"], changed["managerRights"], changed["kind"]) == (True, "VIEW", "EMPLOYEE")
    assert await found(story, "ash-birch") == ["Ann Äsh-Birch"]
    changed = await done(story, "updateMember", member=node_id(person), firstName=None)
    assert changed["user"]["name"] == "Äsh-Birch"
    changed = await done(story, "updateMember", member=node_id(person), lastName=None)
    assert changed["user"]["name"] == person.email.partition("@")[0]
    assert (await row_of(story.database, person)).sort_name == changed["user"]["name"]
    refusal = await refused(story, "updateMember", member=node_id(person))
    assert why(refusal) == ("INVALID_INPUT", ["input"])


@pytest.mark.parametrize("name", ["kind", "managerRights", "verified", "status"])
async def test_r12_null_is_no_value_of_what_cannot_be_cleared(factory: Factory, name: str) -> None:
    story = await Story.begin(factory)
    before = await contents(factory.database)
    data, codes = await story.run(
        "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } } }",
        input={"member": node_id(story.actor), name: None},
    )
    assert data is None
    assert len(codes) == 1
    assert await contents(factory.database) == before


async def test_t1_a_person_of_other_partners_is_renamed_here_alone(factory: Factory) -> None:
    story = await Story.begin(factory)
    there = await factory.member(await factory.partner(), "Carla Cruz")
    here = await factory.member(story.partner, "Carla Cruz", user=there)
    changed = await done(
        story, "updateMember", member=node_id(here), firstName="New", lastName="Name", kind="CONTRACTOR"
    )
    assert (changed["user"]["name"], changed["kind"]) == ("New Name", "CONTRACTOR")
    for place, expected in ((here, "new name"), (there, "carla cruz")):
        row = await row_of(factory.database, place)
        assert (row.sort_name, row.search_text) == (expected, f"{expected}\n{there.email}")


async def test_r16_another_kind_keeps_the_grants_and_moves_the_person_to_the_other_list(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, "Movable Molly")
    grant = await factory.grant(story.client, person, {"contacts.view": "ALL"})
    before = (await contents(factory.database))["grant"]
    changed = await done(story, "updateMember", member=node_id(person), kind="CONTRACTOR")
    assert (changed["kind"], changed["totalClients"]) == ("CONTRACTOR", 1)
    assert (await contents(factory.database))["grant"] == before
    data, _ = await story.run(
        '{ partner { employees(search: "molly") { totalCount } contractors(search: "molly") { nodes { id grants { nodes { id } } } } } }'
    )
    assert data["partner"] == {
        "employees": {"totalCount": 0},
        "contractors": {"nodes": [{"id": node_id(person), "grants": {"nodes": [{"id": node_id(grant)}]}}]},
    }


LOSING = [({"managerRights": "VIEW"}, "managerRights"), ({"managerRights": "NONE"}, "managerRights")]
LOSING += [({"status": "DEACTIVATED"}, "status"), ({"status": "DEACTIVATED", "managerRights": "NONE"}, "status")]


@pytest.mark.parametrize(("values", "place"), LOSING, ids=str)
async def test_r14_the_last_person_with_edit_keeps_it(factory: Factory, values: dict[str, Any], place: str) -> None:
    """Those who are deactivated, have left, only look, or act for another partner do not count."""
    story = await Story.begin(factory)
    me = node_id(story.actor)
    await factory.member(story.partner, status=MemberStatus.DEACTIVATED, super_admin=True)
    await factory.member(story.partner, status=MemberStatus.LEFT)
    await factory.member(story.partner, manager_rights=ManagerRights.VIEW)
    await factory.member(await factory.partner())
    refusal = await refused(story, "updateMember", member=me, kind="CONTRACTOR", **values)
    assert (why(refusal), refusal["__typename"]) == (("LAST_EDITOR", ["input", place]), "ConflictError")
    other = await factory.member(story.partner)
    changed = await done(story, "updateMember", member=me, **values)
    assert {name: changed[name] for name in values} == values
    left = await story.as_member(other)
    assert why(await refused(left, "updateMember", member=node_id(other), **values)) == (
        "LAST_EDITOR",
        ["input", place],
    )


async def test_r14_a_super_admin_of_the_partner_acts_without_the_right(factory: Factory) -> None:
    story = await Story.begin(factory)
    await factory.member(story.partner, super_admin=True, manager_rights=ManagerRights.NONE)
    changed = await done(story, "updateMember", member=node_id(story.actor), managerRights="NONE")
    assert changed["managerRights"] == "NONE"
    owner = await factory.partner()
    alone = await factory.member(owner, super_admin=True, manager_rights=ManagerRights.NONE)
    theirs = await story.as_member(alone)
    assert (await done(theirs, "updateMember", member=node_id(alone), managerRights="VIEW"))["managerRights"] == "VIEW"
    refusal = await refused(theirs, "updateMember", member=node_id(alone), status="DEACTIVATED")
    assert why(refusal) == ("LAST_EDITOR", ["input", "status"])


async def test_r14_two_who_deactivate_each_other_at_once_leave_one(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.member(story.partner)
    second = await story.as_member(other)
    async with factory.database.write() as session:
        # Both arrive while the rows are held, so that they go on at the same moment.
        await lock_rows(
            await session.connection(), select(members.c.id).where(members.c.id.in_([story.actor.id, other.id]))
        )
        tries = [
            asyncio.create_task(edit(story, "updateMember", member=node_id(other), status="DEACTIVATED")),
            asyncio.create_task(edit(second, "updateMember", member=node_id(story.actor), status="DEACTIVATED")),
        ]
        await asyncio.sleep(0.3)
    payloads = await asyncio.gather(*tries)
    codes = [error["code"] for payload in payloads for error in payload["userErrors"]]
    # Whoever comes second has lost the right to act by then.
    assert codes == ["FORBIDDEN"]
    statuses = {(await row_of(factory.database, person)).status for person in (story.actor, other)}
    assert statuses == {"ACTIVE", "DEACTIVATED"}


async def test_f09_a_partner_admin_stays_verified_as_long_as_they_are_one(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(await factory.client(story.partner), person, {"contacts.view": "ALL"})
    held = [await factory.partner_admin(await factory.client(story.partner), person) for _ in range(2)]
    for count in ("2 clients", "one client"):
        refusal = await refused(story, "updateMember", member=node_id(person), verified=False, kind="CONTRACTOR")
        assert why(refusal) == ("CONFLICT", ["input", "verified"])
        assert count in refusal["message"]
        await factory.move(held.pop(), GrantStatus.DEACTIVATED)
    assert (await done(story, "updateMember", member=node_id(person), verified=False))["verified"] is False
    refusal = await refused(story, "updateMember", member=node_id(story.actor), verified=False)
    assert why(refusal) == ("CONFLICT", ["input", "verified"])
    assert (await done(story, "updateMember", member=node_id(story.actor), verified=True))["verified"] is True


async def test_a_deactivated_person_keeps_the_grants_and_cannot_act_until_active_again(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"})
    before = (await contents(factory.database))["grant"]
    changed = await done(story, "updateMember", member=node_id(person), status="DEACTIVATED")
    assert (changed["status"], changed["totalClients"]) == ("DEACTIVATED", 1)
    assert (await contents(factory.database))["grant"] == before
    theirs = await story.as_member(person)
    assert (await refused(theirs, "addMember", email="x@example.com", kind="EMPLOYEE"))["code"] == "FORBIDDEN"
    assert (await done(story, "updateMember", member=node_id(person), status="ACTIVE"))["status"] == "ACTIVE"
    theirs = await story.as_member(person)
    assert (await done(theirs, "addMember", email="x@example.com", kind="EMPLOYEE"))["status"] == "ACTIVE"


async def test_n04_the_last_partner_admin_of_others_is_deactivated_only_if_the_lockout_is_accepted(
    factory: Factory,
) -> None:
    """R7; the grants stay, so that activating the person makes them partner admin again."""
    story = await Story.begin(factory)
    person, idle = await factory.member(story.partner), await factory.member(story.partner, status="DEACTIVATED")
    places = await factory.clients(story.partner, 4)
    for client in places:
        await factory.partner_admin(client, person)
    helper = await factory.member(story.partner)
    await factory.grant(places[0], helper, {"contacts.view": "ALL"})
    await factory.grant(places[1], helper, status=GrantStatus.DEACTIVATED)
    await factory.partner_admin(places[1], idle)
    second = await factory.partner_admin(places[2], helper)
    deactivation = {"member": node_id(person), "status": "DEACTIVATED"}
    refusal = await refused(story, "updateMember", **deactivation)
    assert (why(refusal), refusal["__typename"]) == (("WOULD_LOCK_OUT", ["input", "status"]), "ConflictError")
    assert "2 clients" in refusal["message"]
    assert "acceptLockout: true" in refusal["message"]
    await factory.move(second, GrantStatus.DEACTIVATED)
    refusal = await refused(story, "updateMember", **deactivation, acceptLockout=False, lastName="Other")
    assert "3 clients" in refusal["message"]
    before = (await contents(factory.database))["grant"]
    changed = await done(story, "updateMember", **deactivation, acceptLockout=True)
    assert (changed["status"], changed["totalClients"]) == ("DEACTIVATED", 4)
    assert (await contents(factory.database))["grant"] == before
    assert (await done(story, "updateMember", **deactivation))["status"] == "DEACTIVATED"
    assert (await done(story, "updateMember", member=node_id(person), status="ACTIVE"))["status"] == "ACTIVE"


async def test_n04_deactivating_somebody_who_is_not_the_last_partner_admin_needs_nothing(factory: Factory) -> None:
    """Nor does one who is alone in the client, or anything but a deactivation."""
    story = await Story.begin(factory)
    person, helper = await factory.members(story.partner, 2)
    alone, shared = await factory.clients(story.partner, 2)
    await factory.partner_admin(alone, person)
    for admin in (person, helper):
        await factory.partner_admin(shared, admin)
    assert (await done(story, "updateMember", member=node_id(person), status="DEACTIVATED"))["status"] == "DEACTIVATED"
    changed = await done(story, "updateMember", member=node_id(helper), kind="CONTRACTOR", managerRights="NONE")
    assert (changed["kind"], changed["managerRights"]) == ("CONTRACTOR", "NONE")
    refusal = await refused(story, "updateMember", member=node_id(helper), status="DEACTIVATED")
    assert refusal["code"] == "WOULD_LOCK_OUT"
    assert "one client " in refusal["message"]


async def test_n04_of_the_last_two_partner_admins_deactivated_at_once_one_stays(factory: Factory) -> None:
    story = await Story.begin(factory)
    client, people = await factory.client(story.partner), await factory.members(story.partner, 2)
    await factory.grant(client, await factory.member(story.partner))
    for person in people:
        await factory.partner_admin(client, person)
    answers = await asyncio.gather(
        *(edit(story, "updateMember", member=node_id(person), status="DEACTIVATED") for person in people)
    )
    assert sorted([error["code"] for error in answer["userErrors"]] for answer in answers) == [[], ["WOULD_LOCK_OUT"]]
    statuses = sorted([(await row_of(factory.database, person)).status for person in people])
    assert statuses == ["ACTIVE", "DEACTIVATED"]


async def test_accepting_a_lockout_is_no_change_of_its_own(factory: Factory) -> None:
    story = await Story.begin(factory)
    refusal = await refused(story, "updateMember", member=node_id(story.actor), acceptLockout=True)
    assert why(refusal) == ("INVALID_INPUT", ["input"])


async def test_nobody_leaves_or_returns_by_an_update(factory: Factory) -> None:
    story = await Story.begin(factory)
    gone, person = await factory.member(story.partner, status=MemberStatus.LEFT), await factory.member(story.partner)
    refusal = await refused(story, "updateMember", member=node_id(person), status="LEFT")
    assert why(refusal) == ("INVALID_INPUT", ["input", "status"])
    refusal = await refused(story, "updateMember", member=node_id(gone), status="ACTIVE")
    assert why(refusal) == ("CONFLICT", ["input", "member"])
    assert "addMember" in refusal["message"]


async def test_r22_a_retry_gets_the_first_answer(factory: Factory) -> None:
    """And a name that is left out is another request than one that is taken away."""
    story = await Story.begin(factory)
    new = {"email": "kim@example.com", "kind": "EMPLOYEE", "firstName": "Kim"}
    first = await edit(story, "addMember", "a", **new)
    assert await edit(story, "addMember", "a", **new) == first
    assert (await edit(story, "addMember", "b", **new))["userErrors"][0]["code"] == "CONFLICT"
    patch = {"member": first["member"]["id"], "lastName": "Kay"}
    changed = await edit(story, "updateMember", "a", **patch)
    await done(story, "updateMember", member=patch["member"], lastName="Later")
    assert (await edit(story, "updateMember", "a", **patch))["member"]["user"]["name"] == "Kim Later"
    assert changed["member"]["user"]["name"] == "Kim Kay"
    _, codes = await story.run(
        "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } } }",
        header="a",
        input={**patch, "firstName": None},
    )
    assert codes == ["IDEMPOTENCY_KEY_MISMATCH"]


async def test_only_a_super_admin_of_the_partner_changes_status_or_rights_of_another(factory: Factory) -> None:
    story = await Story.begin(factory)
    owner = await factory.member(story.partner, super_admin=True)
    for change in ({"status": "DEACTIVATED"}, {"managerRights": "NONE"}):
        refusal = await refused(story, "updateMember", member=encode("Member", owner.id), **change)
        assert why(refusal) == ("FORBIDDEN", ["input", "member"])
    second = await factory.member(story.partner, super_admin=True)
    changed = await done(
        await story.as_member(second), "updateMember", member=encode("Member", owner.id), status="DEACTIVATED"
    )
    assert changed["status"] == "DEACTIVATED"
