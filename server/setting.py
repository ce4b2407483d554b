"""The settings of the service: one frozen object, read once at start.

A setting ``port`` comes from, in this order: the environment variable ``CAM_PORT``, a file named by ``CAM_PORT_FILE`` (for secrets),
the key ``port`` in the TOML file named by ``CAM_CONFIG_FILE``, its default.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, HttpUrl, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from models.database import DatabaseUrlError, database_url, postgresql_url
from resolvers.mail_server import mail_sender, mail_server

PREFIX = "CAM_"
CONFIG_FILE = "CAM_CONFIG_FILE"
# Read by the test suite, not by the service.
FOREIGN = ("CAM_THOROUGH", "CAM_CHROMIUM", "CAM_TEST_")

LINK_PATH = "/access-link"
"""The page of this service that opens links."""

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE

_HTTP_URL = TypeAdapter(HttpUrl)


class SettingError(Exception):
    """A setting is wrong; the message is one line that names it and says what is allowed."""


def _known_database(text: str) -> str:
    try:
        return database_url(text).render_as_string(hide_password=False)
    except DatabaseUrlError as error:
        raise ValueError(str(error)) from error


def _known_postgresql(text: str) -> str:
    try:
        return postgresql_url(text, "It").render_as_string(hide_password=False)
    except DatabaseUrlError as error:
        raise ValueError(str(error)) from error


def _origin(text: str) -> str:
    """A public address is where the service stands by itself: its pages link to `/graphql`."""
    url = _HTTP_URL.validate_python(text)
    if url.path not in {None, "/"} or url.query or url.fragment or url.username:
        raise ValueError("not an origin")
    return text.rstrip("/")


def _web_page(text: str) -> str:
    url = _HTTP_URL.validate_python(text)
    if url.username or url.password:
        raise ValueError("no place for credentials")
    return text


def _link_page(text: str) -> str:
    """A link's token comes after the ``#``, so the page's address has none of its own."""
    if "#" in text:
        raise ValueError("a fragment")
    return _web_page(text)


def _mail_server(text: str) -> str:
    mail_server(text)
    return text


def _mail_sender(text: str) -> str:
    mail_sender(text)
    return text


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


DatabaseUrl = Annotated[str, AfterValidator(_known_database)]
PostgresqlUrl = Annotated[str, AfterValidator(_known_postgresql)]
Pooler = Annotated[Literal["none", "transaction"], BeforeValidator(_lower)]
Origin = Annotated[str, AfterValidator(_origin)]
WebPage = Annotated[str, AfterValidator(_web_page)]
LinkPage = Annotated[str, AfterValidator(_link_page)]
MailServerUrl = Annotated[str, AfterValidator(_mail_server)]
MailSender = Annotated[str, AfterValidator(_mail_sender)]
LogFormat = Annotated[Literal["auto", "json", "text"], BeforeValidator(_lower)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]

ALLOWED = {
    "host": "the name or address of an interface, such as 127.0.0.1 or 0.0.0.0",
    "port": "a whole number from 0 to 65535 (0: any free port)",
    "database_url": "sqlite:///data/cam.sqlite3 or postgresql://user@host/name",
    "read_database_url": "the address of a streaming copy of the PostgreSQL database, postgresql://user@host/name, or nothing",
    "direct_database_url": "the address of the PostgreSQL database past the pooler, postgresql://user@host/name, or nothing",
    "database_pooler": "none, or transaction where a pooler in that mode stands before PostgreSQL",
    "database_pool_size": "a whole number from 1 to 100",
    "public_url": "the address people use, without a path, such as https://access.example.com",
    "secret_key": "at least 32 characters, such as openssl rand -base64 48 prints",
    "link_url": "the http or https address of a page, without #, such as https://access.example.com/access-link",
    "survey_url": "an http or https address",
    "smtp_url": "smtp://user:password@host:587 or smtps://user:password@host:465; user and password may be left out",
    "mail_from": "an address, such as access@example.com or Client Access <access@example.com>",
    "log_format": "auto, json or text",
    "log_level": "debug, info, warning or error",
    "body_limit": "a size from 64 KiB to 256 MiB, such as 10MiB",
    "query_cost_limit": "a whole number from 100 to 10000000",
    "queue_above": "a whole number from 0 to 1000000",
    "chunk_cells": "a whole number from 100 to 1000000",
    "work_queue": "true or false",
    "stalled_after": "a whole number of seconds from 2 to 3600",
    "subscription_limit": "a whole number from 1 to 100000",
    "connection_subscription_limit": "a whole number from 1 to 1000",
}
"""What is allowed for each setting, in the words of the error message."""


class Settings(BaseSettings):
    """How this process runs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        case_sensitive=False,
        hide_input_in_errors=True,
    )

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253, description="Interface to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on.")
    # Not shown: it may carry a password.
    database_url: DatabaseUrl = Field(
        default="sqlite+aiosqlite:///data/cam.sqlite3", repr=False, description="SQLite file or PostgreSQL database."
    )
    read_database_url: PostgresqlUrl | None = Field(
        default=None, repr=False, description="Streaming copy of the PostgreSQL database, for lists and reports."
    )
    direct_database_url: PostgresqlUrl | None = Field(
        default=None,
        repr=False,
        description="The PostgreSQL database past the pooler, for what must keep its connection.",
    )
    database_pooler: Pooler = Field(default="none", description="Whether a pooler stands before PostgreSQL.")
    database_pool_size: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Connections that a process keeps; on PostgreSQL as many again after a rush.",
    )
    public_url: Origin | None = Field(
        default=None, description="Address under which people reach the service; its origin is trusted."
    )
    # Not shown: whoever has it can make the tokens of links out of what the database holds.
    secret_key: str | None = Field(
        default=None,
        min_length=32,
        max_length=4096,
        repr=False,
        description="Makes the tokens of links; kept beside an SQLite file unless it is set.",
    )
    link_url: LinkPage | None = Field(
        default=None, description="Page that opens links; by default this service's own, /access-link."
    )
    survey_url: WebPage | None = Field(default=None, description="Where people are asked what they think (F57).")
    # Not shown: it may carry a password.
    smtp_url: MailServerUrl | None = Field(
        default=None,
        repr=False,
        description="Server that takes mails: smtp changes to TLS where it can, and must with a password; smtps is TLS.",
    )
    mail_from: MailSender | None = Field(default=None, description="Address that mails come from.")
    log_format: LogFormat = Field(default="auto", description="Lines of JSON or of text; auto: text on a terminal.")
    log_level: LogLevel = Field(default="info", description="Least important level that is logged.")
    # A file of 55,000 clients is about 6 MB of CSV, sent as one variable. The document itself stays under 256 KiB (server.limit),
    # and server.body counts the values of the variables, so a larger body does not buy more work.
    body_limit: ByteSize = Field(
        default=ByteSize(10 * MEBIBYTE), ge=64 * KIBIBYTE, le=256 * MEBIBYTE, description="Largest request body."
    )
    query_cost_limit: int = Field(
        default=20_000, ge=100, le=10_000_000, description="Highest cost of a document: objects it may return."
    )
    subscription_limit: int = Field(
        default=1_000,
        ge=1,
        le=100_000,
        description="Most subscriptions that this process has at a time, and WebSockets.",
    )
    connection_subscription_limit: int = Field(
        default=20, ge=1, le=1_000, description="Most subscriptions of one WebSocket."
    )
    queue_above: int = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="Outcomes up to which an operation is carried out before the answer; a larger one is queued.",
    )
    chunk_cells: int = Field(
        default=50_000,
        ge=100,
        le=1_000_000,
        description="About how many outcomes of a queued operation are written at once.",
    )
    work_queue: bool = Field(
        default=True, description="Whether cam serve carries out queued operations too, or leaves them to cam worker."
    )
    stalled_after: int = Field(
        default=30, ge=2, le=3600, description="Seconds after which a worker that is not heard of counts as lost."
    )

    @property
    def address(self) -> str:
        """Returns the address that people use: ``public_url``, or else host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def link_address(self) -> str:
        """Returns the address of the page that opens links."""
        return self.link_url or f"{self.address}{LINK_PATH}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 no .env file: `make run` sets what it needs
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 replaced by CAM_…_FILE
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns the sources in the order of the module's description."""
        return (init_settings, env_settings, _SecretFiles(settings_cls), _ConfigFile(settings_cls))


class _SecretFiles(PydanticBaseSettingsSource):
    """``CAM_X_FILE``: the setting is what the file holds, without the line break at its end."""

    def get_field_value(self, field: object, field_name: str) -> tuple[str | None, str, bool]:  # noqa: ARG002 pydantic's signature
        variable = f"{PREFIX}{field_name.upper()}"
        path = os.environ.get(f"{variable}_FILE")
        if not path:
            return None, field_name, False
        if os.environ.get(variable):
            raise SettingError(f"{variable} and {variable}_FILE are both set; keep one of them.")
        return _read(path, f"{variable}_FILE").rstrip("\r\n"), field_name, False

    def __call__(self) -> dict[str, object]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class _ConfigFile(PydanticBaseSettingsSource):
    """The TOML file named by ``CAM_CONFIG_FILE``: flat, keys in lower case without the prefix."""

    def get_field_value(self, field: object, field_name: str) -> tuple[object, str, bool]:  # noqa: ARG002 pydantic's signature
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, object]:
        path = os.environ.get(CONFIG_FILE)
        if not path:
            return {}
        try:
            values = tomllib.loads(_read(path, CONFIG_FILE))
        except tomllib.TOMLDecodeError as error:
            raise SettingError(f"{CONFIG_FILE}: {path} is not a TOML file: {error}.") from error
        for name in values:
            if name not in self.settings_cls.model_fields:
                raise SettingError(f"{CONFIG_FILE}: {path} has the unknown key {name!r}; {_known()}")
        return values


def load_settings() -> Settings:
    """Returns the settings, or raises ``SettingError`` with one line that names the wrong one and what is allowed."""
    _refuse_unknown_variables()
    try:
        settings = Settings()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise SettingError(f"{PREFIX}{name.upper()} has a value that is not allowed; use {ALLOWED[name]}.") from None
    if settings.smtp_url and not settings.mail_from:
        raise SettingError(f"CAM_SMTP_URL is set, so mails need a sender: set CAM_MAIL_FROM to {ALLOWED['mail_from']}.")
    _check_databases(settings)
    return settings


def _check_databases(settings: Settings) -> None:
    if settings.database_url.startswith("sqlite"):
        for name in ("read_database_url", "direct_database_url"):
            if getattr(settings, name):
                raise SettingError(
                    f"{PREFIX}{name.upper()} is for PostgreSQL, and CAM_DATABASE_URL names an SQLite file: leave one of them out."
                )
    elif settings.database_pooler == "transaction" and not settings.direct_database_url:
        raise SettingError(
            "CAM_DATABASE_POOLER=transaction needs CAM_DIRECT_DATABASE_URL: waiting for news (LISTEN) and workers keep a "
            "connection, which such a pooler gives to others."
        )


def _refuse_unknown_variables() -> None:
    """A misspelt variable would otherwise be ignored in silence."""
    known = {CONFIG_FILE}
    for name in Settings.model_fields:
        known |= {f"{PREFIX}{name.upper()}", f"{PREFIX}{name.upper()}_FILE"}
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known and not variable.startswith(FOREIGN):
            raise SettingError(f"{variable} is not a setting; {_known()}")


def _known() -> str:
    return f"the settings are {', '.join(PREFIX + name.upper() for name in Settings.model_fields)}."


def _read(path: str, variable: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"{variable}: cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{variable}: {path} is not UTF-8 text.") from error
