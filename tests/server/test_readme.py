"""README's first session, run to the letter: a newcomer's first minutes must not end in refusals."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CURL = "no curl on this machine: install the package curl (Debian: apt-get install curl)"
READY = """cam serve >serve.log 2>&1 &
echo $! >pid
for _ in $(seq 100); do curl -sf http://127.0.0.1:8000/readyz >/dev/null && break; sleep 0.2; done"""


def blocks() -> list[str]:
    """The shell blocks of the session."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    session = text.partition("## A first session with your own agency")[2].partition("\n## Who may do what")[0]
    return re.findall(r"```sh\n(.*?)```", session, re.DOTALL)


def answers(printed: str) -> dict[str, Any]:
    """The fields of all GraphQL answers among what was printed."""
    # curl prints no line break after its answer.
    found = [json.JSONDecoder().raw_decode(line)[0] for line in printed.splitlines() if line.startswith("{")]
    return {name: value for answer in found for name, value in answer["data"].items()}


def test_the_session_of_the_readme_gives_access_and_takes_it_away(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(CURL)
        pytest.skip(CURL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = "\n".join(["set -eu", *blocks()])
    assert script.count(". .venv/bin/activate") == script.count("cam serve &") == 1
    script = script.replace(". .venv/bin/activate", "").replace("cam serve &", READY).replace(":8000", f":{port}")
    (tmp_path / "cam").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m server "$@"\n')
    (tmp_path / "cam").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAM_")}
    environment |= {"PATH": f"{tmp_path}:{environment['PATH']}", "CAM_PORT": port}
    try:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    finally:
        if (tmp_path / "pid").exists():
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    assert done.returncode == 0, done.stderr
    told = answers(done.stdout)
    assert [name for name, answer in told.items() if answer["userErrors"]] == []
    # Ben in two clients; Ada, who asks, is left alone.
    assert told["grantAccess"]["operation"]["counts"] == {"applied": 2, "noop": 2, "rejected": 0}
    assert told["approveAccessLink"]["answer"] == "APPROVED"
    assert re.search(r"\twaiting\t.*\tben@paper-kite.example\t", done.stdout)
    # Super admin in one client; partner admin by the link in the other already.
    assert told["migrateToPartnerAdmin"]["operation"]["counts"] == {"applied": 1, "noop": 1, "rejected": 0}
    assert told["removeMember"]["member"]["status"] == "LEFT"
    assert told["removeMember"]["operation"]["counts"] == {"applied": 2, "noop": 0, "rejected": 0}
