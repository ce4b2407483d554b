"""The timeline proves that it was not altered (N07)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast

import strawberry

from resolvers.partner import PartnerRecord
from resolvers.timeline_chain.broken_operation import broken_operations_by_id
from resolvers.timeline_chain.noted_seal import FORM
from resolvers.timeline_chain.proof import TimelineCheckRecord, TimelineSealRecord, check_timeline, timeline_seals
from resolvers.timeline_chain.verification import Break
from schema.context import Info
from schema.field import column, field
from schema.record import shown, shown_all, shows

if TYPE_CHECKING:
    from schema.operation import Operation

_OPEN = "Needs the partner's manager to be open to you."


@shows(TimelineSealRecord)
@strawberry.type(
    description="The newest seal of an agency's timeline. Each seal is over one block of what happened and over the seal before it: "
    "whoever has noted one down can tell later whether anything up to it was altered."
)
class TimelineSeal:
    """The end of a chain."""

    record: strawberry.Private[TimelineSealRecord]
    number: int = column("How many blocks there are; the first is 1.")
    hash: str = column("SHA-256 of the newest block and of the seal before it, in hexadecimal digits.")
    sealed_at: datetime = column("When it was written.")
    note: str = column(
        f"The seal in one line, to be noted down where nobody can change it: {FORM}. Whoever runs the service compares it later with "
        '`cam verify --seal`. You do with timelineCheck: give it NUMBER as "until" and go on until `next` is null; all of it must be '
        "whole, its `last` must be NUMBER, and its `hash` HASH."
    )


@shows(Break)
@strawberry.type(description="A place where the timeline is not what was sealed.")
class TimelineBreak:
    """Where the chain is broken."""

    record: strawberry.Private[Break]
    block: int | None = column("The number of the block; null for what is in none.")
    of_service: bool = column(
        "Whether it is a block of the service's own operations, which are numbered by themselves."
    )
    message: str = column("What is wrong there.")

    @field(
        "The operation whose entries, outcomes or own row were altered; null where it is not there any more, or cannot be read."
    )
    async def operation(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")] | None:
        """Returns the operation of the block."""
        key = self.record.operation_id
        return None if key is None else shown(await info.context.load(broken_operations_by_id, key))


@shows(TimelineCheckRecord)
@strawberry.type(description="Whether a part of the timeline is as it was sealed: some hundred blocks at a time.")
class TimelineCheck:
    """What became of a check."""

    record: strawberry.Private[TimelineCheckRecord]
    whole: bool = column("Whether all that was checked is as it was sealed.")
    first: int = column("The number of the first block that was checked.")
    last: int = column("The number of the last block that was checked.")
    hash: str | None = column(
        'The seal of the block `last`: where you have noted one down for that number, as with "until", it must be the same. Null '
        "where there was no block to check."
    )
    entries: int = column("How many entries of the timeline were checked.")
    outcomes: int = column("How many outcomes of your own operations were checked.")
    next: int | None = column(
        'What to give as "after" to have the next blocks checked; null at the end of the chain, or at "until".'
    )
    service_blocks: int = column(
        "How many blocks of the service's own operations were checked: those with entries of your timeline, as when the catalogue has "
        "gained permissions. Their turn comes when `next` is null. Where one is not what was sealed, nothing is said of the rest of it."
    )
    service_next: int | None = column(
        'What to give as "serviceAfter" to have the next of them checked; give it with `last` as "after", so that your own blocks are '
        "not checked anew. Null after the last, and as long as `next` is not null."
    )

    @field("Where it is not what was sealed; empty if it is whole.")
    def breaks(self) -> list[TimelineBreak]:
        """Returns the faults."""
        found: list[TimelineBreak] = shown_all(self.record.breaks)
        return found


@strawberry.type
class PartnerTimelineProof:
    """What a partner shows of the chain of its timeline."""

    record: strawberry.Private[PartnerRecord]

    @field(f"The newest seal of the timeline; null as long as nothing has happened. {_OPEN}")
    async def timeline_seal(self, info: Info) -> TimelineSeal | None:
        """Returns the end of the chain (N07)."""
        return cast("TimelineSeal | None", shown(await info.context.load(timeline_seals, self.record)))

    @field(
        "Whether the timeline is as it was sealed. Each call checks some hundred blocks: those of your own operations, and at "
        f"their end those of the service's own with entries of your timeline. {_OPEN}"
    )
    async def timeline_check(
        self,
        info: Info,
        after: Annotated[
            int, strawberry.argument(description="The number of the last block that was checked before; 0 to begin.")
        ] = 0,
        service_after: Annotated[
            int,
            strawberry.argument(
                description="The number of the last block of the service's own operations that was checked before; 0 to begin."
            ),
        ] = 0,
        until: Annotated[
            int | None,
            strawberry.argument(
                description="The number of the last block of your own that is to be checked; null for the end of the chain. Give the "
                "number of a seal that you have noted down, and once `next` is null, `hash` must be its hash."
            ),
        ] = None,
    ) -> TimelineCheck:
        """Returns what became of the check (N07)."""
        found = await check_timeline(info.context.reader, self.record.id, after, service_after, until)
        return cast(TimelineCheck, shown(found))
