"""A client that speaks to the toy application in this process."""

import io
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest
import structlog
from starlette.applications import Starlette

from server.log import configure_log
from tests.server.toy import toy_app

StartLog = Callable[[str, io.StringIO], None]


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> Iterator[None]:
    """A developer's own CAM_ variables must not change what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("CAM_"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    return toy_app(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
async def client(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield http


@pytest.fixture
def start_log() -> Iterator[StartLog]:
    """Configures the log for one test; what pytest has set up comes back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    quiet = [logging.getLogger(name) for name in ("uvicorn.access", "strawberry.execution")]

    def start(log_format: str, stream: io.StringIO) -> None:
        configure_log(log_format, "info", stream)
        # The client of the tests logs the addresses it asks for.
        logging.getLogger("httpx2").setLevel(logging.WARNING)

    yield start
    root.handlers, root.level = handlers, level
    for logger in quiet:
        logger.disabled = False
    structlog.reset_defaults()


@pytest.fixture
def lines(start_log: StartLog) -> io.StringIO:
    """The log of one test, as lines of JSON."""
    stream = io.StringIO()
    start_log("json", stream)
    return stream
