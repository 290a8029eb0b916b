"""Every setting of the service, read once from the environment and never changed afterwards."""

import difflib
import os
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import validation_message

ENVIRONMENT_PREFIX = "COUNTERCLAIM_"


class InvalidSettings(Exception):
    """A setting has a value that cannot work; the message names the setting and says what was expected."""


def _normalize_database_url(url: str) -> str:
    """Accept the two databases there are, and choose the PostgreSQL driver for the operator."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    if url.startswith(("sqlite:///", "postgresql+psycopg://")):
        return url
    raise ValueError("expected sqlite:///FILE or postgresql://USER@HOST/NAME")


def _normalize_base_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("expected an address like https://claims.example.org")
    return url.rstrip("/")


class Settings(BaseSettings):
    """What an operator can set. `DATABASE_URL` has its usual name, everything else begins with `COUNTERCLAIM_`."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    database_url: Annotated[str, AfterValidator(_normalize_database_url)] = Field(
        default="sqlite:///counterclaim.db",
        validation_alias="DATABASE_URL",
        description="Where the register lives: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.",
    )
    database_read_url: Annotated[str, AfterValidator(lambda url: url and _normalize_database_url(url))] = Field(
        default="",
        validation_alias="DATABASE_READ_URL",
        description="A replica to read from, if there is one; writes always go to `DATABASE_URL`.",
    )
    host: str = Field(default="127.0.0.1", description="The address that `counterclaim serve` listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="The port that `counterclaim serve` listens on.")
    workers: int = Field(default=1, ge=1, le=64, description="How many processes `counterclaim serve` runs.")
    starter: bool = Field(
        default=False,
        description="Whether `counterclaim serve` first migrates the database and loads the starter claims.",
    )
    base_url: Annotated[str, AfterValidator(_normalize_base_url)] = Field(
        default="",
        description="The public address of this register, put before the links in feeds and citations.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=200, description="How many database connections one process keeps for reading."
    )
    max_body_bytes: int = Field(
        default=1_000_000, ge=10_000, description="The largest request body that is read, in bytes; more is a 413."
    )
    max_import_bytes: int = Field(
        default=200_000_000,
        ge=10_000,
        description="The largest file that `POST /v1/imports` reads, in bytes; the command line reads any.",
    )
    memory_bytes: int = Field(
        default=32_000_000,
        ge=0,
        description="How much memory one process gives to answers that it may send again; half as much more to claims.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged: `debug`, `info`, `warning` or `error`."
    )


def environment_variable(field: str) -> str:
    """The environment variable that sets `field`."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias) if alias else ENVIRONMENT_PREFIX + field.upper()


def _mask_password(value: str) -> str:
    """A wrong value, without the password that an address may hold."""
    return re.sub(r"://[^@/]*@", "://…@", value)


def read_settings() -> Settings:
    """The settings of this process. Raises `InvalidSettings`, naming every wrong or misspelt variable."""
    known = {environment_variable(field) for field in Settings.model_fields}
    faults = []
    for name in sorted(os.environ):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
            faults.append(f"{name} is not a setting; did you mean {nearest[0]}?")
    try:
        settings = Settings()
    except ValidationError as invalid:
        for error in invalid.errors():
            name = str(error["loc"][0])
            name = environment_variable(name) if name in Settings.model_fields else name
            faults.append(f"{name}={_mask_password(os.environ.get(name, ''))}: {validation_message(error)}")
        raise InvalidSettings("\n".join(faults)) from None
    if faults:
        raise InvalidSettings("\n".join(faults))
    return settings
