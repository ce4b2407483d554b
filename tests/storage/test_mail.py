"""The outbox: a letter is written in the transaction of what it reports, once, and cannot be made into something else."""

import asyncio

import pytest
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.mail import mails
from resolvers.mail import LONGEST_LINE, LONGEST_SUBJECT, Letter, post

LETTER = Letter(
    "access-link-approval:17:owner",
    "ana@example.com",
    "Zoë & Söhne let you in",
    ("Zoë & Söhne has approved your access link.", "You are partner admin there now."),
    "https://access.example.com/graphql",
)


def letter(**changed: object) -> Letter:
    values = {name: getattr(LETTER, name) for name in Letter.__slots__}
    return Letter(**{**values, **changed})


async def posted(database: Database, *letters: Letter) -> Row[tuple[object, ...]]:
    """Returns the only row of the outbox after the letters were posted in one transaction."""
    async with database.write() as session:
        for one in letters:
            await post(await session.connection(), one)
    async with database.read() as connection:
        return (await connection.execute(select(mails))).one()


async def count(database: Database) -> int:
    async with database.read() as connection:
        return len(list(await connection.execute(select(mails.c.id))))


async def test_a_letter_has_a_plain_text_and_the_same_in_html(database: Database) -> None:
    row = await posted(database, LETTER)
    assert (row.event, row.recipient, row.subject) == (LETTER.event, LETTER.recipient, LETTER.subject)
    assert row.text == (
        "Zoë & Söhne has approved your access link.\n\n"
        "You are partner admin there now.\n\n"
        "https://access.example.com/graphql\n"
    )
    assert "<p>Zoë &amp; Söhne has approved your access link.</p>\n<p>You are partner admin there now.</p>" in row.html
    assert '<a href="https://access.example.com/graphql">https://access.example.com/graphql</a>' in row.html
    assert "<title>Zoë &amp; Söhne let you in</title>" in row.html
    assert (row.tries, row.sent_at, row.given_up_at, row.last_error) == (0, None, None, None)
    assert row.due_at == row.created_at


async def test_a_letter_without_an_address_to_go_to_ends_with_its_last_line(database: Database) -> None:
    row = await posted(database, letter(url=None))
    assert row.text.endswith("You are partner admin there now.\n")
    assert "<a " not in row.html


async def test_an_event_is_one_mail_however_often_it_is_posted(database: Database) -> None:
    """L1: no second mail."""
    first = await posted(database, LETTER, letter(subject="Another"))
    assert await posted(database, letter(recipient="ben@example.com")) == first


async def test_events_have_message_ids_of_their_own(database: Database) -> None:
    first = await posted(database, LETTER)
    async with database.write() as session:
        await post(await session.connection(), letter(event="another"))
    async with database.read() as connection:
        known = set((await connection.execute(select(mails.c.message_id))).scalars())
    assert len(known) == 2
    assert first.message_id in known


async def test_two_posts_of_one_event_at_once_are_one_mail(database: Database) -> None:
    """L7, with both transactions open at once where the database allows it."""
    posting, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.write() as session:
            await post(await session.connection(), LETTER)
            posting.set()
            await go_on.wait()

    async def second() -> None:
        await posting.wait()
        async with database.write() as session:
            asyncio.get_running_loop().call_later(0.3, go_on.set)
            await post(await session.connection(), LETTER)

    async def release() -> None:
        await asyncio.sleep(0.6)
        go_on.set()

    await asyncio.gather(slow(), second(), release())
    assert await count(database) == 1


async def test_many_posts_of_one_event_at_once_are_one_mail(database: Database) -> None:
    async def once() -> None:
        async with database.write() as session:
            await post(await session.connection(), LETTER)

    await asyncio.gather(*(once() for _ in range(8)))
    assert await count(database) == 1


async def test_nothing_is_reported_of_what_did_not_happen(database: Database) -> None:
    """The mail goes with the transaction."""

    async def fail(connection: AsyncConnection) -> None:
        await post(connection, LETTER)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await fail(await session.connection())
    async with database.rehearse() as session:
        await post(await session.connection(), LETTER)
    assert await count(database) == 0


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Hello\r\nBcc: eve@example.com", "Hello Bcc: eve@example.com"),
        ("Hello\n\n<p>body", "Hello <p>body"),
        ("Hello\u2028\u2029\x85\x0b\x0cthere", "Hello there"),
        ("nul\0 and bell\a", "nul and bell"),
        ("\u202egpj.exe\u2069\ufeff", "gpj.exe"),
        ("half \ud83d of it", "half of it"),
        ("日本語 Ünïcödé 👩‍💻", "日本語 Ünïcödé 👩‍💻"),
        ("x" * LONGEST_SUBJECT, "x" * LONGEST_SUBJECT),
        ("x" * (LONGEST_SUBJECT + 1), "x" * (LONGEST_SUBJECT - 1) + "…"),
        ("x" * 1_000_000, "x" * (LONGEST_SUBJECT - 1) + "…"),
    ],
)
async def test_a_subject_is_one_short_line(database: Database, written: str, kept: str) -> None:
    row = await posted(database, letter(subject=written))
    assert row.subject == kept


async def test_what_people_call_themselves_stays_text(database: Database) -> None:
    name = '"><script>alert(1)</script>\r\n\r\nClick https://evil.example\u202e'
    row = await posted(database, letter(subject=name, lines=(f"{name} asks.", "y" * 5_000)))
    assert "<script" not in row.html
    assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt; Click https://evil.example asks." in row.html
    assert row.text.splitlines()[0] == '"><script>alert(1)</script> Click https://evil.example asks.'
    assert max(map(len, row.text.splitlines())) == LONGEST_LINE


@pytest.mark.parametrize(
    "recipient", ["", "nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "Ana <ana@example.com>"]
)
async def test_a_recipient_is_one_address(database: Database, recipient: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail address|empty"):
        await posted(database, letter(recipient=recipient))
    assert await count(database) == 0


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "access.example.com", f"https://access.example.com/access-link#{'t' * 43}"]
)
async def test_a_letter_leads_to_a_page_and_carries_no_token(database: Database, url: str) -> None:
    """L8: the outbox is kept, and the database alone opens nothing."""
    with pytest.raises(ValueError, match="url"):
        await posted(database, letter(url=url))
    assert await count(database) == 0
