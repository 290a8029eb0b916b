"""A traceback is logged once per cause and minute, also by libraries."""

import logging

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
