"""The examples of high availability name what there is, and docs/scale.md has the figures that are calculated."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from app.cli import main
from app.database.servers import has_several, prefers_standby
from app.settings import Settings, environment_variable
from benchmarks import scale
from benchmarks.failover.scenarios import TTL_SECONDS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.ha.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PATRONI_TEXT = (EXAMPLES / "patroni.yml").read_text(encoding="utf-8")
PATRONI: dict[str, Any] = yaml.safe_load(PATRONI_TEXT)
DATABASES = ["db1", "db2", "db3"]
LIBPQ = {"PGPASSWORD"}


@pytest.mark.parametrize("name", ["migrate", "api1", "api2"])
def test_the_services_have_settings_that_there_are(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert set(environment) <= {environment_variable(each) for each in Settings.model_fields} | LIBPQ
    url = make_url(environment["DATABASE_URL"])
    assert has_several(url)
    assert [host.partition(":")[0] for host in url.query["host"]] == DATABASES
    assert url.query["target_session_attrs"] == "read-write"
    if name != "migrate":
        assert prefers_standby(make_url(environment["DATABASE_READ_URL"]))


def test_the_commands_of_the_services_exist() -> None:
    program, command = SERVICES["migrate"]["command"]
    assert program == "counterclaim"
    assert command in main.commands


@pytest.mark.parametrize("name", DATABASES)
def test_each_database_has_its_own_name_and_files(name: str) -> None:
    database = SERVICES[name]
    environment = database["environment"]
    assert environment["PATRONI_NAME"] == name
    for each in ("RESTAPI", "POSTGRESQL"):
        assert environment[f"PATRONI_{each}_CONNECT_ADDRESS"].startswith(f"{name}:")
    assert f"{name}:/var/lib/postgresql/data" in database["volumes"]
    assert environment["PATRONI_POSTGRESQL_DATA_DIR"].startswith("/var/lib/postgresql/data/")
    assert set(environment) == set(re.findall(r"PATRONI_[A-Z0-9_]+(?==)", PATRONI_TEXT))


def test_files_volumes_and_services_that_are_named_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
        assert set(service.get("depends_on", [])) <= SERVICES.keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    head = (ROOT / "docker-compose.ha.yml").read_text(encoding="utf-8").partition("\nname:")[0]
    assert "Not run yet" in head


def test_the_proxy_asks_the_services_that_there_are() -> None:
    text = (EXAMPLES / "haproxy.cfg").read_text(encoding="utf-8")
    servers = dict(re.findall(r"^ +server (\S+) (\S+) check$", text, re.MULTILINE))
    assert servers == {name: f"{name}:8000" for name in SERVICES if name.startswith("api")}
    assert "/health/ready" in text


def test_patroni_can_renew_its_lock_in_time() -> None:
    dcs = PATRONI["bootstrap"]["dcs"]
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"] == TTL_SECONDS
    assert dcs["synchronous_mode"]
    assert dcs["synchronous_mode_strict"]


def test_the_page_on_scale_has_the_figures_that_are_calculated() -> None:
    tables = scale.tables()
    for page in (ROOT / "docs" / "scale.md", scale.RESULT):
        for table in tables.strip().split("\n\n"):
            assert table in page.read_text(encoding="utf-8"), f"{page.name}: `python -m benchmarks.scale --save`"
