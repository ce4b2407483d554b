"""A real SMTP server in this process: it keeps what it takes, and says no when a test wants it to."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TAKEN = "250 OK"
PASSWORD = "hunter2 / with:signs@"


class MailCatcher:
    """Where mails arrive; ``answers`` say what is said to the recipients and to the data, and to whom."""

    def __init__(self) -> None:
        self.port = 0
        self.raw: list[bytes] = []
        """Every message that came in whole, also those that were then refused."""
        self.taken: list[Envelope] = []
        self.sessions: set[int] = set()
        self.sender_answer = TAKEN
        self.recipient_answers: dict[str, str] = {}
        self.data_answers: list[str] = []
        """What is said to the next messages; afterwards they are taken."""
        self.at_data: Callable[[], Awaitable[object]] | None = None
        """What happens before a message is answered."""
        self.password = PASSWORD
        self.passwords: list[str] = []
        """What was told as password."""
        self.over_tls: list[bool] = []
        """Of each message, whether it came over TLS."""

    @property
    def url(self) -> str:
        """The value of CAM_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        """What was taken, in order."""
        return [parsed(bytes(envelope.original_content or b"")) for envelope in self.taken]

    @property
    def recipients(self) -> list[str]:
        """Whom the taken mails are for, in order."""
        return [recipient for envelope in self.taken for recipient in envelope.rcpt_tos]

    async def handle_MAIL(  # noqa: N802 aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answers who sends."""
        self.sessions.add(id(session))
        if self.sender_answer == TAKEN:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.sender_answer

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answers whom it is for."""
        answer = self.recipient_answers.get(address, TAKEN)
        if answer == TAKEN:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Answers the message."""
        transport = server.transport
        self.over_tls.append(transport is not None and transport.get_extra_info("cipher") is not None)
        self.raw.append(bytes(envelope.original_content or b""))
        if self.at_data is not None:
            await self.at_data()
        answer = self.data_answers.pop(0) if self.data_answers else TAKEN
        if answer == TAKEN:
            self.taken.append(envelope)
        return answer

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        """Lets in who knows the password."""
        self.passwords.append(given.password.decode())
        return AuthResult(success=given.password.decode() == self.password, handled=False)


def parsed(raw: bytes) -> EmailMessage:
    """Returns a message as a mail program reads it."""
    return email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)


@asynccontextmanager
async def catching(
    starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MailCatcher]:
    """Runs a mail server on a free port of this machine, which offers STARTTLS or speaks TLS at once if so wished."""
    catcher = MailCatcher()

    def conversation() -> SMTP:
        return SMTP(
            catcher,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            authenticator=catcher.authenticate,
            auth_require_tls=False,
            tls_context=starttls,
        )

    server = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0, ssl=tls)
    catcher.port = server.sockets[0].getsockname()[1]
    try:
        yield catcher
    finally:
        server.close()
        await server.wait_closed()
