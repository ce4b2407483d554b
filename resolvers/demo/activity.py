"""A year of what the demo agency's people did in client accounts, as two of its tools have told it (F52)."""

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.activity import ActivityKind
from models.grant import GrantStatus, grants
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from resolvers.activity.least_set import proven
from resolvers.activity.write import MOST_AT_ONCE, Event, source_of, write_events
from resolvers.demo.blueprint import BEGINNING, DAYS
from resolvers.demo.population import Troupe

MOST_DAYS = 5
"""On how many days somebody works in a client at most: many clients need little."""
_IDLE_EVERY = 6
"""One in so many grants is never used, and one in so many no more for a while."""
_HOURS = (7, 17)
_END = BEGINNING + timedelta(days=DAYS)
_WORDS = (
    "Autumn campaign",
    "Price list",
    "New contact",
    "Quarterly report",
    "Onboarding",
    "Deal with Larch",
    "Newsletter",
)
_DEEDS = (
    (ActivityKind.VIEWED, "contacts.view", "crm"),
    (ActivityKind.UPDATED, "contacts.edit", "crm"),
    (ActivityKind.VIEWED, "deals.view", "crm"),
    (ActivityKind.UPDATED, "deals.edit", "crm"),
    (ActivityKind.VIEWED, "reports.view", "crm"),
    (ActivityKind.CREATED, "tasks.edit", "crm"),
    (ActivityKind.COMMUNICATED, "contacts.communicate", "mail"),
)


async def write_activity(connection: AsyncConnection, troupe: Troupe) -> None:
    """Writes the events of the living grants of the agency's people, the same each time."""
    held = await connection.execute(
        select(grants.c.client_id, grants.c.member_id, grants.c.since, permission_states.c.content)
        .join(permission_states, permission_states.c.id == grants.c.state_id)
        .where(grants.c.partner_id == troupe.partner_id, grants.c.status == GrantStatus.ACTIVE.value)
        .order_by(grants.c.client_id, grants.c.member_id)
    )
    told: dict[str, list[Event]] = {}
    keys = {name: await source_of(connection, troupe.partner_id, name) for name in ("crm", "mail")}
    for row in held:
        for kind, permission, source, at, subject in _deeds(row):
            events = told.setdefault(source, [])
            place = (troupe.partner_id, keys[source], row.client_id, row.member_id)
            events.append(Event(*place, f"{source}-{len(events):06}", kind.value, permission, subject, at))
    for events in told.values():
        for start in range(0, len(events), MOST_AT_ONCE):
            await write_events(connection, events[start : start + MOST_AT_ONCE])


def _deeds(row: Any) -> list[tuple[ActivityKind, str | None, str, datetime, str | None]]:
    """Returns what somebody did in a client, as far as their permissions reach."""
    rng = random.Random(f"activity {row.client_id}:{row.member_id}")  # noqa: S311 the same demo each time, nothing secret
    habit = rng.randrange(_IDLE_EVERY)
    state = catalogue.decode(row.content)
    able = [deed for deed in _DEEDS if not proven(deed[1]) & ~state]
    # Who left off did so after half of the time.
    span = (_END - row.since) * (0.5 if habit == 1 else 1.0)
    if habit == 0 or not able or span < timedelta(days=2):
        return []
    done: list[tuple[ActivityKind, str | None, str, datetime, str | None]] = []
    for _ in range(rng.randint(1, MOST_DAYS)):
        day = (row.since + span * rng.random()).replace(hour=0, minute=0, second=0, microsecond=0)
        day -= timedelta(days=max(0, day.weekday() - 4))
        at = day + timedelta(hours=rng.randint(*_HOURS), minutes=rng.randrange(60))
        if at <= row.since:
            continue
        done.append((ActivityKind.SIGNED_IN, None, "crm", at, None))
        for kind, permission, source in rng.choices(able, k=rng.randint(1, 3)):
            at += timedelta(minutes=rng.randint(1, 25))
            done.append((kind, permission, source, at, rng.choice(_WORDS)))
    return done
