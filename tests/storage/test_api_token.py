"""API tokens and signing in with them (P30, T1)."""

import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from models.api_token import api_tokens
from models.database import Database
from models.member import ManagerRights, MemberKind, MemberStatus
from models.partner import PartnerProgram
from resolvers.api_token import MadeToken, create_token, is_token, list_tokens, new_secret, revoke_token
from resolvers.error import RefusedError
from resolvers.sign_in import InvalidTokenError, record_last_uses, sign_in
from resolvers.viewer import Membership
from tests.factory import Factory, UserRow
from tests.statement_recorder import StatementRecorder


async def make(database: Database, user: UserRow, **options: object) -> MadeToken:
    async with database.write() as session:
        return await create_token(await session.connection(), user.id, **options)  # type: ignore[arg-type] # passed on


async def set_token(database: Database, made: MadeToken, **values: object) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(api_tokens).where(api_tokens.c.id == made.id).values(**values))


async def last_used(database: Database, made: MadeToken) -> datetime | None:
    async with database.read() as connection:
        found: datetime | None = await connection.scalar(
            select(api_tokens.c.last_used_at).where(api_tokens.c.id == made.id)
        )
        return found


def test_a_secret_has_256_bits_a_prefix_and_a_checksum() -> None:
    secrets = {new_secret() for _ in range(200)}
    assert len(secrets) == 200
    for secret in secrets:
        assert re.fullmatch(r"cam_[0-9A-Za-z]{49}", secret)
        assert is_token(secret)
    assert 62**43 > 2**256
    mistyped = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]
    assert not is_token(mistyped)
    assert not is_token("cam_")


async def test_only_a_hash_of_the_token_is_stored(database: Database, factory: Factory) -> None:
    made = await make(database, await factory.user())
    async with database.read() as connection:
        row = (await connection.execute(select(api_tokens))).one()
    assert row.token_hash == hashlib.sha256(made.secret.encode()).hexdigest()
    assert made.secret not in [str(value) for value in row]


async def test_a_token_tells_who_asks_with_one_statement(
    database: Database, factory: Factory, recorder: StatementRecorder
) -> None:
    """F01, F02: the active places with program and rights; a super admin of the partner account has EDIT."""
    user = await factory.user("Ann One")
    agency, provider, former, none = [
        await factory.partner(program=program)
        for program in (
            PartnerProgram.SOLUTIONS_PARTNER,
            PartnerProgram.PROVIDER,
            PartnerProgram.PROVIDER,
            PartnerProgram.NONE,
        )
    ]
    first = await factory.member(agency, user=user, super_admin=True, manager_rights=ManagerRights.NONE)
    second = await factory.member(
        provider, user=user, manager_rights=ManagerRights.VIEW, kind=MemberKind.CONTRACTOR, verified=False
    )
    await factory.member(former, user=user, status=MemberStatus.LEFT)
    third = await factory.member(none, user=user)
    made = await make(database, user, scopes=["read"])
    with recorder:
        viewer = await sign_in(database, made.secret)
    assert recorder.count == 1
    assert (viewer.user_id, viewer.scopes) == (user.id, frozenset({"read"}))
    contractor, employee = MemberKind.CONTRACTOR, MemberKind.EMPLOYEE
    assert viewer.memberships == (
        Membership(first.id, agency.id, PartnerProgram.SOLUTIONS_PARTNER, employee, True, ManagerRights.EDIT),  # noqa: FBT003
        Membership(second.id, provider.id, PartnerProgram.PROVIDER, contractor, False, ManagerRights.VIEW),  # noqa: FBT003
        Membership(third.id, none.id, PartnerProgram.NONE, employee, True, ManagerRights.EDIT),  # noqa: FBT003
    )


async def test_somebody_without_a_place_signs_in_all_the_same(database: Database, factory: Factory) -> None:
    made = await make(database, await factory.user())
    assert (await sign_in(database, made.secret)).memberships == ()


async def test_tokens_that_open_nothing_look_alike(database: Database, factory: Factory) -> None:
    """T1, L8."""
    user = await factory.user()
    now = datetime.now(UTC)
    expired, revoked = await make(database, user, expires_in_days=1), await make(database, user)
    await set_token(database, expired, expires_at=now - timedelta(seconds=1))
    async with database.write() as session:
        assert await revoke_token(await session.connection(), revoked.id)
    told = set()
    for secret in (
        expired.secret,
        revoked.secret,
        new_secret(),
        "cam_",
        "cam_" + "x" * 100_000,
        "cam_é\0",
        "",
        "other_token",
        revoked.secret.upper(),
    ):
        with pytest.raises(InvalidTokenError) as caught:
            await sign_in(database, secret)
        told.add((caught.value.code, caught.value.message))
    assert len(told) == 1


async def test_a_token_works_until_the_moment_it_expires(database: Database, factory: Factory) -> None:
    made = await make(database, await factory.user(), expires_in_days=1)
    await set_token(database, made, expires_at=datetime.now(UTC) + timedelta(minutes=1))
    assert (await sign_in(database, made.secret)).scopes == {"read", "write"}


async def test_the_last_use_is_written_at_most_once_a_minute(
    database: Database, factory: Factory, recorder: StatementRecorder
) -> None:
    made = await make(database, await factory.user())
    for _ in range(3):
        await sign_in(database, made.secret)
    assert await last_used(database, made) is None
    assert await record_last_uses(database) == 1
    first = await last_used(database, made)
    assert first is not None
    await sign_in(database, made.secret)
    with recorder:
        assert await record_last_uses(database) == 0
    assert recorder.count == 0
    await set_token(database, made, last_used_at=first - timedelta(minutes=2))
    await sign_in(database, made.secret)
    assert await record_last_uses(database) == 1
    assert (await last_used(database, made) or first) >= first


async def test_signing_in_does_not_wait_for_a_writer(database: Database, factory: Factory) -> None:
    made = await make(database, await factory.user())
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(api_tokens).values(name="held"))
        viewer = await sign_in(database, made.secret)
    assert viewer.scopes == {"read", "write"}


async def test_a_later_use_is_not_overwritten_by_an_earlier_one(database: Database, factory: Factory) -> None:
    made = await make(database, await factory.user())
    await sign_in(database, made.secret)
    later = datetime.now(UTC) + timedelta(hours=1)
    await set_token(database, made, last_used_at=later)
    await record_last_uses(database)
    assert await last_used(database, made) == later


@pytest.mark.parametrize(
    "options",
    [{"scopes": []}, {"scopes": ["admin"]}, {"expires_in_days": 0}, {"expires_in_days": 3_651}, {"name": "x" * 101}],
)
async def test_a_token_that_makes_no_sense_is_refused(
    database: Database, factory: Factory, options: dict[str, object]
) -> None:
    user = await factory.user()
    with pytest.raises(RefusedError):
        await make(database, user, **options)
    async with database.read() as connection:
        assert await list_tokens(connection) == []


async def test_tokens_are_listed_by_person_and_revoked_only_by_their_owner(
    database: Database, factory: Factory
) -> None:
    ann, bob = await factory.user("Ann A", email="Ann@x.example"), await factory.user("Bob B")
    mine, theirs = await make(database, ann, name="laptop"), await make(database, bob)
    async with database.write() as session:
        connection = await session.connection()
        assert not await revoke_token(connection, theirs.id, user_id=ann.id)
        assert await revoke_token(connection, mine.id, user_id=ann.id)
        assert not await revoke_token(connection, 10**6)
        tokens = await list_tokens(connection)
        assert [token.id for token in await list_tokens(connection, email="ANN@x.example")] == [mine.id]
    moment = datetime.now(UTC)
    assert [(token.id, token.name, token.state(moment)) for token in tokens] == [
        (mine.id, "laptop", "revoked"),
        (theirs.id, "", "active"),
    ]
    with pytest.raises(InvalidTokenError):
        await sign_in(database, mine.secret)
