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

import pytest

ROOT = Path(__file__).parents[2]
CURL = "no curl on this machine: install the package curl (Debian: apt-get install curl)"
MEMBERS = """email,first_name,last_name,kind,manager_rights,verified
ada@paper-kite.example,Ada,Kite,EMPLOYEE,EDIT,true
ben@paper-kite.example,Ben,Rook,EMPLOYEE,,true
cleo@paper-kite.example,Cleo,Finch,CONTRACTOR,,true
"""
CLIENTS = """hub_id,official_name,display_name,domain,account_type,managed_mrr,currency
501,Paper Boat Ltd,,boat.example,STANDARD,120.50,EUR
502,Glass Bell Ltd,Bell (retainer),,STANDARD,,
503,Glass Bell Test,,,SANDBOX,,
"""
READY = """cam serve >serve.log 2>&1 &
echo $! >pid
for _ in $(seq 100); do curl -sf http://127.0.0.1:8000/readyz >/dev/null && break; sleep 0.2; done"""


def blocks() -> list[str]:
    """The shell blocks of the section."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## A first session with your own agency")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def test_the_first_session_of_the_readme_gives_access(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(CURL)
        pytest.skip(CURL)
    (tmp_path / "members.csv").write_text(MEMBERS, encoding="utf-8")
    (tmp_path / "clients.csv").write_text(CLIENTS, encoding="utf-8")
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
    answer = json.loads(done.stdout.splitlines()[-1])["data"]["grantAccess"]
    assert answer["userErrors"] == []
    # Ben in two clients; Ada, who asks, is left alone.
    assert answer["operation"]["counts"] == {"applied": 2, "noop": 2, "rejected": 0}
