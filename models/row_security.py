"""Row-level security on PostgreSQL: the second wall between tenants, behind the one place in the resolvers with a tenant filter.

Every table is listed here, either with whose rows its rows are or with the reason why it has no policy. The policies read the
settings that ``models.tenancy`` makes at the beginning of each transaction; a connection without settings finds no rows at all.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from models.operation import CELLS
from models.tenancy import ALL

# In a sub-select each is found out once for a statement and not for each row; without the second cast, ANY would look for a number
# among its rows instead of in the array.
_ALL = f"(SELECT current_setting('cam.partners', true) = '{ALL}')"
_PARTNERS = f"(SELECT string_to_array(nullif(current_setting('cam.partners', true), '{ALL}'), ',')::bigint[])::bigint[]"
_ACCOUNTS = "(SELECT string_to_array(current_setting('cam.accounts', true), ',')::bigint[])::bigint[]"
_SIGNED_IN = "(SELECT current_setting('cam.user', true) <> '')"
_USER = "(SELECT nullif(current_setting('cam.user', true), '')::bigint)"


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose rows the rows of a table are, as SQL conditions on a row of it."""

    own: str
    """Who reads and writes it: for most, the people of the partner that it belongs to."""
    seen: str = ""
    """Who reads it besides: the own people of the account that it is about (section 3, *the client's side*), or everybody."""
    written: str = ""
    """Who may write it so; whoever owns it, if nothing else is said."""

    def statements(self, table: str) -> dict[str, str]:
        """Returns by name the policies that say so."""
        own = f"{_ALL} OR {self.own}"
        check = f"WITH CHECK ({self.written or own})"
        clauses = {"cam_own": f"FOR ALL USING ({own}) {check}"}
        if self.seen:
            # One policy for each kind of statement: in which order PostgreSQL asks several is not said, and this condition costs
            # most.
            clauses = {
                "cam_read": f"FOR SELECT USING ({own} OR {self.seen})",
                "cam_insert": f"FOR INSERT {check}",
                "cam_update": f"FOR UPDATE USING ({own}) {check}",
                "cam_delete": f"FOR DELETE USING ({own})",
            }
        return {name: f'CREATE POLICY {name} ON "{table}" {clause}' for name, clause in clauses.items()}


def _of_partner(column: str = "partner_id") -> str:
    return f"{column} = ANY ({_PARTNERS})"


def _of_account(column: str = "account_id") -> str:
    return f"{column} = ANY ({_ACCOUNTS})"


def _of_user(column: str = "user_id") -> str:
    return f"{column} = {_USER}"


def _with(parent: str, *conditions: str) -> str:
    """Says that there is a row in another table, whose own policy is applied as well."""
    return f'EXISTS (SELECT FROM "{parent}" parent WHERE {" AND ".join(conditions)})'


def _of_partners(parent: str, link: str) -> str:
    """Says that a row belongs to one that is the partners'."""
    return _with(parent, f"parent.id = {link}", _of_partner("parent.partner_id"))


def _of_working_partner(partner: str) -> str:
    """Says that a partner works in one of the accounts."""
    return _with("client", f"parent.partner_id = {partner}", _of_account("parent.account_id"))


def _entry_of_client(block: str) -> str:
    """Says that a block of the timeline has an entry about the client ``parent``; the keys lie together, so an index serves."""
    between = f"entry.id BETWEEN {block} * {CELLS} AND {block} * {CELLS} + {CELLS - 1}"
    return f"EXISTS (SELECT FROM timeline_entry entry WHERE entry.client_id = parent.id AND {between})"


_PARTNERS_OWN = Policy(own=_of_partner())
_PARTNERS_AND_ACCOUNTS = Policy(own=_of_partner(), seen=_of_account())
_USERS_OWN = Policy(own=_of_user())
# The client's own policy leaves out what the account knows nothing of.
_PARTNERS_AND_KNOWING_ACCOUNTS = Policy(
    own=_of_partner(), seen=_with("client", "parent.id = client_id", _of_account("parent.account_id"))
)

POLICIES = {
    "partner": Policy(own=_of_partner("id"), seen=_of_working_partner("partner.id")),
    # All of its people, as the account reads in its timeline who of them asked for a change.
    "member": Policy(own=_of_partner(), seen=_of_working_partner("member.partner_id")),
    # That a partner has merely written down the account's Hub ID is the partner's own business.
    "client": Policy(
        own=_of_partner(),
        seen=f"{_of_account()} AND (confirmed_at IS NOT NULL OR ceiling_id IS NOT NULL"
        f" OR {_with('grant', 'parent.client_id = client.id')})",
    ),
    "grant": _PARTNERS_AND_ACCOUNTS,
    "grant_team": Policy(own=_of_partners("grant", "grant_team.grant_id")),
    "team": Policy(own="false", seen=f"{_of_account()} OR {_with('client', 'parent.account_id = team.account_id')}"),
    "permission_set": Policy(
        own=_of_partner(),
        seen=f"origin = 'BUILT_IN' AND {_SIGNED_IN} OR account_id IS NOT NULL AND"
        f" ({_of_account()} OR {_with('client', 'parent.account_id = permission_set.account_id')})",
    ),
    "permission_set_version": Policy(
        own=_of_partners("permission_set", "permission_set_version.set_id"),
        seen=_with("permission_set", "parent.id = permission_set_version.set_id"),
    ),
    # A client's holds for all who work in its account, so they may know of it.
    "template_lockdown": Policy(
        own=_of_partner(),
        seen=f"account_id IS NOT NULL AND ({_of_account()}"
        f" OR {_with('client', 'parent.account_id = template_lockdown.account_id')})",
    ),
    "template_lockdown_set": Policy(
        own=_of_partners("template_lockdown", "template_lockdown_set.lockdown_id"),
        seen=_with("template_lockdown", "parent.id = template_lockdown_set.lockdown_id"),
    ),
    "operation": Policy(
        own=_of_partner(),
        # Those of its entries that the account sees lie in its first block or in one of the later ones.
        seen=_with(
            "client",
            "parent.partner_id = operation.partner_id",
            _of_account("parent.account_id"),
            _entry_of_client("operation.id"),
        )
        + f" OR {_with('timeline_block', 'parent.operation_id = operation.id')}"
        # The service's own are nobody's; entries of any partner's and account's come of them.
        + f" OR operation.partner_id IS NULL AND {_SIGNED_IN}",
    ),
    "decision": Policy(own=_of_partners("operation", "decision.operation_id")),
    "outcome": Policy(own=_of_partners("operation", "outcome.operation_id")),
    "operation_retry": _PARTNERS_OWN,
    "operation_undo": _PARTNERS_OWN,
    "operation_cancellation": _PARTNERS_OWN,
    "queued_operation": _PARTNERS_OWN,
    "operation_chunk": _PARTNERS_OWN,
    "operation_client": _PARTNERS_OWN,
    "operation_member": _PARTNERS_OWN,
    "operation_pair": _PARTNERS_OWN,
    "scheduled_operation": _PARTNERS_OWN,
    "scheduled_leave": _PARTNERS_OWN,
    "expiry_rule": _PARTNERS_OWN,
    "expiry_hold": _PARTNERS_OWN,
    "expiry_reminder": _PARTNERS_OWN,
    "timeline_entry": _PARTNERS_AND_ACCOUNTS,
    # The service's own chain is nobody's; entries of any partner's come of it.
    "timeline_block": Policy(
        own=_of_partner("chain"),
        seen=f"chain = 0 AND {_SIGNED_IN} OR "
        + _with(
            "client",
            "parent.partner_id = timeline_block.chain",
            _of_account("parent.account_id"),
            _entry_of_client("timeline_block.id"),
        ),
    ),
    "access_link": _PARTNERS_OWN,
    "link_approval": _PARTNERS_AND_ACCOUNTS,
    "confirmation_link": Policy(
        own=_of_partner(),
        seen="answer IS NOT NULL AND "
        + _with("client", "parent.id = confirmation_link.client_id", _of_account("parent.account_id")),
    ),
    "confirmation_link_member": Policy(
        own=_of_partners("confirmation_link", "confirmation_link_member.link_id"),
        seen=_with("confirmation_link", "parent.id = confirmation_link_member.link_id"),
    ),
    "activity_source": _PARTNERS_OWN,
    "activity_event": _PARTNERS_AND_KNOWING_ACCOUNTS,
    "activity_day": _PARTNERS_AND_KNOWING_ACCOUNTS,
    "last_activity": _PARTNERS_AND_KNOWING_ACCOUNTS,
    "asset": _PARTNERS_OWN,
    "asset_holding": Policy(own=_of_partners("client", "asset_holding.client_id")),
    "asset_transfer": Policy(own=_of_partners("operation", "asset_transfer.operation_id")),
    "feedback": Policy(own=f"{_of_partner()} OR {_of_user()}"),
    "permission_issue": _PARTNERS_OWN,
    "hand_off": _PARTNERS_OWN,
    "hand_off_cell": _PARTNERS_OWN,
    "pod": _PARTNERS_OWN,
    "pod_client": _PARTNERS_OWN,
    "pod_member": _PARTNERS_OWN,
    "pod_exclusion": _PARTNERS_OWN,
    "pod_cell": _PARTNERS_OWN,
    "pod_editor": _PARTNERS_OWN,
    "api_token": _USERS_OWN,
    "idempotency_key": _USERS_OWN,
    # What somebody does is told to others by mail; nobody reads it but the one who delivers it.
    "mail": Policy(own="false", written="true"),
}

SHARED = {
    "user": "a person is of no tenant: found by the address wherever somebody adds them",
    "account": "the same for every partner: found by its Hub ID when a partner gets it as a client",
    "permission_state": "contents without a place, which all tenants share",
    "worker": "the processes of the service, seen by one another",
    "wish_vote": "everybody votes for one product, and everybody sees the sums",
    "alembic_version": "the version of the tables",
}
"""The tables without a policy, and why."""


class RowSecurityError(RuntimeError):
    """Row-level security cannot be as it is asked for; the message is one line that says why and what to do."""


def is_on(connection: Connection) -> bool:
    """Says whether row-level security was switched on in this database."""
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.scalar(text("SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('client')")))


def switch_on(connection: Connection, role: str | None = None) -> None:
    """Brings row-level security to what this version says, for the tables that are there; nothing changes when it is.

    Args:
        connection: one of the tables' owner.
        role: the service's, if it is another one: it is given what it needs, also on tables that are made later.

    Raises:
        RowSecurityError: on SQLite, and for a service whose role PostgreSQL lets past every policy.
    """
    if connection.dialect.name != "postgresql":
        raise RowSecurityError(
            "Row-level security is PostgreSQL's, and SQLite has none: leave --rls out, or name a PostgreSQL database in CAM_DATABASE_URL."
        )
    _check_role(connection, role)
    refresh(connection)
    if role is not None:
        _let_in(connection, role)


def refresh(connection: Connection) -> None:
    """Makes the policies what this version says, for the tables that are there, without locking those that are right."""
    secured = dict(_rows(connection, _TABLES))
    known = {(table, name): digest for table, name, digest in _rows(connection, _POLICIES)}
    wanted = {
        (table, name): statement
        for table, policy in POLICIES.items()
        if table in secured
        for name, statement in policy.statements(table).items()
    }
    for table, name in known.keys() - wanted.keys():
        connection.exec_driver_sql(f'DROP POLICY {name} ON "{table}"')
    for (table, name), statement in wanted.items():
        digest = hashlib.sha256(statement.encode()).hexdigest()
        if known.get((table, name)) != digest:
            connection.exec_driver_sql(f'DROP POLICY IF EXISTS {name} ON "{table}"')
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"COMMENT ON POLICY {name} ON \"{table}\" IS '{digest}'")
    for table in POLICIES.keys() & secured.keys():
        if not secured[table]:
            # Without FORCE nothing would hold for the owner of the tables, who the service usually is.
            connection.exec_driver_sql(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY')


def switch_off(connection: Connection) -> None:
    """Takes row-level security away; nothing changes where it never was."""
    if connection.dialect.name != "postgresql":
        return
    for table, name, _ in _rows(connection, _POLICIES):
        connection.exec_driver_sql(f'DROP POLICY {name} ON "{table}"')
    for table, is_secured in _rows(connection, _TABLES):
        if is_secured:
            connection.exec_driver_sql(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY')


def check(connection: Connection) -> None:
    """Refuses to go past row-level security where it is on.

    Raises:
        RowSecurityError: if the role of this connection does.
    """
    if is_on(connection):
        _check_role(connection, None)


_TABLES = (
    "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
    "WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"
)
_POLICIES = (
    "SELECT relname, polname, obj_description(pg_policy.oid, 'pg_policy') FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid "
    "WHERE polname LIKE 'cam\\_%' AND relnamespace = current_schema()::regnamespace"
)
_ROLE = "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = coalesce(:role, current_user)"


def _rows(connection: Connection, statement: str) -> list[Any]:
    return [tuple(row) for row in connection.execute(text(statement))]


def _check_role(connection: Connection, role: str | None) -> None:
    found = connection.execute(text(_ROLE), {"role": role}).one_or_none()
    if found is None:
        raise RowSecurityError(f"There is no role {role}: make it first, CREATE ROLE {role} LOGIN PASSWORD '…'.")
    name, is_superuser, bypasses = found
    if is_superuser or bypasses:
        why = "is a superuser" if is_superuser else "has BYPASSRLS"
        raise RowSecurityError(
            f"The role {name} {why}, so row-level security would not hold for it: make one for the service (CREATE ROLE cam LOGIN "
            "PASSWORD '…' NOSUPERUSER NOBYPASSRLS), run cam migrate --rls --role cam, and name it in the service's CAM_DATABASE_URL."
        )


def _let_in(connection: Connection, role: str) -> None:
    """Gives a role what the service needs on the tables, on those that are made later too, and nothing else."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    schema, to = quote(connection.scalar(text("SELECT current_schema()"))), quote(role)
    rights = (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE, SELECT", "SEQUENCES"))
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {to}")
    for right, kind in rights:
        connection.exec_driver_sql(f"GRANT {right} ON ALL {kind} IN SCHEMA {schema} TO {to}")
        connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {right} ON {kind} TO {to}")
