"""`/healthz`: the process answers. `/readyz`: it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

log = structlog.stdlib.get_logger(__name__)

# A probe that hangs is as bad as one that says no, and orchestrators give up after some seconds.
READY_SECONDS = 5.0
HEADERS = {"Cache-Control": "no-store"}

ReadyCheck = Callable[[], Awaitable[str | None]]
"""Returns None when the service can work, otherwise one sentence for the operator ("The database is not migrated …")."""


def health_routes(ready: ReadyCheck) -> list[Route]:
    """Returns the two probes.

    Args:
        ready: says what keeps the service from working: the database out of reach, migrations missing.
    """

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=HEADERS)

    async def readyz(_request: Request) -> Response:
        reason = await _reason(ready)
        if reason is None:
            return JSONResponse({"status": "ready"}, headers=HEADERS)
        return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503, headers=HEADERS)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


async def _reason(ready: ReadyCheck) -> str | None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            return await ready()
    except Exception:
        # Whatever goes wrong, the answer is no, and the reason stays in the log.
        log.exception("not ready")
        return "The database cannot be reached."
