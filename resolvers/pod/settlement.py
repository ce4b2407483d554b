"""Giving and taking away what a pod gives: operations of the pipeline, under the authority of whoever changes or applies it (P09).

The pod gives its set whole or not at all (STRICT): what whoever acts could give only in part is rejected, stays listed as not given,
and can be tried again by somebody with more. Who has access of their own in a client keeps it as it is. What is taken away was
reviewed before (F38); what was not, or must stay for the moment, is left over until it can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.dialect import empty_temporary
from models.operation import OperationKind, OutcomeStatus, RuleMode, operations
from models.outcome import outcomes
from models.permission_set import permission_sets
from models.pod import pod_cells
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall
from resolvers.issuer import Issuer
from resolvers.operation import cell
from resolvers.operation.execute import DryRun, preview_in, run
from resolvers.operation.request import FromSet, OperationRequest, Pairs, Reassignment, Removal, WriteOptions
from resolvers.pod.group import pairs_of, release
from resolvers.pod.hold import is_held, is_shared, living_grant
from resolvers.viewer import Viewer

_CELL = pod_cells.c


@dataclass(frozen=True, slots=True)
class PodOptions:
    """How a change of a pod is carried out."""

    issuer: Issuer
    review_token: str | None = None
    """Of the review of what is taken away (F38); None leaves it over."""
    reassign: tuple[Reassignment, ...] = ()
    accept_lockout: bool = False
    dry_run: bool = False
    reason: str | None = None
    call: IdempotentCall | None = None


@dataclass(slots=True)
class Settlement:
    """The operations of one change of a pod, one after the other in its transaction."""

    session: AsyncSession
    viewer: Viewer
    pod: Row[Any]
    options: PodOptions
    operation_ids: list[int] = field(default_factory=list)
    dry_runs: list[DryRun] = field(default_factory=list)

    async def take_away(self) -> None:
        """Removes the access that has left the pod and that nobody else's doing has a part in, as far as it was reviewed."""
        if self.options.review_token is None:
            return
        await self._remove(await self._cells(_CELL.leaving, is_held(pod_cells), ~is_shared(pod_cells)), atomic=False)
        await release(await self.session.connection(), self.pod)

    async def take_all(self) -> bool:
        """Removes all access of the pod, or, if any of it cannot be, nothing; says whether there is none any more.

        Raises:
            RefusedError: INVALID_INPUT, if there is any and it was not reviewed.
        """
        cells = await self._cells(is_held(pod_cells), ~is_shared(pod_cells))
        if not cells:
            return True
        if self.options.review_token is None:
            if self.options.dry_run:
                return False
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "The pod has given access. Ask with dryRun first: the review lists it, with the assets, and its token belongs here.",
                "input",
                "reviewToken",
            )
        operation_id = await self._remove(cells, atomic=True)
        if operation_id is None:
            return False
        connection = await self.session.connection()
        counts = select(operations.c.total == operations.c.applied).where(operations.c.id == operation_id)
        return bool(await connection.scalar(counts))

    async def give(self, *conditions: ColumnElement[bool]) -> None:
        """Gives the pod's set: to whom has nothing of it, of the cells for which the conditions hold.

        Raises:
            RefusedError: CONFLICT, if the set cannot be given any more.
        """
        await self._join()
        cells = await self._cells(~_CELL.leaving, ~is_held(pod_cells), *conditions)
        operation_id = await self._operate(OperationKind.GRANT, cells)
        if operation_id is not None:
            values = {"grant_id": outcomes.c.grant_id, "set_id": self.pod.set_id}
            await self._note(operation_id, values)

    async def change(self) -> None:
        """Brings what the pod gave of its former set to its set; what another pod gives as well stays that one's.

        Raises:
            RefusedError: CONFLICT, as ``give``.
        """
        connection = await self.session.connection()
        former = (~_CELL.leaving, _CELL.set_id != self.pod.set_id, is_held(pod_cells))
        ours = update(pod_cells).where(_CELL.pod_id == self.pod.id, *former, is_shared(pod_cells))
        await connection.execute(ours.values(grant_id=None, set_id=None))
        operation_id = await self._operate(OperationKind.CHANGE, await self._cells(*former))
        if operation_id is not None:
            await self._note(operation_id, {"set_id": self.pod.set_id})

    async def left_over(self) -> set[int]:
        """Returns the keys of the access that has left the pod and is still there."""
        return {row.grant_id for row in await self._cells(_CELL.leaving, is_held(pod_cells), ~is_shared(pod_cells))}

    async def all_given(self) -> set[int]:
        """Returns the keys of the access that taking all away would end."""
        return {row.grant_id for row in await self._cells(is_held(pod_cells), ~is_shared(pod_cells))}

    async def _cells(self, *conditions: ColumnElement[bool]) -> Sequence[Row[Any]]:
        connection = await self.session.connection()
        statement = select(_CELL.member_id, _CELL.client_id, _CELL.grant_id).where(_CELL.pod_id == self.pod.id)
        found: Sequence[Any] = (await connection.execute(statement.where(*conditions).order_by(_CELL.id))).all()
        return found

    async def _join(self) -> None:
        """Takes part in what another pod gives of the same set: it stays until the last of them takes it away.

        What the other was still to take away, it is not any more.
        """
        connection = await self.session.connection()
        other = pod_cells.alias("joined_cell")
        shared = (
            select(other.c.grant_id)
            .where(other.c.grant_id == living_grant(pod_cells), other.c.set_id == self.pod.set_id)
            .where(other.c.pod_id != self.pod.id, is_held(other))
            .limit(1)
            .correlate(pod_cells)
            .scalar_subquery()
        )
        joining = update(pod_cells).where(_CELL.pod_id == self.pod.id, ~_CELL.leaving, ~is_held(pod_cells))
        values = {"grant_id": shared, "set_id": self.pod.set_id}
        await connection.execute(joining.where(shared.is_not(None)).values(values))
        ours = pod_cells.alias("own_cell")
        wanted = select(ours.c.grant_id).where(
            ours.c.pod_id == self.pod.id, ~ours.c.leaving, ours.c.grant_id.is_not(None)
        )
        kept = delete(pod_cells).where(_CELL.leaving, _CELL.pod_id != self.pod.id, _CELL.grant_id.in_(wanted))
        await connection.execute(kept)

    async def _remove(self, cells: Sequence[Row[Any]], *, atomic: bool) -> int | None:
        removal = Removal(self.options.issuer, self.options.review_token or "", self.options.reassign)
        return await self._operate(OperationKind.REMOVE, cells, removal=removal, atomic=atomic)

    async def _operate(
        self, kind: OperationKind, cells: Sequence[Row[Any]], removal: Removal | None = None, *, atomic: bool = False
    ) -> int | None:
        """Carries an operation out and returns its key; None where there is nothing to do, and for a dry run."""
        if not cells:
            return None
        connection = await self.session.connection()
        if removal is None:
            await self._check_set(connection)
        request = OperationRequest(
            kind=kind,
            targets=Pairs(pairs_of(cells), listed=False),
            access=None if removal else FromSet(self.pod.set_id),
            removal=removal,
            # Tried again by itself it would give what no pod knows of: applyPod does.
            repeatable=False,
            options=WriteOptions(
                dry_run=self.options.dry_run,
                atomic=atomic,
                mode=RuleMode.CLAMP if removal else RuleMode.STRICT,
                accept_lockout=self.options.accept_lockout,
                include_self=removal is not None,
                reason=self.options.reason,
            ),
        )
        # Of an operation before in the same transaction.
        await empty_temporary(connection, *cell.TEMPORARY, *cell.OF_REMOVAL)
        if self.options.dry_run:
            self.dry_runs.append(await preview_in(connection, self.viewer, request))
            return None
        operation_id = await run(self.session, self.viewer, request)
        self.operation_ids.append(operation_id)
        return operation_id

    async def _check_set(self, connection: AsyncConnection) -> None:
        archived = select(permission_sets.c.archived_at).where(permission_sets.c.id == self.pod.set_id)
        if await connection.scalar(archived) is not None:
            raise refuse(
                RefusalCode.CONFLICT,
                "The pod's permission set was deleted, and cannot be given any more: choose another one with updatePod.",
                "input",
                "pod",
            )

    async def _note(self, operation_id: int, values: dict[str, Any]) -> None:
        """Writes down what an operation has done for the pod."""
        connection = await self.session.connection()
        await connection.execute(
            update(pod_cells)
            .where(_CELL.pod_id == self.pod.id, outcomes.c.operation_id == operation_id)
            .where(outcomes.c.client_id == _CELL.client_id, outcomes.c.member_id == _CELL.member_id)
            .where(outcomes.c.status == OutcomeStatus.APPLIED.value)
            .values(values)
        )
