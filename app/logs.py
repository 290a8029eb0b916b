"""The log: one line a record, as text or JSON, with the process; a traceback once per cause and minute."""

import asyncio
import json
import logging
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from threading import Lock
from typing import TextIO

logger = logging.getLogger("counterclaim")

TEXT_FORMAT = "%(asctime)s %(levelname)s [%(process)d] %(message)s"

TRACEBACK_SECONDS = 60.0
"""The time in which the traceback of one cause is logged once."""

MAX_CAUSES = 1_000

FIELDS = ("request_id", "method", "path", "route", "status", "milliseconds")
"""The fields of a record that are members of a line in JSON."""


def configure_logging(level: str, *, as_json: bool) -> None:
    """Log to standard error."""
    logging.logThreads = logging.logMultiprocessing = False  # no line has them
    logging.basicConfig(level=level.upper(), handlers=[LineHandler()])
    for handler in logging.getLogger().handlers:
        handler.addFilter(shorten_repeated)
        handler.setFormatter(JsonFormatter() if as_json else TextFormatter(TEXT_FORMAT))


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines to standard error: those of one iteration of an event loop at once.

    A call of the system takes longer than a line, and each request has one. A warning is written at once, after the
    lines that wait, and so is what a thread without an event loop logs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._flushing_loop: asyncio.AbstractEventLoop | None = None
        """The event loop that will write the lines at the end of its iteration."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or let it wait for the end of the iteration."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            loop = None if record.levelno >= logging.WARNING else _running_loop()
            if loop is None:
                self.flush()
            elif loop is not self._flushing_loop:
                self._flushing_loop = loop
                loop.call_soon(self.flush)
        except Exception:  # noqa: BLE001 - as the handlers of `logging` do
            self.handleError(record)

    def flush(self) -> None:
        """Write the lines that wait."""
        with self.lock or nullcontext():
            lines, self._lines, self._flushing_loop = self._lines, [], None
            if lines:
                self.stream.write("".join(lines))
        super().flush()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class TextFormatter(logging.Formatter):
    """Formats a record as one line of text. The time is formatted once a second."""

    _second = -1
    _time = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - of `logging`
        """Return the time of a record, to the millisecond."""
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, super().formatTime(record, datefmt or self.default_time_format)
        return f"{self._time},{record.msecs:03.0f}"


def shorten_repeated(record: logging.LogRecord) -> bool:
    """Remove the traceback of a library's record if it was logged a moment ago. `log_once` does so for our own."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and record.name != logger.name and not is_first(f"{record.name} {cause_of(error)}"):
        record.exc_info = None
    return True


_logged_at: dict[str, float] = {}
_lock = Lock()


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "pid": record.process,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def is_first(cause: str) -> bool:
    """Return whether `cause` was not logged in the last `TRACEBACK_SECONDS`."""
    now = time.monotonic()
    with _lock:
        if now - _logged_at.get(cause, -TRACEBACK_SECONDS) < TRACEBACK_SECONDS:
            return False
        if len(_logged_at) >= MAX_CAUSES:
            _logged_at.clear()
        _logged_at[cause] = now
    return True


def log_once(
    message: str,
    *values: object,
    error: BaseException,
    cause: str,
    level: int = logging.WARNING,
    request_id: str | None = None,
) -> None:
    """Log an error: a line each time, with a traceback once per cause and minute."""
    extra = {} if request_id is None else {"request_id": request_id}
    logger.log(level, message, *values, exc_info=error if is_first(cause) else None, extra=extra)


def cause_of(error: BaseException) -> str:
    """Return what tells the cause of an error from others: its class, and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__module__}.{type(error).__qualname__} {where}"
