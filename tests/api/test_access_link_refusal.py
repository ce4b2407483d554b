"""Answers to access links that are refused: by what was sent, by whom, and about whom (L5, L6, L8, T1). Nothing is written."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from models.grant import GrantStatus
from models.member import MemberStatus
from models.partner import PartnerProgram, partners
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from resolvers.invitation import NOTHING_OPENS
from schema.node import encode
from tests.api.caller import Caller
from tests.api.link_story import (
    APPROVE,
    DECLINE,
    LOOK,
    REVOKE,
    Links,
    account_id,
    ceiling,
    get_link,
    refused,
    token_of,
)
from tests.api.test_access_link import change_member, let_expire
from tests.api.write_story import contents, levels_of
from tests.factory import Factory, MemberRow, UserRow
from tests.life_factory import LifeFactory

SUPER_ADMINS_ALONE = next(key for key, permission in catalogue.permissions.items() if not permission.delegable)
MANAGES = {"users.add": "ALL", "users.edit": "ALL"}


def changed(token: str, place: int) -> str:
    """The token with another character in one place."""
    other = "A" if token[place] != "A" else "B"
    return token[:place] + other + (token[place + 1 :] if place != -1 else "")


async def test_whatever_does_not_open_looks_the_same_to_the_byte(factory: Factory, life_factory: LifeFactory) -> None:
    """L8: unknown, changed, cut, empty, 10 KB, no text at all, expired, revoked, used up, and the token of another kind."""
    links = await Links.begin(factory)
    expired = token_of(await get_link(links.agency, reference="expired"))
    await let_expire(links.database)
    ended = await get_link(links.agency, reference="revoked")
    await links.agency.data(REVOKE, input={"accessLink": ended["id"]})
    used = token_of(await get_link(links.agency, singleUse=True))
    account, admin = await links.another_account()
    await links.approve(used, by=admin, account=account_id(account))
    living = token_of(await get_link(links.agency))
    client = await factory.client(links.partner)
    moment = datetime.now(UTC)
    elsewhere = await life_factory.access_link(
        links.owner, client=client, created_at=moment, expires_at=moment + timedelta(days=1)
    )
    tokens = {
        "unknown": "A" * 43,
        "first changed": changed(living, 0),
        "middle changed": changed(living, 21),
        "last changed": changed(living, -1),
        "cut": living[:-1],
        "longer": f"{living}A",
        "padded": f"{living}=",
        "spaced": f" {living}",
        "empty": "",
        "10 KB": "x" * 10_240,
        "10 KB from a living one": (living * 239)[:10_240],
        "no ASCII": "ü" * 43,
        "no text": "\ud800" * 43,
        "a NUL": "\x00" * 43,
        "expired": expired,
        "revoked": token_of(ended),
        "used": used,
        "for another account": elsewhere.token,
    }
    before = await contents(links.database)
    for query in (APPROVE, DECLINE):
        answers = {}
        for name, token in tokens.items():
            asked = {"token": token, "account": account_id(links.account)}
            answers[name] = json.dumps(await links.client.data(query, input=asked))
        assert set(answers.values()) == {answers["unknown"]}
        assert json.dumps(NOTHING_OPENS) in answers["unknown"]
        assert '"NOT_FOUND"' in answers["unknown"]
        assert '["input", "token"]' in answers["unknown"]
    for token in tokens.values():
        assert await links.client.data(LOOK, token=token) == {"accessLink": None}
    assert await contents(links.database) == before
    assert (await links.client.data(LOOK, token=living))["accessLink"]


async def test_the_token_of_a_confirmation_link_approves_nobody(factory: Factory, life_factory: LifeFactory) -> None:
    """F53: it shows what it is, and is answered in another way."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    moment = datetime.now(UTC)
    made = await life_factory.confirmation_link(
        client, links.owner, [links.owner], created_at=moment, expires_at=moment + timedelta(days=1)
    )
    shown = (await links.client.data(LOOK, token=made.token))["accessLink"]
    assert (shown["kind"], shown["people"][0]["name"]) == ("CONFIRMATION_LINK", "Olga Owner")
    assert await links.refusal(made.token) == ("NOT_FOUND", ["input", "token"])
    asked = {"account": account_id(links.account), "invitation": shown["id"]}
    assert await refused(links.client, APPROVE, **asked) == ("NOT_FOUND", ["input", "invitation"])


async def test_an_id_that_is_none_opens_nothing(factory: Factory) -> None:
    """R2, T1."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    await get_link(links.agency, client=encode("Client", client.id))
    ids = ["", "garbage", encode("Invitation", "A0"), encode("Invitation", "A99999999999999999999"), "x" * 10_240]
    ids += [encode("Invitation", "C1"), encode("Invitation", "A-1"), encode("Invitation", "A²"), encode("Client", 1)]
    for invitation in [*ids, encode("Invitation", "")]:
        asked = {"account": account_id(links.account), "invitation": invitation}
        assert await refused(links.client, APPROVE, **asked) == ("NOT_FOUND", ["input", "invitation"])


async def test_an_answer_names_its_link_in_exactly_one_way(factory: Factory) -> None:
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    account = account_id(links.account)
    for query in (APPROVE, DECLINE):
        assert await refused(links.client, query, account=account) == ("INVALID_INPUT", ["input"])
        both = {"account": account, "token": token, "invitation": encode("Invitation", "A1")}
        assert await refused(links.client, query, **both) == ("INVALID_INPUT", ["input"])


async def test_only_who_decides_for_the_account_answers(factory: Factory) -> None:
    """F16, L6, T1: whatever the agency's people have there on its behalf is no right of their own."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    client = await factory.client(links.partner, account=links.account)
    inside = await factory.member(links.partner)
    await factory.partner_admin(client, inside)
    above = await factory.member(links.partner)
    await factory.super_admin(client, above)
    reader, half, strangers_admin = [await factory.user() for _ in range(3)]
    await factory.own_person(links.account, reader, {"contacts.view": "ALL"})
    await factory.own_person(links.account, half, {"users.add": "ALL"})
    await factory.own_person(await factory.account(), strangers_admin)
    deactivated, ended, expired = [await factory.user() for _ in range(3)]
    await factory.own_person(links.account, deactivated, status=GrantStatus.DEACTIVATED)
    await factory.move(await factory.own_person(links.account, ended), GrantStatus.REMOVED)
    await factory.own_person(links.account, expired, expires_at=datetime.now(UTC) - timedelta(minutes=1))
    outsiders: list[MemberRow | UserRow] = [links.owner, inside, above, strangers_admin, deactivated, ended, expired]
    expected = [(person, "NOT_FOUND") for person in outsiders] + [(reader, "FORBIDDEN"), (half, "FORBIDDEN")]
    for person, code in expected:
        caller = await Caller.signed_in(factory, person)
        asked = {"token": token, "account": account_id(links.account)}
        before = await contents(links.database)
        assert await refused(caller, APPROVE, **asked) == (code, ["input", "account"]), person
        assert await refused(caller, DECLINE, **asked) == (code, ["input", "account"]), person
        assert await contents(links.database) == before
        assert await refused(caller, APPROVE, **{**asked, "token": "A" * 43}) == (code, ["input", "account"])


async def test_unknown_and_foreign_accounts_look_alike(factory: Factory) -> None:
    """T1."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    foreign, _ = await links.another_account()
    answers = set()
    for account in (account_id(foreign), encode("Account", 10**9), "garbage", encode("Client", links.account.id), ""):
        answers.add(json.dumps(await links.client.data(APPROVE, input={"token": token, "account": account})))
    assert len(answers) == 1
    assert '["input", "account"]' in answers.pop()


@pytest.mark.parametrize("kind", ["standard", "agency"])
async def test_a_right_of_ones_own_is_enough(factory: Factory, kind: str) -> None:
    """F16: users of the client who may add and edit users; L6: also somebody of the agency who has that right themselves."""
    links = await Links.begin(factory)
    person = await factory.user()
    await factory.own_person(links.account, person, MANAGES)
    if kind == "agency":
        await factory.member(links.partner, user=person)
    caller = await Caller.signed_in(factory, person)
    token = token_of(await get_link(links.agency))
    assert (await links.approve(token, by=caller))["changed"] is True


async def test_a_token_that_only_reads_answers_nothing(factory: Factory) -> None:
    """P30."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    reading = await Caller.signed_in(factory, links.admin, "read")
    asked = {"token": token, "account": account_id(links.account)}
    assert await reading.code(APPROVE, input=asked) == "FORBIDDEN"
    assert await reading.code(DECLINE, input=asked) == "FORBIDDEN"
    assert (await reading.data(LOOK, token=token))["accessLink"]


@pytest.mark.parametrize(
    "values", [{"status": MemberStatus.LEFT}, {"status": MemberStatus.DEACTIVATED}, {"verified": False}, {}]
)
async def test_a_link_of_somebody_who_cannot_be_partner_admin_any_more_is_suspended(
    factory: Factory, values: dict[str, Any]
) -> None:
    """L5, R12, F01 (the last case: the partner has left the program)."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))

    async def set_program(program: PartnerProgram) -> None:
        async with links.database.write() as session:
            statement = update(partners).where(partners.c.id == links.partner.id).values(program=program.value)
            await (await session.connection()).execute(statement)

    if values:
        await change_member(links.database, links.owner.id, **values)
    else:
        await set_program(PartnerProgram.NONE)
    before = await contents(links.database)
    assert await links.refusal(token) == ("LINK_OWNER_NOT_ELIGIBLE", ["input", "token"])
    assert await contents(links.database) == before
    await change_member(links.database, links.owner.id, status=MemberStatus.ACTIVE, verified=True)
    await set_program(PartnerProgram.PROVIDER)
    assert (await links.approve(token))["changed"] is True


ADMIN = levels_of(PARTNER_ADMIN_SET.state)


@pytest.mark.parametrize(
    ("asked", "code", "place"),
    [
        ({"contacts.view": "ALL"}, "INVALID_INPUT", ["input", "ceiling"]),
        ({}, "INVALID_INPUT", ["input", "ceiling"]),
        ({"no.such.key": "ALL", **ADMIN}, "UNKNOWN_PERMISSION", ["input", "ceiling", "0", "permission"]),
        ({"partner_admin": "TEAM"}, "INVALID_LEVEL", ["input", "ceiling", "0", "level"]),
        ({"contacts.edit": "ALL"}, "INVALID_PREREQUISITE", ["input", "ceiling", "0"]),
    ],
)
async def test_a_ceiling_that_cannot_be_used_is_refused_at_its_place(
    factory: Factory, asked: dict[str, str], code: str, place: list[str]
) -> None:
    """P08."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    before = await contents(links.database)
    assert await links.refusal(token, ceiling=ceiling(asked)) == (code, place)
    assert await contents(links.database) == before


async def test_a_ceiling_holds_nothing_that_only_super_admins_may_have_and_not_thousands(factory: Factory) -> None:
    """E12, R11."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    listed = [*ceiling(ADMIN), {"permission": SUPER_ADMINS_ALONE, "level": "ALL"}]
    code, place = await links.refusal(token, ceiling=listed)
    assert (code, place) == ("NON_DELEGABLE", ["input", "ceiling", str(len(listed) - 1), "permission"])
    assert await links.refusal(token, ceiling=listed * 20) == ("INVALID_INPUT", ["input", "ceiling"])


async def test_a_partner_admin_permission_without_what_it_requires_is_refused(factory: Factory) -> None:
    """P08: the message names what is missing."""
    links = await Links.begin(factory)
    asked = {"token": token_of(await get_link(links.agency)), "account": account_id(links.account)}
    answer = await links.client.data(APPROVE, input={**asked, "ceiling": ceiling({"partner_admin": "ALL"})})
    errors = answer["approveAccessLink"]["userErrors"]
    assert {error["code"] for error in errors} == {"INVALID_PREREQUISITE"}
    assert any("users.add" in error["message"] for error in errors)
