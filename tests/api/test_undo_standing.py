"""N06: an undo keeps to what the undoer may do, and to what has become of things since."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from models.client import clients
from models.permission.catalogue import catalogue
from models.permission_set import permission_sets
from models.table import now
from models.template_lockdown import template_lockdowns
from resolvers.interning import state_contents
from resolvers.operation.queue import QueueLimits
from tests.api.ending_story import REMOVE, several
from tests.api.test_undo import UNDO, begin, codes, forms, last, undo
from tests.api.write_story import node_id, permissions
from tests.factory import AccountRow, Factory

VIEW, EDIT = {"contacts.view": "ALL"}, {"contacts.view": "ALL", "contacts.edit": "ALL"}
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ON_SQLITE
@pytest.mark.parametrize("also", [False, True])
async def test_n06_p04_what_had_no_end_does_not_silently_keep_one(factory: Factory, *, also: bool) -> None:
    story, people = await begin(factory)
    await story.grant(people[0], permissions(VIEW))
    until = (now() + timedelta(days=10)).isoformat()
    await story.change(people[0], expiresAt=until, **({"access": permissions(EDIT)} if also else {}))
    operation = await last(story)
    async with story.database.write() as session:
        limited = update(clients).where(clients.c.id == story.client.id).values(longest_days=30)
        await (await session.connection()).execute(limited)
    assert codes(await undo(story, operation["id"])) == [("REJECTED", "EXPIRY_TOO_LATE")]


@ON_SQLITE
async def test_n06_who_lacks_what_is_to_be_taken_changes_no_link_instead(factory: Factory) -> None:
    """Nobody takes a permission that they do not have, and the link alone would say that somebody else gave it."""
    story, people = await begin(factory)
    small, large = [await factory.permission_set(story.partner, levels) for levels in (VIEW, EDIT)]
    await story.grant(people[0], {"permissionSet": node_id(small)})
    await story.change(people[0], {"permissionSet": node_id(large)})
    operation = await last(story)
    before = (await forms(story.database, story))[people[0].id]
    weak = await factory.member(story.partner)
    await factory.partner_admin(story.client, weak, without=("contacts.edit", "contacts.delete"))
    other = await story.as_member(weak)
    assert (await other.change(people[0], {"permissionSet": node_id(small)})).verdict == ("NOOP", "NO_CHANGE")
    ((status, _),) = codes(await undo(story, operation["id"], by=weak))
    assert status == "NOOP"
    assert (await forms(story.database, story))[people[0].id] == before


@ON_SQLITE
async def test_n06_f49_what_was_taken_out_of_a_clients_set_stays_out(factory: Factory) -> None:
    story, people = await begin(factory)
    first = {**EDIT, "deals.view": "ALL"}
    theirs = await factory.permission_set(AccountRow(story.client.account_id, 1, "Client"), first)
    await story.grant(people[0], {"permissionSet": node_id(theirs)})
    await story.change(people[0], permissions(VIEW))
    await several(story, REMOVE, people[:1], [story.client])
    operation = await last(story)
    await factory.new_version(theirs, {**first, "export": "ALL"})
    assert codes(await undo(story, operation["id"])) == [("APPLIED", "SET_EDITED")]
    form = (await forms(story.database, story))[people[0].id]
    async with story.database.read() as connection:
        (state,) = (await state_contents(connection, {form[3]})).values()
    assert set(catalogue.levels(state)) == {"contacts.view", "export"}


@ON_SQLITE
async def test_n06_what_was_given_and_taken_while_the_undo_waited_stays_taken(factory: Factory) -> None:
    story, people = await begin(factory)
    await story.grant(people[0], permissions(VIEW))
    await several(story, REMOVE, people[:1], [story.client])
    operation = await last(story)
    queue = replace(story, limits=QueueLimits(queue_above=0, chunk_cells=10))
    data, refused = await queue.run(UNDO, input={"operation": operation["id"], "options": {}})
    assert refused == []
    await story.grant(people[0], permissions(EDIT))
    await several(story, REMOVE, people[:1], [story.client])
    await queue.work()
    told = await queue.told(data["undoOperation"]["operation"]["id"])
    assert [(node["status"], node["code"]) for node in told["outcomes"]["nodes"]] == [("REJECTED", "CHANGED_SINCE")]


@ON_SQLITE
async def test_n06_p27_an_archived_set_does_not_come_back_where_access_is_locked_to_sets(factory: Factory) -> None:
    story, people = await begin(factory)
    kept = await factory.permission_set(story.partner, VIEW)
    await story.grant(people[0], {"permissionSet": node_id(kept)})
    await several(story, REMOVE, people[:1], [story.client])
    operation = await last(story)
    locked = {"partner_id": story.partner.id, "set_by_id": story.actor.user_id, "since": now()}
    async with story.database.write() as session:
        connection = await session.connection()
        await connection.execute(
            update(permission_sets).where(permission_sets.c.id == kept.id).values(archived_at=now())
        )
        await connection.execute(insert(template_lockdowns).values(locked))
    assert codes(await undo(story, operation["id"])) == [("REJECTED", "LOCKED_TO_SETS")]
