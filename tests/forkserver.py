"""Runs `counterclaim` in processes that are forked from a process in which it is already imported.

The import takes more than a second of CPU time, more than most commands. Tests of the start itself run
`python -m app` instead.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.forkserver_preload"])


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    out: Path,
    err: Path,
    *,
    own_group: bool = False,
) -> BaseProcess:
    """Start `counterclaim` in `folder`; its output is appended to the files `out` and `err`.

    With `own_group`, it is the first of a process group of its own, which can be killed as a whole.
    """
    process = _context.Process(
        target=_run_program,
        args=(list(arguments), dict(environment), folder, out, err),
        kwargs={"own_group": own_group},
    )
    process.start()
    return process


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `counterclaim` in `folder` and wait for its end."""
    with TemporaryDirectory(prefix="counterclaim-") as kept:
        out, err = Path(kept) / "out", Path(kept) / "err"
        process = start(arguments, environment, folder, out, err)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        code = process.exitcode
        process.close()
        return subprocess.CompletedProcess(list(arguments), code, out.read_text("utf-8"), err.read_text("utf-8"))


class RunningProgram:
    """A `counterclaim` process, with the methods of `subprocess.Popen` that tests of servers use."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._output = TemporaryDirectory(prefix="counterclaim-")
        out = Path(self._output.name) / "out"
        out.touch()
        self.stdout = out.open(encoding="utf-8")
        self._process = start(arguments, environment, folder, out, Path(os.devnull))
        self.pid = int(self._process.pid or 0)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float) -> None:
        self._process.join(timeout)
        assert self.returncode is not None, "the process does not end"

    def communicate(self, timeout: float) -> tuple[str, None]:
        """Wait for the end of the process; return what it has written and was not read yet."""
        self.wait(timeout)
        return self.stdout.read(), None

    def close(self) -> None:
        """End the process and delete its output."""
        self._process.kill()
        self._process.join()
        self.stdout.close()
        self._output.cleanup()


def _run_program(
    arguments: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path, *, own_group: bool
) -> None:
    if own_group:
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from app.__main__ import main  # noqa: PLC0415 - imported in the new process only

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["counterclaim", *arguments]
    sys.stdin = None  # a worker process could not open that of this process
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), stream.fileno())
    main()
