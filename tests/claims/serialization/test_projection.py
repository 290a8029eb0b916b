"""The JSON projection of the database equals the serialized schema, byte for byte, in every layout."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.claims.queries import read_claims
from app.claims.schemas import Claim
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.export import render_lines
from app.claims.serialization.projection import render_claim, render_claims
from app.claims.serialization.row_cache import get_or_render_claims
from app.database.read_session import ReadSession
from app.database.read_session import read_session as reading_of
from app.database.snapshot import Snapshot
from app.http.responses import json_bytes
from app.http.serializers import NESTED_LAYOUT, FlatColumn, RowLayout, csv_cell, csv_rows, flatten_rows, ndjson_rows
from tests.examples import (
    make_category_body,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

SHOWN = "SELECT version, id FROM claim WHERE until_seq IS NULL AND status <> 'removed' ORDER BY version"


def assert_written(register: Register, view: Snapshot | None = None, columns: list[FlatColumn] = CLAIM_COLUMNS) -> int:
    """Compare every claim of a register as rendered by the database and by its schema."""
    with reading_of(register.database) as read:
        view = view or read.snapshot()
        standing = SHOWN if view.as_of is None else SHOWN.replace("until_seq IS NULL", f"seq <= {view.as_of}")
        versions, ids = [], []
        for version, id_ in read.fetch_rows(standing):
            versions.append(version)
            ids.append(str(id_))
        cards = read_claims(read.session, versions, view)
        assert texts(read, versions, view, NESTED_LAYOUT) == [json_bytes(card).decode() for card in cards]
        flat = RowLayout.from_columns(columns)
        assert texts(read, versions, view, flat) == [json_bytes(row).decode() for row in flatten_rows(cards, columns)]
        assert render_lines(read, versions, ids, view, NESTED_LAYOUT) == ndjson_rows(cards)
        assert render_lines(read, versions, ids, view, flat) == ndjson_rows(cards, columns)
        assert render_lines(read, versions, ids, view, RowLayout.from_columns(columns, csv=True)) == csv_rows(
            cards, columns
        )
        for card in cards[-5:]:
            if view.as_of is None:
                assert render_claim(read, card["id"], view) == (
                    json_bytes(card).decode(),
                    card["revision"],
                    card["date"],
                    card["said_at"],
                )
        for card in cards:
            # Validation by the schema neither loses nor adds a field.
            assert Claim.model_validate(card).model_dump(mode="json") == Claim.model_validate_json(
                json_bytes(card)
            ).model_dump(mode="json")
        return len(cards)


def texts(read: ReadSession, versions: list[int], view: Snapshot, layout: RowLayout) -> list[str]:
    """Return the rendered claims, and check that the cache returns the same."""
    found = [written.text for written in render_claims(read, versions, view, layout)]
    assert get_or_render_claims(read, versions, view, layout) == found
    assert get_or_render_claims(read, versions[::-1], view, layout) == found[::-1]
    return found


def test_the_starter_claims_are_written_as_their_schema_says(shared_starter_register: Register) -> None:
    assert assert_written(shared_starter_register) > 100


def test_so_are_past_states_and_what_was_known_on_a_day(starter_register: Register) -> None:
    first = starter_register.get("/v1/claims?category=casualties&date_to=2025-06-12&limit=1").json()["data"][0]
    body = {"reason": "Taken back.", "retracted_on": "2025-07-01"}
    headers = {"If-Match": '"1"'}
    assert starter_register.write("POST", f"/v1/claims/{first['id']}/retraction", body, **headers).status_code == 200
    with reading_of(starter_register.database) as read:
        views = [
            read.snapshot(known_on=date(2025, 6, 12)),
            read.snapshot(known_on=date(2026, 1, 1)),
            read.snapshot(f"seq:{read.snapshot().seq - 1}"),
            read.snapshot(f"seq:{read.snapshot().seq - 1}", known_on=date(2025, 6, 12)),
        ]
    for view in views:
        assert assert_written(starter_register, view) > 100


OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
TEXT = (
    st.lists(
        st.one_of(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=OVERRIDES),
            st.sampled_from(["\r\n", *"=+-@,\"\n\t;%'\\"]),
        ),
        min_size=1,
        max_size=40,
    )
    .map("".join)
    .filter(str.strip)
)
NUMBER = st.one_of(
    st.integers(-(10**15) + 1, 10**15),
    st.integers(-(10**15) + 1, 10**15 - 1).map(lambda number: number * 1000),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6, places=6).map(float),
    (st.floats(1e-12, 1e-3) | st.floats(-1e-4, -1e-6)).map(lambda number: float(f"{number:.15g}")),
)


@pytest.fixture
def furnished(register: Register) -> Register:
    record_example_vocabulary(register)
    category = make_category_body("Balance", non_decreasing=False, fractional=True)
    assert register.write("PUT", "/v1/categories/balance", category).status_code == 201
    return register


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=TEXT,
    number=NUMBER,
    coverage=st.sampled_from([0.95, 0.5, 0.123456789]),
    columns=st.sets(st.sampled_from(range(len(CLAIM_COLUMNS))), min_size=1),
)
def test_any_text_and_any_number_is_written_alike(
    furnished: Register, text: str, number: Any, coverage: float, columns: set[int]
) -> None:
    body = make_unique_claim_body(
        category="balance",
        note=text,
        includes=["brigade", "militia"],
        citations=[
            make_citation_body(quote=text, locator=text, gap=text, via=["agency", "institute"]),
            {"document": {"title": text}, "fidelity": "verbatim"},
        ],
        confidence={"level": "low", "stated": text, "rationale": text, "assessed_on": "2025-07-01"},
    )
    numbers = {"value": number, "lower": min(number, 0), "upper": max(number, 0), "coverage": coverage}
    body["figure"] = make_figure_body(text, **numbers, wording_differs="Drawn at random.")
    answer = furnished.write("POST", "/v1/claims", body)
    assert answer.status_code in (201, 409), answer.text
    assert assert_written(furnished, columns=[CLAIM_COLUMNS[index] for index in sorted(columns)])


def test_a_claim_with_nothing_but_what_it_needs_is_written_alike(furnished: Register) -> None:
    bare = make_claim_body(citations=[{"document": {"title": "A leaflet"}}], date=None)
    bare["figure"] = {"as_printed": "thousands"}
    submit_claim(furnished, bare | {"period": {"edtf": "2022-02-24/..", "aggregation": "cumulative"}})
    assert assert_written(furnished) == 1


def test_a_cell_alone_on_its_line_is_still_a_line(furnished: Register) -> None:
    submit_claim(furnished, make_unique_claim_body())
    assert furnished.get("/v1/claims.csv?fields=note").text == 'note\r\n""\r\n'
    assert csv_cell(None) == ""
    for note in ("\\.", '"', '"\\."', "=1", "two\r\nlines"):
        submit_claim(furnished, make_unique_claim_body(note=note))
    for column in CLAIM_COLUMNS:
        assert assert_written(furnished, columns=[column]) == 6
