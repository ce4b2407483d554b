"""A retry gets the first answer (R22): by the directive, by the header, after a success and at the same time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models.idempotency_key import idempotency_keys
from models.operation import operations
from models.table import now
from tests.api.write_story import Story, mutation, node_id, permissions, product
from tests.factory import Factory

CONTACTS = permissions({"contacts.view": "ALL"})
DIRECTIVE = mutation("grantAccess", directive="@idempotent(key: $key)", arguments=", $key: String!")
CREATE = """mutation($input: CreatePermissionSetInput!, $key: String!) {
  createPermissionSet(input: $input) @idempotent(key: $key) { userErrors { code } permissionSet { id name version } }
}"""


async def _operations(story: Story) -> int:
    async with story.database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(operations)) or 0)


async def _asked(story: Story) -> dict[str, Any]:
    return {"targets": product([await story.factory.member(story.partner)], [story.client]), "access": CONTACTS}


@pytest.mark.parametrize("by", ["directive", "header"])
async def test_a_retry_after_a_success_gets_the_same_operation(factory: Factory, by: str) -> None:
    story = await Story.begin(factory)
    asked, before = await _asked(story), await _operations(story)
    answers = []
    for _ in range(2):
        if by == "directive":
            data, codes = await story.run(DIRECTIVE, input=asked, key="k-1")
        else:
            data, codes = await story.run(mutation("grantAccess"), header="k-1", input=asked)
        assert codes == []
        answers.append(data["grantAccess"])
    assert answers[0] == answers[1]
    assert answers[0]["operation"]["counts"]["applied"] == 1
    assert await _operations(story) == before + 1


async def test_without_a_key_or_with_another_it_is_another_operation(factory: Factory) -> None:
    """Nobody else's key is meant either."""
    story = await Story.begin(factory)
    colleague = await factory.member(story.partner)
    await factory.partner_admin(story.client, colleague)
    asked, before = await _asked(story), await _operations(story)
    for key in ("a", "b", None, None):
        await story.run(mutation("grantAccess"), header=key, input=asked)
    await (await story.as_member(colleague)).run(mutation("grantAccess"), header="a", input=asked)
    assert await _operations(story) == before + 5


async def test_the_same_key_with_another_input_is_refused(factory: Factory) -> None:
    """But an input in other words is the same input, and the same key for another field is another key."""
    story = await Story.begin(factory)
    asked = await _asked(story)
    assert (await story.run(DIRECTIVE, input=asked, key="k"))[1] == []
    before = await story.counts()
    reordered = dict(reversed(asked.items()))
    assert (await story.run(DIRECTIVE, input=reordered, key="k"))[1] == []
    for other in ({**asked, "options": {"atomic": True}}, {**asked, "access": permissions({"deals.view": "ALL"})}):
        data, codes = await story.run(DIRECTIVE, input=other, key="k")
        assert (data, codes) == (None, ["IDEMPOTENCY_KEY_MISMATCH"])
    assert await story.counts() == before
    data, codes = await story.run(mutation("changeAccess"), header="k", input=asked)
    assert codes == []
    assert data["changeAccess"]["operation"]["kind"] == "CHANGE"


async def test_r12_left_out_and_null_are_two_requests(factory: Factory) -> None:
    """changeAccess without expiresAt keeps the expiry, with null it takes it away; other nulls are as good as left out."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, expires_at=now() + timedelta(days=3))
    asked = {"targets": product([person], [story.client]), "access": permissions({"deals.view": "ALL"})}
    query = mutation("changeAccess")
    assert (await story.run(query, header="k", input=asked))[1] == []
    assert (await story.run(query, header="k", input={**asked, "options": None}))[1] == []
    before = await story.counts()
    assert (await story.run(query, header="k", input={**asked, "expiresAt": None}))[1] == ["IDEMPOTENCY_KEY_MISMATCH"]
    assert await story.counts() == before
    data, codes = await story.run(query, header="other", input={**asked, "expiresAt": None})
    assert codes == []
    (outcome,) = data["changeAccess"]["operation"]["outcomes"]["nodes"]
    assert (outcome["status"], outcome["grant"]["expiresAt"]) == ("APPLIED", None)


async def test_a_refused_or_rehearsed_try_uses_no_key_up(factory: Factory) -> None:
    story = await Story.begin(factory)
    asked = await _asked(story)
    refused = {**asked, "access": permissions({"no.such": "ALL"})}
    for other in (refused, {**asked, "options": {"dryRun": True}}, asked):
        data, codes = await story.run(DIRECTIVE, input=other, key="k")
        assert codes == []
    assert data["grantAccess"]["operation"]["counts"]["applied"] == 1


async def test_retries_at_the_same_time_are_one_operation(factory: Factory) -> None:
    """A try that comes while the first is on its way waits for the answer."""
    story = await Story.begin(factory)
    asked, before = await _asked(story), await _operations(story)
    tries = await asyncio.gather(*(story.run(DIRECTIVE, input=asked, key="k") for _ in range(6)))
    assert [codes for _, codes in tries] == [[]] * 6
    assert len({data["grantAccess"]["operation"]["id"] for data, _ in tries}) == 1
    assert await _operations(story) == before + 1


async def test_a_key_is_forgotten_after_a_day(factory: Factory) -> None:
    story = await Story.begin(factory)
    asked = await _asked(story)
    (first, _), (again, _) = [await story.run(DIRECTIVE, input=asked, key="k") for _ in range(2)]
    async with factory.database.write() as session:
        connection = await session.connection()
        await connection.execute(update(idempotency_keys).values(created_at=now() - timedelta(hours=24, minutes=1)))
    later, codes = await story.run(DIRECTIVE, input=asked, key="k")
    assert codes == []
    assert first == again
    assert later["grantAccess"]["operation"]["id"] != first["grantAccess"]["operation"]["id"]
    assert later["grantAccess"]["operation"]["counts"]["noop"] == 1


@pytest.mark.parametrize("key", ["", "   ", "x" * 256])
async def test_a_key_has_one_to_255_characters(factory: Factory, key: str) -> None:
    story = await Story.begin(factory)
    before = await story.counts()
    assert (await story.run(DIRECTIVE, input=await _asked(story), key=key))[1] == ["BAD_INPUT"]
    assert {**await story.counts(), "member": 0, "user": 0} == {**before, "member": 0, "user": 0}


async def test_the_header_goes_with_one_mutation(factory: Factory) -> None:
    story = await Story.begin(factory)
    query = """mutation($a: CreatePermissionSetInput!, $b: CreatePermissionSetInput!) {
      a: createPermissionSet(input: $a) { permissionSet { id } } b: createPermissionSet(input: $b) { permissionSet { id } }
    }"""
    values: dict[str, Any] = {name: {"name": name, "permissions": []} for name in ("a", "b")}
    _, codes = await story.run(query, header="k", **values)
    assert set(codes) == {"BAD_INPUT"}
    directives = query.replace("$a)", '$a) @idempotent(key: "1")').replace("$b)", '$b) @idempotent(key: "2")')
    (first, codes), (again, _) = [await story.run(directives, **values) for _ in range(2)]
    assert codes == []
    assert first == again


async def test_the_mutations_of_sets_and_defaults_take_a_key_too(factory: Factory) -> None:
    story = await Story.begin(factory)
    made = {"name": "Ours", "permissions": []}
    (first, _), (again, codes) = [await story.run(CREATE, input=made, key="k") for _ in range(2)]
    assert codes == []
    assert first == again
    key = first["createPermissionSet"]["permissionSet"]["id"]
    update_set = """mutation($input: UpdatePermissionSetInput!) {
      updatePermissionSet(input: $input) @idempotent(key: "k") { permissionSet { version } }
    }"""
    changed = {"permissionSet": key, **CONTACTS, "expectedVersion": 1}
    for _ in range(2):
        data, codes = await story.run(update_set, input=changed)
        assert (data, codes) == ({"updatePermissionSet": {"permissionSet": {"version": 2}}}, [])
    default = """mutation($input: SetDefaultPermissionSetInput!) {
      setDefaultPermissionSet(input: $input) @idempotent(key: "k") { member { defaultPermissionSet { id } } }
    }"""
    for set_id, expected in ((key, []), (key, []), (None, ["IDEMPOTENCY_KEY_MISMATCH"])):
        data, codes = await story.run(default, input={"member": node_id(story.actor), "permissionSet": set_id})
        assert codes == expected
    delete = """mutation($input: DeletePermissionSetInput!) {
      deletePermissionSet(input: $input) @idempotent(key: "k") { userErrors { code } permissionSet { name } }
    }"""
    for _ in range(2):
        data, codes = await story.run(delete, input={"permissionSet": key})
        assert (data["deletePermissionSet"], codes) == ({"userErrors": [], "permissionSet": {"name": "Ours"}}, [])
