"""Pods: all of each is one agency's, its cells follow from its groups, and what it gave is access of just these people there (P09)."""

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, exists, literal, or_, select, union_all

from models.client import clients
from models.grant import grants
from models.member import members
from models.permission_set import permission_sets
from models.pod import pod_cells, pod_clients, pod_editors, pod_exclusions, pod_members, pods
from resolvers.consistency.check import Check, differ, selected


def _elsewhere(rows: Table) -> ColumnElement[bool]:
    """Says whether a pod has a row that names another agency, or another agency's client or person."""
    wrong = [rows.c.partner_id != pods.c.partner_id]
    if "client_id" in rows.c:
        ours = exists().where(clients.c.id == rows.c.client_id, clients.c.partner_id == pods.c.partner_id)
        wrong.append(~ours.correlate(rows, pods))
    if "member_id" in rows.c:
        ours = exists().where(members.c.id == rows.c.member_id, members.c.partner_id == pods.c.partner_id)
        wrong.append(~ours.correlate(rows, pods))
    return exists().where(rows.c.pod_id == pods.c.id, or_(*wrong)).correlate(pods)


def _places() -> Check:
    foreign_set = or_(
        permission_sets.c.account_id.is_not(None),
        and_(permission_sets.c.partner_id.is_not(None), permission_sets.c.partner_id != pods.c.partner_id),
    )
    parts = (pod_clients, pod_members, pod_exclusions, pod_cells)
    return Check(
        "pods",
        "each pod is of one agency, with its set, clients and people",
        [pods, *parts],
        selected(
            select(pods.c.id)
            .join(permission_sets, permission_sets.c.id == pods.c.set_id)
            .where(or_(foreign_set, *(_elsewhere(part) for part in parts)))
            .order_by(pods.c.id),
            lambda row: f"pod {row.id}: its set, clients or people are another agency's",
        ),
    )


def _cells() -> Check:
    cell, in_client, in_member, out = pod_cells.c, pod_clients.c, pod_members.c, pod_exclusions.c
    excluded = exists().where(
        out.pod_id == in_client.pod_id, out.client_id == in_client.client_id, out.member_id == in_member.member_id
    )
    wanted = (
        select(in_client.pod_id, in_client.client_id, in_member.member_id)
        .join(pod_members, in_member.pod_id == in_client.pod_id)
        .where(~excluded.correlate(pod_clients, pod_members))
        .subquery("wanted")
    )
    same = and_(
        wanted.c.pod_id == cell.pod_id, wanted.c.client_id == cell.client_id, wanted.c.member_id == cell.member_id
    )
    lacks = select(wanted, literal("there is no cell of it").label("fault")).where(
        ~exists().where(same, ~cell.leaving).correlate(wanted)
    )
    names = (cell.pod_id, cell.client_id, cell.member_id)
    beyond = select(*names, literal("it is not in the groups").label("fault")).where(
        ~cell.leaving, ~select(wanted.c.pod_id).where(same).correlate(pod_cells).exists()
    )
    return Check(
        "pod_cells",
        "the cells of each pod are what its groups and exclusions say",
        [pod_cells],
        selected(
            union_all(lacks, beyond),
            lambda row: f"{_name(row)}: {row.fault}",
        ),
    )


def _grants() -> Check:
    cell = pod_cells.c
    other = differ((cell.client_id, grants.c.client_id), (cell.member_id, grants.c.member_id))
    return Check(
        "pod_grants",
        "what a pod gave is access of that person in that client",
        [pod_cells],
        selected(
            select(cell.pod_id, cell.client_id, cell.member_id)
            .join(grants, grants.c.id == cell.grant_id)
            .where(other)
            .order_by(cell.id),
            lambda row: f"{_name(row)}: what it gave is somebody else's access",
        ),
    )


def _editors() -> Check:
    return Check(
        "pod_editors",
        "who edits pods edits those of their own agency",
        [pod_editors],
        selected(
            select(members.c.id)
            .join(pod_editors, pod_editors.c.member_id == members.c.id)
            .where(members.c.partner_id != pod_editors.c.partner_id)
            .order_by(members.c.id),
            lambda row: f"member {row.id}: edits pods of another agency",
        ),
    )


def _name(row: Any) -> str:
    return f"pod {row.pod_id}, client {row.client_id}, member {row.member_id}"


POD_CHECKS = (_places(), _cells(), _grants(), _editors())
