"""A service of its own and a browser with the network closed, for every test of this room."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Route, WebSocketRoute, async_playwright

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
HOW_TO_GET_IT = (
    "no Chromium on this machine: install the package chromium (Debian: apt-get install chromium), "
    "or name a Chrome or Chromium program in CAM_CHROMIUM"
)
START_SECONDS = 90

Scheme = Literal["light", "dark"]


def chromium() -> str | None:
    """The program to drive: the one named, or one that the machine has."""
    named = os.environ.get("CAM_CHROMIUM")
    candidates = [named] if named else ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    return next((found for name in candidates if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    of_browser = [item for item in items if item.get_closest_marker("browser")]
    if not of_browser or chromium():
        return
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.exit(HOW_TO_GET_IT, returncode=3)
    for item in of_browser:
        item.add_marker(pytest.mark.skip(reason=HOW_TO_GET_IT))


@dataclass(frozen=True)
class Service:
    """Where the service under test answers, and a token that it accepts for reading and writing."""

    url: str
    token: str


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server process on a new demo database; CAM_TEST_URL and CAM_TEST_TOKEN name a running one instead."""
    if url := os.environ.get("CAM_TEST_URL"):
        yield Service(url.rstrip("/"), os.environ["CAM_TEST_TOKEN"])
        return
    folder = tmp_path_factory.mktemp("service")
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CAM_")},
        "CAM_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'cam.sqlite3'}",
        "CAM_HOST": "127.0.0.1",
        "CAM_PORT": str(port),
    }
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--migrate", "--demo-if-new"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, process, log)
            # The tokens of the demo's people are printed before anything is served.
            token = re.search(r"cam_\w+", log.read_text(encoding="utf-8"))
            assert token, "`cam serve --demo-if-new` names nobody to sign in as"
            yield Service(url, token[0])
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if httpx2.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the service did not get ready:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests, which can reach nothing but this machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--font-render-hinting=none",
                "--force-color-profile=srgb",
            ],
        )
        yield browser
        await browser.close()


@dataclass
class Watch:
    """What a page must not do: ask another host, break the content security policy, fail in a script."""

    own: str
    other_hosts: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def request(self, route: Route) -> None:
        if self.is_own(route.request.url):
            await route.continue_()
        else:
            self.other_hosts.append(route.request.url)
            await route.abort()

    async def socket(self, socket: WebSocketRoute) -> None:
        if self.is_own(socket.url):
            socket.connect_to_server()
        else:
            self.other_hosts.append(socket.url)
            await socket.close()

    def is_own(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"data", "blob"} or parts.netloc == self.own

    def violation(self, text: str) -> None:
        self.violations.append(text)

    def console(self, message: ConsoleMessage) -> None:
        # A worker has no document whose event could be heard.
        if "Content Security Policy" in message.text:
            self.violations.append(message.text)

    def error(self, error: Error) -> None:
        self.errors.append(str(error))

    def assert_clean(self) -> None:
        seen = {"other hosts": self.other_hosts, "policy": self.violations, "scripts": self.errors}
        assert not any(seen.values()), f"the page did what it must not: {seen}"


@asynccontextmanager
async def watched_page(browser: Browser, service: Service, scheme: Scheme) -> AsyncIterator[Page]:
    """A page in a context of its own; at the end it must have kept to its host, its policy and its senses."""
    watch = Watch(urlsplit(service.url).netloc)
    context = await browser.new_context(
        base_url=service.url,
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": 1440, "height": 900},
    )
    try:
        await context.route("**/*", watch.request)
        await context.route_web_socket("**/*", watch.socket)
        await context.expose_function("reportViolation", watch.violation)
        await context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " reportViolation(`${event.violatedDirective} ${event.blockedURI}`))"
        )
        page = await context.new_page()
        page.on("console", watch.console)
        page.on("pageerror", watch.error)
        yield page
    finally:
        await context.close()
    watch.assert_clean()


@pytest.fixture
async def page(browser: Browser, service: Service) -> AsyncIterator[Page]:
    async with watched_page(browser, service, "light") as page:
        yield page


@pytest.fixture
async def dark_page(browser: Browser, service: Service) -> AsyncIterator[Page]:
    async with watched_page(browser, service, "dark") as page:
        yield page


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where the tests leave what they saw, for a person to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES
