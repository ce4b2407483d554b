"""A database in which a little of everything has happened, by the ways in which it happens: the API, imports, the command line."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from models.asset import AssetKind
from models.database import Database
from models.member import members
from models.permission.built_in import BUILT_IN_SETS
from models.permission.catalogue import catalogue
from models.table import now
from resolvers.interning import publish_catalogue
from resolvers.issuer import EPHEMERAL
from resolvers.operation.chunk import work_once
from resolvers.operation.queue import QueueLimits
from resolvers.people_import import import_people
from schema.node import encode
from tests.api.activity_story import event, recorded
from tests.api.caller import Caller
from tests.api.confirmation_story import Confirmation
from tests.api.ending_story import DEACTIVATE, MIGRATE, REACTIVATE, REMOVE, several
from tests.api.hand_off_story import HandOffs, answered
from tests.api.link_story import Links, get_link, token_of
from tests.api.pod_story import Pods
from tests.api.set_story import LOCK, SetStory, granted
from tests.api.write_story import Story, mutation, node_id, permissions, product
from tests.factory import AccountRow, ClientRow, Factory, UserRow
from tests.life_factory import LifeFactory

PEOPLE = "hub_id,email,first_name,last_name,access\n"


async def live(factory: Factory) -> None:
    """Lets two agencies and their clients do what they do."""
    story = await Story.begin(factory)
    await _give_and_take(story)
    await _act(story)
    await _approve(factory, story)
    await _confirm(factory, story)
    await _lock(factory, story)
    await _hand_on(factory)
    await _group(factory)
    await _gain(factory.database)


async def _give_and_take(story: Story) -> None:
    factory, other = story.factory, await story.factory.client(story.partner)
    await story.admin(other)
    people = await factory.members(story.partner, 4)
    gone, super_admin = people[2], await factory.member(story.partner)
    teams = [await factory.team(story.client, name) for name in ("North", "South", "West")]
    places = [story.client, other]
    await story.outcomes("grantAccess", targets=product(people, places), access=permissions({"contacts.view": "OWNED"}))
    asked = [{"team": node_id(teams[0]), "primary": True}, {"team": node_id(teams[1])}]
    targets = product(people[:2], [story.client])
    await story.outcomes("assignTeams", targets=targets, teams=asked)
    await story.outcomes("assignTeams", targets=product(people[:1], [story.client]), teams=asked[1:])
    later = (now() + timedelta(days=9)).isoformat()
    access = permissions(catalogue.closure(catalogue.state({"deals.view": "ALL"})))
    await story.outcomes("changeAccess", targets=targets, access=access, expiresAt=later)
    await story.outcomes("grantAccess", targets=targets, access=access)
    await several(story, DEACTIVATE, people[1:3], places)
    await several(story, REACTIVATE, people[1:2], [story.client])
    life = LifeFactory(factory)
    await life.assets(story.client, gone, AssetKind.DEAL, 3)
    await life.assets(story.client, gone, AssetKind.FILE, 1)
    await several(story, REMOVE, [gone], [story.client], reassign=[{"to": node_id(people[0])}])
    await story.outcomes("grantAccess", targets=product([gone], [story.client]), access=access)
    await factory.super_admin(story.client, super_admin)
    await several(story, MIGRATE, [super_admin], [story.client])
    cut = Story(**{**vars(story), "limits": QueueLimits(queue_above=2, chunk_cells=2)})
    more = await factory.clients(story.partner, 3)
    for place in more:
        await story.admin(place)
    await cut.outcomes("grantAccess", targets=product(people[:2], more), access=access)
    ahead = {"runAt": (now() + timedelta(days=5)).isoformat()}
    await story.run(mutation("deactivateAccess"), input={"targets": product(people[:2], more), "options": ahead})
    await cut.run(mutation("deactivateAccess"), input={"targets": product(people[:2], more)})
    assert await work_once(factory.database, EPHEMERAL, story.partner.id) is not None, (
        "the other two chunks stay to be done"
    )


async def _act(story: Story) -> None:
    """The agency's tool tells what one of them did."""
    caller = Caller(story.database, story.viewer)
    sent = [
        event(story.client, story.actor, "view", kind="VIEWED"),
        event(await story.factory.client(story.partner), story.actor, "edit", permission="deals.edit"),
    ]
    assert await recorded(caller, sent) == (2, 0)


async def _own_person(factory: Factory, place: AccountRow | ClientRow, name: str) -> UserRow:
    """A super admin of an account, as the operator brings one in; a second one has come and gone down."""
    user, other = await factory.user(name), await factory.user()
    for access in ("SUPER_ADMIN", "reporting"):
        rows = [(user.email, "SUPER_ADMIN"), (other.email, access)]
        lines = "".join(f"{place.hub_id},{email},,,{kind}\n" for email, kind in rows)
        result = await import_people(factory.database, (PEOPLE + lines).encode())
        assert not result.rejected
    return user


async def _approve(factory: Factory, story: Story) -> None:
    owner = await factory.member(story.partner, "Olga Owner")
    account = await factory.account("Acme Works")
    admin = await _own_person(factory, account, "Ada Admin")
    agency, client = await Caller.signed_in(factory, owner), await Caller.signed_in(factory, admin)
    links = Links(factory, story.partner, owner, account, admin, agency, client)
    link = token_of(await get_link(agency))
    await links.decline(link)
    await links.approve(link)


async def _confirm(factory: Factory, story: Story) -> None:
    place = await factory.client(story.partner, "Bolt Works")
    admin = await _own_person(factory, place, "Bea Admin")
    maker = await factory.member(story.partner, "Mia Maker")
    welcome, unverified = await factory.member(story.partner), await factory.member(story.partner)
    agency, approver = await Caller.signed_in(factory, maker), await Caller.signed_in(factory, admin)
    made = Confirmation(factory, story.partner, maker, place, admin, agency, approver)
    token = await made.token(welcome, unverified)
    async with factory.database.write() as session:
        statement = update(members).where(members.c.id == unverified.id).values(verified=False)
        await (await session.connection()).execute(statement)
    await made.confirm(token=token)


async def _lock(factory: Factory, story: Story) -> None:
    """A client makes a set of its own, which is given, and edits it; another one lets a built-in set be given only."""
    office = await SetStory.begin(factory)
    made = await office.make({"contacts.view": "ALL"})
    await granted(office.agency, made)
    await office.edit(made, {"deals.view": "ALL"})
    place = await factory.client(story.partner)
    admin = await Caller.signed_in(factory, await _own_person(factory, place, "Lea Locker"))
    built_in = [node_id(await factory.built_in_set())]
    await office.done(LOCK, admin, account=encode("Account", place.account_id), locked=True, permissionSets=built_in)


async def _group(factory: Factory) -> None:
    """A pod gives, one person leaves it without a review, and somebody may edit it."""
    pods = await Pods.begin(factory)
    made = await pods.create(exclusions=[pods.pair(1, 1)])
    await pods.done("removeFromPod", pod=made["pod"]["id"], members=[node_id(pods.people[0])])
    query = "mutation($input: SetPodEditorInput!) { setPodEditor(input: $input) { member { editsPods } } }"
    await pods.story.run(query, input={"member": node_id(pods.people[1]), "editor": True})


async def _hand_on(factory: Factory) -> None:
    """Somebody without Reports asks a colleague, who accepts once and declines once."""
    story = await HandOffs.begin(factory)
    operation = await story.asked_for()
    first, second = [await story.handed_off(operation, members=[node_id(person)]) for person in story.people]
    await story.accepted(first["id"])
    await answered(story.colleague, "declineHandOff", {"handOff": second["id"], "reason": "Not needed."})


async def _gain(database: Database) -> None:
    """The Partner Admin set loses a permission, and gains it again."""
    less = catalogue.state({"import": "ALL"})
    smaller = [
        replace(built, state=catalogue.largest_closed_subset(built.state & ~less)) if built.is_partner_admin else built
        for built in BUILT_IN_SETS
    ]
    for sets in (smaller, BUILT_IN_SETS):
        async with database.write() as session:
            await publish_catalogue(await session.connection(), sets)
