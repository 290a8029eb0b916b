"""The examples of reverse proxies in docs/examples/ work: nginx and Caddy run them in front of the service.

Where a proxy is not installed, its tests are skipped (`apt-get install nginx caddy`).
"""

import gzip
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from app.enums import Role
from tests import forkserver
from tests.contract.reference import DOCS
from tests.contract.test_container import starter_row
from tests.history.servers import find_free_port
from tests.imports.import_helpers import format_csv
from tests.registers import DatabaseCopies, create_keys
from tests.test_cli import ROOT, environment, wait_for

HOST = "register.example"
PREFIX = "/claims-register"
BASE_URL = f"https://{HOST}{PREFIX}"
TIMEOUT_SECONDS = 300
IMPORT_BYTES = 50_000_000
MAX_IMPORT_BYTES = 60_000_000
LONG_TEXT = "Counted by the ministry. " * 199

NGINX_WRAPPER = """
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
worker_processes 1;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/counterclaim.conf;
}}
"""


@dataclass
class Proxy:
    """A proxy in front of the service."""

    context: ssl.SSLContext
    https_port: int
    http_port: int
    service_port: int
    key: dict[str, str]

    def connect(self) -> HTTPSConnection:
        connection = HTTPSConnection(HOST, self.https_port, timeout=TIMEOUT_SECONDS)
        opened = socket.create_connection(("127.0.0.1", self.https_port), timeout=TIMEOUT_SECONDS)
        connection.sock = self.context.wrap_socket(opened, server_hostname=HOST)
        return connection

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[HTTPResponse, bytes]:
        """Send a request to the proxy, and return the response with its body."""
        connection = self.connect()
        try:
            sent = {"Host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
        return self.send("GET", path, **headers)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, str]]]:
    """The port of a service with the starter claims, and the headers of an editor."""
    folder = tmp_path_factory.mktemp("service")
    url = DatabaseCopies(folder, None).create_copy("starter")
    key = create_keys(url)[Role.editor.value]
    port = find_free_port()
    settings = {"COUNTERCLAIM_BASE_URL": BASE_URL, "COUNTERCLAIM_MAX_IMPORT_BYTES": str(MAX_IMPORT_BYTES)}
    settings["COUNTERCLAIM_DEADLINE"] = "60"  # on a busy machine
    process = forkserver.RunningProgram(["serve", "--port", str(port)], environment(url, **settings), ROOT)
    try:
        wait_for(port)
        yield port, key
    finally:
        process.terminate()
        process.communicate(timeout=20)
        process.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem", folder / "key.pem"


def nginx_command(folder: Path, example: str) -> list[str]:
    (folder / "counterclaim.conf").write_text(example, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX_WRAPPER.format(folder=folder, user=user), encoding="utf-8")
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def caddy_command(folder: Path, example: str) -> list[str]:
    (folder / "Caddyfile").write_text(example, encoding="utf-8")
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def configure(name: str, ports: tuple[int, int, int], certificate: tuple[Path, Path]) -> str:
    """Return an example with free ports and a certificate in place of those of a real host."""
    service, https, http = ports
    if name == "nginx":
        text = (DOCS / "examples" / "nginx.conf").read_text(encoding="utf-8")
        changes = {
            "client_max_body_size 200000000;": f"client_max_body_size {MAX_IMPORT_BYTES};",
            "listen 80;": f"listen 127.0.0.1:{http};",
            "listen [::]:80;": "",
            "listen 443 ssl": f"listen 127.0.0.1:{https} ssl",
            "listen [::]:443 ssl http2;": "",
            "/etc/ssl/register.example/fullchain.pem": str(certificate[0]),
            "/etc/ssl/register.example/privkey.pem": str(certificate[1]),
        }
    else:
        text = (DOCS / "examples" / "Caddyfile").read_text(encoding="utf-8")
        changes = {
            "\n{\n": f"\n{{\n\tadmin off\n\thttp_port {http}\n\thttps_port {https}\n\tdefault_bind 127.0.0.1\n",
            f"\n{HOST} {{\n": f"\n{HOST} {{\n\ttls {certificate[0]} {certificate[1]}\n",
        }
    for old, new in ({"127.0.0.1:8000": f"127.0.0.1:{service}"} | changes).items():
        assert text.count(old) == 1, f"the example has {old} once"
        text = text.replace(old, new)
    return text


COMMANDS = {"nginx": nginx_command, "caddy": caddy_command}


@contextmanager
def running(program: str, arguments: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a proxy until its port is open."""
    log = folder / "log"
    environment = dict(os.environ) | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        log.open("wb") as output,
        subprocess.Popen([program, *arguments], cwd=folder, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while not is_open(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture(scope="module", params=COMMANDS)
def proxy(
    request: pytest.FixtureRequest,
    service: tuple[int, dict[str, str]],
    certificate: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """A proxy with its example as the configuration."""
    program = shutil.which(request.param, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    https, http = find_free_port(), find_free_port()
    example = configure(request.param, (service[0], https, http), certificate)
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with running(program, COMMANDS[request.param](folder, example), folder, https):
        yield Proxy(context, https, http, *service)


def test_addresses_are_those_of_the_proxy(proxy: Proxy) -> None:
    spoofed = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/evil", "Forwarded": "host=evil.example"}
    response, body = proxy.get(f"{PREFIX}/v1/claims?limit=1", **spoofed)
    assert response.status == 200
    page = json.loads(body)
    assert page["data"][0]["links"]["self"].startswith(f"{BASE_URL}/v1/claims/")
    assert f"<{BASE_URL}/v1/claims?" in str(response.headers["Link"])
    assert b"evil" not in body
    following = page["links"]["next"].removeprefix(f"https://{HOST}")
    assert json.loads(proxy.get(following)[1])["meta"]["count"] == 1
    assert json.loads(proxy.get(f"{PREFIX}/openapi.json")[1])["servers"] == [{"url": BASE_URL}]
    problem, body = proxy.get(f"{PREFIX}/v1/claims/none")
    assert (problem.status, json.loads(body)["type"]) == (404, f"{BASE_URL}/problems/not_found")


def test_pages_find_what_they_load(proxy: Proxy) -> None:
    response, body = proxy.get(f"{PREFIX}/")
    assert response.status == 200
    loaded = set(re.findall(r'(?:href|src)="([^"#?]+)', body.decode()))
    own = {address.removeprefix(f"https://{HOST}") for address in loaded if address.startswith((BASE_URL, PREFIX, "/"))}
    assert any(each.endswith(".css") for each in own)
    for path in own:
        assert path.startswith(PREFIX), path
        assert proxy.get(path)[0].status == 200, path


def test_the_host_is_reached_by_https_only(proxy: Proxy) -> None:
    connection = HTTPConnection("127.0.0.1", proxy.http_port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", f"{PREFIX}/v1/claims?limit=1", headers={"Host": HOST})
    response = connection.getresponse()
    assert response.status in {301, 308}
    assert str(response.headers["Location"]).startswith(f"https://{HOST}")
    assert str(response.headers["Location"]).endswith(f"{PREFIX}/v1/claims?limit=1")
    connection.close()
    response, _ = proxy.get(PREFIX)
    assert response.status == 308
    assert str(response.headers["Location"]).endswith(f"{PREFIX}/")


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        f"{PREFIX}/metrics",
        f"{PREFIX}/metrics/",
        f"{PREFIX}//metrics",
        f"/{PREFIX}/metrics",
        f"{PREFIX}/%6Detrics",
        f"{PREFIX}/v1/../metrics",
        f"{PREFIX}/./metrics",
        f"{PREFIX}/metrics?x=1",
        f"{PREFIX}{PREFIX}/metrics",
        f"{PREFIX}/METRICS",
        f"{PREFIX}/metrics%2F",
        f"{PREFIX}/%2Fmetrics",
        f"{PREFIX}/metrics;x",
    ],
)
def test_metrics_are_closed(proxy: Proxy, path: str) -> None:
    for method in ("GET", "HEAD"):
        response, body = proxy.send(method, path)
        assert response.status in {400, 404}, path
        assert b"counterclaim_" not in body
    connection = HTTPConnection("127.0.0.1", proxy.service_port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", "/metrics")
    assert b"counterclaim_" in connection.getresponse().read()
    connection.close()


def test_events_arrive_when_they_happen(proxy: Proxy) -> None:
    seq = json.loads(proxy.get(f"{PREFIX}/health/ready")[1])["seq"]
    connection = proxy.connect()
    connection.request("GET", f"{PREFIX}/v1/changes/stream?after={seq}", headers={"Host": HOST})
    stream = connection.getresponse()
    assert stream.readline() == b": connected\n"
    # The stream stays open: a proxy that collects its bytes would send none of these before the next comment.
    for number in range(3):
        body = json.dumps({"title": f"Page {number} {seq}"})
        made, _ = proxy.send("POST", f"{PREFIX}/v1/documents", body, Content_Type="application/json", **proxy.key)
        assert made.status == 201
        assert str(made.headers["Location"]).startswith(f"{BASE_URL}/v1/documents/")
        while not (line := stream.readline()).startswith(b"data:"):
            assert line
        assert json.loads(line.removeprefix(b"data:"))["data"]["title"] == f"Page {number} {seq}"
    connection.close()


def test_an_import_of_many_bytes_is_passed_on(proxy: Proxy) -> None:
    rows = [starter_row(9_000_000 + number, note=LONG_TEXT, quote=LONG_TEXT) for number in range(2)]
    header, row = (len(line) for line in format_csv(*rows).splitlines(keepends=True)[:2])
    count = (IMPORT_BYTES - header) // row + 1
    rows += [starter_row(9_000_000 + number, note=LONG_TEXT, quote=LONG_TEXT) for number in range(2, count)]
    content = format_csv(*rows).encode()
    assert IMPORT_BYTES <= len(content) < MAX_IMPORT_BYTES
    headers = proxy.key | {"Content_Type": "text/csv"}
    response, body = proxy.send("POST", f"{PREFIX}/v1/imports?dry_run=true", content, **headers)
    assert response.status == 200, body
    assert json.loads(body)["counts"]["new"] == count


@pytest.mark.parametrize(("path", "size"), [("imports", MAX_IMPORT_BYTES + 1), ("documents", 1_000_001)])
def test_a_body_that_is_too_large_is_refused_before_it_is_sent(proxy: Proxy, path: str, size: int) -> None:
    connection = proxy.connect()
    connection.putrequest("POST", f"{PREFIX}/v1/{path}", skip_host=True)
    headers = {"Host": HOST, "Content-Type": "text/csv", "Content-Length": str(size), "Expect": "100-continue"}
    for name, value in (headers | proxy.key).items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(response.read())
    assert (problem["code"], problem["type"]) == ("content_too_large", f"{BASE_URL}/problems/content_too_large")
    connection.close()


def test_caching_and_ranges_are_passed_on(proxy: Proxy) -> None:
    path = f"{PREFIX}/v1/claims.csv"
    response, plain = proxy.get(path)
    packed, body = proxy.get(path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain
    for each, encoding in ((response, "identity"), (packed, "gzip")):
        etag = str(each.headers["ETag"])
        assert etag.startswith('"'), "strong"
        assert proxy.get(path, If_None_Match=etag, Accept_Encoding=encoding)[0].status == 304
    part, body = proxy.get(path, Range="bytes=0-99", If_Range=str(response.headers["ETag"]))
    assert (part.status, body) == (206, plain[:100])
    head, body = proxy.send("HEAD", path)
    assert (head.status, body) == (200, b"")
    page, _ = proxy.get(f"{PREFIX}/topics/russian-casualties")
    assert str(page.headers["ETag"]).startswith('"')
