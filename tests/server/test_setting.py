"""Settings: where they come from, and how a wrong one is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from resolvers.mail_server import mail_sender, mail_server
from server.setting import ALLOWED, SettingError, Settings, load_settings


def test_the_defaults_serve_this_machine_only() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.address) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert settings.database_url == "sqlite+aiosqlite:///data/cam.sqlite3"
    assert (settings.body_limit, settings.query_cost_limit) == (10 * 2**20, 20_000)
    assert settings.public_url is None


def test_a_body_carries_the_clients_of_the_whole_ecosystem() -> None:
    """55,000 rows of importClients fit into one request of the default size."""
    row = '40000001,"Müller & Söhne Handelsgesellschaft mbH",Müller Handel,mueller-handel.example,STANDARD,1250.00,EUR\r\n'
    assert len(row.encode()) * 55_000 * 1.1 < Settings().body_limit


def test_the_environment_sets_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CAM_HOST": "::1",
        "CAM_PORT": "8080",
        "CAM_DATABASE_URL": "postgresql://me:secret@db/cam",
        "CAM_LOG_FORMAT": "JSON",
        "CAM_LOG_LEVEL": "Warning",
        "CAM_BODY_LIMIT": "1MiB",
        "CAM_PUBLIC_URL": "",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.address == "http://[::1]:8080"
    assert settings.database_url == "postgresql+psycopg://me:secret@db/cam"
    assert (settings.log_format, settings.log_level, settings.body_limit) == ("json", "warning", 2**20)
    assert settings.public_url is None
    assert "secret" not in repr(settings)


def test_the_public_address_is_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_PUBLIC_URL", "https://access.example.com/")
    assert load_settings().address == "https://access.example.com"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CAM_PORT", "eighty"),
        ("CAM_PORT", "70000"),
        ("CAM_HOST", "x" * 300),
        ("CAM_DATABASE_URL", "mysql://me:hunter2@db/cam"),
        ("CAM_DATABASE_URL", "hunter2"),
        ("CAM_PUBLIC_URL", "access.example.com"),
        ("CAM_PUBLIC_URL", "https://access.example.com/path"),
        ("CAM_PUBLIC_URL", "https://me:hunter2@access.example.com"),
        ("CAM_LOG_FORMAT", "xml"),
        ("CAM_LOG_LEVEL", "loud"),
        ("CAM_BODY_LIMIT", "1KiB"),
        ("CAM_BODY_LIMIT", "much"),
        ("CAM_QUERY_COST_LIMIT", "0"),
        ("CAM_STALLED_AFTER", "1"),
        ("CAM_STALLED_AFTER", "soon"),
        ("CAM_WORK_QUEUE", "sometimes"),
        ("CAM_SECRET_KEY", "hunter2"),
        ("CAM_SECRET_KEY", "k" * 31),
        ("CAM_LINK_URL", "access.example.com/link"),
        ("CAM_LINK_URL", "https://access.example.com/link#here"),
        ("CAM_LINK_URL", "https://me:hunter2@access.example.com/link"),
        ("CAM_SURVEY_URL", "javascript:alert(1)"),
        ("CAM_SURVEY_URL", "https://me:hunter2@survey.example.com/"),
        ("CAM_SMTP_URL", "mail.example.com"),
        ("CAM_SMTP_URL", "https://me:hunter2@mail.example.com"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@mail.example.com/path"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@mail.example.com?starttls=no"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@"),
        ("CAM_SMTP_URL", "smtp://hunter2@mail.example.com"),
        ("CAM_SMTP_URL", "smtp://:hunter2@mail.example.com"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@mail.example.com:port"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@mail.example.com:70000"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@[mail.example.com"),
        ("CAM_SMTP_URL", "smtp://me:hunter2@mail.example.com:0"),
        ("CAM_SMTP_URL", "smtp://ho st"),
        ("CAM_SMTP_URL", "smtp://a_b!"),
        ("CAM_SMTP_URL", "smtp://mail..example.com"),
        ("CAM_SMTP_URL", "smtp://-mail.example.com"),
        ("CAM_SMTP_URL", "smtp://mail.example.com%20"),
        ("CAM_SMTP_URL", "smtp://999.1.1.1"),
        ("CAM_SMTP_URL", f"smtp://{'m' * 64}.example.com"),
        ("CAM_SMTP_URL", f"smtp://{'mail.' * 60}example.com"),
        ("CAM_MAIL_FROM", "nobody"),
        ("CAM_MAIL_FROM", "Access <nobody>"),
        ("CAM_MAIL_FROM", "a@example.com, b@example.com"),
        ("CAM_MAIL_FROM", "Access <a@example.com>\nBcc: <b@example.com>"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """The message has the setting and what is allowed, and not the value, which may be a secret."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f"{variable} ")
    assert ALLOWED[variable.removeprefix("CAM_").lower()] in message
    assert "\n" not in message
    assert "hunter2" not in message


def test_every_setting_says_what_is_allowed_and_what_it_is_for() -> None:
    assert set(ALLOWED) == set(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("variable", ["CAM_PROT", "CAM_DATABASE", "CAM_PORT_FIEL", "CAM_"])
def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingError, match=f"^{variable} is not a setting; the settings are CAM_HOST, CAM_PORT"):
        load_settings()


def test_variables_of_the_test_suite_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CAM_THOROUGH", "CAM_CHROMIUM", "CAM_TEST_DATABASE_URL"):
        monkeypatch.setenv(variable, "1")
    load_settings()


def test_a_secret_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CAM_X_FILE: for containers that mount secrets."""
    secret = tmp_path / "url"
    secret.write_text("postgresql://me:secret@db/cam\n")
    monkeypatch.setenv("CAM_DATABASE_URL_FILE", str(secret))
    assert load_settings().database_url == "postgresql+psycopg://me:secret@db/cam"


def test_a_secret_stands_in_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAM_PORT", "1")
    monkeypatch.setenv("CAM_PORT_FILE", str(tmp_path / "port"))
    with pytest.raises(SettingError, match=r"^CAM_PORT and CAM_PORT_FILE are both set; keep one of them\.$"):
        load_settings()


def test_a_wrong_value_in_a_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("eighty")
    monkeypatch.setenv("CAM_PORT_FILE", str(file))
    with pytest.raises(SettingError, match=r"^CAM_PORT "):
        load_settings()


@pytest.mark.parametrize("variable", ["CAM_DATABASE_URL_FILE", "CAM_CONFIG_FILE"])
def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    with pytest.raises(SettingError, match=f"^{variable}: cannot read .*: No such file or directory"):
        load_settings()
    (tmp_path / "nothing").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match=f"^{variable}: .* is not UTF-8 text"):
        load_settings()


def test_the_configuration_file_stands_behind_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Order: environment, secret file, configuration file, default."""
    file = tmp_path / "cam.toml"
    file.write_text('host = "0.0.0.0"\nport = 9000\nlog_level = "error"\nbody_limit = "2MiB"\n')
    level = tmp_path / "level"
    level.write_text("debug")
    monkeypatch.setenv("CAM_CONFIG_FILE", str(file))
    monkeypatch.setenv("CAM_PORT", "9001")
    monkeypatch.setenv("CAM_LOG_LEVEL_FILE", str(level))
    settings = load_settings()
    assert (settings.host, settings.port, settings.log_level, settings.body_limit) == ("0.0.0.0", 9001, "debug", 2**21)  # noqa: S104


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", r"^CAM_CONFIG_FILE: .* has the unknown key 'prot'; the settings are"),
        ("port = ", r"^CAM_CONFIG_FILE: .* is not a TOML file: "),
        ('port = "x"', r"^CAM_PORT has a value that is not allowed; use a whole number"),
    ],
)
def test_a_wrong_configuration_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "cam.toml"
    file.write_text(text)
    monkeypatch.setenv("CAM_CONFIG_FILE", str(file))
    with pytest.raises(SettingError, match=message) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hunter2-" * 8 + "\n")
    monkeypatch.setenv("CAM_SECRET_KEY_FILE", str(key))
    monkeypatch.setenv("CAM_SMTP_URL", "smtps://me:hunter2@mail.example.com")
    monkeypatch.setenv("CAM_MAIL_FROM", "Client Access <access@example.com>")
    settings = load_settings()
    assert settings.secret_key == "hunter2-" * 8
    assert settings.smtp_url == "smtps://me:hunter2@mail.example.com"
    assert "hunter2" not in repr(settings)


def test_mails_need_a_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_SMTP_URL", "smtp://me:hunter2@mail.example.com:587")
    with pytest.raises(
        SettingError, match=r"^CAM_SMTP_URL is set, .*: set CAM_MAIL_FROM to an address, such as"
    ) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_links_lead_to_the_service_itself_or_to_a_page_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_PUBLIC_URL", "https://access.example.com/")
    monkeypatch.setenv("CAM_SURVEY_URL", "https://survey.example.com/s?id=1#start")
    assert load_settings().link_address == "https://access.example.com/access-link"
    assert load_settings().survey_url == "https://survey.example.com/s?id=1#start"
    monkeypatch.setenv("CAM_LINK_URL", "https://console.example.com/open?kind=link")
    assert load_settings().link_address == "https://console.example.com/open?kind=link"


@pytest.mark.parametrize(
    ("url", "place", "tls"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 25), (False, None)),
        ("smtp://me:pass@mail.example.com:587", ("mail.example.com", 587), (False, True)),
        ("smtp://me:pass@127.0.0.1", ("127.0.0.1", 25), (False, None)),
        ("smtp://me:pass@[::1]:2525/", ("::1", 2525), (False, None)),
        ("smtp://mail_server:2525", ("mail_server", 2525), (False, None)),
        ("smtp://Mail.Bücher.example.", ("mail.xn--bcher-kva.example", 25), (False, None)),
        ("smtps://me:pass@mail.example.com", ("mail.example.com", 465), (True, False)),
    ],
)
def test_a_mail_server_is_spoken_to_over_tls_where_a_password_is_told(
    url: str, place: tuple[str, int], tls: tuple[bool, bool | None]
) -> None:
    """At once, or by STARTTLS: yes, no, or where the server offers it."""
    server = mail_server(url)
    assert ((server.host, server.port), (server.tls, server.starttls)) == (place, tls)
    assert "pass" not in repr(server)


def test_a_sender_may_have_a_name() -> None:
    assert str(mail_sender("access@example.com")) == "access@example.com"
    assert str(mail_sender('"Access, Client" <access@bücher.example>')) == (
        '"Access, Client" <access@xn--bcher-kva.example>'
    )
