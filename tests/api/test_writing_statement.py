"""The number of SQL statements of each write does not grow with its cells (T3)."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import pytest

from resolvers.confirmation_link_edit import MOST_MEMBERS
from schema.node import encode
from tests.api.asset_story import asset
from tests.api.bulk import bulk_grants
from tests.api.caller import Caller, operation
from tests.api.example import WRITES, is_for_the_client
from tests.api.matrix_story import entry
from tests.api.write_story import Story, ids, node_id, pairs, permissions, product
from tests.factory import ClientRow, Factory, GrantRow, MemberRow, SetRow
from tests.statement_recorder import StatementRecorder

Step: TypeAlias = tuple[str, dict[str, Any]]
OPTIONS = {"acceptLockout": True}
END = "2099-12-31T00:00:00Z"


@dataclass(frozen=True)
class Crowd:
    """So many people and clients, in all of which the actor is partner admin."""

    story: Story
    office: Story
    """The first client's own side."""
    people: list[MemberRow]
    clients: list[ClientRow]
    mark: str
    """What a search finds them all by."""
    ours: SetRow
    source: GrantRow
    """Whom one copies."""

    @classmethod
    async def make(cls, story: Story, people: int, clients: int) -> Self:
        factory = story.factory
        mark = f"crowd{time.monotonic_ns()}"
        ours = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, mark)
        made = await factory.members(story.partner, people, default_permission_set_id=ours.id, search_text=mark)
        places = await factory.clients(story.partner, clients, search_text=mark)
        users = [await factory.user() for _ in places]
        for place, user in zip(places, users, strict=True):
            await story.admin(place)
            await factory.own_person(place, user)
        office = replace(story, viewer=(await Caller.signed_in(factory, users[0])).viewer)
        source = await factory.grant(story.client, await factory.member(story.partner), {"deals.view": "ALL"})
        return cls(story, office, made, places, mark, ours, source)

    @property
    def cells(self) -> list[tuple[MemberRow, ClientRow]]:
        return [(person, client) for person in self.people for client in self.clients]

    async def steps(self) -> AsyncIterator[Step]:
        """Every write of many cells, over the whole crowd, in an order in which each has something to do."""
        for step in await self._giving():
            yield step
        async for step in self._ending():
            yield step
        async for step in self._leaving():
            yield step
        async for step in self._answering():
            yield step

    async def _answering(self) -> AsyncIterator[Step]:
        """What the first client's own side says to an agency with many people."""
        here = self.clients[0]
        account = encode("Account", here.account_id)
        newcomers = await self.story.factory.members(self.story.partner, min(len(self.people), MOST_MEMBERS))
        yield "create_confirmation_link", {"client": node_id(here), "members": ids(*newcomers)}
        data, codes = await self.office.run(operation("accounts"))
        assert codes == []
        (invitation,) = data["viewer"]["accounts"][0]["pendingInvitations"]
        yield "confirm_relationship", {"account": account, "invitation": invitation["id"]}
        side = {"account": account, "partner": encode("AccountPartner", here.id)}
        yield "set_ceiling", {**side, "permissions": [], "enforce": True}
        yield "revoke_partner_access", side

    async def _giving(self) -> list[Step]:
        teams = [{"team": node_id(await self.story.factory.team(self.clients[0]))}]
        targets = product(self.people, self.clients)
        narrowed = {
            "permissionSet": node_id(self.ours),
            "permissions": permissions({"deals.view": "ALL"})["permissions"],
        }
        matching = {"memberSearch": self.mark, "clientSearch": self.mark}
        change = {"onExisting": "CHANGE"}
        matrix = {"entries": [entry(person, client, "Marketing") for person, client in self.cells]}
        return [
            (
                "grant_access_dry_run",
                {
                    "targets": targets,
                    "access": permissions({"contacts.view": "ALL"}),
                    "options": {"dryRun": True},
                },
            ),
            ("grant_access", {"targets": targets, "access": permissions({"contacts.view": "ALL"})}),
            ("grant_by_pairs", {"targets": pairs(*self.cells), "access": permissions({"deals.view": "ALL"}), **change}),
            (
                "grant_matching",
                {"targets": {"matching": matching}, "access": permissions({"tasks.view": "ALL"}), **change},
            ),
            ("copy_access", {"targets": targets, "access": {"copyFrom": node_id(self.source)}, **change}),
            ("change_access", {"targets": targets, "access": permissions({"notes.view": "ALL"}), "expiresAt": END}),
            ("keep_access_longer", {"targets": targets, "expiresAt": None}),
            ("plan_access_matrix", {"matrix": matrix}),
            ("apply_access_matrix", {"matrix": matrix}),
            ("assign_teams", {"targets": targets, "teams": teams}),
            ("grant_default_sets", {"targets": targets, "access": {"defaultSet": True}, **change}),
            ("update_permission_set", narrowed),
            ("reapply_permission_set", {"permissionSet": node_id(self.ours)}),
            ("set_default_permission_set", {"member": node_id(self.people[0]), "permissionSet": None}),
            ("set_default_permission_sets", {"members": ids(*self.people), "permissionSet": None}),
            ("delete_permission_set", {"permissionSet": node_id(self.ours)}),
        ]

    async def _ending(self) -> AsyncIterator[Step]:
        factory = self.story.factory
        existing = {"existing": {"members": ids(*self.people), "clients": ids(*self.clients)}}
        yield "deactivate_access", {"targets": existing}
        yield "reactivate_access", {"targets": existing}
        veterans = await factory.members(self.story.partner, len(self.people))
        for veteran in veterans:
            await bulk_grants(factory, veteran, self.clients, super_admin=True)
        yield "migrate_to_partner_admin", {"targets": product(veterans, self.clients), "keepBilling": True}

    async def _leaving(self) -> AsyncIterator[Step]:
        """One whose access is removed everywhere, and then the one who has taken over, who leaves."""
        factory = self.story.factory
        leaver, heir = await factory.members(self.story.partner, 2)
        places = await factory.clients(self.story.partner, len(self.cells))
        for person in (leaver, heir):
            await bulk_grants(factory, person, places)
        yield "record_assets", {"assets": [asset(place, leaver, "one") for place in places]}
        yield (
            "remove_access",
            {
                "targets": product([leaver], places),
                "reviewToken": await self._reviewed(leaver),
                "reassign": [{"to": node_id(heir)}],
                "options": OPTIONS,
            },
        )
        leaving = {"member": node_id(heir), "reviewToken": await self._reviewed(heir), "options": OPTIONS}
        yield "remove_member", leaving

    async def _reviewed(self, person: MemberRow) -> str:
        data, codes = await self.story.run(operation("removal_review"), member=node_id(person))
        assert codes == []
        token: str = data["member"]["removalReview"]["token"]
        return token


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
async def test_t3_a_thousand_cells_need_as_many_statements_as_ten(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """Every write in queries/ over 10 and over 1,000 cells, the answer with its page of outcomes included."""
    story = await Story.begin(factory)

    async def counted(people: int, clients: int) -> dict[str, int]:
        crowd, statements, key = await Crowd.make(story, people, clients), {}, ""
        async for name, asked in crowd.steps():
            actor = crowd.office if is_for_the_client(name) else story
            with recorder:
                data, codes = await actor.run(operation(name), input=asked, key=f"{name}{people}")
            assert codes == [], name
            (root,) = data.values()
            assert root["userErrors"] == [], name
            assert done(root) >= least(name, people, clients), name
            if name == "grant_access":
                key = root["operation"]["id"]
            # Whoever is let in gets a letter, which is a statement: 50 at most, as many as a link can name.
            statements[name] = sum("INTO mail " not in statement for statement in recorder.statements)
        with recorder:
            data, codes = await story.run(operation("operation"), id=key)
        assert data["node"]["outcomes"]["totalCount"] == people * clients
        return {**statements, "operation": recorder.count}

    await counted(1, 1)
    few = await counted(10, 1)
    many = await counted(100, 10)
    assert many == few
    assert max(few.values()) <= 100
    assert few.keys() - {"operation"} == set(WRITES) - WITHOUT_CELLS - ELSEWHERE


def least(name: str, people: int, clients: int) -> int:
    """How much a write has to do over a crowd."""
    if name == "confirm_relationship":
        return min(people, MOST_MEMBERS)
    return people if name in OF_PEOPLE else 0 if name in OF_NONE else people * clients


def done(root: Any) -> int:
    """How much a write has done."""
    if "operation" in root:
        return int(root["operation"]["counts"]["applied"])
    if "people" in root:
        return sum(person["letIn"] for person in root["people"])
    return int(root.get("lowered") or root.get("revoked") or root.get("counts", {}).get("created", 0))


OF_PEOPLE = {"assign_teams", "set_ceiling", "revoke_partner_access"}
"""What is about one client's people."""
OF_NONE = {
    "create_confirmation_link",
    "update_permission_set",
    "set_default_permission_set",
    "set_default_permission_sets",
    "delete_permission_set",
}
"""What changes no grant, however many there are."""
WITHOUT_CELLS = {
    "add_member",
    "approve_access_link",
    "cancel_leave",
    "cancel_operation",
    "create_api_token",
    "create_client_set",
    "create_permission_set",
    "decline_access_link",
    "decline_hand_off",
    "decline_relationship",
    "get_access_link",
    "import_clients",
    "import_members",
    "report_permission_issue",
    "retry_operation",
    "revoke_access_link",
    "revoke_api_token",
    "revoke_confirmation_link",
    "schedule_leave",
    "set_access_limit",
    "set_expiry_rule",
    "set_pod_editor",
    "set_template_lockdown",
    "submit_feedback",
    "update_client",
    "update_member",
    "vote_for_wish",
    "withdraw_hand_off",
    "withdraw_vote",
}
"""What is about one thing each."""
ELSEWHERE = {
    "accept_hand_off",
    "add_to_pod",
    "apply_pod",
    "create_pod",
    "delete_pod",
    "hand_off_operation",
    "record_activity",
    "remove_from_pod",
    "undo_operation",
    "update_pod",
}
"""What is about many, and is counted by tests of its own."""
