"""The settings of the service, read once from the environment and immutable."""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import find_nearest, validation_message
from app.terms import EXPECTED_TERMS, InvalidTerms, normalize_terms

ENVIRONMENT_PREFIX = "COUNTERCLAIM_"
EXPECTED_DATABASE_URL = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"


class InvalidSettings(Exception):
    """A setting is unknown or has an invalid value. The message names the variable and the expected value."""


def _normalize_terms(text: str) -> str:
    """Return the terms of use as they are served. No terms are an empty text."""
    try:
        return normalize_terms(text) if text else ""
    except InvalidTerms as error:
        raise ValueError(f"{EXPECTED_TERMS}{f'; {error.hint}' if error.hint else ''}") from None


def normalize_database_url(url: str) -> str:
    """Return the URL of a supported database, with the driver for PostgreSQL."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            url = "postgresql+psycopg://" + url.removeprefix(prefix)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(EXPECTED_DATABASE_URL) from None  # the original message may contain the password
    if not url.isprintable() or url != url.strip() or not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError(EXPECTED_DATABASE_URL)
    if "@" in (parsed.host or ""):
        raise ValueError(f"{EXPECTED_DATABASE_URL}; in a password, @ is written %40, : is %3A and / is %2F")
    if not parsed.database and not parsed.query:
        raise ValueError(EXPECTED_DATABASE_URL)
    if url.startswith("sqlite") and str(parsed.database).startswith((":", "file:")):
        raise ValueError(f"{EXPECTED_DATABASE_URL}; a database in memory would be empty in each connection")
    return url


_BASE_URL = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[a-z0-9_~-][a-z0-9._~-]*)*",
    re.ASCII | re.IGNORECASE,
)
"""A base URL without a final slash. Its characters need no escaping in SQL, JSON, HTML, XML and headers."""


def _normalize_base_url(url: str) -> str:
    """Return the base URL without a final slash, with its scheme and host in lower case."""
    base = url.rstrip("/")
    if url and not _BASE_URL.fullmatch(base):
        raise ValueError(
            "expected an address like https://claims.example.org or https://example.org/claims, "
            "without a user name, query or fragment"
        )
    if base.endswith("/v1"):
        raise ValueError("expected the address of the register, without /v1")
    parts = urlsplit(base)  # raises ValueError for a malformed IPv6 address, and `port` if it is out of range
    if base and (parts.port == 0 or ":0" in parts.netloc.rpartition("]")[2] or not _is_host(parts.hostname or "")):
        raise ValueError("expected a host name or an address that exists, and a port above 0")
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}" if base else ""


def _is_host(host: str) -> bool:
    """Return whether the host of a URL can be one: a name whose last part is not a number, or an IP address."""
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ip_address(host)
        except ValueError:
            return False
        return True
    labels = host.split(".")
    if len(host) > MAX_HOST_CHARACTERS or labels[-1].isdecimal():
        return False
    return all(0 < len(label) <= MAX_LABEL_CHARACTERS and label.strip("-") == label for label in labels)


MAX_LABEL_CHARACTERS = 63
MAX_HOST_CHARACTERS = 253


def _check_networks(text: str) -> str:
    """Return a list of addresses and networks as it is, if it can be read."""
    try:
        parse_networks(text)
    except ValueError:
        raise ValueError("expected addresses and networks like `127.0.0.1, 10.0.0.0/8`, separated by commas") from None
    return text


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks in a list of addresses and networks, separated by commas. Raises `ValueError`."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def normalize_host(host: str) -> str:
    """Return an address to listen on, without the brackets that an IPv6 address has in a URL."""
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in host:
        is_host = _is_host(host)  # with or without a zone
    else:
        is_host = re.fullmatch(r"[\w.-]+", host) is not None and len(host) <= MAX_HOST_CHARACTERS and _is_host(host)
    if not is_host:
        raise ValueError("expected an address or a host name of this machine, without a scheme and a port")
    return host


def _normalize_title(title: str) -> str:
    """Return the title, which stands in pages, feeds and file names."""
    if not title.isprintable() or not title.strip():
        raise ValueError("expected printable characters, on one line")
    return title.strip()


class Settings(BaseSettings):
    """The settings. Variables have the prefix `COUNTERCLAIM_`, except those of the database."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_ignore_empty=True,  # files of variables often have empty ones: an empty host would be every address
        frozen=True,
        extra="forbid",
        populate_by_name=True,
    )

    database_url: Annotated[str, AfterValidator(normalize_database_url)] = Field(
        default="sqlite:///counterclaim.db",
        validation_alias="DATABASE_URL",
        description="The URL of the database: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.",
    )
    database_read_url: Annotated[str, AfterValidator(lambda url: url and normalize_database_url(url))] = Field(
        default="",
        validation_alias="DATABASE_READ_URL",
        description="The URL of a read replica, if there is one; writes always go to `DATABASE_URL`.",
    )
    host: Annotated[str, AfterValidator(normalize_host)] = Field(
        default="127.0.0.1", description="The address that `counterclaim serve` listens on."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The port that `counterclaim serve` listens on.")
    workers: int = Field(default=1, ge=1, le=64, description="The number of processes that `counterclaim serve` runs.")
    starter: bool = Field(
        default=False,
        description="Whether `counterclaim serve` first migrates the database and loads the starter claims.",
    )
    offload_processes: int = Field(
        default=2,
        ge=0,
        le=64,
        description="The number of child processes for expensive reads (files, charts, feeds, comparisons), which all "
        "workers share; 0: the workers answer them.",
    )
    base_url: Annotated[str, AfterValidator(_normalize_base_url)] = Field(
        default="",
        description="The public base URL of this register, with its path if it has one, such as "
        "`https://news.example/claims`. All addresses in responses begin with it.",
    )
    title: Annotated[str, AfterValidator(_normalize_title)] = Field(
        default="Counterclaim", min_length=1, max_length=200, description="The title of this register, for its pages."
    )
    terms: Annotated[str, AfterValidator(_normalize_terms)] = Field(
        default="",
        description="The terms under which the data of this register may be used: an identifier of the "
        "[SPDX License List](https://spdx.org/licenses/) such as `CC-BY-4.0`, or the address of the terms.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=200, description="The number of database connections for reading that each process pools."
    )
    most_lag: float = Field(
        default=1.0,
        ge=0.3,
        le=3600,
        allow_inf_nan=False,
        description="How old a state of the read replica may be, in seconds. While it lacks what the primary database "
        "had before then, reads go to that.",
    )
    prepared: Literal["auto", "always"] = Field(
        default="auto",
        description="Whether statements are prepared on PostgreSQL. `auto`: unless a connection pooler such as "
        "PgBouncer is in front of it. `always`: also then, for a pooler that keeps prepared statements.",
    )
    lease: float = Field(
        default=30.0,
        ge=3,
        le=3600,
        allow_inf_nan=False,
        description="The number of seconds for which a process goes on serving reads when it cannot reach the primary "
        "database of PostgreSQL, and for which a takedown waits for a process that does not answer: longer than a "
        "failover takes, and the same for all services of a register.",
    )
    mirror_key: str = Field(
        default="",
        description="The API key of the role `mirror`, at the register that `counterclaim mirror` copies.",
    )
    deadline: float = Field(
        default=4.0,
        ge=1,
        le=60,
        allow_inf_nan=False,
        description="The number of seconds after which a request is answered with a 503 if the database has not "
        "answered. Imports, takedowns and files that are being sent are not cut.",
    )
    public_reads: bool = Field(
        default=True,
        description="Whether reading needs no API key. `false`: every request but those for the health of the service "
        "needs a key, and no shared cache stores a response.",
    )
    rate_limit: int = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="The number of requests a minute that an address may send without an API key; 0: no limit. A 304 "
        "does not count.",
    )
    key_rate_limit: int = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="The number of requests a minute with one API key; 0: no limit. A 304 does not count.",
    )
    trusted_proxies: Annotated[str, AfterValidator(_check_networks)] = Field(
        default="",
        description="The addresses and networks of reverse proxies, separated by commas, such as "
        "`127.0.0.1, 10.0.0.0/8`. Only their `X-Forwarded-For` says from where a request comes.",
    )
    max_body_bytes: int = Field(
        default=1_000_000,
        ge=10_000,
        description="The maximum size of a request body, in bytes; a larger one gets a 413.",
    )
    max_import_bytes: int = Field(
        default=200_000_000,
        ge=10_000,
        description="The maximum size of a file for `POST /v1/imports`, in bytes; the command line has no limit.",
    )
    import_sql: bool = Field(
        default=False,
        description="Whether `POST /v1/imports` takes mappings with a query (`[file] sql`), which needs the extra "
        "`counterclaim[sql]`; the command line always does.",
    )
    import_sql_memory_bytes: int = Field(
        default=1_000_000_000,
        ge=50_000_000,
        le=1_000_000_000_000,
        description="The memory that the query of a mapping may use, in bytes.",
    )
    import_sql_cpu_seconds: int = Field(
        default=60, ge=1, le=86_400, description="The CPU time that the query of a mapping may take, in seconds."
    )
    import_sql_rows: int = Field(
        default=5_000_000, ge=1, description="The maximum number of rows of the result of a mapping's query."
    )
    import_sql_bytes: int = Field(
        default=1_000_000_000, ge=10_000, description="The maximum size of the result of a mapping's query, in bytes."
    )
    memory_bytes: int = Field(
        default=12_000_000,
        ge=0,
        description="The memory of the caches of each process, in bytes: three quarters for responses, a quarter for "
        "single claims. 0: neither is cached.",
    )
    files_dir: str = Field(
        default="",
        description="The folder for copies of long files, which range requests are served from. Default: one in the "
        "directory for temporary files.",
    )
    files_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description="The size of all copies of long files together, in bytes; 0: no copies, and no ranges of long "
        "files.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The log level: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="The format of the log: `text`, or `json` for one JSON object per line."
    )


def environment_variable(field: str) -> str:
    """Return the environment variable that sets `field`."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias) if alias else ENVIRONMENT_PREFIX + field.upper()


_PLAIN_DATABASE_URL = re.compile(r"([a-z0-9+.-]+://)[^@/\s]*(@[\w.-]+(?::[0-9]+)?/[\w.-]+)")
"""A URL in which only the part before the `@` can contain a password."""


_PASSWORD = re.compile(r"(//[^/@\s:]*):[^/\s]*@")
"""The user name and the password in a URL."""


def _shown_value(name: str, value: str) -> str:
    """Return an invalid value for a message, without the password that a URL may contain."""
    if name not in ("DATABASE_URL", "DATABASE_READ_URL"):
        is_database_url = re.match(r"(postgres|mysql|sqlite)[a-z0-9+]*:/", value)
        return "…" if is_database_url else _PASSWORD.sub(r"\1:…@", value)
    if re.fullmatch(r"([a-z0-9+.-]+://)?[^@:?\s]*", value):
        return value
    match = _PLAIN_DATABASE_URL.fullmatch(value)
    return f"{match[1]}…{match[2]}" if match else "…"


def read_settings() -> Settings:
    """Return the settings of this process. Raises `InvalidSettings`, which names every invalid or unknown variable."""
    variables = {environment_variable(field) for field in Settings.model_fields}
    by_short_name = {name.removeprefix(ENVIRONMENT_PREFIX): name for name in variables}
    faults = []
    for name in sorted(os.environ):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in variables and os.environ[name]:
            nearest = find_nearest(name.removeprefix(ENVIRONMENT_PREFIX), by_short_name)
            hint = f"did you mean {by_short_name[nearest[0]]}?" if nearest else "docs/settings.md lists them."
            faults.append(f"{name} is not a setting; {hint}")
    try:
        settings = Settings()
    except ValidationError as invalid:
        for error in invalid.errors():
            name = str(error["loc"][0])
            name = environment_variable(name) if name in Settings.model_fields else name
            faults.append(f"{name}={_shown_value(name, os.environ.get(name, ''))}: {validation_message(error)}")
        raise InvalidSettings("\n".join(faults)) from None
    if settings.database_read_url and _kind_of(settings.database_read_url) != _kind_of(settings.database_url):
        faults.append("DATABASE_READ_URL is another kind of database than DATABASE_URL; expected a replica of it")
    if faults:
        raise InvalidSettings("\n".join(faults))
    return settings


def _kind_of(url: str) -> str:
    return url.partition(":")[0]
