"""What became of each person and client of an operation, read page by page (P01)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Row, Select, and_, literal, select

from models.account import accounts
from models.client import clients
from models.first_of_each import first_of_each
from models.grant import AccessType, GrantStatus, Seat
from models.operation import OutcomeStatus, decisions, operations
from models.outcome import outcomes
from models.permission.catalogue import catalogue
from models.permission.mask import tier_mask
from models.permission.rule import Change, apply_rule
from models.permission.state import State
from resolvers.cursor import SortKind, decode_cursor
from resolvers.interning import state_contents
from resolvers.operation.execute import DryRun
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.record import OperationRecord
from resolvers.operation.removal import AssetTransferRecord
from resolvers.operation.situation import Decision
from resolvers.page import Order, Page, PageRequest
from resolvers.readable import readable_clients
from resolvers.reader import Reader

IN_ORDER = Order("outcome", SortKind.KEY, lambda rows: rows.c.position)
_STATES = ("before", "after", "requested", "authority", "dropped")


@dataclass(slots=True, eq=False)
class OutcomeRecord:
    """One person in one client of an operation, with what was decided."""

    position: int
    client_id: int
    member_id: int
    grant_id: int | None
    decision: Decision
    operation_id: int | None = None
    """None in a dry run, which is of no row."""
    foreseen_transfers: Sequence[AssetTransferRecord] = ()
    """In a dry run: what would become of the person's assets (N01)."""
    dry_run: DryRun | None = None
    """The dry run that it is of."""

    @property
    def granted(self) -> State:
        """Returns P′ without P; the state of deactivated or removed access counts for nothing."""
        return self.decision.held_after & ~self.decision.held_before

    @property
    def revoked(self) -> State:
        """Returns P without P′; deactivating and removing take all of it."""
        return self.decision.held_before & ~self.decision.held_after

    @property
    def change(self) -> Change:
        """Returns what the rule says of the request: withheld and retained also where it was not carried out (N01)."""
        closed = catalogue.largest_closed_subset
        decision = self.decision
        return apply_rule(closed(decision.before), closed(decision.requested), closed(decision.authority), catalogue)


async def outcomes_by_operation(
    reader: Reader,
    parents: Sequence[OperationRecord],
    *,
    statuses: tuple[OutcomeStatus, ...] | None = None,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[OutcomeRecord]]:
    """Returns one page of each operation's outcomes, in the order of its cells; those of dry runs need no statement."""
    stored = [parent.id for parent in parents if parent.previewed is None]
    rows = await _stored(reader, stored, statuses, page) if stored else {}
    listed = [
        _previewed(parent.previewed, statuses, page) if parent.previewed else rows[parent.id] for parent in parents
    ]
    return [_page(found, page) for found in listed]


def _bounds(page: PageRequest) -> tuple[int | None, int | None]:
    """Returns the positions between which, exclusively, a page lies."""
    after = None if page.after is None else decode_cursor(IN_ORDER.name, IN_ORDER.kind, page.after)[1]
    before = None if page.before is None else decode_cursor(IN_ORDER.name, IN_ORDER.kind, page.before)[1]
    return after, before


async def _stored(
    reader: Reader, keys: Sequence[int], statuses: tuple[OutcomeStatus, ...] | None, page: PageRequest
) -> dict[int, list[OutcomeRecord]]:
    """Returns the outcomes of each operation's page, and one more if there are more."""
    rows = outcomes.alias("page_row")
    after, before = _bounds(page)
    chosen = select(outcomes.c.position).where(outcomes.c.operation_id == operations.c.id)
    if statuses is not None:
        chosen = chosen.where(outcomes.c.status.in_([status.value for status in statuses]))
    if after is not None:
        chosen = chosen.where(outcomes.c.position > literal(after))
    if before is not None:
        chosen = chosen.where(outcomes.c.position < literal(before))
    position = outcomes.c.position
    chosen = chosen.order_by(position.desc() if page.backward else position).limit(page.size + 1)
    source = first_of_each(
        operations,
        rows,
        chosen,
        lateral=not reader.database.is_sqlite,
        key="position",
        within=rows.c.operation_id == operations.c.id,
    ).join(decisions, and_(decisions.c.operation_id == rows.c.operation_id, decisions.c.number == rows.c.decision))
    statement: Select[Any] = (
        select(rows, *(column for column in decisions.c if column.name not in rows.c))
        .select_from(source)
        .where(operations.c.id.in_(set(keys)))
        .order_by(rows.c.operation_id, rows.c.position)
    )
    found = await reader.rows(statement)
    state_ids = {getattr(row, f"{name}_state_id") for row in found for name in _STATES} - {None}
    async with reader.database.read() as connection:
        states = await state_contents(connection, state_ids)
    listed: dict[int, list[OutcomeRecord]] = {key: [] for key in keys}
    for row in found:
        outcome = OutcomeRecord(
            row.position, row.client_id, row.member_id, row.grant_id, decision_of(row, states), row.operation_id
        )
        listed[row.operation_id].append(outcome)
    return listed


def decision_of(row: Row[Any], states: dict[int, State]) -> Decision:
    """Returns a decision as it was made, from a row with all of its columns."""
    return Decision(
        status=OutcomeStatus(row.status),
        code=OutcomeCode(row.code) if row.code else None,
        before=states.get(row.before_state_id, 0),
        after=states.get(row.after_state_id, 0),
        requested=states.get(row.requested_state_id, 0),
        authority=states.get(row.authority_state_id, 0),
        dropped=states.get(row.dropped_state_id, 0),
        dropped_teams=tuple(int(key) for key in (row.dropped_teams or "").split()),
        before_status=GrantStatus(row.before_status) if row.before_status else None,
        before_access_type=AccessType(row.before_access_type) if row.before_access_type else None,
        before_seat=Seat(row.before_seat) if row.before_seat else None,
        before_set_version_id=row.before_set_version_id,
        after_status=GrantStatus(row.after_status) if row.after_status else None,
        after_access_type=AccessType(row.after_access_type) if row.after_access_type else None,
        seat=Seat(row.seat) if row.seat else None,
        set_version_id=row.set_version_id,
        customised=row.customised,
    )


def _previewed(dry_run: DryRun, statuses: tuple[OutcomeStatus, ...] | None, page: PageRequest) -> list[OutcomeRecord]:
    """Returns the outcomes of a dry run's page, and one more if there are more."""
    after, before = _bounds(page)
    first = 0 if after is None else max(after + 1, 0)
    end = len(dry_run.decisions) if before is None else min(max(before, 0), len(dry_run.decisions))
    meant = {
        number for number, decision in dry_run.verdicts.numbered() if statuses is None or decision.status in statuses
    }
    positions = range(first, end)
    walk = reversed(positions) if page.backward else iter(positions)
    chosen = list(islice((at for at in walk if dry_run.decisions[at] in meant), page.size + 1))
    return [
        OutcomeRecord(
            position,
            dry_run.client_ids[position],
            dry_run.member_ids[position],
            dry_run.grant_ids[position] or None,
            dry_run.verdicts[dry_run.decisions[position]],
            foreseen_transfers=dry_run.transfers.get(position, ()),
            dry_run=dry_run,
        )
        for position in sorted(chosen)
    ]


def _page(found: list[OutcomeRecord], page: PageRequest) -> Page[OutcomeRecord]:
    more = len(found) > page.size
    if more:
        del found[0 if page.backward else -1]
    return Page(
        items=found,
        places=[(outcome.position, outcome.position) for outcome in found],
        order=IN_ORDER,
        has_next=page.before is not None if page.backward else more,
        has_previous=more if page.backward else page.after is not None,
    )


async def not_in_tier_by_outcome(reader: Reader, parents: Sequence[OutcomeRecord]) -> list[State]:
    """Returns, for each outcome, what was granted and counts for nothing until the client has the product tier (E20)."""
    rows = await reader.rows(
        select(clients.c.id, accounts.c.tiers)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.id.in_(readable_clients(reader.viewer)))
        .where(clients.c.id.in_({parent.client_id for parent in parents}))
    )
    tiers = {row.id: row.tiers.split() for row in rows}
    return [parent.granted & ~tier_mask(tiers[parent.client_id], catalogue) for parent in parents]
