"""A mail outlives the process that wrote it: killed between commit and delivery and started again, it is delivered (issue, point 3)."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from models.database import Database
from models.mail import mails
from models.table import now
from tests.api.link_story import APPROVE, Links, account_id, get_link, token_of
from tests.factory import Factory
from tests.server.mail_catcher import MailCatcher, catching, parsed
from tests.server.test_command_serve import PATIENCE, serving

KEY = "k" * 43
# Approves an access link through the API, and then sends the mail, as the service does, or is about to.
APPROVER = """
import asyncio, sys
from models.database import Database
from resolvers.mail_delivery import deliver
from resolvers.mail_server import mail_sender, mail_server
from resolvers.sign_in import sign_in
from schema.context import Context
from schema.schema import schema

async def main(url, server, query, api_token, link_token, account):
    database = Database(url)
    context = Context(database, await sign_in(database, api_token))
    asked = {"token": link_token, "account": account}
    result = await schema.execute(query, {"input": asked}, context_value=context)
    assert result.data["approveAccessLink"]["changed"], result
    print("committed", flush=True)
    if server:
        await deliver(database, mail_server(server), mail_sender("access@example.com"))
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("when", ["before sending", "while sending"])
async def test_the_mail_of_an_approval_is_delivered_by_the_next_start_and_is_in_the_outbox_once(
    factory: Factory, database: Database, database_url: str, tmp_path: Path, when: str
) -> None:
    """F18, L1: also when the same client approves again afterwards."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    asked = (await factory.api_token(links.admin), token, account_id(links.account))
    while_sending = when == "while sending"
    async with catching() as stalling, catching() as catcher:
        reached = asyncio.Event()

        async def at_data() -> None:
            reached.set()
            await asyncio.sleep(PATIENCE)

        stalling.at_data = at_data
        server = stalling.url if while_sending else ""
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", APPROVER, database_url, server, APPROVE, *asked),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        try:
            assert writer.stdout is not None
            assert await asyncio.wait_for(writer.stdout.readline(), PATIENCE) == b"committed\n"
            if while_sending:
                await asyncio.wait_for(reached.wait(), PATIENCE)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            assert await writer.wait() == -signal.SIGKILL
        ((event, *rest),) = await _outbox(database)
        assert event.startswith("access-link-approval:")
        assert rest == [int(while_sending), False]
        if while_sending:
            await _let_the_lease_run_out(database)
        await _serve_until_taken(catcher, tmp_path, database_url)
        assert not (await links.approve(token))["changed"]
        assert await _outbox(database) == [(event, 1 + while_sending, True)]
        assert catcher.recipients == [links.owner.email]
        if while_sending:
            # The mail server may have kept what it got from the killed one: by its Message-ID it is the same mail.
            assert parsed(stalling.raw[0])["Message-ID"] == catcher.messages[0]["Message-ID"]


async def _outbox(database: Database) -> list[tuple[str, int, bool]]:
    async with database.read() as connection:
        rows = await connection.execute(select(mails.c.event, mails.c.tries, mails.c.sent_at))
        return [(row.event, row.tries, row.sent_at is not None) for row in rows]


async def _let_the_lease_run_out(database: Database) -> None:
    """The clock is the one thing that the test moves."""
    async with database.write() as session:
        await (await session.connection()).execute(update(mails).values(due_at=now()))


async def _serve_until_taken(catcher: MailCatcher, folder: Path, url: str) -> None:
    settings = {"CAM_SMTP_URL": catcher.url, "CAM_MAIL_FROM": "access@example.com", "CAM_SECRET_KEY": KEY}
    with serving(folder, CAM_DATABASE_URL=url, **settings) as process:
        for _ in range(int(PATIENCE * 20)):
            if catcher.taken or process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, PATIENCE)
    assert catcher.taken, (folder / "log.txt").read_text(encoding="utf-8")
