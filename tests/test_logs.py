"""A traceback is logged once per cause and minute, also by libraries."""

import asyncio
import io
import logging
import re
import weakref
from collections.abc import Iterator

import pytest

from app import logs


@pytest.fixture(autouse=True)
def _no_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_logged_at", {})


def refuse(message: str) -> None:
    raise ConnectionError(message)


def make_record(name: str, message: str) -> logging.LogRecord:
    try:
        refuse(message)
    except ConnectionError as error:
        info = (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, None, info)


def test_a_library_logs_the_traceback_of_a_cause_once() -> None:
    first, again = (make_record("sqlalchemy.pool", f"the connection {number} is lost") for number in range(2))
    assert logs.shorten_repeated(first)
    assert logs.shorten_repeated(again)
    assert first.exc_info is not None
    assert again.exc_info is None
    assert "is lost" in again.getMessage(), "the line stays"
    other = make_record("uvicorn.error", "another library")
    assert logs.shorten_repeated(other)
    assert other.exc_info is not None


def test_our_own_records_are_left_to_log_once() -> None:
    for _ in range(2):
        record = make_record("counterclaim", "unhandled")
        assert logs.shorten_repeated(record)
        assert record.exc_info is not None


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> Iterator[logging.Logger]:
    handler = logs.LineHandler()
    handler.setStream(stream)
    handler.setFormatter(logs.TextFormatter("%(asctime)s %(message)s"))
    found = logging.getLogger("lines")
    found.setLevel(logging.INFO)
    found.propagate = False
    found.addHandler(handler)
    yield found
    found.removeHandler(handler)


def messages(stream: io.StringIO) -> list[str]:
    return [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()]


def test_the_lines_of_an_iteration_of_the_loop_are_written_at_once(logger: logging.Logger, stream: io.StringIO) -> None:
    async def log() -> None:
        logger.info("one")
        logger.info("two")
        assert messages(stream) == []
        await asyncio.sleep(0)
        assert messages(stream) == ["one", "two"]

    asyncio.run(log())


def test_a_warning_is_written_at_once_after_the_lines_that_wait(logger: logging.Logger, stream: io.StringIO) -> None:
    async def log() -> None:
        logger.info("one")
        logger.warning("two")
        assert messages(stream) == ["one", "two"]
        logger.info("three")
        await asyncio.sleep(0)
        assert messages(stream) == ["one", "two", "three"]

    asyncio.run(log())


def test_what_waits_is_written_when_the_process_ends(logger: logging.Logger, stream: io.StringIO) -> None:
    async def log() -> None:
        logger.info("one")
        logging.shutdown([weakref.ref(logger.handlers[0])])
        assert messages(stream) == ["one"]

    asyncio.run(log())


def test_a_thread_without_a_loop_writes_its_lines_at_once(logger: logging.Logger, stream: io.StringIO) -> None:
    logger.info("one")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} one\n", stream.getvalue())
