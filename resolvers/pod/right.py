"""Who may edit pods: a right of its own beside the rights in the manager (P10).

Editing a pod changes access, so EDIT in the manager (F02) is needed as well, and what is given is judged by the editor's own
authority in each client. Applying a pod needs EDIT only: it gives what whoever applies it could give without a pod.
"""

from collections.abc import Sequence

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.dialect import insert_or_ignore
from models.member import MemberStatus, members
from models.pod import pod_editors
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.member import MemberRecord
from resolvers.readable import readable_members
from resolvers.reader import Reader
from resolvers.viewer import Viewer


async def check_editor(connection: AsyncConnection, viewer: Viewer, partner_id: int) -> None:
    """Refuses whoever may not edit the pods of a partner, judged inside the transaction.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER.
    """
    if await check_acting(connection, viewer, partner_id):
        return
    place = viewer.acting(partner_id).member_id
    if await connection.scalar(select(pod_editors.c.member_id).where(pod_editors.c.member_id == place)) is None:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "This needs the right to edit pods: a super admin of the partner account gives it with setPodEditor.",
        )


async def set_pod_editor(
    database: Database, viewer: Viewer, member_id: int | None, *, may: bool, call: IdempotentCall | None = None
) -> int:
    """Gives a person the right to edit pods, or takes it; returns the person's key.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN for anybody but a super admin of the partner, INVALID_INPUT for who has left.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        statement = select(members.c.id, members.c.partner_id, members.c.status)
        known = members.c.id.in_(readable_members(viewer))
        found = (await connection.execute(statement.where(members.c.id == member_id, known))).one_or_none()
        if found is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", "input", "member")
        if not await check_acting(connection, viewer, found.partner_id):
            raise refuse(RefusalCode.FORBIDDEN, "Only a super admin of the partner account says who edits its pods.")
        if may and found.status == MemberStatus.LEFT:
            raise refuse(RefusalCode.INVALID_INPUT, "This person has left the partner.", "input", "member")
        if may:
            row = {"partner_id": found.partner_id, "given_by_id": viewer.user_id, "since": now()}
            await connection.execute(insert_or_ignore(connection, pod_editors).values(member_id=found.id, **row))
        else:
            await connection.execute(delete(pod_editors).where(pod_editors.c.member_id == found.id))
        await remember(session, call, found.id)
    key: int = found.id
    return key


async def pod_editing_by_member(reader: Reader, parents: Sequence[MemberRecord]) -> list[bool]:
    """Says of each person whether they have the right to edit pods, super admins of the partner among them."""
    keys = {parent.id for parent in parents}
    statement = (
        select(members.c.id)
        .outerjoin(pod_editors, pod_editors.c.member_id == members.c.id)
        .where(members.c.id.in_(keys), members.c.id.in_(readable_members(reader.viewer)))
        .where(members.c.status != MemberStatus.LEFT.value)
        .where(or_(members.c.super_admin, pod_editors.c.member_id.is_not(None)))
    )
    found = {row.id for row in await reader.rows(statement)}
    return [parent.id in found for parent in parents]
