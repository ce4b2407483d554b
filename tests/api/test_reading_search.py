"""Search: case, accents, and every special character (F20, F22, T5)."""

import pytest

from tests.api.caller import Caller
from tests.factory import Factory

CLIENTS = "query($search: String) { partner { clients(search: $search) { totalCount nodes { displayName } } } }"
MEMBERS = "query($search: String) { partner { members(search: $search) { nodes { user { email } } } } }"
SETS = "query($search: String) { partner { permissionSets(search: $search) { totalCount nodes { name } } } }"
SPECIAL = r"""100%_sure\ a'b"c;--/*[x]^$.*?(+){|}:NEAR AND"""


async def found(caller: Caller, search: str | None) -> list[str]:
    page = (await caller.data(CLIENTS, search=search))["partner"]["clients"]
    assert page["totalCount"] == len(page["nodes"])
    return [node["displayName"] for node in page["nodes"]]


async def agency(factory: Factory, *names: str) -> Caller:
    partner = await factory.partner()
    for name in names:
        await factory.client(partner, name, domain="d.example")
    return await Caller.signed_in(factory, await factory.member(partner, "Søren Åkerlund", email="S.A@nord.example"))


async def test_search_ignores_case_and_accents_and_finds_in_every_name(factory: Factory) -> None:
    """F20, F22: display name, official name, domain, Hub ID."""
    partner = await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner))
    account = await factory.account("ÉTOILE Straße", domain="www.stern.example", hub_id=70012345)
    await factory.client(partner, account=account, display_name="Łódź Œuvre")
    await factory.client(partner, "Other")
    for text in (
        "étoile",
        "ETOILE",
        "strasse",
        "STRAẞE",
        "lodz",
        "oeuvre",
        "stern.ex",
        "0012",
        "  Łódź  ",
        "E\u0301toile",
    ):
        assert await found(caller, text) == ["Łódź Œuvre"], text
    assert await found(caller, "etoile other") == []


async def test_a_blank_search_finds_everything(factory: Factory) -> None:
    caller = await agency(factory, "a", "b")
    for text in (None, "", "   ", "\u0301"):
        assert await found(caller, text) == ["a", "b"]


@pytest.mark.parametrize(
    "character", ["%", "_", "\\", "'", '"', "*", "?", "[", "]", "^", "-", ";", "(", "$", "+", "🙂"]
)
async def test_every_special_character_stands_for_itself(factory: Factory, character: str) -> None:
    """T5."""
    caller = await agency(factory, f"x{character}y", "xzy", "xy")
    assert await found(caller, f"x{character}y") == [f"x{character}y"]
    assert await found(caller, character) == [f"x{character}y"]
    assert await found(caller, character * 2) == []


async def test_text_that_no_database_takes_finds_nothing(factory: Factory) -> None:
    """T5: NUL and half a surrogate pair; a text longer than any name is refused."""
    caller = await agency(factory, "a\u0394b", SPECIAL)
    for text in ("\0", "a\0", "\ud83d", "\udc00a"):
        assert await found(caller, text) == []
    assert await found(caller, SPECIAL.lower()) == [SPECIAL]
    assert await found(caller, "δ") == ["a\u0394b"]
    assert await caller.code(CLIENTS, search="a" * 201) == "BAD_INPUT"


async def test_people_are_found_by_name_and_address_and_sets_by_name(factory: Factory) -> None:
    """F22."""
    caller = await agency(factory)
    for text in ("soren", "ÅKERLUND", "s.a@NORD"):
        assert len((await caller.data(MEMBERS, search=text))["partner"]["members"]["nodes"]) == 1
    assert (await caller.data(MEMBERS, search="s_a@nord"))["partner"]["members"]["nodes"] == []
    sets = (await caller.data(SETS, search="PARTNER adm"))["partner"]["permissionSets"]
    assert (sets["totalCount"], sets["nodes"]) == (1, [{"name": "Partner Admin"}])
