"""Events as they are sent, and what is looked at in each before it is written (F52).

A file has millions of them: what is usual is found in a dictionary or by one call, and only the rest is looked at closely.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from models.activity import ActivityKind
from models.permission.catalogue import catalogue
from resolvers.activity.directory import Directory
from resolvers.activity.write import Event
from resolvers.error import RefusalCode
from resolvers.free_text import one_line

LONGEST_TEXT = 200
"""Characters of a subject, of an event's id and of a source's name."""
FUTURE = timedelta(hours=1)
"""How far ahead a source's clock may be."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A source that tells of earlier has no clock."""

_SHORTEST_MOMENT = len("2026-11-21T09:30Z")
_KINDS = {kind.value: kind.value for kind in ActivityKind}
_KINDS_TOLD = ", ".join(ActivityKind)


class Draft(NamedTuple):
    """An event as somebody sends it."""

    place: int
    """In the list, or the line of the file."""
    client: int | str | None
    """The client's key, or its Hub ID as a text; None for what can be neither."""
    member: int | str | None
    """The member's key, or an e-mail address; None for what can be neither."""
    event_id: str
    kind: str
    at: str
    permission: str | None
    subject: str | None


class RefusedEvent(NamedTuple):
    """An event that is not taken, and why."""

    place: int
    field: str
    code: RefusalCode
    message: str


class EventError(ValueError):
    """A part of an event cannot be used; the message says what can."""

    def __init__(self, field: str, message: str, code: RefusalCode = RefusalCode.INVALID_INPUT) -> None:
        super().__init__(message)
        self.field, self.code = field, code


def checked(
    drafts: Sequence[Draft], directory: Directory, source_id: int, moment: datetime
) -> tuple[list[Event], list[RefusedEvent]]:
    """Returns the events that can be written, and those that cannot with the first reason of each.

    Args:
        drafts: their clients and people have been looked up.
        directory: where.
        source_id: whose events they are.
        moment: now.
    """
    events: list[Event] = []
    refused: list[RefusedEvent] = []
    partner_id, clients, members, latest = directory.partner_id, directory.clients, directory.members, moment + FUTURE
    for place, client, member, event_id, kind, at, permission, subject in drafts:
        try:
            client_id, member_id = clients.get(client), members.get(member)
            if client_id is None:
                raise _unknown("client", client)
            if member_id is None:
                raise _unknown("member", member)
            events.append(
                Event(
                    partner_id,
                    source_id,
                    client_id,
                    member_id,
                    _event_id(event_id),
                    _KINDS.get(kind) or _kind(kind),
                    _permission(permission) if permission else None,
                    _line("subject", subject) if subject and not subject.isspace() else None,
                    _moment(at, latest),
                )
            )
        except EventError as error:
            refused.append(RefusedEvent(place, error.field, error.code, str(error)))
    return events, refused


def source_name(text: str) -> str:
    """Returns the name of a source as it is kept.

    Raises:
        ValueError: if it cannot be one.
    """
    return one_line(text, LONGEST_TEXT)


def _unknown(field: str, key: int | str | None) -> EventError:
    """Returns the refusal of somebody or something that is not there, or another partner's: they look alike (T1)."""
    told = f"There is no such {field}."
    if isinstance(key, str) and field == "client":
        told = f"“{key:.80}” is the Hub ID of no client of this partner: import it first."
    elif isinstance(key, str):
        told = f"“{key:.80}” is the address of nobody of this partner: add the person first."
    return EventError(field, told, RefusalCode.NOT_FOUND)


def _event_id(text: str) -> str:
    """Returns what the source calls an event, to the letter: an id that were tidied up could become another's."""
    if text.isspace() or not 0 < len(text) <= LONGEST_TEXT:
        raise EventError("eventId", f"eventId cannot be used. Write 1 to {LONGEST_TEXT} characters.")
    if not text.isprintable():
        code = next(ord(letter) for letter in text if not letter.isprintable())
        raise EventError("eventId", f"eventId is kept as it is written, so leave out the character U+{code:04X}.")
    return text


def _line(field: str, text: str) -> str:
    kept = " ".join(text.split())
    if 0 < len(kept) <= LONGEST_TEXT and kept.isprintable():
        return kept
    try:
        return one_line(text, LONGEST_TEXT)
    except ValueError as error:
        raise EventError(field, f"{field} cannot be used. {error}") from None


def _kind(text: str) -> str:
    kind = _KINDS.get("_".join(text.upper().replace("-", " ").split()))
    if kind is None:
        shown = f"There is no kind “{text:.40}”" if text.strip() else "The kind is empty"
        raise EventError("kind", f"{shown}; write one of {_KINDS_TOLD}.")
    return kind


def _permission(key: str) -> str:
    if key not in catalogue.permissions:
        told = f"There is no permission “{key:.80}”: take a key from permissionCatalog, or leave it out."
        raise EventError("permission", told, RefusalCode.UNKNOWN_PERMISSION)
    return key


def _moment(at: str, latest: datetime) -> datetime:
    moment = _read(at)
    if moment > latest:
        told = f"{moment:%Y-%m-%dT%H:%M:%SZ} lies more than an hour ahead: set the source's clock."
        raise EventError("at", told)
    if moment < EARLIEST:
        raise EventError("at", f"{moment.isoformat()} lies before the year {EARLIEST.year}: set the source's clock.")
    return moment


def _read(text: str) -> datetime:
    try:
        # A day alone is no moment.
        found = datetime.fromisoformat(text.upper()) if len(text) >= _SHORTEST_MOMENT else None
        moment = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        found = moment = None
    if moment is not None:
        return moment
    if found is not None:
        raise EventError("at", f"“{text:.40}” has no time zone: write Z for UTC, as in 2026-11-21T09:30:00Z.")
    shown = f"“{text:.40}” is no moment" if text.strip() else "The moment is empty"
    raise EventError("at", f"{shown}: write one like 2026-11-21T09:30:00Z.")
