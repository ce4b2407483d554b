"""ClientsPage by hand: three SQL statements and dicts, the limit of what Python can do on SQLite."""

import base64
import sqlite3
from typing import Any

from benchmarks.peer.population import ACTOR
from resolvers.client_order import BY_NAME
from resolvers.cursor import encode_cursor

SIZE, PEOPLE = 25, 5

_TOTAL = "SELECT count(*) FROM client WHERE partner_id = 1"
_CLIENTS = """
    SELECT client.id, coalesce(client.display_name, account.official_name), account.hub_id,
        coalesce(own.access_type, 'NONE'), client.active_people, client.sort_name
    FROM client JOIN account ON account.id = client.account_id
    LEFT JOIN "grant" AS own ON own.client_id = client.id AND own.member_id = ? AND own.ended = 0
        AND own.status = 'ACTIVE'
    WHERE client.partner_id = 1 ORDER BY client.sort_name, client.id LIMIT ?
"""
_GRANTS = """
    SELECT g.client_id, g.id, g.access_type, g.status, member.id, user.id, member.first_name || ' ' || member.last_name,
        user.email, permission_set.id, permission_set.name
    FROM client
    JOIN "grant" AS g ON g.id IN (
        SELECT id FROM "grant" AS one WHERE one.client_id = client.id AND one.ended = 0 ORDER BY one.member_id LIMIT ?
    )
    JOIN member ON member.id = g.member_id JOIN user ON user.id = member.user_id
    LEFT JOIN permission_set_version AS given ON given.id = g.set_version_id
    LEFT JOIN permission_set ON permission_set.id = given.set_id
    WHERE client.id IN ({}) ORDER BY g.client_id, g.member_id
"""


def connect(file: str) -> sqlite3.Connection:
    """Returns a connection like those of the service."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _id(type_name: str, key: int) -> str:
    return base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).decode().rstrip("=")


def clients_page(connection: sqlite3.Connection) -> dict[str, Any]:
    """Returns the data of the first page."""
    connection.execute("BEGIN")
    total = connection.execute(_TOTAL).fetchone()[0]
    rows = connection.execute(_CLIENTS, (ACTOR, SIZE + 1)).fetchall()
    page = rows[:SIZE]
    statement = _GRANTS.format(", ".join("?" * len(page)))
    people = connection.execute(statement, (PEOPLE, *(row[0] for row in page))).fetchall()
    connection.execute("COMMIT")
    by_client: dict[int, list[dict[str, Any]]] = {row[0]: [] for row in page}
    for client, grant, access_type, status, member, user, name, email, set_id, set_name in people:
        by_client[client].append(
            {
                "id": _id("Grant", grant),
                "accessType": access_type,
                "status": status,
                "member": {
                    "id": _id("Member", member),
                    "user": {"id": _id("User", user), "name": name, "email": email},
                },
                "permissionSet": None if set_id is None else {"id": _id("PermissionSet", set_id), "name": set_name},
            }
        )
    cursors = [encode_cursor(BY_NAME.name, BY_NAME.kind, row[5], row[0]) for row in (page[0], page[-1])]
    nodes = [
        {
            "id": _id("Client", row[0]),
            "displayName": row[1],
            "hubId": str(row[2]),
            "viewerAccessType": row[3],
            "totalEmployees": row[4],
            "grants": {"nodes": by_client[row[0]]},
        }
        for row in page
    ]
    info = {
        "hasNextPage": len(rows) > SIZE,
        "hasPreviousPage": False,
        "startCursor": cursors[0],
        "endCursor": cursors[1],
    }
    return {"partner": {"clients": {"totalCount": total, "pageInfo": info, "nodes": nodes}}}
