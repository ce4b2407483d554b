"""`cam serve` as a process: what it prints, that it answers, and how it stops."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

PATIENCE = 60.0


@contextmanager
def serving(folder: Path, *options: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CAM_")}
    environment |= {"CAM_DATABASE_URL": f"sqlite:///{folder / 'new' / 'cam.sqlite3'}", "CAM_PORT": "0", **settings}
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_of(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def until_it_answers(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if httpx2.get(f"{url.removesuffix('/graphql')}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    pytest.fail("The service does not answer.")


def test_a_new_file_is_migrated_filled_and_served_and_each_demo_person_can_sign_in(tmp_path: Path) -> None:
    with serving(tmp_path, "--migrate", "--demo-if-new") as process:
        first, _, *people = lines_of(process, 10)
        url = first.rpartition(" ")[2]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/graphql", url)
        until_it_answers(url)
        for line in people:
            token, email = re.findall(r"(cam_\w+)  (\S+@\S+\.example): ", line)[0]
            answer = httpx2.post(
                url, json={"query": "{ viewer { user { email } } }"}, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.json()["data"] == {"viewer": {"user": {"email": email}}}
        refused = httpx2.post(
            url, json={"query": "{ viewer { user { email } } }"}, headers={"Authorization": "Bearer cam_unknown"}
        )
        assert refused.status_code == 401
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        log = (tmp_path / "log.txt").read_text(encoding="utf-8")
        assert "Traceback" not in log
        assert token not in log
    # The uses that were remembered are written when the service stops.
    connection = sqlite3.connect(tmp_path / "new" / "cam.sqlite3")
    used, made = connection.execute("SELECT count(last_used_at), count(*) FROM api_token").fetchone()
    connection.close()
    assert used == made == 8


def test_an_address_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with serving(tmp_path, "--migrate", CAM_PORT=str(taken.getsockname()[1])) as process:
            assert process.wait(PATIENCE) == 1
    (line,) = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert "Cannot listen on 127.0.0.1" in line
    assert "CAM_PORT" in line
    assert not (tmp_path / "new").exists()


def test_a_read_only_file_is_one_line(tmp_path: Path) -> None:
    with serving(tmp_path, "--migrate", "--demo-if-new") as process:
        lines_of(process, 1)
    # Root may write whatever the file's mode says, so SQLite itself is told that it may not.
    url = f"sqlite:///file:{tmp_path / 'new' / 'cam.sqlite3'}?mode=ro&uri=true"
    with serving(tmp_path, "--migrate", CAM_DATABASE_URL=url) as process:
        assert process.wait(PATIENCE) == 1
    (line,) = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert "read-only" in line
