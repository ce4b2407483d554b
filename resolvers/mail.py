"""E-mails: written to the outbox in the transaction of what they report; ``resolvers.mail_delivery`` sends them."""

import unicodedata
from dataclasses import dataclass
from html import escape
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from models.dialect import insert_or_ignore
from models.mail import mails
from models.table import now
from resolvers.email_address import email_address

LONGEST_SUBJECT = 150
LONGEST_LINE = 2_000
# Line breaks would begin another header, controls and halves of characters break the message, and the marks of reading direction
# (among the format characters) show a name as something that it is not.
_DROPPED = frozenset({"Cc", "Cf", "Cs"})
# They join emoji and shape letters of some scripts, so names keep them.
_JOINERS = frozenset("\u200c\u200d")

_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{subject}</title></head>
<body>
{paragraphs}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """What one person is told about one event."""

    event: str
    """Names the event and the recipient's part in it, such as ``access-link-approval:17:owner``: each is told once."""
    recipient: str
    """An e-mail address."""
    subject: str
    lines: tuple[str, ...]
    """One paragraph each; line breaks within become spaces."""
    url: str | None = None
    """Where to go next. Never a link with a token after its ``#``: the outbox keeps it, and the database alone opens nothing (L8)."""


async def post(connection: AsyncConnection, letter: Letter) -> None:
    """Puts a letter in the outbox, in the caller's transaction, unless its event is there already.

    Two at once about the same event: the second waits for the first to commit, and then writes nothing.

    Raises:
        ValueError: if the recipient is no e-mail address, or the address to go to is not http or has a token in it.
    """
    if letter.url is not None and (not letter.url.startswith(("http://", "https://")) or "#" in letter.url):
        raise ValueError("A letter's url is a page, without anything after a #.")
    moment = now()
    await connection.execute(
        insert_or_ignore(connection, mails)
        .values(
            event=letter.event,
            message_id=f"{uuid4().hex}@client-access-manager",
            recipient=email_address(letter.recipient),
            subject=_one_line(letter.subject, LONGEST_SUBJECT),
            text=_text(letter),
            html=_html(letter),
            created_at=moment,
            due_at=moment,
            tries=0,
        )
        # Nothing is asked back: whoever writes a mail may not read it (models/row_security.py).
        .inline()
    )


def _text(letter: Letter) -> str:
    paragraphs = [_one_line(line, LONGEST_LINE) for line in letter.lines]
    return "\n\n".join([*paragraphs, *([letter.url] if letter.url else [])]) + "\n"


def _html(letter: Letter) -> str:
    paragraphs = [escape(_one_line(line, LONGEST_LINE)) for line in letter.lines]
    if letter.url:
        address = escape(letter.url)
        paragraphs.append(f'<a href="{address}">{address}</a>')
    return _HTML.format(
        subject=escape(_one_line(letter.subject, LONGEST_SUBJECT)),
        paragraphs="\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs),
    )


def _one_line(text: str, longest: int) -> str:
    """Returns the text on one line, without what could end a header or mislead a reader, and shortened if it is too long."""
    line = " ".join(text.split())
    kept = "".join(sign for sign in line if sign in _JOINERS or unicodedata.category(sign) not in _DROPPED)
    line = " ".join(kept.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
