"""What a client answers to a confirmation link: who may, what opens, who gets in, and who is told (F53, L6 to L8, L11, P07)."""

import asyncio
import string
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from models.confirmation_link import confirmation_links
from models.grant import GrantStatus, grants
from models.member import MemberStatus, members
from models.partner import PartnerProgram, partners
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from schema.node import encode
from tests.api.caller import Caller
from tests.api.confirmation_story import CONFIRM, DECLINE, REVOKE, Confirmation, carried_out, refusals, refused
from tests.api.held_rows import end_now, holding, until_waiting
from tests.api.link_story import GET, account_id, ceiling, outbox, token_of
from tests.api.write_story import contents, levels_of, node_id
from tests.factory import Factory, MemberRow

ADMIN_LEVELS = levels_of(PARTNER_ADMIN_SET.state)
OPERATIONS = "{ partner { operations { nodes { kind reason total counts { applied noop rejected } } } } }"


async def change(factory: Factory, person: MemberRow, **values: Any) -> None:
    """Changes the membership behind everybody's back."""
    async with factory.database.write() as session:
        connection = await session.connection()
        await connection.execute(update(members).where(members.c.id == person.id).values(values))


async def operations(story: Confirmation) -> list[Any]:
    found: list[Any] = (await story.agency.data(OPERATIONS))["partner"]["operations"]["nodes"]
    return [operation for operation in found if operation["reason"]]


def codes(people: list[Any]) -> dict[str, str | None]:
    return {person["email"]: person["code"] for person in people}


async def test_f53_confirming_lets_in_whom_the_link_names_by_one_operation(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    ann, bob = await factory.members(story.partner, 2)
    link = await story.link(ann, bob)
    told = await story.confirm(token=token_of(link))
    assert (told["answer"], told["changed"]) == ("APPROVED", True)
    assert (told["invitation"]["kind"], told["invitation"]["partnerName"]) == ("CONFIRMATION_LINK", "Bright Agency")
    assert [(person["email"], person["letIn"], person["code"]) for person in told["people"]] == [
        (ann.email, True, None),
        (bob.email, True, None),
    ]
    shown = await story.shown(link)
    assert (shown["state"], shown["answer"], shown["url"]) == ("ANSWERED", "APPROVED", None)
    assert shown["answeredAt"] == shown["client"]["confirmedAt"]
    for member in shown["members"]:
        grant = member["grant"]
        assert member["code"] is None
        assert (grant["accessType"], grant["status"], grant["seat"]) == ("PARTNER_ADMIN", "ACTIVE", "PARTNER")
        assert {at["permission"]["key"]: at["level"] for at in grant["permissions"]} == ADMIN_LEVELS
    (operation,) = await operations(story)
    assert (operation["kind"], operation["counts"]) == ("GRANT", {"applied": 2, "noop": 0, "rejected": 0})


async def test_f53_who_made_the_link_and_who_is_let_in_are_told_once_each(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    ann = await factory.member(story.partner, "Ann Able")
    await story.confirm(token=await story.token(ann, story.maker))
    mails = await outbox(factory.database)
    assert {mail.recipient for mail in mails} == {story.maker.email, ann.email}
    assert len(mails) == len({mail.event for mail in mails}) == 2
    texts = {mail.recipient: mail.text for mail in mails}
    assert "Acme Works" in texts[story.maker.email]
    assert "Ann Able" in texts[story.maker.email]
    assert "partner admin" in texts[ann.email]


async def test_f53_a_link_may_name_nobody(factory: Factory) -> None:
    """The relation is confirmed, nobody gets access, and there is no operation; the maker is told all the same."""
    story = await Confirmation.begin(factory)
    link = await story.link()
    assert (await story.confirm(token=token_of(link)))["people"] == []
    assert (await story.shown(link))["client"]["confirmedAt"] is not None
    assert await operations(story) == []
    (mail,) = await outbox(factory.database)
    assert mail.recipient == story.maker.email


async def test_f53_the_first_confirmation_is_what_stays_beside_the_client(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    first, second = await story.link(), await story.link()
    await story.confirm(token=token_of(first))
    confirmed = (await story.shown(first))["client"]["confirmedAt"]
    await story.confirm(token=token_of(second))
    shown = await story.shown(second)
    assert shown["client"]["confirmedAt"] == confirmed
    assert datetime.fromisoformat(shown["answeredAt"]) > datetime.fromisoformat(confirmed)


async def test_l11_who_is_not_eligible_then_gets_no_access_and_both_sides_are_told(factory: Factory) -> None:
    """The others get in, the relation stands, and the reasons say what to do."""
    story = await Confirmation.begin(factory)
    good, left, off, unverified, boss, admin = await factory.members(story.partner, 6)
    link = await story.link(good, left, off, unverified, boss, admin)
    await change(factory, left, status=MemberStatus.LEFT)
    await change(factory, off, status=MemberStatus.DEACTIVATED)
    await change(factory, unverified, verified=False)
    before = await factory.super_admin(story.client, boss)
    await factory.partner_admin(story.client, admin)
    told = await story.confirm(token=token_of(link))
    wanted = {
        good.email: None,
        left.email: "NOT_A_MEMBER",
        off.email: "NOT_ACTIVE",
        unverified.email: "NOT_VERIFIED",
        boss.email: "ALREADY_SUPER_ADMIN",
        admin.email: None,
    }
    assert codes(told["people"]) == wanted
    shown = await story.shown(link)
    assert shown["client"]["confirmedAt"] is not None
    by_member = {member["member"]["id"]: member for member in shown["members"]}
    assert [by_member[node_id(person)]["code"] for person in (good, left, off, unverified, boss, admin)] == list(
        wanted.values()
    )
    assert by_member[node_id(good)]["grant"]["accessType"] == "PARTNER_ADMIN"
    assert by_member[node_id(left)]["grant"] is None
    assert "migrateToPartnerAdmin" in by_member[node_id(boss)]["message"]
    (operation,) = await operations(story)
    assert operation["counts"] == {"applied": 1, "noop": 1, "rejected": 1}
    kept = await story.agency.data(
        "query($id: ID!) { node(id: $id) { ... on Grant { accessType version } } }", id=encode("Grant", before.id)
    )
    assert kept["node"] == {"accessType": "SUPER_ADMIN", "version": 1}
    mails = await outbox(factory.database)
    assert {mail.recipient for mail in mails} == {good.email, story.maker.email, story.admin.email}
    assert len(mails) == 3
    for mail in mails:
        refused_ones = [left.email, off.email, unverified.email, boss.email]
        assert [person in mail.text for person in refused_ones] == [mail.recipient != good.email] * 4
    assert {mail.event.partition(":")[0] for mail in mails if mail.recipient == story.admin.email} == {
        "confirmation-refused"
    }


async def test_l11_a_partner_that_is_in_no_program_any_more_gets_nobody_in(factory: Factory) -> None:
    """F01."""
    story = await Confirmation.begin(factory)
    token = await story.token(await factory.member(story.partner))
    async with factory.database.write() as session:
        connection = await session.connection()
        of_none = update(partners).where(partners.c.id == story.partner.id).values(program=PartnerProgram.NONE)
        await connection.execute(of_none)
    told = await story.confirm(token=token)
    assert [person["code"] for person in told["people"]] == ["NOT_A_PARTNER"]
    assert told["people"][0]["letIn"] is False


async def test_l3_l4_other_access_becomes_that_of_a_partner_admin(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    plain, off = await factory.members(story.partner, 2)
    await factory.grant(story.client, plain, {"billing": "ALL"})
    await factory.partner_admin(story.client, off, status=GrantStatus.DEACTIVATED)
    link = await story.link(plain, off)
    await story.confirm(token=token_of(link))
    grants = [member["grant"] for member in (await story.shown(link))["members"]]
    assert [(grant["accessType"], grant["status"]) for grant in grants] == [("PARTNER_ADMIN", "ACTIVE")] * 2
    assert "billing" in {at["permission"]["key"] for at in grants[0]["permissions"]}


async def test_a_second_confirmation_changes_nothing_and_sends_nothing(factory: Factory) -> None:
    """Neither the same person's nor another admin's of the account."""
    story = await Confirmation.begin(factory)
    link = await story.link(await factory.member(story.partner))
    first = await story.confirm(token=token_of(link))
    second_admin = await factory.user()
    await factory.own_person(story.client, second_admin)
    other = await Caller.signed_in(factory, second_admin)
    before = await contents(factory.database)
    for caller in (story.approver, other):
        assert await story.confirm(by=caller, token=token_of(link)) == {**first, "changed": False}
    assert await contents(factory.database) == before


async def test_two_confirmations_at_once_are_one(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link(*await factory.members(story.partner, 3))
    second_admin = await factory.user()
    await factory.own_person(story.client, second_admin)
    callers = [story.approver, await Caller.signed_in(factory, second_admin)] * 2
    answers = await asyncio.gather(*(story.confirm(by=caller, token=token_of(link)) for caller in callers))
    assert sorted(answer["changed"] for answer in answers) == [False, False, False, True]
    assert len({str(answer["people"]) for answer in answers}) == 1
    (operation,) = await operations(story)
    assert operation["counts"] == {"applied": 3, "noop": 0, "rejected": 0}
    mails = await outbox(factory.database)
    assert len(mails) == len({mail.event for mail in mails}) == 4


async def test_of_confirming_and_declining_at_once_one_counts(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link(await factory.member(story.partner))
    values = {"account": story.account, "token": token_of(link)}
    answers = await asyncio.gather(
        *(story.approver.data(query, input=values) for query in (CONFIRM, DECLINE, CONFIRM, DECLINE))
    )
    payloads = [payload for answer in answers for payload in answer.values()]
    assert sum(payload["changed"] for payload in payloads) == 1
    shown = await story.shown(link)
    assert {payload["answer"] for payload in payloads if not payload["userErrors"]} == {shown["answer"]}
    assert (shown["members"][0]["grant"] is not None) is (shown["answer"] == "APPROVED")
    assert {error["code"] for payload in payloads for error in payload["userErrors"]} == {"NOT_FOUND"}


async def test_of_confirming_and_revoking_at_once_one_counts(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link(await factory.member(story.partner))
    confirmed, revoked = await asyncio.gather(
        story.approver.data(CONFIRM, input={"account": story.account, "token": token_of(link)}),
        story.agency.data(REVOKE, input={"confirmationLink": link["id"]}),
    )
    lost = [
        error["code"]
        for answer in (confirmed, revoked)
        for payload in answer.values()
        for error in payload["userErrors"]
    ]
    shown = await story.shown(link)
    wanted = {"ANSWERED": ["CONFLICT"], "REVOKED": ["NOT_FOUND"]}
    assert lost == wanted[shown["state"]]
    assert (shown["members"][0]["grant"] is not None) is (shown["state"] == "ANSWERED")


@pytest.mark.parametrize("query", [CONFIRM, DECLINE], ids=["confirm", "decline"])
@pytest.mark.parametrize("ends", ["link", "right"])
@pytest.mark.parametrize("waits_for", ["client", "person"])
async def test_l8_what_ends_while_an_answer_waits_its_turn_is_not_accepted(
    factory: Factory, query: str, ends: str, waits_for: str
) -> None:
    """L6: neither a link that expires meanwhile nor the right of whoever answers."""
    story = await Confirmation.begin(factory)
    person = await factory.member(story.partner)
    link = await story.link(person)
    asked = {"account": story.account, "token": token_of(link)}
    async with holding(factory.database, person if waits_for == "person" else story.client) as connection:
        answer = asyncio.create_task(story.approver.data(query, input=asked))
        await until_waiting(factory.database)
        if ends == "link":
            await end_now(connection, confirmation_links, confirmation_links.c.client_id == story.client.id)
        else:
            await end_now(connection, grants, grants.c.user_id == story.admin.id)
    ((_, payload),) = (await answer).items()
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "token" if ends == "link" else "account"])
    shown = await story.shown(link)
    assert (shown["answer"], shown["client"]["confirmedAt"], shown["members"][0]["grant"]) == (None, None, None)
    assert await outbox(factory.database) == []


def changed(token: str) -> list[str]:
    """The token with one character changed, at each end and in the middle."""
    digits = string.ascii_letters + string.digits
    return [token[:at] + next(digit for digit in digits if digit != token[at]) + token[at + 1 :] for at in (0, 20, 41)]


async def test_l8_every_token_that_does_not_open_is_refused_alike(factory: Factory) -> None:
    """Changed, cut, longer, empty, 10 KB, not ASCII; revoked, expired, declined; and that of an access link."""
    story = await Confirmation.begin(factory)
    people = await factory.member(story.partner)
    good = await story.token(people)
    revoked, expired, declined = [await story.link(people) for _ in range(3)]
    await carried_out(story.agency, REVOKE, confirmationLink=revoked["id"])
    await story.expire(expired)
    await story.decline(token=token_of(declined))
    access = (await carried_out(story.agency, GET))["accessLink"]
    wrong = [
        *changed(good),
        good[:-1],
        good + "A",
        f" {good}",
        "",
        "x" * 10_240,
        "é" * 43,
        "\0" * 43,
        "\ud800" * 43,
        "A" * 43,
        *(token_of(link) for link in (revoked, expired, declined, access)),
    ]
    for query in (CONFIRM, DECLINE):
        answers = [
            await refusals(story.approver, query, account=story.account, token=token)
            for token in wrong
            if query == CONFIRM or token != token_of(declined)
        ]
        assert answers == [answers[0]] * len(answers)
        assert [(error["code"], error["field"]) for error in answers[0]] == [("NOT_FOUND", ["input", "token"])]
    assert (await story.confirm(token=good))["changed"] is True


async def test_l8_what_has_been_confirmed_is_not_declined_afterwards(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    token = await story.token()
    await story.confirm(token=token)
    assert await refused(story.approver, DECLINE, account=story.account, token=token) == (
        "NOT_FOUND",
        ["input", "token"],
    )


async def test_t1_a_token_opens_for_its_own_account_alone(factory: Factory) -> None:
    """Whoever decides for another account learns nothing of it, and nobody answers for an account that is not theirs."""
    story = await Confirmation.begin(factory)
    token, unknown = await story.token(), "A" * 43
    account, user = await factory.account(), await factory.user()
    await factory.own_person(account, user)
    other = await Caller.signed_in(factory, user)
    answers = [await refusals(other, CONFIRM, account=account_id(account), token=text) for text in (token, unknown)]
    assert answers[0] == answers[1]
    assert (answers[0][0]["code"], answers[0][0]["field"]) == ("NOT_FOUND", ["input", "token"])
    wrong = (story.account, encode("Account", 10**9), node_id(story.client), "", "x")
    answers = [await refusals(other, CONFIRM, account=text, token=token) for text in wrong]
    assert answers == [answers[0]] * len(wrong)
    assert (answers[0][0]["code"], answers[0][0]["field"]) == ("NOT_FOUND", ["input", "account"])


async def test_l6_the_agency_does_not_confirm_for_its_client(factory: Factory) -> None:
    """What its people hold there on its behalf, a super admin's access too, is no right of their own."""
    story = await Confirmation.begin(factory)
    people = await factory.members(story.partner, 3)
    await factory.partner_admin(story.client, people[0])
    await factory.super_admin(story.client, people[1])
    token = await story.token()
    for person in (*people, story.maker):
        caller = await Caller.signed_in(factory, person)
        for query in (CONFIRM, DECLINE):
            answer = await refused(caller, query, account=story.account, token=token)
            assert answer == ("NOT_FOUND", ["input", "account"])
    await factory.own_person(story.client, await same_user(factory, people[2]))
    assert (await story.confirm(by=await Caller.signed_in(factory, people[2]), token=token))["changed"] is True


async def same_user(factory: Factory, person: MemberRow) -> Any:
    """The user behind a member: one who is also one of the account's own people decides by that right."""
    user = await factory.user()
    return type(user)(person.user_id, person.email)


@pytest.mark.parametrize(
    ("levels", "decides"),
    [
        ({"users.add": "ALL", "users.edit": "ALL"}, True),
        ({"users.add": "ALL"}, False),
        ({"users.edit": "ALL"}, False),
        ({"contacts.view": "ALL"}, False),
    ],
    ids=["adds and edits users", "adds users", "edits users", "neither"],
)
async def test_f16_those_who_may_add_and_edit_users_confirm_too(
    factory: Factory,
    levels: dict[str, str],
    decides: bool,  # noqa: FBT001 a case
) -> None:
    story = await Confirmation.begin(factory)
    user, token = await factory.user(), await story.token()
    await factory.own_person(story.client, user, levels)
    caller = await Caller.signed_in(factory, user)
    if decides:
        assert (await story.confirm(by=caller, token=token))["changed"] is True
    else:
        answer = await refused(caller, CONFIRM, account=story.account, token=token)
        assert answer == ("FORBIDDEN", ["input", "account"])


async def test_answering_needs_the_scope_write_and_a_sign_in(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    values = {"account": story.account, "token": await story.token()}
    reading = await Caller.signed_in(factory, story.admin, "read")
    assert await reading.code(CONFIRM, input=values) == "FORBIDDEN"
    assert await Caller(factory.database, None).code(CONFIRM, input=values) == "UNAUTHENTICATED"


async def test_an_invitation_is_named_by_exactly_one_of_token_and_id(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    token = await story.token()
    for values in ({}, {"token": token, "invitation": encode("Invitation", "C1")}):
        for query in (CONFIRM, DECLINE):
            answer = await refused(story.approver, query, account=story.account, **values)
            assert answer == ("INVALID_INPUT", ["input"])


async def test_t1_an_invitation_s_id_opens_only_for_the_account_it_is_for(factory: Factory) -> None:
    """Ids can be guessed: another account's, unknown ones, garbage and an access link's are refused alike."""
    story = await Confirmation.begin(factory)
    link = await story.link()
    invitation = encode("Invitation", "C1")
    account, user = await factory.account(), await factory.user()
    await factory.own_person(account, user)
    other = await Caller.signed_in(factory, user)
    answer = await refused(other, CONFIRM, account=account_id(account), invitation=invitation)
    assert answer == ("NOT_FOUND", ["input", "invitation"])
    wrong = ["C0", "C2", "C", "A1", "1", "C1x", "C-1", "C99999999999999999999", "D1"]
    texts = [*(encode("Invitation", text) for text in wrong), link["id"], "", "x" * 10_240]
    answers = [await refusals(story.approver, CONFIRM, account=story.account, invitation=text) for text in texts]
    assert answers == [answers[0]] * len(texts)
    told = await story.confirm(invitation=invitation)
    assert (told["changed"], told["invitation"]["id"]) == (True, invitation)
    assert (await story.confirm(invitation=invitation))["changed"] is False


async def test_p07_a_client_can_decline_and_the_agency_is_told_once(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link(await factory.member(story.partner))
    first = await story.decline(token=token_of(link))
    assert (first["answer"], first["changed"]) == ("DECLINED", True)
    shown = await story.shown(link)
    assert (shown["state"], shown["answer"], shown["client"]["confirmedAt"]) == ("ANSWERED", "DECLINED", None)
    assert shown["members"][0]["grant"] is None
    before = await contents(factory.database)
    assert await story.decline(token=token_of(link)) == {**first, "changed": False}
    assert await contents(factory.database) == before
    (mail,) = await outbox(factory.database)
    assert (mail.recipient, "declined" in mail.subject) == (story.maker.email, True)
    assert await operations(story) == []


async def test_p08_the_client_sets_a_ceiling_while_it_confirms(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    ann = await factory.member(story.partner)
    limit = {key: level for key, level in ADMIN_LEVELS.items() if not key.startswith(("reports.", "dashboards."))}
    limit = levels_of(catalogue.largest_closed_subset(catalogue.state(limit)))
    link = await story.link(ann)
    await story.confirm(token=token_of(link), ceiling=ceiling(limit))
    (member,) = (await story.shown(link))["members"]
    assert {at["permission"]["key"]: at["level"] for at in member["grant"]["permissions"]} == limit
    again = await story.link(await factory.member(story.partner))
    await story.confirm(token=token_of(again))
    (member,) = (await story.shown(again))["members"]
    assert {at["permission"]["key"]: at["level"] for at in member["grant"]["permissions"]} == limit


async def test_l11_under_a_ceiling_without_the_partner_admin_permission_nobody_gets_in(factory: Factory) -> None:
    story = await Confirmation.begin(factory, ceiling={"contacts.view": "ALL"})
    ann, bob = await factory.members(story.partner, 2)
    told = await story.confirm(token=await story.token(ann))
    assert codes(told["people"]) == {ann.email: "EXCEEDS_AUTHORITY"}
    told = await story.confirm(token=await story.token(bob), ceiling=[])
    assert codes(told["people"]) == {bob.email: "EXCEEDS_AUTHORITY"}
    assert "ceiling" in told["people"][0]["message"]
    admin_mails = [mail for mail in await outbox(factory.database) if mail.recipient == story.admin.email]
    assert len(admin_mails) == 2


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ([("contacts.fly", "ALL")], "UNKNOWN_PERMISSION"),
        ([("billing", "TEAM")], "INVALID_LEVEL"),
        ([("super_admins", "ALL")], "NON_DELEGABLE"),
        ([("contacts.edit", "ALL")], "INVALID_PREREQUISITE"),
        ([("contacts.view", "ALL")] * 501, "INVALID_INPUT"),
    ],
    ids=["unknown", "level", "never delegable", "requirement", "too many"],
)
async def test_a_ceiling_that_cannot_be_is_refused(factory: Factory, limit: list[tuple[str, str]], code: str) -> None:
    story = await Confirmation.begin(factory)
    listed = [{"permission": key, "level": level} for key, level in limit]
    errors = await refusals(story.approver, CONFIRM, account=story.account, token=await story.token(), ceiling=listed)
    assert (errors[0]["code"], errors[0]["field"][:2]) == (code, ["input", "ceiling"])


async def test_r22_a_retry_gets_the_first_answer(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    once = CONFIRM.replace(
        "confirmRelationship(input: $input)", 'confirmRelationship(input: $input) @idempotent(key: "a")'
    )
    values = {"account": story.account, "token": await story.token(await factory.member(story.partner))}
    first = await carried_out(story.approver, once, **values)
    assert first["changed"] is True
    before = await contents(factory.database)
    assert await carried_out(story.approver, once, **values) == first
    assert await contents(factory.database) == before


async def test_when_the_maker_has_left_the_partner_s_super_admins_are_told(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    boss = await factory.member(story.partner, super_admin=True)
    await factory.member(story.partner, super_admin=True, status=MemberStatus.LEFT)
    other = await factory.partner()
    await factory.client(other, account=story.client.account)
    await factory.member(other, super_admin=True)
    token = await story.token()
    await change(factory, story.maker, status=MemberStatus.LEFT)
    await story.confirm(token=token)
    assert [mail.recipient for mail in await outbox(factory.database)] == [boss.email]


async def test_l11_without_maker_and_super_admin_those_who_may_make_links_are_told(factory: Factory) -> None:
    """Of somebody who is not let in, both sides must hear."""
    story = await Confirmation.begin(factory)
    for status in (MemberStatus.LEFT, MemberStatus.DEACTIVATED):
        await factory.member(story.partner, super_admin=True, status=status)
        await factory.member(story.partner, status=status)
    await factory.member(story.partner, manager_rights="VIEW")
    ben = await factory.member(story.partner, manager_rights="NONE")
    editors = await factory.members(story.partner, 2)
    await factory.member(await factory.partner(), super_admin=True)
    token = await story.token(ben)
    await change(factory, story.maker, status=MemberStatus.LEFT)
    await change(factory, ben, verified=False)
    await story.confirm(token=token)
    mails = await outbox(factory.database)
    assert [mail.recipient for mail in mails] == [*(person.email for person in editors), story.admin.email]
    assert all(ben.email in mail.text for mail in mails)


async def test_t1_another_agency_in_the_account_learns_nothing(factory: Factory) -> None:
    """L9: it is neither told nor touched."""
    story = await Confirmation.begin(factory)
    other = await factory.partner()
    place = await factory.client(other, account=story.client.account)
    rival = await factory.member(other, super_admin=True)
    grant = await factory.partner_admin(place, rival)
    await story.confirm(token=await story.token(await factory.member(story.partner)))
    caller = await Caller.signed_in(factory, rival)
    seen = await caller.data("{ partner { clients { nodes { confirmedAt totalEmployees grants { nodes { id } } } } } }")
    assert seen["partner"]["clients"]["nodes"] == [
        {"confirmedAt": None, "totalEmployees": 1, "grants": {"nodes": [{"id": encode("Grant", grant.id)}]}}
    ]
    assert rival.email not in {mail.recipient for mail in await outbox(factory.database)}


async def test_p08_a_ceiling_that_comes_with_a_second_confirmation_is_not_ignored(factory: Factory) -> None:
    """Nobody may believe that it holds: CONFLICT says how it is set; the one that holds is no other."""
    story = await Confirmation.begin(factory)
    token = await story.token(await factory.member(story.partner))
    await story.confirm(token=token, ceiling=ceiling(ADMIN_LEVELS))
    values = {"account": story.account, "token": token}
    (error,) = await refusals(story.approver, CONFIRM, **values, ceiling=[])
    assert (error["code"], error["field"]) == ("CONFLICT", ["input", "ceiling"])
    assert "setCeiling" in error["message"]
    assert (await story.confirm(token=token, ceiling=ceiling(ADMIN_LEVELS)))["changed"] is False


async def test_f53_all_of_a_confirmation_is_one_transaction(factory: Factory) -> None:
    """Where somebody cannot be told, since their address is none, nobody is let in and nothing is confirmed."""
    story = await Confirmation.begin(factory)
    good, silent = await factory.member(story.partner), await factory.member(story.partner, email="nowhere")
    token = await story.token(good, silent)
    before = await contents(factory.database)
    _, errors = await story.approver.run(CONFIRM, input={"account": story.account, "token": token})
    assert len(errors) == 1
    assert await contents(factory.database) == before
