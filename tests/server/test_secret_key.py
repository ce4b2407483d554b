"""The secret key: set, or kept beside the SQLite file, the same at every start and in every process."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.secret_key import secret_key
from server.setting import SettingError, Settings
from tests.server.test_command_serve import PATIENCE, serving


def settings(folder: Path, url: str | None = None, secret_key: str | None = None) -> Settings:
    return Settings(database_url=url or f"sqlite:///{folder / 'cam.sqlite3'}", secret_key=secret_key)


def test_a_key_that_is_set_is_the_key(tmp_path: Path) -> None:
    assert secret_key(settings(tmp_path, secret_key="ß" * 32)) == ("ß" * 32).encode()
    assert list(tmp_path.iterdir()) == []


def test_beside_an_sqlite_file_a_key_is_made_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    key = secret_key(settings(tmp_path / "new"))
    (file,) = (tmp_path / "new").iterdir()
    assert file.name == "cam.sqlite3.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(key) == 64
    assert file.read_bytes() == key + b"\n"
    assert secret_key(settings(tmp_path / "new")) == key
    assert secret_key(settings(tmp_path)) != key


def test_an_address_with_options_has_its_key_beside_the_file_too(tmp_path: Path) -> None:
    key = secret_key(settings(tmp_path))
    uri = f"sqlite:///file:{tmp_path / 'cam.sqlite3'}?mode=ro&uri=true"
    assert secret_key(settings(tmp_path, uri)) == key


def test_threads_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    """Nobody reads half a key, and nobody's is overwritten."""
    for number in range(20):
        folder = tmp_path / str(number)
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(lambda folder: secret_key(settings(folder)), [folder] * 8))
        assert len(keys) == 1
        assert [file.name for file in folder.iterdir()] == ["cam.sqlite3.key"]


def test_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    script = (
        "import sys; from server.secret_key import secret_key; from server.setting import Settings;"
        "settings = Settings(database_url=sys.argv[1]); sys.stdin.readline(); print(secret_key(settings).decode())"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{tmp_path / 'cam.sqlite3'}"]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, cwd=Path(__file__).parents[2], stdin=pipe, stdout=pipe, text=True) for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=PATIENCE)[0].strip() for process in started}
    assert len(keys) == 1
    assert len(keys.pop()) == 64


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cam.sqlite3.key"
    file.write_bytes(content)
    with pytest.raises(SettingError) as caught:
        secret_key(settings(tmp_path))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == content


def test_where_no_file_can_be_kept_the_message_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "cam.sqlite3.key").mkdir()
    with pytest.raises(SettingError, match=r"cam\.sqlite3\.key: Is a directory\. Set CAM_SECRET_KEY_FILE instead\.$"):
        secret_key(settings(tmp_path))


def test_with_postgresql_the_service_does_not_start_without_a_key(tmp_path: Path) -> None:
    """One line, before anything is written or printed; commands that need no key do not ask for one."""
    url = "postgresql://nobody:hunter2@127.0.0.1:1/cam"
    with serving(tmp_path, "--migrate", CAM_DATABASE_URL=url) as process:
        assert process.wait(PATIENCE) == 1
        assert process.stdout is not None
        assert process.stdout.read() == ""
    (line,) = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith("cam: With PostgreSQL the key ")
    assert "openssl rand -base64 48" in line
    assert "CAM_SECRET_KEY_FILE" in line
    assert "hunter2" not in line
    environment = {**os.environ, "CAM_DATABASE_URL": url}
    command = [sys.executable, "-m", "server", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, "CAM_SECRET_KEY" in done.stderr) == (1, False)
    assert "cannot be used: connection failed" in done.stderr
