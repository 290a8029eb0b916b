"""Varnish with the example configuration, in front of a service on this machine."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "varnish.vcl"
START_SECONDS = 60


def find_varnish() -> str | None:
    """Return the path of Varnish, or None if it or one of its modules is not installed."""
    program = shutil.which("varnishd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    modules = [list(Path("/usr").glob(f"lib*/**/varnish/vmods/libvmod_{name}.so")) for name in ("var", "xkey")]
    return program if all(modules) else None


@contextmanager
def running_varnish(program: str, service_port: int, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Varnish on `port` of the loopback interface, in front of the service on `service_port`."""
    with tempfile.TemporaryDirectory(prefix="varnish-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Varnish gives up root
        text = EXAMPLE.read_text(encoding="utf-8")
        assert text.count('"8000"') == 1
        configuration = folder / "varnish.vcl"
        configuration.write_text(text.replace('"8000"', f'"{service_port}"'), encoding="utf-8")
        log = folder / "log"
        command = [program, "-F", "-a", f"127.0.0.1:{port}", "-T", "none", "-n", str(folder / "state")]
        command += ["-f", str(configuration), "-s", "malloc,256m"]
        with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            try:
                deadline = time.monotonic() + START_SECONDS
                while not _is_open(port):
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"Varnish does not start: {log.read_text()}")
                    time.sleep(0.05)
                yield process
            finally:
                process.terminate()
                process.wait(START_SECONDS)


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
