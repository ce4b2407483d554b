"""Mails and the mail server's password go over TLS, to a server whose certificate is good."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select

from models.database import Database
from models.mail import mails
from resolvers import mail_server
from resolvers.mail_delivery import deliver
from resolvers.mail_server import mail_sender
from tests.life_factory import LifeFactory
from tests.server.mail_catcher import MailCatcher, catching

SENDER = mail_sender("access@example.com")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, with its key in the same file, that nobody has signed but itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine: install the package openssl")
    folder = tmp_path_factory.mktemp("certificate")
    key, file = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return file


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


def url(scheme: str, catcher: MailCatcher) -> str:
    return f"{scheme}://me:hunter2@127.0.0.1:{catcher.port}"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_good_certificate_gets_mail_and_password_over_tls(
    life_factory: LifeFactory,
    certificate: Path,
    context: ssl.SSLContext,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = life_factory.factory.database
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    # As if it were another machine: there, a password needs TLS.
    monkeypatch.setattr(mail_server, "_LOCAL", frozenset())
    await life_factory.mail()
    async with catching(starttls=context) if scheme == "smtp" else catching(tls=context) as catcher:
        catcher.password = "hunter2"
        assert (await deliver(database, mail_server.mail_server(url(scheme, catcher)), SENDER)).sent == 1
    assert catcher.passwords == ["hunter2"]
    assert catcher.over_tls == [True]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_bad_certificate_gets_nothing_and_the_mail_waits(
    life_factory: LifeFactory, database: Database, context: ssl.SSLContext, scheme: str
) -> None:
    await life_factory.mail()
    async with catching(starttls=context) if scheme == "smtp" else catching(tls=context) as catcher:
        assert (await deliver(database, mail_server.mail_server(url(scheme, catcher)), SENDER)).sent == 0
    async with database.read() as connection:
        row = (await connection.execute(select(mails))).one()
    assert (catcher.passwords, catcher.raw, row.given_up_at) == ([], [], None)
    assert "certificate" in row.last_error.lower()
