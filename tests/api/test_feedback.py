"""What people tell whoever runs the service: feedback (F46), and permissions that do not work as they should (F47)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resolvers.feedback_list import list_told
from schema.node import encode
from tests.api.caller import Caller
from tests.api.write_story import contents, node_id
from tests.factory import Factory

FEEDBACK = "{ id kind subject details createdAt }"
SUBMIT = f"""mutation($input: SubmitFeedbackInput!) {{
  submitFeedback(input: $input) {{ feedback {FEEDBACK} userErrors {{ code message field }} }}
}}"""
ISSUE = "{ id details createdAt client { id } member { id } permission { key } }"
REPORT = f"""mutation($input: ReportPermissionIssueInput!) {{
  reportPermissionIssue(input: $input) {{ permissionIssue {ISSUE} userErrors {{ code message field }} }}
}}"""
MESSAGE = {"kind": "BUG", "subject": "The list is empty", "details": "I see no clients."}


async def told(caller: Caller, query: str, **values: Any) -> Any:
    """Returns what was kept of something that must not be refused."""
    (payload,) = (await caller.data(query, input=values)).values()
    assert payload.pop("userErrors") == []
    (kept,) = payload.values()
    return kept


async def refused(caller: Caller, query: str, **values: Any) -> list[Any]:
    """Returns why it is refused; nothing may have been written."""
    before = await contents(caller.database)
    (payload,) = (await caller.data(query, input=values)).values()
    assert await contents(caller.database) == before
    errors: list[Any] = payload.pop("userErrors")
    assert list(payload.values()) == [None]
    return errors


def places(errors: list[Any]) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["field"]) for error in errors]


async def test_f46_anybody_who_signed_in_can_tell_what_they_think(factory: Factory) -> None:
    """Also somebody without any partner; the texts are kept as they are meant."""
    caller = await Caller.signed_in(factory, await factory.user())
    kept = await told(
        caller, SUBMIT, kind="FEEDBACK", subject="  More   colour ", details="\nFirst line.\r\n\r\nSecond.  "
    )
    assert (kept["kind"], kept["subject"], kept["details"]) == ("FEEDBACK", "More colour", "First line.\n\nSecond.")
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(kept["createdAt"]) < timedelta(minutes=5)
    again = await caller.data(f"query($id: ID!) {{ node(id: $id) {{ ... on Feedback {FEEDBACK} }} }}", id=kept["id"])
    assert again["node"] == kept


async def test_f46_a_partner_can_be_named_if_one_belongs_to_it(factory: Factory) -> None:
    partner, other = await factory.partner(), await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner, manager_rights="NONE"))
    await told(caller, SUBMIT, **MESSAGE, partner=node_id(partner))
    (row,) = (await contents(factory.database))["feedback"]
    assert partner.id in row
    for unknown in (node_id(other), encode("Partner", 10**9), encode("Client", partner.id), "", "x"):
        errors = await refused(caller, SUBMIT, **MESSAGE, partner=unknown)
        assert places(errors) == [("NOT_FOUND", ["input", "partner"])]


@pytest.mark.parametrize("blank", ["", " \t\n ", "\u200b", "\u00a0\u2003"], ids=repr)
async def test_f46_what_is_blank_after_trimming_is_refused(factory: Factory, blank: str) -> None:
    """R15: each text that is wrong is told of, at its place."""
    caller = await Caller.signed_in(factory, await factory.user())
    assert places(await refused(caller, SUBMIT, **{**MESSAGE, "subject": blank})) == [
        ("INVALID_INPUT", ["input", "subject"])
    ]
    assert places(await refused(caller, SUBMIT, **{**MESSAGE, "details": blank})) == [
        ("INVALID_INPUT", ["input", "details"])
    ]
    errors = await refused(caller, SUBMIT, kind="BUG", subject=blank, details=blank)
    assert places(errors) == [("INVALID_INPUT", ["input", "subject"]), ("INVALID_INPUT", ["input", "details"])]
    assert [error["message"] for error in errors] == [
        "The subject cannot be used. Write 1 to 200 characters.",
        "The text cannot be used. Write 1 to 10,000 characters.",
    ]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"subject": "x" * 201}, "subject"),
        ({"details": "x" * 10_001}, "details"),
        ({"details": "x" + "\n" * 10_000 + "x"}, "details"),
        ({"subject": "a\0b"}, "subject"),
        ({"details": "a\x1b[2Jb"}, "details"),
        ({"details": "a\u202eb"}, "details"),
    ],
    ids=["long subject", "long details", "long emptiness", "zero byte", "escape sequence", "reading direction"],
)
async def test_f46_a_text_that_cannot_be_kept_is_refused(factory: Factory, values: dict[str, Any], place: str) -> None:
    caller = await Caller.signed_in(factory, await factory.user())
    assert places(await refused(caller, SUBMIT, **{**MESSAGE, **values})) == [("INVALID_INPUT", ["input", place])]


async def test_f46_the_longest_texts_are_kept(factory: Factory) -> None:
    caller = await Caller.signed_in(factory, await factory.user())
    kept = await told(caller, SUBMIT, kind="BUG", subject="x" * 200, details="y" * 10_000)
    assert (len(kept["subject"]), len(kept["details"])) == (200, 10_000)


async def test_f46_a_kind_there_is_none_of_does_not_fit_the_schema(factory: Factory) -> None:
    caller = await Caller.signed_in(factory, await factory.user())
    _, errors = await caller.run(SUBMIT, input={**MESSAGE, "kind": "PRAISE"})
    assert len(errors) == 1
    assert "PRAISE" in errors[0]


async def test_telling_needs_the_scope_write(factory: Factory) -> None:
    reader = await Caller.signed_in(factory, await factory.user(), "read")
    assert await reader.code(SUBMIT, input=MESSAGE) == "FORBIDDEN"
    assert await Caller(factory.database, None).code(SUBMIT, input=MESSAGE) == "UNAUTHENTICATED"


async def test_t1_nobody_else_finds_what_somebody_told(factory: Factory) -> None:
    partner = await factory.partner()
    author = await Caller.signed_in(factory, await factory.member(partner))
    boss = await Caller.signed_in(factory, await factory.member(partner, super_admin=True))
    client, member = await factory.client(partner), await factory.member(partner)
    message = await told(author, SUBMIT, **MESSAGE, partner=node_id(partner))
    issue = await told(
        *(author, REPORT),
        client=node_id(client),
        member=node_id(member),
        permission="contacts.view",
        details="They see nothing.",
    )
    for kept in (message, issue):
        query = "query($id: ID!) { node(id: $id) { id } }"
        assert (await boss.data(query, id=kept["id"]))["node"] is None
        assert (await author.data(query, id=kept["id"]))["node"] == {"id": kept["id"]}


async def test_r22_a_retry_tells_it_once(factory: Factory) -> None:
    partner = await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner))
    client, member = await factory.client(partner), await factory.member(partner)
    report = {
        "client": node_id(client),
        "member": node_id(member),
        "permission": "contacts.view",
        "details": "They see nothing.",
    }
    for query, values, name in ((SUBMIT, MESSAGE, "feedback"), (REPORT, report, "permission_issue")):
        once = query.replace("(input: $input)", '(input: $input) @idempotent(key: "a")')
        first = await told(caller, once, **values)
        assert await told(caller, once, **values) == first
        assert len((await contents(factory.database))[name]) == 1


async def test_f47_a_permission_issue_names_client_person_and_permission(factory: Factory) -> None:
    """VIEW is enough, and the person need not have access there: that may be the issue."""
    partner = await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner, manager_rights="VIEW"))
    client, member = await factory.client(partner), await factory.member(partner)
    kept = await told(
        *(caller, REPORT),
        client=node_id(client),
        member=node_id(member),
        permission="deals.edit",
        details=" They cannot edit deals.\n\nThey should. ",
    )
    assert kept["client"] == {"id": node_id(client)}
    assert kept["member"] == {"id": node_id(member)}
    assert kept["permission"] == {"key": "deals.edit"}
    assert kept["details"] == "They cannot edit deals.\n\nThey should."
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on PermissionIssue {ISSUE} }} }}"
    assert (await caller.data(query, id=kept["id"]))["node"] == kept


async def test_f47_t1_foreign_unknown_and_garbage_ids_look_alike(factory: Factory) -> None:
    partner, other = await factory.partner(), await factory.partner()
    person = await factory.member(partner)
    await factory.member(other, user=person, manager_rights="NONE")
    caller = await Caller.signed_in(factory, person)
    client, member = await factory.client(partner), await factory.member(partner)
    foreign_client, foreign_member = await factory.client(other, account=client.account), await factory.member(other)
    good = {
        "client": node_id(client),
        "member": node_id(member),
        "permission": "contacts.view",
        "details": "They see nothing.",
    }
    wrong = {
        "client": [node_id(foreign_client), encode("Client", 10**9), node_id(member), "x", ""],
        "member": [node_id(foreign_member), encode("Member", 10**9), node_id(client), "x", ""],
    }
    for field, texts in wrong.items():
        answers = [await refused(caller, REPORT, **{**good, field: text}) for text in texts]
        assert answers == [answers[0]] * len(texts)
        assert places(answers[0]) == [("NOT_FOUND", ["input", field])]


async def test_f47_one_s_own_place_in_a_partner_does_not_go_with_another_partner_s_client(factory: Factory) -> None:
    partner, closed = await factory.partner(), await factory.partner()
    person = await factory.member(partner)
    elsewhere = await factory.member(closed, user=person, manager_rights="NONE")
    caller, client = await Caller.signed_in(factory, person), await factory.client(partner)
    errors = await refused(
        *(caller, REPORT),
        client=node_id(client),
        member=node_id(elsewhere),
        permission="contacts.view",
        details="x",
    )
    assert places(errors) == [("NOT_FOUND", ["input", "member"])]


async def test_f47_it_needs_the_manager_to_be_open(factory: Factory) -> None:
    partner = await factory.partner()
    client, member = await factory.client(partner), await factory.member(partner)
    caller = await Caller.signed_in(factory, await factory.member(partner, manager_rights="NONE"))
    errors = await refused(
        *(caller, REPORT), client=node_id(client), member=node_id(member), permission="contacts.view", details="x"
    )
    assert places(errors) == [("NOT_FOUND", ["input", "client"])]


async def test_f47_the_permission_must_exist_and_something_must_be_said(factory: Factory) -> None:
    partner = await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner))
    good = {
        "client": node_id(await factory.client(partner)),
        "member": node_id(await factory.member(partner)),
        "permission": "contacts.view",
        "details": "x",
    }
    for key in ("", "contacts.fly", "Contacts.view"):
        assert places(await refused(caller, REPORT, **{**good, "permission": key})) == [
            ("UNKNOWN_PERMISSION", ["input", "permission"])
        ]
    for blank in ("", " \n "):
        assert places(await refused(caller, REPORT, **{**good, "details": blank})) == [
            ("INVALID_INPUT", ["input", "details"])
        ]


async def test_whoever_runs_the_service_reads_all_of_it_the_newest_first(factory: Factory) -> None:
    """F46, F47: of all partners."""
    partner, other = await factory.partner("Agency"), await factory.partner()
    author = await factory.member(partner)
    caller, stranger = await Caller.signed_in(factory, author), await Caller.signed_in(factory, await factory.user())
    member, client = await factory.member(partner), await factory.client(partner)
    boss = await Caller.signed_in(factory, await factory.member(other))
    report = {"client": node_id(client), "member": node_id(member), "permission": "deals.edit", "details": "No."}
    await told(caller, SUBMIT, **MESSAGE, partner=node_id(partner))
    await told(caller, REPORT, **report)
    await told(stranger, SUBMIT, kind="FEEDBACK", subject="Thanks", details="It works.")
    await told(boss, SUBMIT, **MESSAGE, partner=node_id(other))
    async with factory.database.read() as connection:
        found = await list_told(connection, 3)
    assert [(one.kind, one.partner, one.details) for one in found] == [
        ("BUG", f"{other.name} ({other.hub_id})", MESSAGE["details"]),
        ("FEEDBACK", None, "It works."),
        ("PERMISSION", f"Agency ({partner.hub_id})", "No."),
    ]
    assert found[2].subject == f"deals.edit of {member.email} in client {client.hub_id}"
    assert found[2].email == author.email
