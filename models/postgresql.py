"""Connections to PostgreSQL: what each one is opened with, and how many a process keeps."""

import re
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from models.tenancy import begin

POOL_SECONDS = 30
"""How long a request waits for a connection when all are in use."""
UNLESS_SAID = {
    "application_name": "cam",
    "connect_timeout": "5",
    # A machine that is gone does not say so: without these, whoever waits for its answer waits for hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""What a connection is opened with unless the address says otherwise; libpq's own names, as everything in an address is."""
PREPARED_AFTER = 5
"""How often a connection sends a statement before the server keeps its plan; what psycopg does by itself."""

_SEVERAL_HOSTS = re.compile(
    r"(postgres(?:ql)?[^:/]*://(?:[^@/?]*@)?)([^@/?]*,[^@/?]*)((?:/[^?]*)?)(?:\?(.*))?", re.DOTALL
)


def one_host_each(address: str) -> str:
    """Returns an address that names several hosts as libpq has it, ``//one:5432,two:5432/name``, in the form SQLAlchemy reads."""
    matched = _SEVERAL_HOSTS.fullmatch(address)
    if matched is None:
        return address
    start, hosts, path, query = matched.groups()
    named = "&".join(f"host={quote(host, safe=':')}" for host in hosts.split(","))
    return f"{start}{path or '/'}?{f'{query}&' if query else ''}{named}"


def postgresql_engine(url: URL, *, pool_size: int, pooled: bool) -> AsyncEngine:
    """Returns the engine of a PostgreSQL database; it opens nothing yet.

    Args:
        url: the address; what it says of TLS, several hosts or time limits is passed on to libpq.
        pool_size: connections; in a rush twice as many, which stay.
        pooled: a pooler stands between, which gives each transaction another connection of the server: nothing is prepared, since
            the next statement may arrive where nobody knows of it.
    """
    # A file of services says what it wants, and would be overruled.
    missing = {} if "service" in url.query else {name: UNLESS_SAID[name] for name in UNLESS_SAID.keys() - url.query}
    engine = create_async_engine(
        url.update_query_dict(missing),
        connect_args={"prepare_threshold": None if pooled else PREPARED_AFTER},
        # Those of a rush are kept as well: to open one costs the server more than a page of clients.
        pool_size=2 * pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        # The connections of a rush fall idle again, and the server may close them.
        pool_use_lifo=True,
    )
    event.listen(engine.sync_engine, "begin", begin)
    if not pooled:
        event.listen(engine.sync_engine, "before_cursor_execute", _plan_searches_anew)
    return engine


def _plan_searches_anew(connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
    """Keeps no plan of a search: whether the index helps depends on the words, and a kept plan is the same for all words."""
    driver: Any = connection.connection.driver_connection
    driver.prepare_threshold = None if " LIKE " in statement else PREPARED_AFTER
