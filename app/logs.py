"""The log: one line a record, as text or JSON, with the process; a traceback once per cause and minute."""

import json
import logging
import time
from datetime import UTC, datetime
from threading import Lock

logger = logging.getLogger("counterclaim")

TEXT_FORMAT = "%(asctime)s %(levelname)s [%(process)d] %(message)s"

TRACEBACK_SECONDS = 60.0
"""The time in which the traceback of one cause is logged once."""

MAX_CAUSES = 1_000

FIELDS = ("request_id", "method", "path", "route", "status", "milliseconds")
"""The fields of a record that are members of a line in JSON."""


def configure_logging(level: str, *, as_json: bool) -> None:
    """Log to standard error."""
    logging.basicConfig(level=level.upper(), format=TEXT_FORMAT)
    for handler in logging.getLogger().handlers:
        handler.addFilter(shorten_repeated)
        if as_json:
            handler.setFormatter(JsonFormatter())


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
