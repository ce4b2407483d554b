"""What was asked for during a storm and what was answered, held against the rows afterwards: nothing lost and nothing invented.

Reads rows by themselves, beside the service and ``cam verify``.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

from sqlalchemy import select

from models.database import Database
from models.grant import grants
from models.operation import OperationKind, decisions, operations
from models.outcome import outcomes
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries
from tests.histories.model import ORACLE, Atoms

Cell = tuple[int, int]
"""The keys of a client and a member."""
Verdict = tuple[str, str | None]

STATUSES = {
    OperationKind.GRANT: "ACTIVE",
    OperationKind.CHANGE: "ACTIVE",
    OperationKind.DEACTIVATE: "DEACTIVATED",
    OperationKind.REACTIVATE: "ACTIVE",
    OperationKind.REMOVE: "REMOVED",
}
"""Where a grant stands after each verb."""


@dataclass
class Request:
    """Something that was asked for; the tag is its reason and its idempotency key."""

    tag: str
    user_id: int
    kind: OperationKind
    cells: list[Cell]
    """In the order of the outcomes."""
    wanted: Atoms | None
    """The permissions, where some are asked for."""
    asked: float
    """When."""
    answered: float = inf
    """When; never, if it is not known what became of it, or if it was still to be carried out then."""
    operation_id: int | None = None
    """As it was answered."""
    told: list[tuple[Cell, Verdict]] | None = None
    """The outcomes as they were answered; none where it was queued."""
    refusals: list[str] = field(default_factory=list)
    """The codes, if it was refused as a whole."""
    sent: int = 0
    """How often."""
    cancel: str = ""
    """CONFIRMED or UNKNOWN, where somebody asked to stop it and was told that it is stopped, or was told nothing."""

    @property
    def is_known(self) -> bool:
        """Whether there was an answer."""
        return self.operation_id is not None or bool(self.refusals)


@dataclass
class Journal:
    """All requests, by tag."""

    requests: dict[str, Request] = field(default_factory=dict)
    unavailable: int = 0
    """How often somebody was told that the database is gone."""

    async def compare(self, database: Database) -> Counter[str]:
        """Demands that the rows are what was asked for and answered; returns what became of all that was asked.

        Whatever has a reason of its own was asked for here; what was there before the storm has none.
        """
        async with database.everything().snapshot() as connection:
            operation = operations.c
            found = list(
                await connection.execute(select(operations).where(operation.reason.is_not(None)).order_by(operation.id))
            )
            by_tag = {row.reason: row for row in found}
            assert len(by_tag) == len(found), "something was done twice"
            assert by_tag.keys() <= self.requests.keys(), "something was done that nobody asked for"
            told: dict[int, list[tuple[Cell, Verdict]]] = defaultdict(list)
            cell = outcomes.c
            read = select(cell.operation_id, cell.client_id, cell.member_id, cell.status, decisions.c.code)
            same = (decisions.c.operation_id == cell.operation_id) & (decisions.c.number == cell.decision)
            for row in await connection.execute(read.join(decisions, same).order_by(cell.operation_id, cell.position)):
                told[row.operation_id].append(((row.client_id, row.member_id), (row.status, row.code)))
            entries = list(
                await connection.execute(
                    select(timeline_entries).order_by(timeline_entries.c.at, timeline_entries.c.id)
                )
            )
            held = list(await connection.execute(select(grants).where(grants.c.client_id.is_not(None))))
            states = {
                row.id: ORACLE.atoms(catalogue.decode(row.content))
                for row in await connection.execute(select(permission_states))
            }
        applied = {
            row.id: self._compare_operation(self.requests[tag], row, told[row.id]) for tag, row in by_tag.items()
        }
        for request in self.requests.values():
            assert request.tag in by_tag or not request.operation_id, f"what was answered is lost: {request}"
        asked = {row.id: self.requests[tag] for tag, row in by_tag.items()}
        self._compare_entries(entries, asked, applied, states)
        _compare_grants(entries, held, asked)
        return self._counted(by_tag, told)

    def _compare_operation(self, request: Request, row: Any, told: list[tuple[Cell, Verdict]]) -> Counter[Cell]:
        """An operation is what was asked for and answered, whole; returns the cells that it changed."""
        assert not request.refusals, f"what was refused was done: {request}"
        assert request.operation_id in {None, row.id}, f"another operation was answered: {request}"
        asked = (request.kind, request.user_id, len(request.cells))
        assert (row.kind, row.requested_by_id, row.total) == asked, f"something else was done: {request}"
        assert row.finished_at is not None, f"it has not ended: {request}"
        assert request.told in (None, told), f"other outcomes were answered: {request}, {told}"
        cells = [cell for cell, _ in told]
        if row.state == "CANCELLED":
            assert request.cancel, f"nobody has stopped it: {request}"
            assert cells == request.cells[: len(cells)], f"outcomes are lost or invented: {request}"
        else:
            assert request.cancel != "CONFIRMED", f"it was not stopped: {request}"
            ended = {("COMPLETED", None), ("FAILED", "CHUNK_SET_ASIDE")}
            assert (row.state, row.error) in ended, f"it has not ended well: {request}, {row.state} {row.error}"
            assert cells == request.cells, f"outcomes are lost or invented: {request}"
        counts = Counter(status for _, (status, _) in told)
        counted = tuple(counts[name] for name in ("APPLIED", "NOOP", "REJECTED", "FAILED"))
        assert (row.applied, row.noop, row.rejected, row.failed) == counted, f"the counts are wrong: {request}"
        codes = {code for _, (status, code) in told if status == "FAILED"}
        assert codes == ({"CHUNK_SET_ASIDE"} if row.error else set()), f"it failed for {codes}: {request}"
        return Counter(cell for cell, (status, _) in told if status == "APPLIED")

    def _compare_entries(
        self,
        entries: list[Any],
        asked: dict[int, Request],
        applied: dict[int, Counter[Cell]],
        states: dict[int, Atoms],
    ) -> None:
        """Each change is told once in the timeline, and left what was asked for."""
        written: dict[int, Counter[Cell]] = defaultdict(Counter)
        for entry in entries:
            if entry.operation_id not in asked:
                continue
            request = asked[entry.operation_id]
            written[entry.operation_id][entry.client_id, entry.member_id] += 1
            assert entry.after_status == STATUSES[request.kind], f"{request} left {entry}"
            if request.wanted is None:
                assert entry.after_state_id == entry.before_state_id, f"{request} left {entry}"
            else:
                assert states[entry.after_state_id] == request.wanted, f"{request} left {entry}"
        for key, cells in applied.items():
            assert written[key] == cells, f"{asked[key]}: {cells} and not {written[key]}"

    def _counted(self, by_tag: dict[str, Any], told: dict[int, list[tuple[Cell, Verdict]]]) -> Counter[str]:
        counted = Counter(row.state for row in by_tag.values())
        counted["requests"] = len(self.requests)
        counted["told that the database is gone"] = self.unavailable
        counted["sent again"] = sum(request.sent > 1 for request in self.requests.values())
        unknown = [request for request in self.requests.values() if not request.is_known]
        counted["never answered"] = len(unknown)
        counted["of these done"] = sum(request.tag in by_tag for request in unknown)
        counted["refused"] = sum(bool(request.refusals) for request in self.requests.values())
        for row in by_tag.values():
            counted.update(code or status for _, (status, code) in told[row.id])
        return counted


def _compare_grants(entries: list[Any], held: list[Any], asked: dict[int, Request]) -> None:
    """Each grant is what its entries say, one after the other; what was answered before something was asked for came before it."""
    chains: dict[int, list[Any]] = defaultdict(list)
    for entry in entries:
        if entry.client_id is not None:
            chains[entry.grant_id].append(entry)
    assert {row.id for row in held} == chains.keys(), "a grant without entries, or entries without a grant"
    living = Counter((row.client_id, row.member_id) for row in held if row.status != "REMOVED")
    assert set(living.values()) <= {1}, "somebody has two grants in a client"
    for row in held:
        chain = chains[row.id]
        assert chain[0].before_status is None, f"grant {row.id} begins with {chain[0]}"
        for before, after in pairwise(chain):
            was = (before.after_status, before.after_state_id, before.after_access_type, before.after_seat)
            said = (after.before_status, after.before_state_id, after.before_access_type, after.before_seat)
            assert was == said, f"a change is lost between {before} and {after}"
        last = chain[-1]
        held_now = (row.status, row.state_id, row.version)
        assert held_now == (last.after_status, last.after_state_id, len(chain)), f"grant {row.id} is not what it became"
        latest = -inf
        for request in (asked[entry.operation_id] for entry in chain if entry.operation_id in asked):
            assert request.answered >= latest, f"grant {row.id}: {request} was answered before, and happened later"
            latest = max(latest, request.asked)
