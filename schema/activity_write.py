"""The mutation that records what people did in client accounts."""

from typing import Annotated

import strawberry

from models.activity import ActivityKind
from resolvers.activity.draft import LONGEST_TEXT, Draft, RefusedEvent
from resolvers.activity.record import RecordedActivity, ToldActivity, record_activity
from resolvers.activity.write import MOST_AT_ONCE
from resolvers.error import RefusalCode
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import column, field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.partner_argument import acting_partner
from schema.record import shown_all, shows


@strawberry.input(description="Something that one of your partner's people did in a client's account.")
class ActivityEventInput:
    """One event. Client and person are named by id, or as tools know them: by Hub ID and e-mail address."""

    client: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="In whose account it was: this or `hubId`."
    )
    hub_id: str | None = strawberry.field(default=strawberry.UNSET, description="The Hub ID of that account.")
    member: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who did it: this or `email`. Any of the partner's people, also those who have left or have no access there.",
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="That person's e-mail address, in whatever spelling of upper and lower case.",
    )
    kind: str = strawberry.field(
        description=f"What the person did, an ActivityKind written as a text: {', '.join(ActivityKind)}."
    )
    at: str = strawberry.field(
        description="When it happened, a moment with its time zone such as 2026-10-14T12:00:00Z: not before the year 2000, and at most "
        "an hour ahead. Events may come late and in any order."
    )
    event_id: str = strawberry.field(
        description=f"What the tool calls it, 1 to {LONGEST_TEXT} printable characters, kept to the letter: an event of the same source "
        "with the same id is the same event, and is counted once whatever else it says."
    )
    permission: str | None = strawberry.field(
        default=strawberry.UNSET, description="The key of the permission that it needed, if the tool knows."
    )
    subject: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"What it was about, at most {LONGEST_TEXT} characters. The client can read it.",
    )


@strawberry.input(description="What a tool has to tell.")
class RecordActivityInput:
    """What recordActivity takes."""

    source: str = strawberry.field(
        description=f"The tool that tells it, by a name of your choice that stays the same, 1 to {LONGEST_TEXT} characters."
    )
    events: list[ActivityEventInput] = strawberry.field(description=f"1 to {MOST_AT_ONCE:,} events.")
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )


@shows(RefusedEvent)
@strawberry.type(description="An event that was not taken.")
class RefusedActivityEvent:
    """An event and why it was refused."""

    record: strawberry.Private[RefusedEvent]
    code: RefusalCode = column("Why, for programs.")
    message: str = column("Why, for people: what is wrong and what to do.")

    @field("Its place in the list, from 0.")
    def index(self) -> int:
        """Returns the place."""
        return self.record.place

    @field("At which of its fields; of several the first.", name="field")
    def part(self) -> str:
        """Returns the name of the field."""
        return self.record.field


@strawberry.type(description="How many events had which fate.")
class RecordedActivityCounts:
    """The counts of recordActivity."""

    record: strawberry.Private[RecordedActivity]
    recorded: int = column("How many are new.")
    repeated: int = column("How many were known already, or stand in the list more than once.")

    @field("How many were not taken; `refused` says why.")
    def refused(self) -> int:
        """Returns the number."""
        return len(self.record.refused)


@strawberry.type(description="The answer to recording activity.")
class RecordActivityPayload(Payload):
    """What recordActivity answers with."""

    counts: RecordedActivityCounts | None = strawberry.field(
        default=None, description="What became of the events; null if the request was refused as a whole."
    )
    refused: list[RefusedActivityEvent] = strawberry.field(
        default_factory=list, description="The events that were not taken, by their place in the list; the others were."
    )


@strawberry.type
class ActivityMutation:
    """The part of the root of all writes that is about activity."""

    @field(
        "Records what your partner's people did in client accounts, as a tool of yours has seen it. Sending events again changes "
        "nothing. An event whose texts cannot be used, be it an address, a kind or a moment, is refused by itself; the others are taken. "
        "Only what is no ActivityEventInput at all, such as an event without an eventId, makes the whole request invalid. Needs EDIT in "
        "the manager."
    )
    @refusing(RecordActivityPayload)
    async def record_activity(
        self,
        info: Info,
        input: Annotated[RecordActivityInput, strawberry.argument(description="The events.")],
    ) -> RecordActivityPayload:
        """Records activity (F52)."""
        context, viewer = info.context, info.context.reader.viewer
        partner_id = acting_partner(viewer, given(input.partner))
        drafts = [_draft(place, event) for place, event in enumerate(input.events)]
        done = await record_activity(
            context.database, viewer, partner_id, ToldActivity(input.source, drafts), idempotent_call(info, input)
        )
        refused: list[RefusedActivityEvent] = shown_all(done.refused)
        return RecordActivityPayload(counts=RecordedActivityCounts(record=done), refused=refused)


def _draft(place: int, event: ActivityEventInput) -> Draft:
    """Returns the event as the resolvers take it; whoever is named twice or not at all is nobody."""
    client, hub_id, member, email = (given(value) for value in (event.client, event.hub_id, event.member, event.email))
    return Draft(
        place=place,
        client=None if (client is None) is (hub_id is None) else hub_id or decode_key(str(client), "Client"),
        member=None if (member is None) is (email is None) else email or decode_key(str(member), "Member"),
        event_id=event.event_id,
        kind=event.kind,
        at=event.at,
        permission=given(event.permission),
        subject=given(event.subject),
    )
