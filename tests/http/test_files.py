"""Files by range: from the response cache, and from copies of long files."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.database.takedowns import read_latest_takedown
from app.errors import RangeNotSatisfiable
from app.http.file_copies import FILE_COPIES, FileCopies
from app.http.ranges import choose_range
from tests.examples import assert_problem, make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.registers import Register

SHORT = "/v1/sources.csv"
LONG = "/v1/claims.csv?sort=recorded"


@pytest.fixture
def long_register(register: Register, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """A register in which a list of more than two claims is a long file."""
    record_example_vocabulary(register)
    for _ in range(7):
        submit_claim(register, make_unique_claim_body())
    monkeypatch.setattr("app.http.lists.MAX_LIMIT", 2)
    monkeypatch.setattr("app.http.lists.FILE_PAGE_ROWS", 3)
    yield register
    copies = register.database.caches[FILE_COPIES]
    copies.delete_all()


def files_of(register: Register) -> list[Path]:
    folder = register.database.caches[FILE_COPIES].folder
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-4", (2, 5)),
        ("bytes=7-", (7, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=5-99", (5, 10)),
        (" Bytes = 1-2 ", (1, 3)),
        ("rows=0-5", None),
        ("bytes=0-1,4-5", None),
    ],
)
def test_the_bytes_of_a_range(asked: str, found: tuple[int, int] | None) -> None:
    part = choose_range(asked, None, '"a"', 10)
    assert (part and (part.start, part.end)) == found
    if part:
        assert part.content_range == f"bytes {part.start}-{part.end - 1}/10"
    assert choose_range(asked, '"b"', '"a"', 10) is None
    assert choose_range(asked, 'W/"a"', '"a"', 10) is None
    assert choose_range(asked, "Wed, 21 Oct 2026 07:28:00 GMT", '"a"', 10) is None
    assert choose_range(asked, '"a"', '"a"', 10) == part


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=a-b", "bytes=", "bytes", "bytes=5-2", "bytes=1-2,x"])
def test_a_broken_range_is_416_with_the_size(asked: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as raised:
        choose_range(asked, None, '"a"', 10)
    assert raised.value.headers["Content-Range"] == "bytes */10"


def check_ranges(register: Register, path: str) -> None:
    """Check that a file is served in ranges, of one representation."""
    head = register.head(path, headers={"Accept-Encoding": "identity"})
    whole = register.get(path, headers={"Accept-Encoding": "identity"})
    size, etag = len(whole.content), whole.headers["etag"]
    assert int(head.headers["content-length"]) == size
    assert head.headers["etag"] == etag
    assert head.headers["accept-ranges"] == whole.headers["accept-ranges"] == "bytes"
    for encoding in ("identity", "gzip"):
        part = register.get(path, headers={"Range": "bytes=5-14", "Accept-Encoding": encoding})
        assert (part.status_code, part.content) == (206, whole.content[5:15])
        assert part.headers["content-range"] == f"bytes 5-14/{size}"
        assert part.headers["content-length"] == "10"
        assert part.headers["etag"] == etag
        assert "content-encoding" not in part.headers
    end = register.get(path, headers={"Range": "bytes=-7", "If-Range": etag})
    assert (end.status_code, end.content) == (206, whole.content[-7:])
    for condition in ({"If-Range": '"other"'}, {"If-None-Match": '"other"', "If-Range": f"W/{etag}"}):
        again = register.get(path, headers={"Range": "bytes=-7", "Accept-Encoding": "identity"} | condition)
        assert (again.status_code, again.content) == (200, whole.content)
    for asked in (f"bytes={size}-", "bytes=x"):
        answer = register.get(path, headers={"Range": asked})
        assert_problem(answer, 416, "range_not_satisfiable")
        assert answer.headers["content-range"] == f"bytes */{size}"
        assert answer.headers["access-control-allow-origin"] == "*"
    matched = register.get(path, headers={"Range": "bytes=0-3", "If-Match": etag})
    assert (matched.status_code, matched.content) == (206, whole.content[:4])
    assert_problem(register.get(path, headers={"Range": "bytes=0-3", "If-Match": '"other"'}), 412)
    assert register.get(path, headers={"Range": "bytes=0-3", "If-None-Match": etag}).status_code == 304
    assert register.head(path, headers={"Range": "bytes=0-3"}).status_code == 200
    assert register.get(path, headers={"Range": "bytes=0-1,3-4", "Accept-Encoding": "identity"}).status_code == 200


def test_a_short_file_is_served_in_ranges(shared_starter_register: Register) -> None:
    check_ranges(shared_starter_register, SHORT)


def test_a_long_file_is_served_in_ranges_from_its_copy(long_register: Register) -> None:
    check_ranges(long_register, LONG)
    assert len(files_of(long_register)) == 1
    assert long_register.get(LONG).text.count("\r\n") == 8


def test_the_file_of_a_state_never_changes_and_the_plain_address_names_it(long_register: Register) -> None:
    before = long_register.get(LONG)
    submit_claim(long_register, make_unique_claim_body())
    fixed = before.headers["content-location"]
    assert fixed.startswith("/v1/claims.csv?sort=recorded&recorded_as_of=seq:")
    after = long_register.get(LONG)
    assert after.content != before.content
    assert after.headers["etag"] != before.headers["etag"]
    again = long_register.get(fixed)
    assert (again.content, again.headers["content-location"]) == (before.content, fixed)
    mixed = long_register.get(LONG, headers={"Range": "bytes=0-9", "If-Range": before.headers["etag"]})
    assert (mixed.status_code, mixed.content) == (200, after.content)
    assert_problem(long_register.get(LONG, headers={"Range": "bytes=0-9", "If-Match": before.headers["etag"]}), 412)


def test_cache_busters_share_one_copy(long_register: Register) -> None:
    tags = {long_register.get(f"{LONG}&v={number}&utm_source=a").headers["etag"] for number in range(3)}
    assert len(tags) == 1
    assert len(files_of(long_register)) == 1


def test_a_takedown_removes_every_copy(long_register: Register) -> None:
    fixed = long_register.get(LONG).headers["content-location"]
    before = long_register.get(fixed)
    (copy,) = files_of(long_register)[:1]
    id_ = long_register.get("/v1/claims?limit=1").json()["data"][0]["id"]
    with copy.open("rb") as reader:  # another process that serves the copy at this moment
        answer = long_register.write("POST", f"/v1/claims/{id_}/takedown", {"reason": "By order of a court."})
        assert answer.status_code == 200
        assert reader.read() == b""
    assert files_of(long_register) == []
    after = long_register.get(fixed)
    assert id_ not in after.text
    assert after.headers["etag"] != before.headers["etag"]
    stale = long_register.get(fixed, headers={"Range": "bytes=0-9", "If-Range": before.headers["etag"]})
    assert (stale.status_code, stale.content) == (200, after.content)
    assert read_latest_takedown(long_register.database) > 0


def test_copies_of_another_process_are_removed_when_this_one_notices_a_takedown(long_register: Register) -> None:
    long_register.get(LONG)
    assert files_of(long_register)
    long_register.database.caches.reset()  # as `CacheInvalidator` does after a takedown
    assert files_of(long_register) == []


def test_without_a_place_for_copies_files_are_sent_without_ranges(long_register: Register, tmp_path: Path) -> None:
    whole = long_register.get(LONG, headers={"Accept-Encoding": "identity"})
    copies = long_register.database.caches[FILE_COPIES]
    file = tmp_path / "file"
    file.write_bytes(b"")
    copies.folder = file / "copies"
    answer = long_register.get(LONG, headers={"Range": "bytes=0-9", "Accept-Encoding": "identity"})
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert answer.headers["accept-ranges"] == "none"
    head = long_register.head(LONG, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.headers["etag"]) == (200, whole.headers["etag"])
    assert "content-length" not in head.headers
    ready = long_register.get("/health/ready")
    assert ready.status_code == 200
    assert "Files are sent without ranges" in ready.json()["warnings"][0]
    assert "COUNTERCLAIM_FILES_DIR" in ready.json()["warnings"][0]


def test_a_file_that_is_too_large_for_a_copy_is_sent_whole(long_register: Register) -> None:
    whole = long_register.get(LONG, headers={"Accept-Encoding": "identity"})
    long_register.database.caches[FILE_COPIES].delete_all()
    long_register.database.caches[FILE_COPIES].max_bytes = 2_000  # the first page fits
    for _ in range(2):
        answer = long_register.get(LONG, headers={"Accept-Encoding": "identity"})
        assert (answer.status_code, answer.content) == (200, whole.content)
    part = long_register.get(LONG, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (200, whole.content)
    assert files_of(long_register) == []


def test_a_copy_is_written_once_for_clients_that_ask_at_the_same_time(tmp_path: Path) -> None:
    copies, proceed, calls = FileCopies(tmp_path / "a", 10**6), threading.Event(), []

    def render() -> Iterator[bytes]:
        calls.append(1)
        yield b"one"
        proceed.wait(5)
        yield b"two"

    productions = [copies.produce("name", render) for _ in range(3)]
    assert len({id(production) for production in productions}) == 1
    assert copies.open("name") is None
    proceed.set()
    wait_for(productions[0])
    with copies.open("name") or pytest.fail("no copy") as file:
        assert file.read() == b"onetwo"
    assert calls == [1]


def wait_for(production: Any) -> None:
    deadline = threading.Event()
    while not production.is_finished:
        deadline.wait(0.005)


def test_a_takedown_stops_a_copy_that_is_being_written(tmp_path: Path) -> None:
    copies, others = FileCopies(tmp_path / "a", 10**6), FileCopies(tmp_path / "a", 10**6)
    for remover in (copies, others):  # in this process, and in another one
        started, proceed = threading.Event(), threading.Event()

        def render(started: threading.Event = started, proceed: threading.Event = proceed) -> Iterator[bytes]:
            yield b"one"
            started.set()
            proceed.wait(5)
            yield b"two"

        production = copies.produce("name", render)
        assert production is not None
        started.wait(5)
        remover.delete_all()
        proceed.set()
        wait_for(production)
        assert production.error is not None
        assert copies.open("name") is None
        assert list((tmp_path / "a").iterdir()) == []


def test_the_copies_that_were_not_used_for_longest_are_removed_first(tmp_path: Path) -> None:
    copies = FileCopies(tmp_path / "a", 25)
    for name in ("a", "b", "c"):
        if name == "c":
            os.utime(copies.folder / "b.copy", (0, 0))
            (copies.open("a") or pytest.fail("no copy")).close()
        wait_for(copies.produce(name, lambda: iter([b"0123456789"])))
    assert copies.open("b") is None
    for name in ("a", "c"):
        (copies.open(name) or pytest.fail("no copy")).close()


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(0o777)
    assert "others could write it" in (FileCopies(folder, 10).find_fault() or "")
    assert FileCopies(folder, 10).produce("name", lambda: iter([b"a"])) is None
    assert FileCopies(folder, 0).find_fault() is None


NAMES = {
    "/v1/claims.csv?category=killed&narrower=true&v=5": "counterclaim-claims-category-killed-narrower-true",
    "/v1/claims.csv?q=Украина%20%22%0D%0Ax%3A1": "counterclaim-claims-q-x-1",
    "/v1/topics/russian-casualties/timeline.csv?fields=id&bom=true": "counterclaim-topics-russian-casualties-timeline",
    "/v1/claims?format=csv&source=csis&limit=3": "counterclaim-claims-source-csis",
}


@pytest.mark.parametrize("path", NAMES)
def test_the_name_of_a_file_says_what_was_asked(shared_starter_register: Register, path: str) -> None:
    name = shared_starter_register.get(path).headers["content-disposition"]
    assert name.startswith(f'inline; filename="{NAMES[path]}-20')
    assert name.endswith('.csv"')
    state = shared_starter_register.get(f"{path}&recorded_as_of=seq:600").headers["content-disposition"]
    assert state.endswith('-seq-600.csv"')


def test_the_name_of_a_file_is_bounded(shared_starter_register: Register) -> None:
    path = f"/v1/claims.csv?q={'a' * 150}&source=csis"
    name = shared_starter_register.get(path).headers["content-disposition"]
    assert len(name) < 200
    assert name.isascii()
