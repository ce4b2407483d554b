"""The comparison of what was asked for with the rows can fail: each thing that may go wrong is done once on purpose, and seen."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest
from sqlalchemy import update
from sqlalchemy.sql.dml import UpdateBase

from models.database import Database
from models.grant import GrantStatus, grants
from models.operation import OperationKind, operations
from models.timeline_entry import timeline_entries
from resolvers.operation.queue import QueueLimits
from schema.node import decode
from tests.api.write_story import Story, permissions, product
from tests.factory import Factory
from tests.histories.world import PICKED, levels_of
from tests.storms.journal import Journal, Request

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CONTACTS, REPORTS = PICKED["contacts"], PICKED["reports"]


@pytest.fixture
async def journal(factory: Factory) -> Journal:
    """Two people are given access, and one of them other access, as it was asked for and answered."""
    story = replace(await Story.begin(factory), limits=QueueLimits())
    people = await factory.members(story.partner, 2)
    journal = Journal()
    for number, (field, kind, wanted, them) in enumerate(
        [
            ("grantAccess", OperationKind.GRANT, CONTACTS, people),
            ("changeAccess", OperationKind.CHANGE, REPORTS, people[:1]),
        ]
    ):
        asked = {"targets": product(them, [story.client]), "access": permissions(levels_of(wanted))}
        told = await story.operation(field, **asked, options={"reason": f"{number}"})
        key = decode(told["id"])
        assert key is not None
        cells = [(story.client.id, person.id) for person in them]
        request = Request(f"{number}", story.actor.user_id, kind, cells, wanted, asked=number, answered=number + 0.5)
        request.operation_id = key[1]
        request.told = [(cell, ("APPLIED", None)) for cell in cells]
        journal.requests[request.tag] = request
    return journal


async def test_what_was_answered_is_what_there_is(journal: Journal, database: Database) -> None:
    counted = await journal.compare(database)
    assert (counted["COMPLETED"], counted["APPLIED"], counted["never answered"]) == (2, 3, 0)


async def test_what_was_not_answered_may_be_there_or_not(journal: Journal, database: Database) -> None:
    done = journal.requests["1"]
    done.operation_id, done.told, done.answered = None, None, inf
    journal.requests["2"] = replace(done, tag="2")
    counted = await journal.compare(database)
    assert (counted["never answered"], counted["of these done"]) == (2, 1)


def lost(journal: Journal) -> None:
    journal.requests["2"] = replace(journal.requests["0"], tag="2")


def invented(journal: Journal) -> None:
    del journal.requests["1"]


def refused(journal: Journal) -> None:
    journal.requests["1"].refusals = ["NOT_FOUND"]


def other_outcomes(journal: Journal) -> None:
    journal.requests["1"].told = [(journal.requests["1"].cells[0], ("NOOP", "NO_CHANGE"))]


def other_cells(journal: Journal) -> None:
    journal.requests["1"].cells = journal.requests["0"].cells[1:]
    journal.requests["1"].told = None


def other_access(journal: Journal) -> None:
    journal.requests["1"].wanted = CONTACTS


def stopped(journal: Journal) -> None:
    journal.requests["1"].cancel = "CONFIRMED"


def earlier(journal: Journal) -> None:
    journal.requests["1"].answered = -1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lost, "what was answered is lost"),
        (invented, "something was done that nobody asked for"),
        (refused, "what was refused was done"),
        (other_outcomes, "other outcomes were answered"),
        (other_cells, "outcomes are lost or invented"),
        (other_access, "left"),
        (stopped, "it was not stopped"),
        (earlier, "was answered before, and happened later"),
    ],
)
async def test_an_answer_that_is_not_kept_is_seen(
    journal: Journal, database: Database, change: Callable[[Journal], None], told: str
) -> None:
    change(journal)
    with pytest.raises(AssertionError, match=told):
        await journal.compare(database)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (update(grants).where(grants.c.client_id.is_not(None)).values(version=7), "is not what it became"),
        (
            update(grants).where(grants.c.client_id.is_not(None)).values(status=GrantStatus.DEACTIVATED),
            "is not what it became",
        ),
        (
            update(timeline_entries).where(timeline_entries.c.before_status.is_not(None)).values(before_seat="SALES"),
            "lost",
        ),
        (update(operations).where(operations.c.reason == "1").values(reason="0"), "done twice"),
        (update(operations).where(operations.c.reason == "1").values(finished_at=None), "has not ended"),
    ],
)
async def test_rows_that_nothing_explains_are_seen(
    journal: Journal, database: Database, statement: UpdateBase, told: str
) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(statement)
    with pytest.raises(AssertionError, match=told):
        await journal.compare(database)
