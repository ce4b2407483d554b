"""The writing of the cells: one statement a table, whatever the number of cells."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.dialect import insert_many
from models.grant import AccessType, GrantStatus, grants
from models.lifetime import fork_of
from models.member import members
from models.operation import CELLS, OutcomeStatus, decisions
from models.outcome import outcomes
from models.permission.state import State
from models.team import grant_teams
from models.timeline_entry import timeline_entries
from resolvers.operation.cell import cells, target_teams, team_list
from resolvers.operation.request import Expiry
from resolvers.operation.verdict import Verdicts

_OF_CELL = and_(target_teams.c.client_id == cells.c.client_id, target_teams.c["class"] == cells.c.team_class)


class CellWriter:
    """Writes the decided cells of one operation, inside the transaction in which they were decided."""

    def __init__(
        self,
        connection: AsyncConnection,
        operation_id: int,
        partner_id: int,
        at: datetime,
        block_id: int | None = None,
    ) -> None:
        """Begins with nothing written.

        Args:
            connection: of the transaction.
            operation_id: the operation.
            partner_id: whose it is.
            at: when it happens.
            block_id: the block of the timeline, if it is not the one with the operation's own key.
        """
        self._connection = connection
        self.operation_id = operation_id
        self._partner_id = partner_id
        self.at = at
        self.ends_grants = False
        self._key = literal(operation_id * CELLS, BigInteger) + cells.c.position
        self._block_id = block_id
        ours = and_(decisions.c.operation_id == operation_id, decisions.c.number == cells.c.decision)
        self._decided = cells.join(decisions, ours)

    def _applied(self, *columns: ColumnElement[Any], new: bool | None = None) -> Select[Any]:
        """Selects from the cells that are applied; only those with a new grant, or only the others."""
        statement = select(*columns).select_from(self._decided).where(decisions.c.status == OutcomeStatus.APPLIED.value)
        if new is None:
            return statement
        return statement.where(cells.c.grant_id.is_(None) if new else cells.c.grant_id.is_not(None))

    async def record_decisions(
        self, verdicts: Verdicts, counts: Mapping[int, int], state_ids: Mapping[State, int]
    ) -> None:
        """Writes the decisions that have cells."""
        made = [decision for number, decision in verdicts.numbered() if counts.get(number)]
        # Where nothing is removed, the two indexes with `ended` need not be touched.
        self.ends_grants = any(decision.after_status is GrantStatus.REMOVED for decision in made)
        rows = [
            {
                "operation_id": self.operation_id,
                "number": number,
                "status": decision.status.value,
                "code": decision.code and decision.code.value,
                "requested_state_id": state_ids[decision.requested],
                "authority_state_id": state_ids[decision.authority],
                "dropped_state_id": state_ids[decision.dropped] if decision.dropped else None,
                "dropped_teams": " ".join(map(str, decision.dropped_teams)) or None,
                "before_status": decision.before_status and decision.before_status.value,
                "before_access_type": decision.before_access_type and decision.before_access_type.value,
                "before_seat": decision.before_seat and decision.before_seat.value,
                "before_state_id": state_ids[decision.before],
                "before_set_version_id": decision.before_set_version_id,
                "after_status": decision.after_status and decision.after_status.value,
                "after_access_type": decision.after_access_type and decision.after_access_type.value,
                "after_state_id": state_ids[decision.after],
                "seat": decision.seat and decision.seat.value,
                "set_version_id": decision.set_version_id,
                "customised": decision.customised,
            }
            for number, decision in verdicts.numbered()
            if counts.get(number)
        ]
        await insert_many(self._connection, decisions, rows)

    async def create_grants(self, granted_by_id: int | None, expiry: Expiry | None) -> None:
        """Writes a grant for each applied cell that had none."""
        columns = {
            "id": self._key,
            "partner_id": literal(self._partner_id, BigInteger),
            "client_id": cells.c.client_id,
            "member_id": cells.c.member_id,
            "account_id": cells.c.account_id,
            "user_id": cells.c.user_id,
            "status": decisions.c.after_status,
            "ended": literal(0, BigInteger),
            "access_type": decisions.c.after_access_type,
            "seat": decisions.c.seat,
            "state_id": decisions.c.after_state_id,
            "set_version_id": decisions.c.set_version_id,
            "customised": decisions.c.customised,
            "expires_at": _afterwards(expiry) if expiry else cells.c.until,
            "version": literal(1),
            "granted_by_id": literal(granted_by_id, grants.c.granted_by_id.type),
            "since": literal(self.at, grants.c.since.type),
        }
        await self._connection.execute(
            insert(grants).from_select(list(columns), self._applied(*columns.values(), new=True))
        )

    async def change_grants(self, expiry: Expiry | None) -> None:
        """Brings each applied cell's existing grant to what was decided, as a new version of it."""
        values: dict[str, Any] = {
            "status": decisions.c.after_status,
            "access_type": decisions.c.after_access_type,
            "seat": decisions.c.seat,
            "state_id": decisions.c.after_state_id,
            "set_version_id": decisions.c.set_version_id,
            "customised": decisions.c.customised,
            "version": grants.c.version + 1,
        }
        if self.ends_grants:
            removed = decisions.c.after_status == GrantStatus.REMOVED.value
            values["ended"] = case((removed, grants.c.id), else_=0)
            values["removed_at"] = case((removed, literal(self.at, grants.c.removed_at.type)))
            values["fork"] = case((removed, fork_of(grants.c.since, self.at)))
        if expiry:
            values["expires_at"] = _afterwards(expiry)
        await self._connection.execute(
            update(grants)
            .where(
                grants.c.id == cells.c.grant_id,
                decisions.c.operation_id == self.operation_id,
                decisions.c.number == cells.c.decision,
                decisions.c.status == OutcomeStatus.APPLIED.value,
            )
            .values(values)
        )

    async def assign_teams(self) -> None:
        """Gives each applied cell's grant exactly the teams asked for (F54), where any are, be it none at all."""
        grant_id = func.coalesce(cells.c.grant_id, self._key)
        applied = self._applied(grant_id).where(cells.c.team_class.is_not(None))
        await self._connection.execute(delete(grant_teams).where(grant_teams.c.grant_id.in_(applied)))
        given = (
            select(grant_id, target_teams.c.team_id, target_teams.c.is_primary)
            .select_from(self._decided.join(target_teams, _OF_CELL))
            .where(decisions.c.status == OutcomeStatus.APPLIED.value)
        )
        await self._connection.execute(insert(grant_teams).from_select(["grant_id", "team_id", "is_primary"], given))

    async def record_timeline(self, expiry: Expiry | None = None, *, teams: bool = False) -> None:
        """Writes a timeline entry for each applied cell (F55, E26)."""
        moment = timeline_entries.c.at.type
        before_expiry: ColumnElement[Any] = cells.c.expires_at
        unsaid = case((cells.c.grant_id.is_(None), cells.c.until), else_=before_expiry)
        after_expiry = _afterwards(expiry) if expiry else unsaid
        columns = {
            "id": literal((self._block_id or self.operation_id) * CELLS, BigInteger) + cells.c.position,
            "operation_id": literal(self.operation_id, BigInteger),
            "partner_id": literal(self._partner_id, BigInteger),
            "account_id": cells.c.account_id,
            "client_id": cells.c.client_id,
            "member_id": cells.c.member_id,
            "grant_id": func.coalesce(cells.c.grant_id, self._key),
            "at": literal(self.at, moment),
            "before_status": decisions.c.before_status,
            "before_access_type": decisions.c.before_access_type,
            "before_seat": decisions.c.before_seat,
            "before_state_id": decisions.c.before_state_id,
            "before_set_version_id": decisions.c.before_set_version_id,
            "before_expires_at": before_expiry,
            "before_teams": cells.c.teams,
            "after_status": decisions.c.after_status,
            "after_access_type": decisions.c.after_access_type,
            "after_seat": decisions.c.seat,
            "after_state_id": decisions.c.after_state_id,
            "after_set_version_id": decisions.c.set_version_id,
            "after_expires_at": after_expiry,
            "after_teams": _teams_afterwards() if teams else null(),
        }
        await self._connection.execute(
            insert(timeline_entries).from_select(list(columns), self._applied(*columns.values()))
        )

    async def record_outcomes(self) -> None:
        """Writes an outcome for every cell (P01)."""
        made = case((decisions.c.status == OutcomeStatus.APPLIED.value, self._key), else_=null())
        columns = {
            "operation_id": literal(self.operation_id, BigInteger),
            "position": cells.c.position,
            "client_id": cells.c.client_id,
            "member_id": cells.c.member_id,
            "grant_id": func.coalesce(cells.c.grant_id, made),
            "decision": cells.c.decision,
            "status": decisions.c.status,
            "block_id": literal(self._block_id, BigInteger),
        }
        statement = select(*columns.values()).select_from(self._decided)
        await self._connection.execute(insert(outcomes).from_select(list(columns), statement))

    async def keep_counters(self) -> None:
        """Moves the counters of the clients and members by what the applied cells change (R15)."""
        active = func.sum(_moved(GrantStatus.ACTIVE)).label("active")
        by_client = self._moves(
            cells.c.client_id,
            active,
            func.sum(_moved(GrantStatus.DEACTIVATED)).label("deactivated"),
            func.sum(_moved(GrantStatus.ACTIVE, AccessType.PARTNER_ADMIN)).label("partner_admins"),
        )
        await self._connection.execute(
            update(clients)
            .where(
                clients.c.id == by_client.c.whose,
                or_(by_client.c.active != 0, by_client.c.deactivated != 0, by_client.c.partner_admins != 0),
            )
            .values(
                active_people=clients.c.active_people + by_client.c.active,
                deactivated_people=clients.c.deactivated_people + by_client.c.deactivated,
                active_partner_admins=clients.c.active_partner_admins + by_client.c.partner_admins,
            )
        )
        by_member = self._moves(cells.c.member_id, active)
        await self._connection.execute(
            update(members)
            .where(members.c.id == by_member.c.whose, by_member.c.active != 0)
            .values(active_clients=members.c.active_clients + by_member.c.active)
        )

    def _moves(self, whose: ColumnElement[int], *sums: ColumnElement[Any]) -> Subquery:
        """Returns sums over each client's or member's applied cells, counted by decision first: there are few decisions."""
        counted = select(whose.label("whose"), cells.c.decision, func.count().label("number")).group_by(
            whose, cells.c.decision
        )
        counts = counted.subquery("counted")
        ours = and_(decisions.c.operation_id == self.operation_id, decisions.c.number == counts.c.decision)
        return (
            select(counts.c.whose, *sums)
            .select_from(counts.join(decisions, ours))
            .where(decisions.c.status == OutcomeStatus.APPLIED.value)
            .group_by(counts.c.whose)
            .subquery("moved")
        )


def _afterwards(expiry: Expiry) -> ColumnElement[Any]:
    """Returns when the access of a cell ends afterwards."""
    return cells.c.until if expiry.of_cell else literal(expiry.at, grants.c.expires_at.type)


def _teams_afterwards() -> ColumnElement[Any]:
    """Returns the teams of a cell's grant after they were assigned, as timeline entries hold them."""
    asked = select(team_list(target_teams)).where(_OF_CELL).correlate(cells)
    return case((cells.c.team_class.is_not(None), asked.scalar_subquery()), else_=cells.c.teams)


def _moved(status: GrantStatus, access_type: AccessType | None = None) -> ColumnElement[int]:
    """Returns how many of the counted cells come into a status (and access type), less those that leave it."""
    after = decisions.c.after_status == status.value
    before = decisions.c.before_status.is_not_distinct_from(status.value)
    if access_type is not None:
        after = and_(after, decisions.c.after_access_type == access_type.value)
        before = and_(before, decisions.c.before_access_type.is_not_distinct_from(access_type.value))
    return (cast(after, Integer) - cast(before, Integer)) * literal_column("counted.number", Integer)
