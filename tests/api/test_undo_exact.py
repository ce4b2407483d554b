"""N06: whatever kind of change is undone, each grant is afterwards exactly what it was before, in all columns, or the code says why not."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from models.grant import grants
from models.table import now
from models.team import grant_teams
from models.template_lockdown import template_lockdowns
from schema.node import encode
from tests.api.ending_story import DEACTIVATE, REACTIVATE, REMOVE, token_for
from tests.api.pod_story import Pods
from tests.api.test_undo import last
from tests.api.write_story import Story, node_id, permissions, product
from tests.factory import Factory, MemberRow, SetRow, TeamRow
from tests.storms.soundness import assert_sound

VIEW, EDIT = {"contacts.view": "ALL"}, {"contacts.view": "ALL", "contacts.edit": "ALL"}
MOMENTS = {"id", "version", "ended", "since", "granted_by_id"}
"""What is another one in access that was removed and is brought back."""
FORM = [column for column in grants.c if column.name not in MOMENTS]
QUICK = "fragment Told on Operation { id counts { applied noop rejected } }"
APPLIED = {"applied": 1, "noop": 0, "rejected": 0}
UNDO = f"""mutation($input: UndoOperationInput!) {{ undoOperation(input: $input) {{
  operation {{ ...Told }} userErrors {{ code }} }} }} {QUICK}"""
Change = Callable[[], Awaitable[Any]]
BOTH = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)


async def rows(story: Story) -> dict[int, tuple[Any, ...]]:
    """Every column of what everybody has in the client, and their teams, by person."""
    living = grants.c.client_id == story.client.id, grants.c.ended == 0
    listed = select(grants.c.member_id, grant_teams.c.team_id, grant_teams.c.is_primary)
    async with story.database.read() as connection:
        found = {row.member_id: tuple(row) for row in await connection.execute(select(*FORM).where(*living))}
        for member_id, *team in await connection.execute(listed.join(grants).where(*living).order_by("team_id")):
            found[member_id] += tuple(team)
    return found


class Person:
    """Somebody whose access is changed in every way in turn."""

    def __init__(self, story: Story, sets: list[SetRow], both: list[Any], person: MemberRow, source: str) -> None:
        self.story, self.sets, self.person, self.source = story, sets, person, source
        self.both, self.other = both, [{**both[1], "primary": True}]

    async def _do(self, field: str, **values: Any) -> None:
        done = await self.story.operation(field, targets=product([self.person], [self.story.client]), **values)
        assert done["counts"] == APPLIED, (field, values)

    async def _link(self) -> None:
        """From no set to one with the same permissions, which counts only where access is locked to sets."""
        row = {"partner_id": self.story.partner.id, "set_by_id": self.person.user_id, "since": now()}
        async with self.story.database.write() as session:
            await (await session.connection()).execute(insert(template_lockdowns).values(row))
        await self._do("changeAccess", access={"permissionSet": node_id(self.sets[0])})
        async with self.story.database.write() as session:
            await (await session.connection()).execute(delete(template_lockdowns))

    async def _newer(self) -> None:
        await self.story.factory.new_version(self.sets[1], {**VIEW, "notes.view": "ALL"})
        await self._do("reapplyPermissionSet")

    def changes(self) -> dict[str, Change]:
        def to(field: str = "changeAccess", **values: Any) -> Change:
            return lambda: self._do(field, **values)

        async def remove() -> None:
            await self._do(REMOVE, reviewToken=await token_for(self.story, [self.person], [self.story.client]))

        first, second = ({"permissionSet": node_id(one)} for one in self.sets)
        return {
            "grant": to("grantAccess", access=permissions(VIEW)),
            "seat": to(seat="SALES"),
            "set with the same permissions": self._link,
            "set": to(access=second),
            "newer version": self._newer,
            "customised": to(access=permissions(EDIT)),
            "set and seat": to(access=first, seat="CORE"),
            "teams": to("assignTeams", teams=self.both),
            "no team": to("assignTeams", teams=[]),
            "other teams and permissions": to(access=second, teams=self.other),
            "expiry": to(expiresAt="2090-01-01T00:00:00Z"),
            "deactivated": to(DEACTIVATE),
            "extended while deactivated": to("extendAccess", expiresAt="2091-01-01T00:00:00Z"),
            "reactivated": to(REACTIVATE),
            "never": to(expiresAt=None),
            "copy": to("grantAccess", access={"copyFrom": self.source}, onExisting="CHANGE"),
            "removed": remove,
            "given with teams": to("grantAccess", access=first, teams=self.both, seat="SERVICE"),
        }


async def made_and_undone(story: Story, name: str, change: Change) -> tuple[dict[int, tuple[Any, ...]], str]:
    """Makes a change and undoes it, so that all is as it was; returns what it had made of it, and the id of the undo."""
    before = await rows(story)
    await change()
    changed = await rows(story)
    assert changed != before, name
    undo = await undone(story, (await last(story))["id"])
    assert await rows(story) == before, name
    return changed, undo


async def there_and_back(story: Story, name: str, change: Change) -> None:
    """Makes a change, undoes it, and undoes that: each time all is as it was."""
    changed, undo = await made_and_undone(story, name, change)
    await undone(story, undo)
    assert await rows(story) == changed, name


async def undone(story: Story, operation: str) -> str:
    data, errors = await story.run(UNDO, input={"operation": operation})
    assert (errors, data["undoOperation"]["userErrors"]) == ([], [])
    assert data["undoOperation"]["operation"]["counts"] == APPLIED
    return str(data["undoOperation"]["operation"]["id"])


async def begin(factory: Factory) -> tuple[Story, list[MemberRow], list[TeamRow]]:
    story = replace(await Story.begin(factory), fragment=QUICK)
    return story, await factory.members(story.partner, 2), [await factory.team(story.client) for _ in range(2)]


@BOTH
async def test_n06_p09_what_a_pod_gives_changes_and_takes_away_is_undone(factory: Factory) -> None:
    """Access that was undone is no pod's any more: somebody has decided over it by hand."""
    pods = await Pods.begin(factory, people=2, places=1)
    story, leaver = pods.story, node_id(pods.people[0])
    other = await factory.permission_set(story.partner, EDIT)
    made: dict[str, Any] = {}

    async def create() -> None:
        made.update(await pods.create(members=[leaver]))

    await made_and_undone(story, "create", create)
    pod = {"pod": made["pod"]["id"]}
    await pods.done("applyPod", **pod)
    gone = await pods.done("removeFromPod", **pod, members=[leaver])
    options = {"reviewToken": gone["review"]["token"]}
    await made_and_undone(story, "leave", lambda: pods.done("applyPod", **pod, options=options))
    pod = {"pod": (await pods.create(members=[node_id(pods.people[1])]))["pod"]["id"]}
    await made_and_undone(story, "set", lambda: pods.done("updatePod", **pod, permissionSet=node_id(other)))


@BOTH
async def test_n06_every_kind_of_change_is_undone_to_the_row_that_was_before(factory: Factory) -> None:
    story, (person, other), places = await begin(factory)
    listed = [{"team": node_id(team), "primary": team is places[0]} for team in places]
    asked = {"targets": product([other], [story.client]), "access": permissions({"deals.view": "ALL"})}
    await story.operation("grantAccess", **asked, teams=listed)
    async with story.database.read() as connection:
        key = await connection.scalar(select(grants.c.id).where(grants.c.member_id == other.id))
    sets = [await factory.permission_set(story.partner, levels) for levels in (VIEW, EDIT)]
    for name, change in Person(story, sets, listed, person, encode("Grant", key or 0)).changes().items():
        await there_and_back(story, name, change)
    await assert_sound(factory.database)
