"""Pods: who and what comes into one gets what it gives, and loses on leaving what only it gave (P09, P10)."""

from typing import Any

import pytest

from models.grant import GrantStatus
from models.member import ManagerRights
from tests.api.counters import assert_counters_are_true
from tests.api.pod_story import VIEWS, Pods, told
from tests.api.write_story import ADMIN_REPORTS, contents, node_id, permissions, product
from tests.factory import Factory

ALL = {(person, place) for person in range(2) for place in range(2)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_who_comes_into_a_pod_gets_what_it_gives(factory: Factory) -> None:
    pods = await Pods.begin(factory, people=3, places=2)
    made = await pods.create(people=2, places=1)
    assert told(made) == [("GRANT", {"applied": 2})]
    assert pods.states(made) == {(0, 0): "GIVEN", (1, 0): "GIVEN"}
    assert made["review"] is None
    grown = await pods.done(
        "addToPod", pod=made["pod"]["id"], clients=[node_id(pods.places[1])], members=[node_id(pods.people[2])]
    )
    assert told(grown) == [("GRANT", {"applied": 4})]
    assert grown["pod"]["clients"]["totalCount"] == 2
    assert grown["pod"]["members"]["totalCount"] == 3
    assert await pods.held() == {
        (person, place): node_id(pods.permission_set) for person in range(3) for place in range(2)
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_access_of_ones_own_stays_as_it_is(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    await factory.grant(pods.places[0], pods.people[0], {"notes.view": "ALL"})
    await factory.grant(pods.places[1], pods.people[0], VIEWS, permission_set=pods.permission_set)
    made = await pods.create()
    assert told(made) == [("GRANT", {"applied": 2, "noop": 2})]
    assert {cell for cell, state in pods.states(made).items() if state == "OTHER_ACCESS"} == {(0, 0), (0, 1)}
    before = await pods.held()
    gone = await pods.done("removeFromPod", pod=made["pod"]["id"], members=[node_id(pods.people[0])])
    assert (gone["operations"], gone["review"]) == ([], None)
    assert await pods.held() == before


async def test_p09_f38_leaving_takes_access_away_once_it_was_reviewed(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    pod = (await pods.create())["pod"]["id"]
    asked = {"pod": pod, "clients": [node_id(pods.places[0])]}
    before = await contents(factory.database)
    shown = await pods.done("removeFromPod", **asked, options={"dryRun": True})
    assert await contents(factory.database) == before
    assert shown["review"]["grantCount"] == 2
    token = shown["review"]["token"]
    dry = await pods.done("removeFromPod", **asked, options={"dryRun": True, "reviewToken": token})
    assert told(dry) == [("REMOVE", {"applied": 2})]
    gone = await pods.done("removeFromPod", **asked, options={"reviewToken": token})
    assert told(gone) == [("REMOVE", {"applied": 2})]
    assert gone["review"] is None
    assert set(await pods.held()) == {(0, 1), (1, 1)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_what_was_not_reviewed_is_left_over_until_the_pod_is_applied(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    pod = (await pods.create())["pod"]["id"]
    left = await pods.done("removeFromPod", pod=pod, members=[node_id(pods.people[1])])
    assert left["operations"] == []
    assert pods.states(left) == {
        (0, 0): "GIVEN",
        (0, 1): "GIVEN",
        (1, 0): "LEFT_OVER",
        (1, 1): "LEFT_OVER",
    }
    stale = await pods.done("applyPod", pod=pod, options={"reviewToken": "stale"})
    assert told(stale) == [("REMOVE", {"rejected": 2})]
    assert [node["code"] for node in stale["operations"][0]["outcomes"]["nodes"]] == ["STALE_REVIEW"] * 2
    applied = await pods.done("applyPod", pod=pod, options={"reviewToken": stale["review"]["token"]})
    assert told(applied) == [("REMOVE", {"applied": 2})]
    assert set(pods.states(applied)) == {(0, 0), (0, 1)}
    again = await pods.done("applyPod", pod=pod)
    assert (again["operations"], again["review"]) == ([], None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_who_comes_back_before_it_is_taken_away_keeps_it(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    pod = (await pods.create())["pod"]["id"]
    before = await pods.held()
    await pods.done("removeFromPod", pod=pod, members=[node_id(pods.people[1])])
    back = await pods.done("addToPod", pod=pod, members=[node_id(pods.people[1])])
    assert back["operations"] == []
    assert set(pods.states(back).values()) == {"GIVEN"}
    assert await pods.held() == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_an_exclusion_takes_away_and_taking_it_back_gives(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    made = await pods.create(exclusions=[pods.pair(0, 0)])
    pod = made["pod"]["id"]
    assert set(pods.states(made)) == ALL - {(0, 0)}
    more = {"pod": pod, "exclusions": [pods.pair(1, 1)]}
    token = (await pods.done("addToPod", **more, options={"dryRun": True}))["review"]["token"]
    fewer = await pods.done("addToPod", **more, options={"reviewToken": token})
    assert told(fewer) == [("REMOVE", {"applied": 1})]
    assert fewer["pod"]["exclusions"]["totalCount"] == 2
    back = await pods.done("removeFromPod", pod=pod, exclusions=[pods.pair(0, 0), pods.pair(1, 1)])
    assert told(back) == [("GRANT", {"applied": 2})]
    assert set(await pods.held()) == ALL


async def test_p09_one_request_takes_away_and_gives(factory: Factory) -> None:
    """Two operations in one transaction, dry and real."""
    pods = await Pods.begin(factory)
    pod = (await pods.create(exclusions=[pods.pair(0, 0)]))["pod"]["id"]
    asked = {"pod": pod, "exclusions": [pods.pair(0, 0)], "members": [node_id(pods.people[1])]}
    shown = await pods.done("removeFromPod", **asked, options={"dryRun": True})
    options = {"reviewToken": shown["review"]["token"]}
    expected = [("REMOVE", {"applied": 2}), ("GRANT", {"applied": 1})]
    assert told(await pods.done("removeFromPod", **asked, options={**options, "dryRun": True})) == expected
    assert told(await pods.done("removeFromPod", **asked, options=options)) == expected
    assert set(await pods.held()) == {(0, 0), (0, 1)}
    await assert_counters_are_true(factory.database)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_what_one_pod_left_over_another_one_takes_over(factory: Factory) -> None:
    pods = await Pods.begin(factory, people=1, places=1)
    one = (await pods.create())["pod"]["id"]
    await pods.done("removeFromPod", pod=one, members=[node_id(pods.people[0])])
    other = await pods.create()
    assert (other["operations"], pods.states(other)) == ([], {(0, 0): "GIVEN"})
    gone = await pods.done("removeFromPod", pod=other["pod"]["id"], members=[node_id(pods.people[0])])
    applied = await pods.done("applyPod", pod=one, options={"reviewToken": gone["review"]["token"]})
    assert (applied["operations"], pods.states(applied)) == ([], {})
    assert set(await pods.held()) == {(0, 0)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_a_grant_of_two_pods_stays_until_the_last_takes_it_away(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    one, other = await pods.create(), await pods.create(people=1)
    assert other["operations"] == []
    assert set(pods.states(other).values()) == {"GIVEN"}
    shown = await pods.done("deletePod", pod=one["pod"]["id"], options={"dryRun": True})
    assert shown["review"]["grantCount"] == 2
    token = {"reviewToken": shown["review"]["token"]}
    gone = await pods.done("deletePod", pod=one["pod"]["id"], options=token)
    assert (gone["pod"], told(gone)) == (None, [("REMOVE", {"applied": 2})])
    assert set(await pods.held()) == {(0, 0), (0, 1)}
    last = await pods.done("deletePod", pod=other["pod"]["id"], options={"dryRun": True})
    token = {"reviewToken": last["review"]["token"]}
    assert (await pods.done("deletePod", pod=other["pod"]["id"], options=token))["pod"] is None
    assert await pods.held() == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_what_somebody_has_changed_since_stays(factory: Factory) -> None:
    """Another permission takes it over from the pod; being deactivated does not."""
    pods = await Pods.begin(factory)
    made = await pods.create(places=1)
    await pods.story.change(pods.people[0], permissions({"notes.view": "ALL"}))
    await pods.story.operation("deactivateAccess", targets=product([pods.people[1]], pods.places[:1]))
    applied = await pods.done("applyPod", pod=made["pod"]["id"])
    assert pods.states(applied) == {(0, 0): "OTHER_ACCESS", (1, 0): "GIVEN"}
    assert applied["operations"] == []
    leaving = {"pod": made["pod"]["id"], "members": [node_id(person) for person in pods.people]}
    token = (await pods.done("removeFromPod", **leaving, options={"dryRun": True}))["review"]["token"]
    gone = await pods.done("removeFromPod", **leaving, options={"reviewToken": token})
    assert [node["member"]["id"] for node in gone["operations"][0]["outcomes"]["nodes"]] == [node_id(pods.people[1])]
    assert set(await pods.held()) == {(0, 0)}


async def test_p09_a_new_set_reaches_what_the_pod_gave(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    made = await pods.create()
    shared = await pods.create(people=1, places=1)
    other = await factory.permission_set(pods.story.partner, {"notes.view": "ALL"}, "Notes")
    asked = {"pod": made["pod"]["id"], "permissionSet": node_id(other), "name": "Notes"}
    dry = await pods.done("updatePod", **asked, options={"dryRun": True})
    assert (told(dry), dry["pod"]["name"]) == ([("CHANGE", {"applied": 3})], "Pod 1")
    changed = await pods.done("updatePod", **asked)
    assert told(changed) == [("CHANGE", {"applied": 3})]
    assert changed["pod"]["name"] == "Notes"
    # What another pod gives too stays that one's.
    assert pods.states(changed) == {(0, 0): "OTHER_ACCESS", (0, 1): "GIVEN", (1, 0): "GIVEN", (1, 1): "GIVEN"}
    held = await pods.held()
    assert held.pop((0, 0)) == node_id(pods.permission_set)
    assert set(held.values()) == {node_id(other)}
    again = await pods.done("applyPod", pod=shared["pod"]["id"])
    assert pods.states(again) == {(0, 0): "GIVEN"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_what_the_actor_cannot_give_stays_listed_for_a_colleague_who_can(factory: Factory) -> None:
    """The bounded rule: nobody gives through a pod what they lack."""
    pods = await Pods.begin(factory)
    reports = await factory.permission_set(pods.story.partner, {"reports.view": "ALL"}, "Reports")
    reduced = await factory.member(pods.story.partner, super_admin=True)
    await factory.partner_admin(pods.places[0], reduced, without=ADMIN_REPORTS)
    story = await pods.story.as_member(reduced)
    asked = {"name": "R", "permissionSet": node_id(reports), "members": [node_id(pods.people[0])]}
    made = await pods.done("createPod", story, **asked, clients=[node_id(place) for place in pods.places])
    codes = sorted(node["code"] for node in made["operations"][0]["outcomes"]["nodes"])
    assert codes == ["EXCEEDS_AUTHORITY", "NOT_PARTNER_ADMIN"]
    assert set(pods.states(made).values()) == {"NOT_GIVEN"}
    assert await pods.held() == {}
    query = "query($id: ID!) { node(id: $id) { ... on Pod { cells(states: [NOT_GIVEN]) { totalCount } } } }"
    data, _ = await pods.story.run(query, id=made["pod"]["id"])
    assert data["node"]["cells"]["totalCount"] == 2
    # Applying needs no right to edit pods.
    able = await factory.member(pods.story.partner, manager_rights=ManagerRights.EDIT)
    for place in pods.places:
        await factory.partner_admin(place, able)
    applied = await pods.done("applyPod", await pods.story.as_member(able), pod=made["pod"]["id"])
    assert told(applied) == [("GRANT", {"applied": 2})]
    assert set(pods.states(applied).values()) == {"GIVEN"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_access_that_ended_elsewhere_is_given_again_only_when_the_pod_is_applied(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    made = await pods.create(places=1)
    review = "query($id: ID!) { node(id: $id) { ... on Client { removalReview { token } } } }"
    data, _ = await pods.story.run(review, id=node_id(pods.places[0]))
    token = data["node"]["removalReview"]["token"]
    await pods.story.operation("removeAccess", targets=product(pods.people[:1], pods.places[:1]), reviewToken=token)
    more = await pods.done("addToPod", pod=made["pod"]["id"], clients=[node_id(pods.places[1])])
    assert pods.states(more) == {(0, 0): "NOT_GIVEN", (1, 0): "GIVEN", (0, 1): "GIVEN", (1, 1): "GIVEN"}
    applied = await pods.done("applyPod", pod=made["pod"]["id"])
    assert set(pods.states(applied).values()) == {"GIVEN"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_deleting_is_all_or_nothing(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    pod = (await pods.create())["pod"]["id"]
    assert await pods.refused("deletePod", pod=pod) == ["INVALID_INPUT"]
    token = (await pods.done("deletePod", pod=pod, options={"dryRun": True}))["review"]["token"]
    await pods.story.operation("deactivateAccess", targets=product([pods.people[1]], pods.places[:1]))
    stale = await pods.done("deletePod", pod=pod, options={"reviewToken": token})
    assert told(stale) == [("REMOVE", {"rejected": 4})]
    assert stale["pod"]["clients"]["totalCount"] == 2
    assert set(pods.states(stale).values()) == {"GIVEN"}
    gone = await pods.done("deletePod", pod=pod, options={"reviewToken": stale["review"]["token"]})
    assert gone["pod"] is None
    assert await pods.held() == {}
    assert await pods.refused("deletePod", pod=pod) == ["NOT_FOUND"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_n04_a_pod_takes_no_last_partner_admin_away_unless_it_is_accepted(factory: Factory) -> None:
    pods = await Pods.begin(factory, people=1, places=1)
    admins = await factory.built_in_set()
    made = await pods.create(permissionSet=node_id(admins))
    await pods.story.operation(
        "deactivateAccess", targets=product([pods.story.actor], pods.places), options={"includeSelf": True}
    )
    asked = {"pod": made["pod"]["id"], "members": [node_id(pods.people[0])]}
    token = (await pods.done("removeFromPod", **asked, options={"dryRun": True}))["review"]["token"]
    kept = await pods.done("removeFromPod", **asked, options={"reviewToken": token})
    assert [node["code"] for node in kept["operations"][0]["outcomes"]["nodes"]] == ["WOULD_LOCK_OUT"]
    assert pods.states(kept) == {(0, 0): "LEFT_OVER"}
    options = {"reviewToken": token, "acceptLockout": True}
    assert told(await pods.done("applyPod", pod=made["pod"]["id"], options=options)) == [("REMOVE", {"applied": 1})]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p10_editing_pods_is_a_right_of_its_own(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    editor = await factory.member(pods.story.partner, manager_rights=ManagerRights.EDIT)
    viewer = await factory.member(pods.story.partner, manager_rights=ManagerRights.VIEW)
    theirs, only_sees = await pods.story.as_member(editor), await pods.story.as_member(viewer)
    pod = (await pods.create())["pod"]["id"]
    asked: dict[str, dict[str, Any]] = {
        "createPod": {"name": "Mine", "permissionSet": node_id(pods.permission_set)},
        "updatePod": {"pod": pod, "name": "Other"},
        "addToPod": {"pod": pod},
        "removeFromPod": {"pod": pod},
        "deletePod": {"pod": pod},
    }
    for name, values in asked.items():
        assert await pods.refused(name, theirs, **values) == ["FORBIDDEN"], name
        assert await pods.refused(name, only_sees, **values) == ["FORBIDDEN"], name
    assert await pods.refused("applyPod", only_sees, pod=pod) == ["FORBIDDEN"]
    for person in (editor, viewer):
        assert await _set_editor(pods, node_id(person), may=True) == ([], True)
    assert (await pods.done("createPod", theirs, **asked["createPod"]))["pod"]["name"] == "Mine"
    assert (await pods.done("updatePod", theirs, **asked["updatePod"]))["pod"]["name"] == "Other"
    # Without EDIT in the manager the right is nothing.
    assert await pods.refused("updatePod", only_sees, **asked["updatePod"]) == ["FORBIDDEN"]
    codes, _ = await _set_editor(pods, node_id(viewer), may=True, by=editor)
    assert codes == ["FORBIDDEN"]
    assert await _set_editor(pods, node_id(editor), may=False) == ([], False)
    assert await pods.refused("updatePod", theirs, **asked["updatePod"]) == ["FORBIDDEN"]


async def _set_editor(pods: Pods, member: str, *, may: bool, by: Any = None) -> tuple[list[str], bool | None]:
    story = pods.story if by is None else await pods.story.as_member(by)
    query = """mutation($input: SetPodEditorInput!) { setPodEditor(input: $input) {
      userErrors { code } member { editsPods } } }"""
    data, codes = await story.run(query, input={"member": member, "editor": may})
    assert codes == []
    payload = data["setPodEditor"]
    return [error["code"] for error in payload["userErrors"]], (payload["member"] or {}).get("editsPods")


async def test_t1_foreign_unknown_and_unreadable_ids_look_alike(factory: Factory) -> None:
    pods, others = await Pods.begin(factory), await Pods.begin(factory)
    foreign = (await others.create())["pod"]["id"]
    mine = (await pods.create())["pod"]["id"]
    for named in (foreign, "UG9kOjk5OTk5", "garbage", mine[:-2]):
        for name in ("updatePod", "addToPod", "removeFromPod", "applyPod", "deletePod"):
            assert await pods.refused(name, pod=named) == ["NOT_FOUND"], (name, named)
        data, _ = await pods.story.run("query($id: ID!) { node(id: $id) { id } }", id=named)
        assert data["node"] is None
    person, place = node_id(others.people[0]), node_id(others.places[0])
    for name in ("addToPod", "removeFromPod"):
        answer = await pods.payload(name, pod=mine, clients=[place, "x"], members=[person])
        assert [(error["code"], error["field"]) for error in answer["userErrors"]] == [
            ("NOT_FOUND", ["input", "clients", "0"]),
            ("NOT_FOUND", ["input", "clients", "1"]),
            ("NOT_FOUND", ["input", "members", "0"]),
        ]
        answer = await pods.payload(name, pod=mine, exclusions=[{"member": person, "client": place}])
        assert [error["field"][-1] for error in answer["userErrors"]] == ["member", "client"]
    for unknown in (node_id(others.permission_set), "x"):
        assert await pods.refused("updatePod", pod=mine, permissionSet=unknown) == ["NOT_FOUND"]
    assert (await _set_editor(pods, person, may=True))[0] == ["NOT_FOUND"]
    assert await others.held() == {cell: node_id(others.permission_set) for cell in ALL}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_a_name_is_taken_whatever_its_case(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    pod = (await pods.create(name="Équipe"))["pod"]["id"]
    asked = {"name": "equipe ", "permissionSet": node_id(pods.permission_set)}
    assert await pods.refused("createPod", **asked) == ["NAME_TAKEN"]
    assert await pods.refused("createPod", **{**asked, "name": " "}) == ["INVALID_INPUT"]
    second = (await pods.create())["pod"]["id"]
    assert await pods.refused("updatePod", pod=second, name="ÉQUIPE") == ["NAME_TAKEN"]
    assert (await pods.done("updatePod", pod=pod, name="Equipe"))["pod"]["name"] == "Equipe"


async def test_p09_pods_are_listed_with_the_partner_the_clients_and_the_people(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    both, one = (
        (await pods.create(name="B"))["pod"]["id"],
        (await pods.create(people=1, places=1, name="A"))["pod"]["id"],
    )
    groups = """query($id: ID!) { node(id: $id) { ... on Pod { createdBy { id } permissionSet { id }
      clients { nodes { id } } members { nodes { id } } exclusions { nodes { client { id } member { id } } } } } }"""
    await pods.done("addToPod", pod=both, exclusions=[pods.pair(1, 1)])
    data, _ = await pods.story.run(groups, id=both)
    assert data["node"].pop("createdBy") is not None
    assert data["node"] == {
        "permissionSet": {"id": node_id(pods.permission_set)},
        "clients": {"nodes": [{"id": node_id(place)} for place in pods.places]},
        "members": {"nodes": [{"id": node_id(person)} for person in pods.people]},
        "exclusions": {"nodes": [{name: {"id": key} for name, key in pods.pair(1, 1).items()}]},
    }
    listed = "pods { totalCount nodes { id } }"
    query = f"""query($partner: ID!, $ids: [ID!]!) {{
      partner(id: $partner) {{ {listed} }}
      nodes(ids: $ids) {{ ... on Client {{ {listed} }} ... on Member {{ {listed} }} }}
    }}"""
    ids = [*map(node_id, pods.places), *map(node_id, pods.people)]
    data, codes = await pods.story.run(query, partner=node_id(pods.story.partner), ids=ids)
    assert codes == []
    found = [[node["id"] for node in entry["pods"]["nodes"]] for entry in (data["partner"], *data["nodes"])]
    assert found == [[one, both], [one, both], [both], [one, both], [both]]
    counted = [entry["pods"]["totalCount"] for entry in (data["partner"], *data["nodes"])]
    assert counted == [len(ids) for ids in found]


async def test_r8_who_leaves_the_partner_is_in_no_pod_any_more(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    made = await pods.create(exclusions=[pods.pair(1, 1)])
    await _set_editor(pods, node_id(pods.people[1]), may=True)
    review = "query($id: ID!) { node(id: $id) { ... on Member { removalReview { token } } } }"
    data, _ = await pods.story.run(review, id=node_id(pods.people[1]))
    query = (
        "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code } member { status } } }"
    )
    asked = {"member": node_id(pods.people[1]), "reviewToken": data["node"]["removalReview"]["token"]}
    data, _ = await pods.story.run(query, input=asked)
    assert data["removeMember"] == {"userErrors": [], "member": {"status": "LEFT"}}
    applied = await pods.done("applyPod", pod=made["pod"]["id"])
    assert pods.states(applied) == {(0, 0): "GIVEN", (0, 1): "GIVEN"}
    assert applied["pod"]["members"]["totalCount"] == 1
    assert applied["pod"]["exclusions"]["totalCount"] == 0
    again = await pods.refused("addToPod", pod=made["pod"]["id"], members=[node_id(pods.people[1])])
    assert again == ["INVALID_INPUT"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_a_deleted_set_is_given_no_more(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    made = await pods.create(places=1)
    query = "mutation($input: DeletePermissionSetInput!) { deletePermissionSet(input: $input) { userErrors { code } } }"
    data, codes = await pods.story.run(query, input={"permissionSet": node_id(pods.permission_set)})
    assert (data, codes) == ({"deletePermissionSet": {"userErrors": []}}, [])
    asked = {"pod": made["pod"]["id"], "clients": [node_id(pods.places[1])]}
    assert await pods.refused("addToPod", **asked) == ["CONFLICT"]
    assert set(await pods.held()) == {(0, 0), (1, 0)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_r22_a_retry_with_the_same_key_gets_the_first_answer(factory: Factory) -> None:
    pods = await Pods.begin(factory)
    query = """mutation($input: CreatePodInput!) { createPod(input: $input) @idempotent(key: "once") {
      pod { id } operations { id } } }"""
    asked = {
        "name": "Once",
        "permissionSet": node_id(pods.permission_set),
        "clients": [node_id(pods.places[0])],
        "members": [node_id(pods.people[0])],
    }
    first, again = [(await pods.story.run(query, input=asked))[0] for _ in range(2)]
    assert first == again
    assert len(first["createPod"]["operations"]) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p09_deactivated_access_of_ones_own_stays_too(factory: Factory) -> None:
    pods = await Pods.begin(factory, people=1, places=1)
    grant = await factory.grant(pods.places[0], pods.people[0], VIEWS, status=GrantStatus.DEACTIVATED)
    made = await pods.create()
    assert [node["code"] for node in made["operations"][0]["outcomes"]["nodes"]] == ["DEACTIVATED"]
    assert pods.states(made) == {(0, 0): "OTHER_ACCESS"}
    query = "query($id: ID!) { node(id: $id) { ... on Pod { cells { nodes { grant { id } } } } } }"
    data, _ = await pods.story.run(query, id=made["pod"]["id"])
    assert data["node"]["cells"]["nodes"] == [{"grant": {"id": node_id(grant)}}]
