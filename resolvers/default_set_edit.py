"""People's default permission sets: what each of them is given unless another access is named (F51)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.dialect import lock_keys
from models.member import members
from models.permission_set import permission_sets
from resolvers.acting_partner import check_acting
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.readable import readable_members, readable_permission_sets
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class DefaultSetDraft:
    """Whose default is to be which set."""

    members: Sequence[int | None]
    """People of one partner; None for an id that cannot be read."""
    set_id: int | None
    """None for an id that cannot be read."""
    clear: bool
    """Whether they are to have none instead."""
    place: str
    """Under which name the input lists the people, ``members``, or names the only one, ``member``."""


async def set_default_permission_set(
    database: Database, viewer: Viewer, draft: DefaultSetDraft, call: IdempotentCall | None = None
) -> None:
    """Makes a set the default of people, or clears it: for all of them, or, refused, for nobody.

    Raises:
        RefusedError: NOT_FOUND for the set and for each person that is unknown (T1), FORBIDDEN, NOT_A_PARTNER, INVALID_INPUT for
            people of several partners.
    """
    async with database.write() as session:
        if await remembered(session, call) is not None:
            return
        connection = await session.connection()
        partner_id = await _partner_of(connection, viewer, draft)
        keys = sorted({key for key in draft.members if key is not None})
        # In the order of their keys, as operations lock them, so that the two cannot wait for each other.
        await lock_keys(connection, members, keys)
        await check_acting(connection, viewer, partner_id)
        if not draft.clear:
            await _check_usable(connection, viewer, draft.set_id, partner_id)
        set_id = None if draft.clear else draft.set_id
        await connection.execute(update(members).where(members.c.id.in_(keys)).values(default_permission_set_id=set_id))
        await remember(session, call, keys)


async def _partner_of(connection: AsyncConnection, viewer: Viewer, draft: DefaultSetDraft) -> int:
    """Returns whose people they are, for whom the viewer must be allowed to act."""
    known = select(members.c.id, members.c.partner_id).where(
        members.c.id.in_({key for key in draft.members if key is not None}), members.c.id.in_(readable_members(viewer))
    )
    partner_of = {row.id: row.partner_id for row in await connection.execute(known)}
    single = draft.place == "member"
    refusals = [
        Refusal(
            RefusalCode.NOT_FOUND,
            "There is no such member.",
            ("input", draft.place) if single else ("input", draft.place, str(index)),
        )
        for index, key in enumerate(draft.members)
        if key not in partner_of
    ]
    if refusals:
        raise RefusedError(refusals)
    found = set(partner_of.values())
    for partner_id in sorted(found):
        viewer.acting(partner_id)
    if len(found) != 1:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "These people belong to different partners: make one request for each partner.",
            "input",
            draft.place,
        )
    return int(found.pop())


async def _check_usable(connection: AsyncConnection, viewer: Viewer, set_id: int | None, partner_id: int) -> None:
    """Refuses a set that people of a partner cannot be given everywhere: it must be built in, or the partner's own."""
    sets = permission_sets.c
    usable = select(sets.partner_id).where(
        sets.id == set_id,
        sets.archived_at.is_(None),
        sets.account_id.is_(None),
        sets.id.in_(readable_permission_sets(viewer)),
    )
    found = (await connection.execute(usable)).one_or_none()
    if found is None or found.partner_id not in {None, partner_id}:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such permission set: take an id from partner.permissionSets.",
            "input",
            "permissionSet",
        )
