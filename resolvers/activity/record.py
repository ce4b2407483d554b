"""Recording events on behalf of a viewer: the good ones are taken, the others named (F52)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.activity.directory import Directory
from resolvers.activity.draft import Draft, RefusedEvent, checked, source_name
from resolvers.activity.write import MOST_AT_ONCE, source_of, write_events
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class ToldActivity:
    """What a tool has to tell."""

    source: str
    """The tool's name."""
    drafts: Sequence[Draft]


@dataclass(frozen=True, slots=True)
class RecordedActivity:
    """What became of the events of a call."""

    recorded: int
    repeated: int
    """Were there already, or stand in the call more than once."""
    refused: Sequence[RefusedEvent]


async def record_activity(
    database: Database,
    viewer: Viewer,
    partner_id: int,
    told: ToldActivity,
    call: IdempotentCall | None = None,
) -> RecordedActivity:
    """Records what the partner's people did in its clients; an event that is known already counts once.

    A person needs no access in the client, nor need they still work for the partner: events come late, and from before the service.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, or INVALID_INPUT for too many events and for a source without a name.
    """
    viewer.acting(partner_id)
    if not 1 <= len(told.drafts) <= MOST_AT_ONCE:
        advice = f"Send 1 to {MOST_AT_ONCE:,} events in one request; cam import activity takes any number."
        raise refuse(RefusalCode.INVALID_INPUT, advice, "input", "events")
    with refusing_at("source", "input", "source"):
        name = source_name(told.source)
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            recorded, repeated, refused = first
            return RecordedActivity(
                recorded,
                repeated,
                [RefusedEvent(at, part, RefusalCode(code), told) for at, part, code, told in refused],
            )
        connection = await session.connection()
        await check_acting(connection, viewer, partner_id)
        done = await take_events(connection, Directory(partner_id), name, told.drafts)
        await remember(session, call, [done.recorded, done.repeated, done.refused])
    return done


async def take_events(
    connection: AsyncConnection, directory: Directory, source: str, drafts: Sequence[Draft]
) -> RecordedActivity:
    """Writes those of at most ``MOST_AT_ONCE`` events that can be written, with a fixed number of statements."""
    source_id = await source_of(connection, directory.partner_id, source)
    await directory.look_up(connection, {draft.client for draft in drafts}, {draft.member for draft in drafts})
    events, refused = checked(drafts, directory, source_id, now())
    recorded = await write_events(connection, events)
    return RecordedActivity(recorded, len(events) - recorded, refused)
