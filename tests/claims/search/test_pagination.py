"""Reading a list page by page returns every row once, even during concurrent writes."""

import base64
from itertools import count
from typing import Any

import orjson
import pytest

from app.claims.search.filters import Sort
from tests.examples import (
    assert_problem,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    read_all_pages,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

SORTS = [sort.value for sort in Sort]
LISTS = [
    "/v1/topics",
    "/v1/sources",
    "/v1/documents",
    "/v1/categories",
    "/v1/subjects",
    "/v1/places",
    "/v1/vocabulary",
    "/v1/columns",
    "/v1/topics/russian-casualties/claims",
    "/v1/topics/russian-casualties/timeline",
]


def key(row: dict[str, Any]) -> str:
    """Return the key of a row of a list."""
    return str(next(row[name] for name in ("id", "slug", "key", "name") if name in row))


@pytest.mark.parametrize("sort", SORTS)
def test_a_walk_visits_every_claim_once(shared_starter_register: Register, sort: str) -> None:
    whole = [row["id"] for row in read_all_rows(shared_starter_register, "/v1/claims", sort=sort)]
    assert len(whole) == len(set(whole)) > 50
    for limit in (7, 50):
        pages = read_all_pages(shared_starter_register, "/v1/claims", limit, sort=sort)
        assert [row["id"] for page in pages for row in page] == whole
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


@pytest.mark.parametrize("path", LISTS)
def test_a_walk_through_any_list_visits_every_row_once(shared_starter_register: Register, path: str) -> None:
    first = shared_starter_register.get(path, params={"limit": 1000, "total": "true"}).json()
    whole = [key(row) for row in first["data"]]
    assert first["meta"]["next_cursor"] is None
    assert first["meta"]["total"] == len(whole) == len(set(whole)) > 0
    limit = max(2, len(whole) // 4)
    assert [key(row) for page in read_all_pages(shared_starter_register, path, limit) for row in page] == whole


def mixed(register: Register) -> list[str]:
    """Record claims with equal sort values, and some without a date or a number."""
    record_example_vocabulary(register)
    bodies = [
        *(
            make_unique_claim_body(source=source, date=date)
            for source in ("ministry", "paper")
            for date in ("2025-06-12", None)
        ),
        *(
            make_claim_body(figure=make_figure_body("100", value=100), source=source)
            for source in ("ministry", "paper", "agency")
        ),
        make_claim_body(figure=make_figure_body("over 100", lower=100, lower_inclusive=False)),
        make_claim_body(figure=make_figure_body("up to 100", upper=100)),
        make_claim_body(figure={"as_printed": "thousands"}),
        make_claim_body(figure={"as_printed": "thousands"}, date=None),
        make_claim_body(figure={"as_printed": "many"}, proposition="trend", date=None),
    ]
    return [submit_claim(register, body)["id"] for body in bodies]


def test_one_row_at_a_time_loses_no_undated_and_no_unnumbered_claim(register: Register) -> None:
    ids = mixed(register)
    for sort in SORTS:
        walked = [row["id"] for row in read_all_rows(register, "/v1/claims", limit=1, sort=sort)]
        assert sorted(walked) == sorted(ids)
        assert walked == [row["id"] for row in read_all_rows(register, "/v1/claims", sort=sort)]


def test_no_row_is_lost_or_doubled_while_others_write(register: Register) -> None:
    there = set(mixed(register))
    numbers = count(1)
    for sort in SORTS:
        seen: list[str] = []
        asked: dict[str, Any] = {"sort": sort, "limit": 5}
        for turn in count():
            body = register.get("/v1/claims", params=asked).json()
            seen += [row["id"] for row in body["data"]]
            if body["meta"]["next_cursor"] is None:
                break
            asked["cursor"] = body["meta"]["next_cursor"]
            # Writes before and after the current position; a list sorted by `recorded` must still end.
            for date, size in (("2001-01-01", 1), ("2025-06-20", 10**9), (None, 70))[: 3 if turn < 2 else 0]:
                number = size + next(numbers)
                figure = make_figure_body(str(number), value=number)
                period = {"edtf": "2000/2025-06-12", "aggregation": "cumulative"}
                submit_claim(register, make_claim_body(figure=figure, date=date, period=period))
        assert len(seen) == len(set(seen))
        assert set(seen) >= there


def test_a_walk_of_a_past_state_is_exact(register: Register) -> None:
    ids = mixed(register)
    state = f"seq:{register.get('/v1/claims').json()['meta']['seq']}"
    seen: list[str] = []
    cursor = None
    while cursor or not seen:
        asked = {"recorded_as_of": state, "limit": 2} | ({"cursor": cursor} if cursor else {})
        body = register.get("/v1/claims", params=asked).json()
        seen += [row["id"] for row in body["data"]]
        cursor = body["meta"]["next_cursor"]
        submit_claim(register, make_unique_claim_body())
    assert sorted(seen) == sorted(ids)


def test_the_next_page_is_linked_in_the_header_and_in_the_body(shared_starter_register: Register) -> None:
    for path in ("/v1/claims", "/v1/sources", "/v1/topics/russian-casualties/timeline", "/v1/columns"):
        first = shared_starter_register.get(path, params={"limit": 2, "v": "17", "total": "false"})
        body = first.json()
        following = body["links"]["next"]
        assert first.headers["link"] == f'<{following}>; rel="next"'
        assert body["links"]["self"] == f"{path}?limit=2&v=17&total=false"
        assert body["meta"]["next_cursor"] in following
        assert "limit=2" in following
        second = shared_starter_register.get(following)
        assert second.status_code == 200
        assert [key(row) for row in second.json()["data"]] != [key(row) for row in body["data"]]
    last = shared_starter_register.get("/v1/claims", params={"limit": 1000})
    assert "link" not in last.headers
    assert last.json()["links"]["next"] is None


def test_the_next_page_keeps_every_filter(shared_starter_register: Register) -> None:
    address = "/v1/claims?source=csis&source=uk-mod&kind=range&kind=lower_bound&sort=value&limit=1"
    seen = []
    while address:
        body = shared_starter_register.get(address).json()
        seen += body["data"]
        address = body["links"]["next"]
    assert len(seen) > 2
    assert {row["source"]["slug"] for row in seen} <= {"csis", "uk-mod"}
    assert len({row["id"] for row in seen}) == len(seen)


def cursor_of(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(parts))).rstrip(b"=").decode()


ID = "0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"
BROKEN = {
    "garbage": "garbage",
    "no base64": "!!!!",
    "one letter": "W",
    "not ASCII": "ü" * 8,
    "NUL": "\0",
    "no JSON": base64.urlsafe_b64encode(b"[1, 2").decode(),
    "no UTF-8": base64.urlsafe_b64encode(b'["-date","\xff\xfe","x"]').decode(),
    "lone surrogate": base64.urlsafe_b64encode(b'["-date",null,"\\ud800"]').decode(),
    "no list": cursor_of().replace("W10", "e30"),
    "too short": cursor_of("-date"),
    "too long": cursor_of("-date", "2025-01-01", ID, 1),
    "other sort": cursor_of("value", 5, ID),
    "no such sort": cursor_of("nothing", None, ID),
    "sort of another type": cursor_of(None, None, ID),
    "malformed id": cursor_of("-date", "2025-01-01", "0197b0c2"),
    "id with NUL": cursor_of("-date", "2025-01-01", ID[:-1] + "\0"),
    "upper case id": cursor_of("-date", "2025-01-01", ID.upper()),
    "number for an id": cursor_of("-date", "2025-01-01", 5),
    "no id": cursor_of("-date", "2025-01-01", None),
    "no date": cursor_of("-date", "2025-02-30", ID),
    "number for a date": cursor_of("-date", 20250101, ID),
    "list for a date": cursor_of("-date", [1], ID),
    "too big": "A" * 601,
}


@pytest.mark.parametrize("cursor", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_cursor_is_refused(shared_starter_register: Register, cursor: str) -> None:
    for path in ("/v1/claims", "/v1/claims.csv", "/v1/topics/russian-casualties/timeline"):
        problem = assert_problem(shared_starter_register.get(path, params={"cursor": cursor}), 422)
        assert problem["errors"][0]["pointer"] == "#/cursor"


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("recorded", 2**63),
        ("recorded", -(2**63) - 1),
        ("recorded", "x"),
        ("recorded", 1e308),
        ("recorded", {}),
        ("-recorded", [2]),
        ("value", "many"),
        ("value", {"a": 1}),
        ("source", "csis\0"),
    ],
)
def test_a_cursor_with_a_value_that_no_row_has_is_refused(
    shared_starter_register: Register, sort: str, value: Any
) -> None:
    raw = orjson.dumps([sort, 0, ID]).replace(b",0,", b"," + str_of(value) + b",")
    cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert_problem(
        shared_starter_register.get("/v1/claims", params={"sort": sort, "cursor": cursor}), 422, "invalid_cursor"
    )


def str_of(value: Any) -> bytes:
    return str(value).encode() if isinstance(value, int) else orjson.dumps(value)


@pytest.mark.parametrize("text", [b"1e400", b"-1e400", b"NaN", b"Infinity", b'"nan"', b'"inf"', b"true", b"9" * 330])
@pytest.mark.parametrize("sort", ["recorded", "value", "-value", "date"])
def test_a_cursor_without_end_never_breaks_a_walk(shared_starter_register: Register, sort: str, text: bytes) -> None:
    raw = b'["' + sort.encode() + b'",' + text + b',"' + ID.encode() + b'"]'
    cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    answer = shared_starter_register.get("/v1/claims", params={"sort": sort, "cursor": cursor})
    assert answer.status_code in (200, 422)
    if answer.status_code == 422:
        assert_problem(answer, 422, "invalid_cursor")


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_of_another_list_is_refused(shared_starter_register: Register, path: str) -> None:
    for cursor in (cursor_of("other", None, "x"), cursor_of("slug", None, "a\0"), cursor_of("list", None, "none"), "x"):
        assert_problem(shared_starter_register.get(path, params={"cursor": cursor}), 422, "invalid_cursor")
