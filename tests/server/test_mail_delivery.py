"""Delivery over a real SMTP server: every mail at least once, the same at each try, by one process at a time."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from sqlalchemy import Row, select, update
from sqlalchemy.exc import OperationalError

from models.database import Database
from models.mail import mails
from models.table import now
from resolvers import mail_delivery, mail_server
from resolvers.mail import Letter, post
from resolvers.mail_delivery import LONGEST_WAIT, Round, claim, deliver
from resolvers.mail_server import MailServer, mail_sender
from server import mail
from server.service import make_service
from server.setting import Settings
from tests.factory import MOMENT, UserRow
from tests.life_factory import LifeFactory
from tests.server.mail_catcher import PASSWORD, MailCatcher, catching, parsed

SENDER = mail_sender("Client Access <access@example.com>")
KEY = "k" * 43
PATIENCE = 20.0


@pytest.fixture
async def catcher() -> AsyncIterator[MailCatcher]:
    async with catching() as found:
        yield found


@pytest.fixture
def server(catcher: MailCatcher) -> MailServer:
    return mail_server.mail_server(catcher.url)


async def outbox(database: Database) -> list[Row[Any]]:
    async with database.read() as connection:
        return list(await connection.execute(select(mails).order_by(mails.c.id)))


async def until(reached: Callable[[], bool]) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while not reached():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.05)


async def make_due(database: Database) -> None:
    """The time that mails wait for has passed."""
    async with database.write() as session:
        await (await session.connection()).execute(update(mails).values(due_at=now()))


async def test_a_mail_arrives_as_text_and_html(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    letter = Letter(
        "e:1", "ana@example.com", "Zoë & Söhne let you in", ("Zoë & Söhne did.",), "https://a.example/b?c=1&d=2"
    )
    async with database.write() as session:
        await post(await session.connection(), letter)
    assert (await deliver(database, server, SENDER)).sent == 1
    (message,) = catcher.messages
    (row,) = await outbox(database)
    assert message["From"] == "Client Access <access@example.com>"
    assert message["To"] == catcher.recipients[0] == "ana@example.com"
    assert message["Subject"] == letter.subject
    assert message["Message-ID"] == f"<{row.message_id}>"
    assert parsedate_to_datetime(message["Date"]) == row.created_at.replace(microsecond=0)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == row.text
    assert html.get_content().replace("\r\n", "\n") == row.html
    assert not any(part.defects for part in message.walk())
    assert catcher.taken[0].mail_from == "access@example.com"
    assert (row.tries, row.last_error, row.given_up_at) == (1, None, None)
    assert now() - row.sent_at < timedelta(minutes=1)
    assert (await deliver(database, server, SENDER)).sent == 0


async def test_mails_go_in_the_order_in_which_they_are_due_over_one_connection(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    later = await life_factory.mail(due_at=MOMENT + timedelta(hours=1))
    first, second = [await life_factory.mail() for _ in range(2)]
    await life_factory.mail(due_at=now() + timedelta(hours=1))
    await life_factory.mail(sent_at=MOMENT)
    await life_factory.mail(given_up_at=MOMENT)
    by_id = {row.id: row.recipient for row in await outbox(database)}
    assert (await deliver(database, server, SENDER)).sent == 3
    assert catcher.recipients == [by_id[first], by_id[second], by_id[later]]
    assert len(catcher.sessions) == 1


async def test_a_mail_tried_again_is_the_same_message(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    """At least once, with a stable Message-ID: whoever gets it twice can tell."""
    await life_factory.mail(subject="Grüße 日本語")
    catcher.data_answers = ["451 4.3.0 Try again later", "451 4.3.0 Try again later"]
    for sent in (0, 0, 1):
        assert (await deliver(database, server, SENDER)).sent == sent
        if not sent:
            (row,) = await outbox(database)
            assert row.last_error == "451 4.3.0 Try again later"
            assert (await deliver(database, server, SENDER)).sent == 0
        await make_due(database)
    (row,) = await outbox(database)
    assert (row.tries, row.last_error, len(catcher.taken)) == (3, None, 1)
    assert len(catcher.raw) == 3
    assert len(set(catcher.raw)) == 1
    assert parsed(catcher.raw[0])["Message-ID"] == f"<{row.message_id}>"


@pytest.mark.parametrize(
    ("tries", "wait"),
    [
        (0, timedelta(seconds=30)),
        (1, timedelta(minutes=1)),
        (4, timedelta(minutes=8)),
        (7, LONGEST_WAIT),
        (5_000, LONGEST_WAIT),
    ],
)
async def test_a_mail_waits_longer_after_each_failure_but_never_for_long(
    life_factory: LifeFactory, catcher: MailCatcher, server: MailServer, tries: int, wait: timedelta
) -> None:
    database = life_factory.factory.database
    await life_factory.mail(UserRow(0, "busy@example.com"), tries=tries)
    catcher.recipient_answers = {"busy@example.com": "450 4.2.1 Mailbox busy"}
    before = now()
    await deliver(database, server, SENDER)
    (row,) = await outbox(database)
    assert before + wait <= row.due_at <= now() + wait
    assert (row.tries, row.last_error, row.given_up_at) == (tries + 1, "450 4.2.1 Mailbox busy", None)


@pytest.mark.parametrize("said", ["550 5.1.1 No such user", "553 5.1.3 Bad address"])
async def test_a_refused_recipient_is_given_up_and_the_next_mail_goes_out(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer, said: str
) -> None:
    for recipient in ("gone@example.com", "here@example.com"):
        await life_factory.mail(UserRow(0, recipient))
    catcher.recipient_answers = {"gone@example.com": said}
    assert (await deliver(database, server, SENDER)).sent == 1
    gone, here = await outbox(database)
    assert (gone.sent_at, gone.last_error, gone.given_up_at is None) == (None, said, False)
    assert here.sent_at is not None
    await make_due(database)
    assert (await deliver(database, server, SENDER)).sent == 0
    assert catcher.recipients == ["here@example.com"]


async def test_a_message_refused_for_good_is_given_up(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    await life_factory.mail()
    catcher.data_answers = ["554 5.7.1 Looks like spam"]
    assert (await deliver(database, server, SENDER)).sent == 0
    (row,) = await outbox(database)
    assert (row.last_error, row.given_up_at is None) == ("554 5.7.1 Looks like spam", False)


@pytest.mark.parametrize("said", ["550 5.7.1 Not your domain", "421 4.7.0 Too many connections"])
async def test_a_refused_sender_is_the_operators_to_mend_so_no_mail_pays(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer, said: str
) -> None:
    await life_factory.mail()
    catcher.sender_answer = said
    done = await deliver(database, server, SENDER)
    assert (done.sent, done.failure is None) == (0, False)
    (row,) = await outbox(database)
    assert (row.tries, row.due_at) == (0, MOMENT)
    assert row.last_error == f"the mail server refused the sender: check CAM_MAIL_FROM and CAM_SMTP_URL ({said})"
    catcher.sender_answer = "250 OK"
    assert (await deliver(database, server, SENDER)).sent == 1


async def test_a_sender_refused_for_the_size_of_one_mail_holds_up_no_other(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    await life_factory.mail()
    catcher.sender_answer = "452 4.3.1 Insufficient storage for this size"
    assert await deliver(database, server, SENDER) == Round(sent=0, answered=1)
    (row,) = await outbox(database)
    assert (row.tries, row.due_at > now()) == (1, True)


async def test_without_a_connection_no_mail_pays_and_the_next_round_sends_all_of_them(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    async with catching() as gone:
        nobody = mail_server.mail_server(gone.url)
    for _ in range(2):
        await life_factory.mail()
    before = [(row.due_at, row.tries, row.given_up_at) for row in await outbox(database)]
    for _ in range(3):
        done = await deliver(database, nobody, SENDER)
        assert (done.sent, done.answered, done.failure is None) == (0, 0, False)
    rows = await outbox(database)
    assert [(row.due_at, row.tries, row.given_up_at) for row in rows] == before
    assert rows[0].last_error.startswith("no connection to the mail server: ")
    assert rows[1].last_error is None
    assert await deliver(database, server, SENDER) == Round(sent=2, answered=2)
    assert {(row.tries, row.last_error) for row in await outbox(database)} == {(1, None)}


async def test_a_connection_that_breaks_within_a_mail_ends_the_round_and_the_mail_does_not_hold_up_the_others(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    """It may be the mail that breaks it: it pays with a try, and the next round begins with another."""
    first, second = await life_factory.mail(), await life_factory.mail()

    async def break_off() -> None:
        catcher.at_data = None
        raise ConnectionResetError

    catcher.at_data = break_off
    done = await deliver(database, server, SENDER)
    assert (done.sent, done.answered, done.failure is None) == (0, 0, False)
    broken, untried = await outbox(database)
    assert (broken.id, broken.tries, broken.due_at > now()) == (first, 1, True)
    assert (untried.id, untried.tries) == (second, 0)
    assert (await deliver(database, server, SENDER)).sent == 1


async def test_a_server_that_says_nothing_is_not_waited_for_forever(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timeout is temporary; meanwhile nothing is locked: others write while the servers talk."""
    monkeypatch.setattr(mail_server, "STEP_SECONDS", 1.0)
    await life_factory.mail()
    go_on = asyncio.Event()

    async def at_data() -> None:
        await asyncio.wait_for(life_factory.mail(due_at=now() + timedelta(hours=1)), 0.9)
        await go_on.wait()

    catcher.at_data = at_data
    assert (await deliver(database, mail_server.mail_server(catcher.url), SENDER)).sent == 0
    go_on.set()
    row, written_meanwhile = await outbox(database)
    assert (row.sent_at, row.given_up_at, written_meanwhile.tries) == (None, None, 0)
    assert "timed out" in row.last_error.lower()
    await make_due(database)
    catcher.at_data = None
    assert (await deliver(database, mail_server.mail_server(catcher.url), SENDER)).sent == 2


async def test_two_processes_at_once_send_each_mail_once(
    database: Database, database_url: str, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    for _ in range(20):
        await life_factory.mail()
    other = Database(database_url, durable=False)
    try:
        rounds = await asyncio.gather(*(deliver(one, server, SENDER) for one in (database, other, database)))
    finally:
        await other.dispose()
    rows = await outbox(database)
    assert sum(done.sent for done in rounds) == 20
    assert sorted(catcher.recipients) == sorted(row.recipient for row in rows)
    assert {row.tries for row in rows} == {1}


async def test_a_claimed_mail_is_left_alone_until_its_lease_runs_out(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    await life_factory.mail()
    mine = await claim(database)
    assert mine is not None
    assert await claim(database) is None
    assert (await deliver(database, server, SENDER)).sent == 0
    await make_due(database)
    assert (await deliver(database, server, SENDER)).sent == 1
    # The first one comes back after all: what it did not manage says nothing about what the other did.
    await mail_delivery._record(database, mine, mail_delivery.Failure("too late", is_final=True))
    (row,) = await outbox(database)
    assert (row.last_error, row.given_up_at, row.tries) == (None, None, 2)


async def test_a_late_failure_does_not_undo_the_claim_of_another(database: Database, life_factory: LifeFactory) -> None:
    await life_factory.mail()
    late = await claim(database)
    await make_due(database)
    holder = await claim(database)
    assert late is not None
    assert holder is not None
    await mail_delivery._record(database, late, mail_delivery.Failure("too late"))
    (row,) = await outbox(database)
    assert (row.due_at, row.last_error) == (holder.leased_until, None)


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [("ana@bücher.example", "ana@xn--bcher-kva.example"), ("änne@example.com", "änne@example.com")],
)
async def test_addresses_of_every_script_are_reached(
    database: Database, catcher: MailCatcher, server: MailServer, recipient: str, shown: str
) -> None:
    async with database.write() as session:
        await post(await session.connection(), Letter("e", recipient, "Hello", ("There.",)))
    assert (await deliver(database, server, SENDER)).sent == 1
    assert catcher.recipients == [shown]
    assert catcher.messages[0]["To"] == shown


async def test_a_row_that_nobody_can_send_is_given_up_and_breaks_nothing(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    """Even what got into the table by other ways adds no header and no recipient."""
    await life_factory.mail(event="bad")
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(mails).values(recipient="a@b.example>\r\nRCPT TO:<eve@example.com"))
    await life_factory.mail(subject="Hello\r\nBcc: eve@example.com")
    await life_factory.mail()
    assert (await deliver(database, server, SENDER)).sent == 1
    bad, split, good = await outbox(database)
    assert bad.given_up_at is not None
    assert split.given_up_at is not None
    assert catcher.recipients == [good.recipient]


async def test_a_long_subject_in_any_script_arrives_whole(
    database: Database, catcher: MailCatcher, server: MailServer
) -> None:
    subject = "日本語 Größe & " * 20
    async with database.write() as session:
        await post(await session.connection(), Letter("e", "a@b.example", subject, ("z" * 1_999,)))
    await deliver(database, server, SENDER)
    (message,) = catcher.messages
    (row,) = await outbox(database)
    assert message["Subject"] == row.subject
    assert len(row.subject) == 150
    # RFC 5322: no line is longer than 998 bytes, and headers are ASCII.
    assert max(map(len, catcher.raw[0].split(b"\r\n"))) <= 998
    assert catcher.raw[0].partition(b"\r\n\r\n")[0].isascii()


async def test_the_password_of_the_mail_server_is_told_to_it_and_to_nobody_else(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"smtp://me%40example.com:{PASSWORD.replace('/', '%2F').replace(' ', '%20').replace('@', '%40')}@127.0.0.1:{catcher.port}"
    with_password = mail_server.mail_server(url)
    assert PASSWORD not in repr(with_password)
    await life_factory.mail()
    assert (await deliver(database, with_password, SENDER)).sent == 1
    assert catcher.passwords == [PASSWORD]
    # To another machine it goes over TLS or not at all.
    monkeypatch.setattr(mail_server, "_LOCAL", frozenset())
    await life_factory.mail()
    assert (await deliver(database, with_password, SENDER)).sent == 0
    assert catcher.passwords == [PASSWORD]


async def test_a_wrong_password_is_the_operators_to_mend_and_no_mail_pays(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher
) -> None:
    await life_factory.mail()
    wrong = mail_server.mail_server(f"smtp://me:wrong@127.0.0.1:{catcher.port}")
    done = await deliver(database, wrong, SENDER)
    assert (done.sent, done.answered) == (0, 0)
    (row,) = await outbox(database)
    assert (row.given_up_at, row.tries, row.due_at) == (None, 0, MOMENT)
    assert row.last_error.startswith("the mail server refused the sign-in: check CAM_SMTP_URL (535 ")
    assert "no connection" not in row.last_error


async def test_a_mail_server_that_fails_is_asked_less_and_less_often_until_it_answers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = mail_delivery.Failure("gone", is_everybodys=True, ends_round=True)
    failed, nothing_due, worked = Round(failure=failure), Round(), Round(sent=1, answered=1)
    rounds = [worked, failed, failed, nothing_due, *[failed] * 8, Round(1, 1, failure), Round(0, 1), nothing_due]

    async def next_round(*_: Any) -> Round:
        return rounds.pop(0)

    monkeypatch.setattr(mail, "deliver", next_round)
    settings = Settings(smtp_url="smtp://127.0.0.1:1", mail_from="access@example.com")
    look = mail._look(settings, database, asyncio.Event())
    pauses = [await look() for _ in range(len(rounds))]
    assert pauses == [2, 4, 8, 8, 16, 32, 64, 128, 256, 300, 300, 300, 4, 2, 2]


async def test_a_broken_mail_server_is_connected_to_at_the_pauses_only_and_told_of_in_the_log(
    database: Database, life_factory: LifeFactory, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "LOOK_EVERY", 0.25)
    connections = 0

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"554 5.3.2 Closed\r\n")
        writer.close()

    broken = await asyncio.start_server(connected, "127.0.0.1", 0)
    for _ in range(5):
        await life_factory.mail()
    port = broken.sockets[0].getsockname()[1]
    settings = Settings(smtp_url=f"smtp://127.0.0.1:{port}", mail_from="access@example.com")
    async with mail.mail_delivery(settings, database):
        await until(lambda: connections >= 2)
        await asyncio.sleep(0.6)
        # At once, after half a second, after one second more.
        assert connections == 2
    broken.close()
    assert '"again_in_seconds": 0.5' in lines.getvalue()
    assert lines.getvalue().count("mails wait for the mail server") == 2
    assert {(row.tries, row.due_at) for row in await outbox(database)} == {(0, MOMENT)}


async def test_the_service_sends_while_it_runs_and_survives_a_database_out_of_reach(
    database: Database,
    life_factory: LifeFactory,
    catcher: MailCatcher,
    lines: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = [OperationalError("SELECT", {}, RuntimeError("gone")), RuntimeError("unforeseen")]

    async def failing_at_first(*arguments: Any) -> Round:
        if failures:
            raise failures.pop(0)
        return await deliver(*arguments)

    monkeypatch.setattr(mail, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(mail, "deliver", failing_at_first)
    url = database.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, secret_key=KEY, smtp_url=catcher.url, mail_from="access@example.com")
    app = make_service(settings, Database(url, durable=False))
    async with app.router.lifespan_context(app):
        await life_factory.mail(text="only for the reader\n", subject="Shown")
        await until(lambda: '"event": "mail sent"' in lines.getvalue())
    log = lines.getvalue()
    assert len(catcher.taken) == 1
    assert "outbox out of reach" in log
    assert "unforeseen" in log
    assert "only for the reader" not in log


async def test_without_a_mail_server_the_log_tells_once_of_each_mail_and_not_what_it_says(
    database: Database,
    database_url: str,
    life_factory: LifeFactory,
    lines: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "LOOK_EVERY", 0.02)
    await life_factory.mail(subject="Long ago")
    app = make_service(Settings(database_url=database_url, secret_key=KEY), Database(database_url, durable=False))
    async with app.router.lifespan_context(app):
        moment = now()
        for number in (1, 2):
            await life_factory.mail(
                event=f"access-link-approval:{number}:owner",
                subject=f"News {number}",
                text=f"Open https://a.example/access-link#{'t' * 43}\n",
                created_at=moment,
                due_at=moment,
            )
        await until(lambda: lines.getvalue().count("waits in the outbox") == 2)
        await asyncio.sleep(0.2)
    log = lines.getvalue()
    assert log.count("waits in the outbox") == 2
    assert '"about": "access-link-approval:1:owner"' in log
    assert '"subject": "News 2"' in log
    assert "Long ago" not in log
    assert "tttt" not in log
    assert {(row.tries, row.sent_at) for row in await outbox(database)} == {(0, None)}


async def test_a_service_that_stops_begins_no_other_mail(
    database: Database, life_factory: LifeFactory, catcher: MailCatcher, server: MailServer
) -> None:
    for _ in range(3):
        await life_factory.mail()
    stopping = asyncio.Event()

    async def at_data() -> None:
        stopping.set()

    catcher.at_data = at_data
    assert (await deliver(database, server, SENDER, stopping.is_set)).sent == 1
    assert [row.tries for row in await outbox(database)] == [1, 0, 0]


@pytest.mark.parametrize("hangs", ["before its greeting", "at the message"])
async def test_a_stop_while_the_server_hangs_leaves_the_mail_for_the_next_start(
    life_factory: LifeFactory, catcher: MailCatcher, server: MailServer, lines: io.StringIO, hangs: str
) -> None:
    database = life_factory.factory.database
    reached, go_on, silent_closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await go_on.wait()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hang()
        writer.close()
        silent_closed.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    catcher.at_data = hang
    port = catcher.port if hangs == "at the message" else silent.sockets[0].getsockname()[1]
    await life_factory.mail()
    loop = asyncio.get_running_loop()
    async with mail.mail_delivery(
        Settings(smtp_url=f"smtp://127.0.0.1:{port}", mail_from="access@example.com"), database
    ):
        await asyncio.wait_for(reached.wait(), PATIENCE)
        stopped = loop.time()
    assert loop.time() - stopped < mail.STOP_SECONDS + 1
    go_on.set()
    silent.close()
    if hangs == "before its greeting":
        await asyncio.wait_for(silent_closed.wait(), PATIENCE)
    (row,) = await outbox(database)
    assert (row.tries, row.due_at, row.sent_at) == (0, MOMENT, None)
    assert lines.getvalue().count('"event": "mail left for the next start"') == 1
    catcher.at_data = None
    assert (await deliver(database, server, SENDER)).sent == 1
