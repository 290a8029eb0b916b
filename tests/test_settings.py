"""An invalid setting is reported at the start, with the expected value."""

import os
from contextlib import suppress

import pytest

from app.settings import ENVIRONMENT_PREFIX, InvalidSettings, Settings, environment_variable, read_settings


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX) or name in {"DATABASE_URL", "DATABASE_READ_URL"}:
            monkeypatch.delenv(name)


def fault(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as caught:
        read_settings()
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    settings = read_settings()
    assert settings.database_url == "sqlite:///counterclaim.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


def test_every_setting_says_what_it_does() -> None:
    for name, info in Settings.model_fields.items():
        assert info.description, name


def test_settings_never_change_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings().port = 1  # type: ignore[misc] # tested here


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_URL", "mysql://host/name", "sqlite:///FILE or postgresql://"),
        ("DATABASE_URL", "counterclaim.db", "sqlite:///FILE or postgresql://"),
        ("COUNTERCLAIM_PORT", "eight", "valid integer"),
        ("COUNTERCLAIM_PORT", "70000", "less than or equal to 65535"),
        ("COUNTERCLAIM_PORT", "0", "greater than or equal to 1"),
        ("COUNTERCLAIM_POOL_SIZE", "0", "greater than or equal to 1"),
        ("COUNTERCLAIM_MAX_BODY_BYTES", "10", "greater than or equal to 10000"),
        ("COUNTERCLAIM_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("COUNTERCLAIM_BASE_URL", "claims.example.org", "https://claims.example.org"),
        ("COUNTERCLAIM_BASE_URL", "ftp://claims.example.org", "https://example.org/claims"),
        ("COUNTERCLAIM_BASE_URL", "https://", "https://claims.example.org"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org?a=1", "without a user name, query or fragment"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org/#top", "without a user name, query or fragment"),
        ("COUNTERCLAIM_BASE_URL", "https://desk@claims.example.org", "without a user name, query or fragment"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org/it's", "https://example.org/claims"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org/../x", "https://example.org/claims"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org:99999", "Port out of range"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org/v1/", "without /v1"),
        ("COUNTERCLAIM_BASE_URL", "https://claims..example.org", "a host name"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org:0", "a port above 0"),
        ("COUNTERCLAIM_BASE_URL", "https://192.0.2.999", "a host name"),
        ("COUNTERCLAIM_BASE_URL", "https://[::::1]", "address"),
        ("DATABASE_URL", "sqlite:///", "sqlite:///FILE"),
        ("DATABASE_URL", "sqlite:///:memory:", "in memory"),
        ("DATABASE_URL", "sqlite:///file:x?mode=memory", "in memory"),
        ("DATABASE_URL", "postgresql://", "HOST/NAME"),
        ("DATABASE_URL", "postgresql:///", "HOST/NAME"),
        ("COUNTERCLAIM_HOST", "127.0.0.1:8000", "without a scheme and a port"),
        ("COUNTERCLAIM_HOST", "http://127.0.0.1", "without a scheme and a port"),
        ("COUNTERCLAIM_HOST", "[::1", "without a scheme and a port"),
        ("COUNTERCLAIM_HOST", "256.0.0.1", "an address or a host name"),
        ("COUNTERCLAIM_HOST", "x" * 64, "an address or a host name"),
        ("COUNTERCLAIM_HOST", "a b", "an address or a host name"),
        ("COUNTERCLAIM_TITLE", " ", "printable characters"),
        ("COUNTERCLAIM_TITLE", "a\x1b[31m", "printable characters"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.123", "a host name"),
        ("COUNTERCLAIM_BASE_URL", "https://claims.example.org:080", "a port above 0"),
        ("COUNTERCLAIM_BASE_URL", f"https://{'a.' * 130}example", "a host name"),
        ("COUNTERCLAIM_DEADLINE", "nan", "finite number"),
        ("COUNTERCLAIM_DEADLINE", "0.1", "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    said = fault(monkeypatch, **{name: value})
    assert said.startswith((f"{name}={value}: ", f"{name}=…: "))
    assert expected in said
    assert len(said.splitlines()) == 1


def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    said = fault(monkeypatch, COUNTERCLAIM_PROT="8000")
    assert said == "COUNTERCLAIM_PROT is not a setting; did you mean COUNTERCLAIM_PORT?"


def test_a_setting_that_resembles_none_is_refused_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    said = fault(monkeypatch, COUNTERCLAIM_WEBHOOK_SIGNATURE="x")
    assert said == "COUNTERCLAIM_WEBHOOK_SIGNATURE is not a setting; docs/settings.md lists them."
    monkeypatch.setenv("COUNTERCLAIM_WEBHOOK_SIGNATURE", "")
    assert read_settings().port == 8000, "an empty variable is one that is not set"


@pytest.mark.parametrize(
    "value",
    [
        "https://desk:secret@claims.example.org",
        "https://desk:sec@secret@claims.example.org",
        "postgresql://desk:secret@host/name",
        "postgres://host/name?password=secret",
    ],
)
@pytest.mark.parametrize("name", ["COUNTERCLAIM_BASE_URL", "COUNTERCLAIM_TERMS", "COUNTERCLAIM_PORT"])
def test_a_password_in_any_variable_is_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    said = fault(monkeypatch, **{name: value})
    assert name in said
    assert "secret" not in said


def test_brackets_around_an_address_are_those_of_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERCLAIM_HOST", "[::1]")
    assert read_settings().host == "::1"


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = fault(monkeypatch, COUNTERCLAIM_PROT="1", COUNTERCLAIM_PORT="x", DATABASE_URL="y")
    assert len(said.splitlines()) == 3


def test_a_password_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    said = fault(monkeypatch, DATABASE_URL="mysql://desk:secret@host/name")
    assert said.startswith("DATABASE_URL=mysql://…@host/name: ")
    assert "secret" not in said


@pytest.mark.parametrize("prefix", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_each_spelling_of_a_postgresql_address_is_taken(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{prefix}desk@host/name")
    assert read_settings().database_url == "postgresql+psycopg://desk@host/name"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://claims.example.org/", "https://claims.example.org"),
        ("https://news.example/claims//", "https://news.example/claims"),
        ("HTTPS://News.Example:8443/Desk/claims", "https://news.example:8443/Desk/claims"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_links_never_have_two_slashes(monkeypatch: pytest.MonkeyPatch, given: str, expected: str) -> None:
    monkeypatch.setenv("COUNTERCLAIM_BASE_URL", given)
    assert read_settings().base_url == expected


def test_every_setting_is_read_from_its_variable() -> None:
    assert {environment_variable(name) for name in Settings.model_fields} - {"DATABASE_URL", "DATABASE_READ_URL"} == {
        ENVIRONMENT_PREFIX + name.upper()
        for name in Settings.model_fields
        if name not in {"database_url", "database_read_url"}
    }


@pytest.mark.parametrize(
    "url",
    [
        "postgres:/desk:secret@host/name",
        "postgresql//desk:secret@host/name",
        "postgresql://desk:secret@host:port/name",
        "postgresql://desk:sec/secret@host/name@x:y",
        "desk:secret@host",
        "mysql://host/name?password=secret",
        "postgresql://desk:p@secret",
    ],
)
def test_a_password_in_a_malformed_address_is_not_repeated_either(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("DATABASE_URL", "DATABASE_READ_URL"):
        monkeypatch.setenv(name, url)
    with suppress(InvalidSettings):
        read_settings()
        return  # the address can be parsed after all
    said = fault(monkeypatch)
    assert "secret" not in said
    assert "DATABASE_URL=" in said


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.setenv(environment_variable(field), "")
    settings = read_settings()
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8000, "sqlite:///counterclaim.db")


def test_the_terms_of_the_register_are_an_identifier_or_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERCLAIM_TERMS", "CC BY 4.0")
    assert read_settings().terms == "CC-BY-4.0"
    told = fault(monkeypatch, COUNTERCLAIM_TERMS="CC-BY-4")
    assert "COUNTERCLAIM_TERMS" in told
    assert "Expected an identifier of the SPDX License List such as CC-BY-4.0" in told
    assert "did you mean `CC-BY-4.0`?" in told


@pytest.mark.parametrize("url", ["postgresql://u:se@cret@127.0.0.1:1/x", "postgresql://u:secret@@host/name"])
def test_a_password_that_is_not_escaped_is_told_apart_from_a_host(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    said = fault(monkeypatch, DATABASE_URL=url)
    assert "%40" in said
    assert "cret" not in said


@pytest.mark.parametrize("url", [" sqlite:///x.db", "sqlite:///x.db\n", "sqlite:///x\x07.db"])
def test_an_address_has_no_spaces_around_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert "sqlite:///FILE" in fault(monkeypatch, DATABASE_URL=url)


def test_a_replica_is_of_the_same_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    said = fault(monkeypatch, DATABASE_URL="postgresql://host/name", DATABASE_READ_URL="sqlite:///x.db")
    assert "another kind of database" in said
