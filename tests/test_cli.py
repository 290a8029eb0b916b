"""The command line program, on both databases.

Most commands are called in this process, because a start takes longer than what they do. Each of them also runs in a
separate process once.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import pytest
from click import ClickException
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url, text

from app.cli import _local_address, _open_socket, main
from app.settings import ENVIRONMENT_PREFIX
from app.starter.load import load_starter, starter_id
from tests import forkserver
from tests.history.servers import ServerProcess
from tests.registers import Register

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
WRITES = 50


def environment(url: str | None = None, **more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ENVIRONMENT_PREFIX) and name != "DATABASE_URL"
    }
    return kept | {"PYTHONPATH": str(ROOT)} | ({"DATABASE_URL": url} if url else {}) | more


def run(
    *arguments: str,
    url: str | None = None,
    folder: Path | None = None,
    standard_input: str | bytes | None = None,
    **more: str,
) -> Any:
    """Call `counterclaim` in this process, with its own environment, input and output."""
    with patch.dict(os.environ, environment(url, **more), clear=True), chdir(folder or ROOT):
        done = CliRunner().invoke(main, arguments, input=standard_input, prog_name="counterclaim")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def run_successfully(*arguments: str, **how: Any) -> str:
    """Return the output of a successful command."""
    done = run(*arguments, **how)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def run_refused(*arguments: str, **how: Any) -> str:
    """Return the error of a failed command: one line. An exception that is not handled is raised."""
    done = run(*arguments, **how)
    assert done.returncode != 0
    return str(done.stderr)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def send_request(port: int, path: str, body: Any = None, key: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"} if key else {}
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", sent, headers), timeout=10) as answer:
        return json.load(answer)


Program = subprocess.Popen[str] | forkserver.RunningProgram


@contextmanager
def serve_program(url: str, *arguments: str) -> Iterator[tuple[int, Program]]:
    """Run `counterclaim serve` in a separate process until it responds."""
    port = free_port()
    process = forkserver.RunningProgram(["serve", "--port", str(port), *arguments], environment(url), ROOT)
    try:
        with ended_after(port, process):
            yield port, process
    finally:
        process.close()


@contextmanager
def started_and_served(url: str) -> Iterator[tuple[int, Program]]:
    """Run `python -m app serve`, including the import of the program, until it responds."""
    port = free_port()
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    with (
        subprocess.Popen(
            command, env=environment(url), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process,
        ended_after(port, process),
    ):
        yield port, process


@contextmanager
def ended_after(port: int, process: Program) -> Iterator[None]:
    """Wait until a server responds, and end it afterwards."""
    try:
        wait_for(port)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            assert send_request(port, "/health/ready")["status"] == "ok"
        except OSError:
            assert time.monotonic() < end, "no answer"
            time.sleep(0.02)
        else:
            return


@pytest.fixture
def fresh(make_database: Callable[[str], str]) -> str:
    """A database without tables."""
    url = make_url(str(make_database("empty")))
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).unlink()
    else:
        engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    return url.render_as_string(hide_password=False)


def execute(url: str, statement: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def claim(number: int) -> dict[str, Any]:
    return {
        "category": "casualties",
        "subject": "russian-forces",
        "place": "russia-ukraine-war",
        "modality": "estimate",
        "figure": {"as_printed": str(number), "value": number},
        "period": {"edtf": "2022-02-24/2025-06-13", "aggregation": "cumulative"},
        "source": "csis",
        "citations": [{"document": {"url": f"https://example.org/{number}", "title": f"Page {number}"}}],
    }


def test_a_database_is_migrated_and_filled_and_both_may_be_repeated(fresh: str) -> None:
    assert (
        run_successfully("migrate", url=fresh)
        == run_successfully("migrate", url=fresh)
        == "The schema is up to date.\n"
    )
    first = run_successfully("starter", url=fresh)
    assert re.fullmatch(r"\d{3} starter claims loaded\.\n", first)
    assert run_successfully("starter", url=fresh) == "0 starter claims loaded.\n"


def test_loading_the_starter_again_keeps_what_was_changed(starter_register: Register) -> None:
    topic = starter_register.get("/v1/topics/russian-casualties").json()
    body = {name: topic[name] for name in ("category", "subject", "place")} | {"title": "Changed since"}
    assert starter_register.write("PUT", "/v1/topics/russian-casualties", body).status_code == 200
    seq = starter_register.get("/health/ready").json()["seq"]
    assert load_starter(starter_register.database) == 0
    assert starter_register.get("/v1/topics/russian-casualties").json()["title"] == "Changed since"
    assert starter_register.get("/health/ready").json()["seq"] == seq


def test_loading_the_starter_again_leaves_out_what_was_taken_down(starter_register: Register) -> None:
    claim = starter_register.get("/v1/claims?source=csis&limit=1").json()["data"][0]
    document = claim["citations"][0]["document"]["id"]
    for address in ("/v1/sources/ua-general-staff", "/v1/sources/csis", f"/v1/documents/{document}"):
        taken = starter_register.write("POST", f"{address}/takedown", {"reason": "By order."}, **{"If-Match": "*"})
        assert taken.status_code == 200, taken.text
    seq = starter_register.get("/health/ready").json()["seq"]
    assert load_starter(starter_register.database) == 0
    assert starter_register.get("/v1/sources/csis").status_code in (404, 410)
    assert starter_register.get("/health/ready").json()["seq"] == seq


def test_the_check_prints_a_line_for_each_claim_that_breaks_a_rule(make_database: Callable[[str], str]) -> None:
    url = make_database("starter")
    assert run_successfully("check", url=url) == "0 found.\n"
    series = "replace(standpoint, 'day month', 'month')"
    execute(url, f"UPDATE claim SET per = NULL, standpoint = {series} WHERE aggregation = 'rate'")  # noqa: S608 - ours
    *lines, count = run_successfully("check", url=url).splitlines()
    assert count == "3 found."
    assert sorted(line.split("\t")[:2] for line in lines) == sorted(
        [starter_id(f"uk-2024-{month}-rate"), "rate_without_per"] for month in ("08", "09", "10")
    )


def test_a_key_is_made_listed_and_revoked(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    made = run_successfully("key", "create", "desk", "--role", "editor", url=url).strip()
    assert re.fullmatch(r"cc_[A-Za-z0-9_-]{43}", made)
    listed = run_successfully("key", "list", url=url)
    assert re.fullmatch(r"desk\teditor\tcreated \d{4}-\d\d-\d\d\tactive\tnever used\t[0-9a-f-]{36}\n", listed)
    assert made not in listed
    assert run_successfully("key", "revoke", "desk", url=url) == "1 revoked.\n"
    assert re.search(r"\trevoked \d{4}-\d\d-\d\d\t", run_successfully("key", "list", url=url))
    assert "There is no active key called `desk`." in run_refused("key", "revoke", "desk", url=url)
    for _ in range(3):
        run_successfully("key", "create", "desk", "--expires", "2099-12-31", url=url)
    lines = [line for line in run_successfully("key", "list", url=url).splitlines() if "expires 2099-12-31" in line]
    first = lines[0].split("\t")[-1]
    assert first in run_refused("key", "revoke", "desk", url=url)
    assert run_successfully("key", "revoke", first, url=url) == "1 revoked.\n"
    assert run_successfully("key", "revoke", "desk", "--all", url=url) == "2 revoked.\n"
    assert "printable" in run_refused("key", "create", "a\nb", url=url)


def test_a_role_that_does_not_exist_is_refused(make_database: Callable[[str], str]) -> None:
    assert "contributor" in run_refused("key", "create", "desk", "--role", "owner", url=make_database("empty"))


def test_a_database_without_tables_is_refused_with_the_command_that_repairs_it(fresh: str) -> None:
    said = run_refused("serve", url=fresh)
    assert "has no tables yet" in said
    assert "Run `counterclaim migrate`" in said
    assert run_refused("starter", url=fresh) == said


def test_a_database_of_a_newer_release_is_not_touched(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    assert "It was migrated by a newer release" in run_refused("serve", url=url)
    assert "9999" in run_refused("migrate", url=url)


def test_a_database_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    for command, url, name in (
        ("migrate", f"sqlite:///{tmp_path}/no/such/folder.db", f"{tmp_path}/no/such/folder.db"),
        ("serve", "postgresql://desk:secret@127.0.0.1:1/none", "127.0.0.1"),
    ):
        said = run_refused(command, url=url)
        assert f"The database {name} cannot be used" in said
        assert "secret" not in said


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    said = run_refused("migrate", folder=tmp_path, COUNTERCLAIM_PORT="eight")
    assert said.startswith("Error: COUNTERCLAIM_PORT=eight: ")
    said = run_refused("serve", folder=tmp_path, COUNTERCLAIM_LOGLEVEL="info")
    assert said == "Error: COUNTERCLAIM_LOGLEVEL is not a setting; did you mean COUNTERCLAIM_LOG_LEVEL?\n"


def test_every_command_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/register.db"

    def run_process(*arguments: str) -> str:
        done = forkserver.run(arguments, environment(url), tmp_path, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run_process("migrate") == "The schema is up to date.\n"
    assert run_process("starter") == "174 starter claims loaded.\n"
    assert run_process("check") == "0 found.\n"
    assert run_process("vacuum") == "The database files are rebuilt.\n"
    key = run_process("key", "create", "desk").strip()
    assert run_process("key", "list").startswith("desk\tcontributor\tcreated ")
    assert run_process("key", "revoke", "desk") == "1 revoked.\n"
    (tmp_path / "days.csv").write_text("day;dead\r\n11.06.2025;1 200\r\n12.06.2025;1 300\r\n", encoding="utf-8")
    assert "[claims.dead]" in run_process("import", "--inspect", "days.csv")
    mistaken = forkserver.run(["key", "revoke", "desk"], environment(url), tmp_path, timeout=60)
    assert (mistaken.returncode, mistaken.stdout) == (1, "")
    assert mistaken.stderr == "Error: There is no active key called `desk`.\n"
    assert key not in mistaken.stderr


def test_the_register_is_a_file_in_the_working_folder_unless_said_otherwise(tmp_path: Path) -> None:
    run_successfully("migrate", folder=tmp_path)
    assert (tmp_path / "counterclaim.db").is_file()


def test_the_help_lists_every_command() -> None:
    command_line = [sys.executable, "-m", "app", "--help"]
    done = subprocess.run(
        command_line, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    said = done.stdout
    for command in ("serve", "migrate", "starter", "check", "key"):
        assert re.search(rf"^  {command} ", said, re.MULTILINE)


def test_a_busy_port_is_said_in_a_line(make_database: Callable[[str], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run_refused("serve", "--port", str(port), url=make_database("empty"))
    assert f"Cannot listen on 127.0.0.1:{port}" in said
    assert "--port" in said


def test_serving_prints_links_that_work_and_the_same_ids_on_every_machine(
    make_database: Callable[[str], str],
) -> None:
    with started_and_served(make_database("starter")) as (port, process):
        assert process.stdout is not None
        links = [process.stdout.readline().split()[-1] for _ in range(4)]
        assert links[0] == f"http://127.0.0.1:{port}/"
        for link in links:
            assert link.startswith(f"http://127.0.0.1:{port}/")
            with urlopen(link, timeout=10) as answer:  # noqa: S310 - a local address
                assert answer.status == 200
        assert send_request(port, f"/v1/claims/{starter_id('gs-2025-06-12')}")["figure"]["value"] == 1_000_340


def test_serving_an_empty_register_prints_no_address_of_a_topic(make_database: Callable[[str], str]) -> None:
    with serve_program(make_database("empty")) as (port, process):
        process.send_signal(signal.SIGHUP)
        assert send_request(port, "/health/live"), "SIGHUP does nothing"
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert [line.split()[-1] for line in lines[:2]] == [f"http://127.0.0.1:{port}{path}" for path in ("/", "/docs")]
        assert "API key" in lines[2]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_base_url_a_loopback_service_uses_the_address_that_it_prints(
    make_database: Callable[[str], str], workers: str
) -> None:
    with serve_program(make_database("starter"), "--workers", workers) as (port, process):
        assert process.stdout is not None
        base = f"http://127.0.0.1:{port}"
        assert process.stdout.readline().endswith(f" {base}/\n")
        page = send_request(port, "/v1/claims?limit=1")
        assert page["data"][0]["links"]["self"].startswith(f"{base}/v1/claims/")
        assert send_request(port, page["links"]["next"].removeprefix(base))["meta"]["count"] == 1
        assert send_request(port, "/openapi.json")["servers"] == [{"url": base}]
        assert send_request(port, "/v1/feed.json")["feed_url"] == f"{base}/v1/feed.json"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nno header\r\n\r\n")
            body = connection.makefile("rb").read().partition(b"\r\n\r\n")[2]
        assert json.loads(body)["type"] == f"{base}/problems/bad_request"


def test_what_was_acknowledged_survives_a_kill_in_mid_write(make_database: Callable[[str], str]) -> None:
    url = make_database("starter")
    key = run_successfully("key", "create", "desk", url=url).strip()
    acknowledged: list[dict[str, Any]] = []

    def write() -> None:
        for number in range(1_000_000, 1_100_000):
            try:
                acknowledged.append(send_request(server.port, "/v1/claims", claim(number), key))
            except OSError:
                return

    server = ServerProcess(url, free_port())
    with server.log_file:
        server.start()
        writer = threading.Thread(target=write)
        writer.start()
        end = time.monotonic() + 30
        while len(acknowledged) < WRITES and time.monotonic() < end:
            time.sleep(0.001)
        server.stop(signal.SIGKILL)
        writer.join(timeout=20)
        assert len(acknowledged) >= WRITES
        server.start()
        try:
            for each in acknowledged:
                assert send_request(server.port, f"/v1/claims/{each['id']}") == each
            head = send_request(server.port, "/health/ready")["seq"]
        finally:
            server.stop()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        seqs = connection.execute(text("SELECT seq FROM change ORDER BY seq")).scalars().all()
        clock = connection.execute(text("SELECT seq FROM clock")).scalar_one()
    engine.dispose()
    assert list(seqs) == list(range(1, head + 1))
    assert clock == head


def command_line(pid: str) -> bytes:
    """Return the command of a process, empty when it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def workers_of(process: Program) -> list[int]:
    """Return the workers of a supervisor, which are forked from it, the oldest first."""
    children = (Path("/proc") / str(process.pid) / "task" / str(process.pid) / "children").read_text().split()
    return [int(child) for child in children if command_line(child) == command_line(str(process.pid))]


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def is_down(port: int) -> bool:
    try:
        send_request(port, "/health/live")
    except OSError:
        return True
    return False


on_linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are looked for as on Linux")


@on_linux
def test_two_workers_show_what_either_wrote_and_one_that_dies_is_replaced(make_database: Callable[[str], str]) -> None:
    url = make_database("starter")
    key = run_successfully("key", "create", "desk", url=url).strip()
    with serve_program(url, "--workers", "2") as (port, process):
        wait_until(lambda: len(workers_of(process)) == 2)
        # Each request has a new connection, which either worker accepts.
        for number in range(3_000_000, 3_000_030):
            made = send_request(port, "/v1/claims", claim(number), key)
            for _ in range(3):
                assert send_request(port, f"/v1/claims/{made['id']}") == made
        first, second = workers_of(process)
        for each in (process.pid, first, second):
            os.kill(each, signal.SIGHUP)
        assert send_request(port, "/health/live")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: first not in workers_of(process) and len(workers_of(process)) == 2)
        assert workers_of(process)[0] == second, "a worker that got SIGHUP goes on"
        assert send_request(port, "/health/ready")["status"] == "ok"
        process.terminate()
        said, _ = process.communicate(timeout=20)
        assert said.count("Explore the API") == 1
        assert process.returncode == 0
        assert is_down(port)


@on_linux
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_supervisor(tmp_path: Path, ending: signal.Signals) -> None:
    # The database makes no difference here.
    run_successfully("migrate", folder=tmp_path)
    with serve_program(f"sqlite:///{tmp_path}/counterclaim.db", "--workers", "2") as (port, process):
        wait_until(lambda: len(workers_of(process)) == 2)
        process.send_signal(ending)
        process.wait(timeout=20)
        wait_until(lambda: is_down(port))


def test_a_path_that_does_not_exist_leaves_no_database(tmp_path: Path) -> None:
    for command in (("serve",), ("key", "list"), ("starter",), ("check",)):
        said = run_refused(*command, url=f"sqlite:///{tmp_path}/nothing.db")
        assert "does not exist" in said
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 - all addresses
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(host: str, address: str) -> None:
    assert _local_address(host, 8000) == address


@pytest.mark.parametrize(
    ("host", "port", "hint"),
    [
        ("192.0.2.1", 8000, "--host"),
        ("2001:db8::1", 8000, "[2001:db8::1]:8000"),
        ("no.such.host.invalid", 8000, "--host"),
    ],
)
def test_an_address_that_is_not_of_this_machine_is_named(host: str, port: int, hint: str) -> None:
    with pytest.raises(ClickException, match=re.escape(hint)):
        _open_socket(host, port)
