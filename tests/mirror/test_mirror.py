"""A mirror: the same bytes as its origin, also after takedowns, forks and kills; what it does without its origin."""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest

from tests import forkserver
from tests.mirror.addresses import draw_addresses
from tests.test_cli import (
    ROOT,
    claim,
    environment,
    free_port,
    run_refused,
    run_successfully,
    send_request,
    wait_for,
)

SECONDS = 30
COMPARED_HEADERS = ("etag", "content-type", "x-register-seq", "x-register-epoch", "content-disposition", "link")
LEASE_SECONDS = "3"


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = build_opener(_NoRedirects)


def fetch(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of a response; redirects are not followed."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with _opener.open(Request(f"http://127.0.0.1:{port}{path}", headers=sent), timeout=20) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except HTTPError as error:
        with closing(error):
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def fetch_when_idle(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """Return the response, again after a 503: the machine is busy."""
    for _ in range(10):
        answer = fetch(port, path)
        if answer[0] != 503:
            break
        time.sleep(1)
    return answer


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


class Relay:
    """Passes connections on to an origin, until the line is cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self.is_cut = True
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()
        for each in self._open:
            each.close()


@contextmanager
def mirrored(
    origin: int, file: Path, *arguments: str, key: str = "", **more: str
) -> Iterator[tuple[int, forkserver.RunningProgram]]:
    """Run `counterclaim mirror` in a separate process until it responds."""
    port = free_port()
    command = ["mirror", f"http://127.0.0.1:{origin}", "--file", str(file), "--port", str(port), *arguments]
    variables = {"COUNTERCLAIM_MIRROR_KEY": key} if key else {}
    process = forkserver.RunningProgram(command, environment(**variables, **more), ROOT)
    try:
        wait_for(port)
        yield port, process
    finally:
        process.terminate()
        process.close()


@pytest.fixture
def url(make_database: Callable[[str], str]) -> str:
    return make_database("starter")


@contextmanager
def serving(url: str, port: int) -> Iterator[None]:
    """Serve a register, with short leases."""
    variables = environment(url, COUNTERCLAIM_LEASE=LEASE_SECONDS)
    process = forkserver.RunningProgram(["serve", "--port", str(port)], variables, ROOT)
    try:
        wait_for(port)
        yield
    finally:
        process.terminate()
        process.close()


def create_keys(url: str) -> dict[str, str]:
    return {
        role: run_successfully("key", "create", role, "--role", role, url=url).strip()
        for role in ("admin", "editor", "mirror")
    }


@contextmanager
def origin_of(url: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Serve a register; yield its port, and keys by role."""
    port, keys = free_port(), create_keys(url)
    with serving(url, port):
        yield port, keys


def seq_of(port: int) -> int:
    return int(fetch(port, "/v1/register")[1].get("x-register-seq", -1))


def assert_same(origin: int, mirror: int, seed: int, number: int) -> None:
    """Compare responses of addresses that are drawn by seed."""
    wait_until(lambda: seq_of(mirror) == seq_of(origin))
    addresses = draw_addresses(
        lambda path: send_request(origin, path), send_request(origin, "/openapi.json"), number, seed
    )
    found = 0
    for address in addresses:
        expected, answered = fetch_when_idle(origin, address), fetch_when_idle(mirror, address)
        assert answered[0] == expected[0], address
        for name in COMPARED_HEADERS:
            assert answered[1].get(name) == expected[1].get(name), (address, name)
        if expected[0] < 400:
            assert answered[2] == expected[2], address
            found += 1
    assert found > number * 0.7


def write(port: int, path: str, body: Any, key: str) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", "If-Match": "*"}
    request = Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers)
    with _opener.open(request, timeout=20) as answer:
        return json.load(answer)


def test_a_mirror_answers_every_route_with_the_bytes_of_its_origin(url: str, tmp_path: Path) -> None:
    file = tmp_path / "mirror.db"
    with origin_of(url) as (origin, keys), mirrored(origin, file, key=keys["mirror"]) as (mirror, process):
        assert_same(origin, mirror, 1, 500)
        made = write(origin, "/v1/claims", claim(7), keys["editor"])
        assert_same(origin, mirror, 2, 70)
        # A takedown is answered when the mirror has forgotten the claim.
        assert fetch(mirror, f"/v1/claims/{made['id']}")[0] == 200
        write(origin, f"/v1/claims/{made['id']}/takedown", {"reason": "By order."}, keys["admin"])
        assert fetch(mirror, f"/v1/claims/{made['id']}")[0] == 410
        assert b"Page 7" not in file.read_bytes()
        assert_same(origin, mirror, 3, 70)
        # A mirror that is killed goes on where it was.
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
        write(origin, "/v1/claims", claim(8), keys["editor"])
        with mirrored(origin, file, key=keys["mirror"]) as (again, _):
            assert_same(origin, again, 4, 70)


def test_a_mirror_begins_again_after_a_fork(url: str, tmp_path: Path, make_database: Callable[[str], str]) -> None:
    file, package, other = tmp_path / "mirror.db", tmp_path / "package.zip", make_database("empty")
    with origin_of(url) as (port, keys):
        package.write_bytes(fetch(port, "/v1/export")[2])
        lost = [write(port, "/v1/claims", claim(number), keys["editor"])["id"] for number in (1, 2, 3)]
        with mirrored(port, file, key=keys["mirror"]) as (mirror, _):
            wait_until(lambda: seq_of(mirror) == seq_of(port))
    run_successfully("import", str(package), url=other)
    run_successfully("epoch", url=other)
    keys = create_keys(other)
    with serving(other, port):
        write(port, "/v1/claims", claim(9), keys["editor"])
        with mirrored(port, file, key=keys["mirror"]) as (mirror, _):
            wait_until(lambda: fetch(mirror, "/v1/register")[1].get("x-register-epoch") == "2")
            assert [fetch(mirror, f"/v1/claims/{id_}")[0] for id_ in lost] == [404, 404, 404]
            assert_same(port, mirror, 5, 70)


def test_writes_and_states_that_are_not_reached_go_to_the_origin(url: str, tmp_path: Path) -> None:
    with origin_of(url) as (origin, keys), mirrored(origin, tmp_path / "m.db", key=keys["mirror"]) as (mirror, _):
        seq, base = seq_of(origin), f"http://127.0.0.1:{origin}"
        for path, headers in (
            ("/v1/claims?limit=1", {"X_Register_Seq": str(seq + 1)}),
            (f"/v1/claims?limit=1&seq={seq + 1}", {}),
            (f"/v1/claims?recorded_as_of=seq:{seq + 1}", {}),
            (f"/v1/changes?after=1:{seq + 1}", {}),
            ("/v1/claims", {"X_Register_Epoch": "2"}),
            ("/v1/keys", {}),
        ):
            status, answered, _ = fetch(mirror, path, **headers)
            assert (status, answered["location"], answered["cache-control"]) == (307, base + path, "no-store"), path
        assert fetch(mirror, "/v1/claims?limit=1", X_Register_Seq=str(seq))[0] == 200
        with pytest.raises(HTTPError) as refusal:
            _opener.open(Request(f"http://127.0.0.1:{mirror}/v1/claims", b"{}"), timeout=10)
        with closing(refusal.value):
            assert refusal.value.code == 307
            assert refusal.value.headers["location"] == f"{base}/v1/claims"


def test_without_its_origin_a_mirror_serves_until_its_lease_ends(url: str, tmp_path: Path) -> None:
    with (
        origin_of(url) as (origin, keys),
        closing(Relay(origin)) as line,
        mirrored(line.port, tmp_path / "mirror.db", key=keys["mirror"]) as (mirror, _),
    ):
        assert fetch(mirror, "/v1/topics")[0] == 200
        line.cut()
        wait_until(lambda: fetch(mirror, "/v1/topics")[0] != 200)
        status, _, body = fetch(mirror, "/v1/topics")
        assert (status, json.loads(body)["code"]) == (503, "lease_lost")
        line.is_cut = False
        wait_until(lambda: fetch(mirror, "/v1/topics")[0] == 200)


def test_an_offline_mirror_goes_on_and_says_so(url: str, tmp_path: Path) -> None:
    file = tmp_path / "mirror.db"
    with origin_of(url) as (origin, keys), closing(Relay(origin)) as line:
        with mirrored(line.port, file, "--offline", key=keys["mirror"]) as (mirror, _):
            wait_until(lambda: "x-register-offline-since" not in fetch(mirror, "/v1/topics")[1])
            line.cut()
            wait_until(lambda: "x-register-offline-since" in fetch(mirror, "/v1/topics")[1])
            for path in ("/v1/topics", "/v1/claims?limit=3", "/v1/claims/none", "/", "/health/live"):
                assert "x-register-offline-since" in fetch(mirror, path)[1], path
            assert fetch(mirror, "/v1/topics")[0] == 200
        with mirrored(line.port, file, "--offline") as (mirror, _):  # it also starts without its origin
            assert fetch(mirror, "/v1/topics")[0] == 200


def test_a_key_that_may_not_hold_leases_is_refused_at_the_start(url: str, tmp_path: Path) -> None:
    with origin_of(url) as (origin, keys):
        address, file = f"http://127.0.0.1:{origin}", str(tmp_path / "mirror.db")
        for key in (keys["editor"], "cc_unknown"):
            said = run_refused("mirror", address, "--file", file, COUNTERCLAIM_MIRROR_KEY=key)
            assert "/v1/leases answers 40" in said


def test_what_cannot_be_mirrored_is_said_in_a_line(tmp_path: Path) -> None:
    file = str(tmp_path / "mirror.db")
    key = {"COUNTERCLAIM_MIRROR_KEY": "cc_x"}
    port = str(free_port())
    assert "role `mirror`" in run_refused("mirror", "http://127.0.0.1:1", "--file", file, "--port", port)
    said = run_refused("mirror", "http://127.0.0.1:1", "--file", file, "--port", port, **key)
    assert "http://127.0.0.1:1 cannot be reached" in said
    for address in ("register.example", "https://u@register.example", "https://register.example?x=1", "ftp://x"):
        assert "ORIGIN: expected" in run_refused("mirror", address, "--file", file, "--port", port, **key)
