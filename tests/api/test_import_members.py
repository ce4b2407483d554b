"""Importing people: one address is one user, and name, kind and rights are each partner's own."""

from typing import Any

import pytest
from sqlalchemy import select

from models.database import Database
from models.grant import GrantStatus
from models.member import ManagerRights, MemberStatus, members
from models.user import users
from resolvers.import_result import ImportResult, ImportStatus
from resolvers.member_import import import_members
from tests.factory import Factory, PartnerRow
from tests.statement_recorder import StatementRecorder

HEADER = "email,first_name,last_name,kind,manager_rights,verified\n"
CREATED, UPDATED, UNCHANGED, REJECTED = ImportStatus


@pytest.fixture
async def partner(factory: Factory) -> PartnerRow:
    return await factory.partner()


async def load(database: Database, partner: PartnerRow, *rows: str) -> ImportResult:
    return await import_members(database, partner.id, HEADER + "".join(f"{row}\n" for row in rows))


def statuses(result: ImportResult) -> list[ImportStatus]:
    return [row.status for row in result.rows]


async def stored(database: Database, partner: PartnerRow) -> dict[str, dict[str, Any]]:
    joined = select(members, users.c.email).join(users, users.c.id == members.c.user_id)
    async with database.read() as connection:
        rows = await connection.execute(joined.where(members.c.partner_id == partner.id))
        return {row.email: dict(row._mapping) for row in rows}


async def test_a_row_becomes_a_user_and_the_partners_member(database: Database, partner: PartnerRow) -> None:
    result = await load(
        database, partner, "Zoe@Agency.example,Zoë,Łuk,contractor,View,yes", "bare@agency.example,,,EMPLOYEE,,"
    )
    assert statuses(result) == [CREATED, CREATED]
    found = await stored(database, partner)
    zoe, bare = found["Zoe@Agency.example"], found["bare@agency.example"]
    assert [row.key for row in result.rows] == [zoe["id"], bare["id"]]
    assert (zoe["kind"], zoe["manager_rights"], zoe["verified"], zoe["status"]) == (
        "CONTRACTOR",
        "VIEW",
        True,
        "ACTIVE",
    )
    assert (zoe["sort_name"], zoe["search_text"]) == ("zoe luk", "zoe luk\nzoe@agency.example")
    assert (bare["kind"], bare["manager_rights"], bare["verified"], bare["super_admin"]) == (
        "EMPLOYEE",
        "NONE",
        False,
        False,
    )
    assert bare["sort_name"] == "bare"


async def test_importing_the_same_file_twice_changes_nothing_and_writes_nothing(
    database: Database, partner: PartnerRow, recorder: StatementRecorder
) -> None:
    rows = [f"p{number}@x.example,First,Last {number},EMPLOYEE,EDIT,true" for number in range(30)]
    await load(database, partner, *rows)
    before = await stored(database, partner)
    with recorder:
        again = await load(database, partner, *rows)
    assert set(statuses(again)) == {UNCHANGED}
    assert await stored(database, partner) == before
    assert not [text for text in recorder.statements if not text.lstrip().upper().startswith("SELECT")]


async def test_the_number_of_statements_does_not_grow_with_the_rows(
    database: Database, partner: PartnerRow, recorder: StatementRecorder
) -> None:
    counts = []
    for prefix, number in (("a", 10), ("b", 1000)):
        with recorder:
            result = await load(
                database, partner, *(f"{prefix}{index}@x.example,A,B,EMPLOYEE,NONE,true" for index in range(number))
            )
        assert statuses(result) == [CREATED] * number
        counts.append(recorder.count)
    assert counts[0] == counts[1]


async def test_one_address_is_one_user_whatever_its_case(
    database: Database, partner: PartnerRow, factory: Factory
) -> None:
    other = await factory.partner()
    await load(database, partner, "Ann@x.example,Ann,One,EMPLOYEE,NONE,true")
    result = await load(database, other, "ANN@X.EXAMPLE,Other,Name,CONTRACTOR,EDIT,true")
    assert statuses(result) == [CREATED]
    mine, theirs = (await stored(database, partner))["Ann@x.example"], (await stored(database, other))["Ann@x.example"]
    assert mine["user_id"] == theirs["user_id"]
    assert (theirs["first_name"], theirs["sort_name"], theirs["kind"]) == ("Other", "other name", "CONTRACTOR")
    assert (mine["first_name"], mine["sort_name"], mine["manager_rights"]) == ("Ann", "ann one", "NONE")
    assert statuses(await load(database, other, "ann@x.example,Other,Name,CONTRACTOR,EDIT,true")) == [UNCHANGED]


async def test_t1_a_missing_name_is_not_filled_in_by_another_partner(
    database: Database, partner: PartnerRow, factory: Factory
) -> None:
    other = await factory.partner()
    await load(database, partner, "ann@x.example,,,EMPLOYEE,NONE,true")
    await load(database, other, "ann@x.example,Ann,Ñandú,EMPLOYEE,NONE,true")
    assert (await stored(database, partner))["ann@x.example"]["sort_name"] == "ann"
    assert (await stored(database, other))["ann@x.example"]["sort_name"] == "ann nandu"
    assert statuses(await load(database, partner, "ann@x.example,,,EMPLOYEE,NONE,true")) == [UNCHANGED]


async def test_empty_cells_keep_what_is_there_and_are_the_least_for_a_new_person(
    database: Database, partner: PartnerRow
) -> None:
    """A file without rights takes nobody's right away, and unverifies nobody."""
    await load(database, partner, "ann@x.example,Ann,One,EMPLOYEE,EDIT,true")
    before = await stored(database, partner)
    assert statuses(await load(database, partner, "ann@x.example,,,EMPLOYEE,,")) == [UNCHANGED]
    assert await stored(database, partner) == before
    result = await load(database, partner, "ann@x.example,,,CONTRACTOR,,", "new@x.example,,,EMPLOYEE,,")
    assert statuses(result) == [UPDATED, CREATED]
    found = await stored(database, partner)
    ann, new = found["ann@x.example"], found["new@x.example"]
    told = ("kind", "first_name", "manager_rights", "verified")
    assert [ann[name] for name in told] == ["CONTRACTOR", "Ann", "EDIT", True]
    assert [new[name] for name in told] == ["EMPLOYEE", "", "NONE", False]
    assert statuses(await load(database, partner, "ann@x.example,,,CONTRACTOR,,false")) == [UPDATED]
    assert (await stored(database, partner))["ann@x.example"]["manager_rights"] == "EDIT"


async def test_f09_an_active_partner_admin_is_not_unverified_by_a_file(
    database: Database, partner: PartnerRow, factory: Factory
) -> None:
    """Partner admin is told apart from other access and from what has ended, and of other people's."""
    admin, reader, former, bystander = await factory.members(partner, 4)
    client = await factory.client(partner)
    await factory.partner_admin(client, admin)
    await factory.grant(client, reader, {"contacts.view": "ALL"})
    await factory.move(await factory.partner_admin(client, former), GrantStatus.DEACTIVATED)
    people = (admin, reader, former, bystander)
    result = await load(database, partner, *(f"{person.email},,,CONTRACTOR,EDIT,false" for person in people))
    assert statuses(result) == [REJECTED, UPDATED, UPDATED, UPDATED]
    told = result.rejected[0].message or ""
    assert "The person is an active partner admin in one client, and only verified people can be" in told
    found = await stored(database, partner)
    assert (found[admin.email]["verified"], found[admin.email]["kind"]) == (True, "EMPLOYEE")
    assert [found[person.email]["verified"] for person in people[1:]] == [False] * 3
    for cell in ("", "true"):
        assert statuses(await load(database, partner, f"{admin.email},,,EMPLOYEE,,{cell}")) == [UNCHANGED]


async def test_the_only_partner_of_a_person_changes_name_kind_rights_and_verification(
    database: Database, partner: PartnerRow
) -> None:
    await load(database, partner, "boss@x.example,B,B,EMPLOYEE,EDIT,true", "ann@x.example,Ann,One,EMPLOYEE,NONE,false")
    result = await load(database, partner, "ann@x.example,Anna,One,CONTRACTOR,VIEW,true")
    assert statuses(result) == [UPDATED]
    ann = (await stored(database, partner))["ann@x.example"]
    assert (ann["first_name"], ann["sort_name"], ann["kind"], ann["manager_rights"], ann["verified"]) == (
        "Anna",
        "anna one",
        "CONTRACTOR",
        "VIEW",
        True,
    )


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",A,B,EMPLOYEE,NONE,true", "email: It is empty"),
        ("ann,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        ("ann@x,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        ("ann@@x.example,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        ("a b@x.example,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        (".ann@x.example,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        ("ann@-x.example,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        (f"{'a' * 65}@x.example,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        ("Ann <ann@x.example>,A,B,EMPLOYEE,NONE,true", "no e-mail address"),
        ("ann@x.example,A,B,,NONE,true", "EMPLOYEE, CONTRACTOR"),
        ("ann@x.example,A,B,FREELANCER,NONE,true", "EMPLOYEE, CONTRACTOR"),
        ("ann@x.example,A,B,EMPLOYEE,ADMIN,true", "NONE, VIEW, EDIT"),
        ("ann@x.example,A,B,EMPLOYEE,NONE,maybe", "true or false"),
        (f"ann@x.example,{'x' * 201},B,EMPLOYEE,NONE,true", "first_name is longer"),
        ("GOOD@x.example,A,B,EMPLOYEE,NONE,true", "line 2"),
    ],
)
async def test_a_wrong_value_is_named_by_line_and_column_and_the_rest_is_taken(
    database: Database, partner: PartnerRow, row: str, told: str
) -> None:
    result = await load(
        database, partner, "good@x.example,A,B,EMPLOYEE,NONE,1", row, "too@x.example,A,B,EMPLOYEE,NONE,0"
    )
    assert statuses(result) == [CREATED, REJECTED, CREATED]
    assert told in (result.rejected[0].message or "")
    assert set(await stored(database, partner)) == {"good@x.example", "too@x.example"}


async def test_an_import_brings_nobody_back_who_left(database: Database, partner: PartnerRow, factory: Factory) -> None:
    gone = await factory.member(partner, "Gone Girl", status=MemberStatus.LEFT, manager_rights=ManagerRights.NONE)
    off = await factory.member(partner, "Off Duty", status=MemberStatus.DEACTIVATED, manager_rights=ManagerRights.NONE)
    result = await load(
        database, partner, f"{gone.email},New,Name,EMPLOYEE,EDIT,true", f"{off.email},Off,Duty,CONTRACTOR,NONE,true"
    )
    assert statuses(result) == [REJECTED, UPDATED]
    found = await stored(database, partner)
    assert (found[gone.email]["status"], found[gone.email]["manager_rights"]) == ("LEFT", "NONE")
    assert found[gone.email]["first_name"] == "Gone"
    assert (found[off.email]["status"], found[off.email]["kind"]) == ("DEACTIVATED", "CONTRACTOR")


async def test_a_file_cannot_take_edit_from_everybody(database: Database, partner: PartnerRow) -> None:
    """R14."""
    await load(database, partner, "boss@x.example,B,B,EMPLOYEE,EDIT,true", "ann@x.example,A,A,EMPLOYEE,NONE,true")
    result = await load(
        database, partner, "boss@x.example,B,B,EMPLOYEE,NONE,true", "ann@x.example,A,A,EMPLOYEE,VIEW,true"
    )
    assert statuses(result) == [REJECTED, UPDATED]
    assert "EDIT" in (result.rejected[0].message or "")
    handed_over = await load(
        database, partner, "boss@x.example,B,B,EMPLOYEE,NONE,true", "ann@x.example,A,A,EMPLOYEE,EDIT,true"
    )
    assert statuses(handed_over) == [UPDATED, UPDATED]


@pytest.mark.parametrize("hindrance", ["left", "deactivated", "unverified"])
async def test_r14_edit_is_not_handed_over_to_somebody_who_does_not_get_it(
    database: Database, partner: PartnerRow, factory: Factory, hindrance: str
) -> None:
    """A row that is rejected itself, or of somebody deactivated, leaves nobody behind who may act."""
    status = {"left": MemberStatus.LEFT, "deactivated": MemberStatus.DEACTIVATED}.get(hindrance, MemberStatus.ACTIVE)
    boss = await factory.member(partner)
    heir = await factory.member(partner, status=status, manager_rights=ManagerRights.NONE)
    if hindrance == "unverified":
        await factory.partner_admin(await factory.client(partner), heir)
    rows = f"{boss.email},,,EMPLOYEE,NONE,", f"{heir.email},,,EMPLOYEE,EDIT,false"
    assert statuses(await load(database, partner, *rows))[0] is REJECTED
    assert (await stored(database, partner))[boss.email]["manager_rights"] == "EDIT"


async def test_the_super_admin_of_the_partner_account_keeps_the_manager_open(
    database: Database, partner: PartnerRow, factory: Factory
) -> None:
    """F02."""
    owner = await factory.member(partner, "Owner One", super_admin=True)
    result = await load(database, partner, f"{owner.email},Owner,One,EMPLOYEE,NONE,true")
    assert statuses(result) == [UPDATED]
    assert (await stored(database, partner))[owner.email]["super_admin"] is True
