"""Each field of a mapping: its effect on a row, and the errors it reports."""

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.mappings.expressions import MAX_PATH_GROWTH, compile_path
from app.imports.mappings.inheritance import inherit_claim
from app.imports.mappings.load import load_shipped_mapping, parse_mapping, shipped_mappings, validate_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.schema import Mapping
from app.imports.pipeline.row_mapping import MappedRow
from app.imports.readers.options import FileRow, MappingRefused
from tests.strategies import CHARACTERS, try_examples

CLAIM = {
    "category": "killed",
    "subject": "russian-forces",
    "place": "russia-ukraine-war",
    "source": "mediazona",
    "date": {"column": "date"},
    "period": {"on": {"column": "date"}},
    "citation": {"document": {"title": "Losses"}},
}
ROW = {"date": "2022-03-25", "dead": 1351}

BOTH = {"lower_inclusive": True, "upper_inclusive": True}
ABOUT = {"approximate": True}
IN_TENS = {"wording_differs": "It is printed in units of 10."}
IN_THOUSANDS = {"wording_differs": "It is printed in thousands."}
IN_PERCENT = {"wording_differs": "It is printed in units of 0.01."}
A_LOWER_BOUND = {"wording_differs": "The mapping records a plain number as a lower bound."}


def make_mapper(claim: dict[str, Any], /, **more: Any) -> MappingRowMapper:
    """Return the row mapper of a mapping with one claim, `dead`, with the fields in `claim`."""
    return MappingRowMapper(
        "test", validate_mapping({"title": "T", "claim": CLAIM, "claims": {"dead": claim}, **more}, "test")
    )


def map_row(claim: dict[str, Any], row: dict[str, Any], vintage: date | None = None, /, **more: Any) -> MappedRow:
    return make_mapper(claim, **more).map_row(FileRow("losses_asof_2025-01-01.csv", 3, {**ROW, **row}), vintage)


def map_claim(claim: dict[str, Any], row: dict[str, Any], /, **more: Any) -> dict[str, Any]:
    """Return the fields of the only claim of a row."""
    found = map_row(claim, row, **more)
    assert found.faults == []
    (draft,) = found.drafts
    return draft.claim_input


def map_note(given: Any, row: dict[str, Any]) -> Any:
    return map_claim({"note": given}, row).get("note")


def row_fault(claim: dict[str, Any], row: dict[str, Any], /, **more: Any) -> str:
    """Return the reason for which a row is refused."""
    found = map_row(claim, row, **more)
    assert found.drafts == []
    (reason,) = found.faults
    return reason


def mapping_fault(claim: dict[str, Any], /, **more: Any) -> str:
    """Return the reason for which a mapping is refused."""
    with pytest.raises(MappingRefused) as wrong:
        make_mapper(claim, **more)
    return str(wrong.value)


def test_the_shortest_mapping_reads_the_column_that_has_the_claims_name() -> None:
    assert map_claim({}, {}) == {
        "category": "killed",
        "subject": "russian-forces",
        "place": "russia-ukraine-war",
        "source": "mediazona",
        "proposition": "quantity",
        "modality": "estimate",
        "derivation": "unknown",
        "date": "2022-03-25",
        "figure": {"as_printed": "1351", "value": 1351},
        "period": {"edtf": "2022-03-25", "aggregation": "cumulative"},
        "citations": [{"document": {"title": "Losses"}, "fidelity": "paraphrase", "via": []}],
    }


@pytest.mark.parametrize(
    ("given", "row", "becomes"),
    [
        pytest.param("seen", {}, "seen", id="text-is-a-constant"),
        pytest.param("", {}, None, id="empty-text-means-not-given"),
        pytest.param("of {a} and {b}", {"a": "x", "b": 2}, "of x and 2", id="braces-hold-columns"),
        pytest.param("of {a}", {"a": None}, None, id="a-template-with-an-empty-column-gives-nothing"),
        pytest.param("{{a}}", {"a": 1}, "{a}", id="double-braces-are-braces"),
        pytest.param({"text": "n {a}"}, {"a": 1}, "n 1", id="a-template-in-a-table"),
        pytest.param("{_file}:{_line} {_name}", {}, "losses_asof_2025-01-01.csv:3 dead", id="where-the-row-stands"),
        pytest.param(date(2022, 2, 24), {}, "2022-02-24", id="a-date-without-quotes"),
        pytest.param({"column": "a"}, {"a": " x "}, "x", id="blanks-around-a-cell-fall-away"),
        pytest.param({"column": "a b*"}, {"a b*": "x"}, "x", id="any-name-of-a-column"),
        pytest.param({"column": "nowhere"}, {}, None, id="no-such-column-gives-nothing"),
        pytest.param({"column": "a"}, {"a": "N/A"}, None, id="words-for-missing-give-nothing"),
        pytest.param({"column": "a"}, {"a": True}, "true", id="truth-as-a-word"),
        pytest.param({"column": "a"}, {"a": 3.0}, "3", id="a-whole-number-has-no-point"),
        pytest.param({"column": "a"}, {"a": []}, None, id="an-empty-list-gives-nothing"),
        pytest.param({"path": "a.b[0].c"}, {"a": {"b": [{"c": "x"}]}}, "x", id="a-path-into-nested-data"),
        pytest.param({"path": "a.b"}, {"a": None}, None, id="a-path-that-leads-nowhere"),
        pytest.param({"path": "length(a)"}, {"a": [1, 2]}, "2", id="a-path-can-count"),
        pytest.param({"first": [{"column": "a"}, {"column": "b"}, "c"]}, {"b": "x"}, "x", id="the-first-that-gives"),
        pytest.param({"first": [{"column": "a"}, "c"]}, {}, "c", id="else-the-last"),
        pytest.param({"column": "a", "after": "_asof_"}, {"a": "x_asof_y_z"}, "y_z", id="after"),
        pytest.param({"column": "a", "before": "_"}, {"a": "x_y_z"}, "x", id="before"),
        pytest.param({"column": "_file", "after": "asof_", "before": "."}, {}, "2025-01-01", id="between"),
        pytest.param({"column": "a", "after": "-"}, {"a": "xyz"}, None, id="after-what-is-not-there"),
        pytest.param({"column": "a", "map": {"x": "y"}}, {"a": "x"}, "y", id="map"),
        pytest.param({"column": "a", "map": {"1": "one"}}, {"a": 1}, "one", id="map-of-numbers"),
        pytest.param({"column": "a", "map": {"x": "y"}}, {}, None, id="map-of-nothing"),
        pytest.param({"column": "a", "map": {"x": "y"}, "otherwise": "z"}, {"a": "w"}, "z", id="otherwise-not-listed"),
        pytest.param({"column": "a", "otherwise": "z"}, {}, "z", id="otherwise-empty"),
        pytest.param({"column": "a", "map": {"x": "y"}, "otherwise": ""}, {"a": "w"}, None, id="otherwise-nothing"),
        pytest.param({"column": "a", "date": "%d.%m.%Y"}, {"a": "5.4.2022"}, "2022-04-05", id="date"),
        pytest.param({"column": "a", "date": "%B %Y"}, {"a": "March 2022"}, "2022-03", id="a-month-gets-no-day"),
        pytest.param({"column": "a", "date": "%Y"}, {"a": 2022}, "2022", id="a-year-gets-no-month"),
        pytest.param({"column": "a", "date": "%G-W%V-%u"}, {"a": "2022-W08-4"}, "2022-02-24", id="a-day-of-a-week"),
        pytest.param({"column": "a", "slug": True}, {"a": "Côte d'Ivoire"}, "cote-d-ivoire", id="slug"),
        pytest.param(
            {"column": "a", "after": "(", "before": ")", "date": "%d %b %Y"},
            {"a": "Report (4 Apr 2022)"},
            "2022-04-04",
            id="one-after-the-other",
        ),
    ],
)
def test_a_value_is_picked_from_the_row(given: Any, row: dict[str, Any], becomes: Any) -> None:
    assert map_note(given, row) == becomes


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("{a.__class__}", id="attribute"),
        pytest.param("{a[0]}", id="item"),
        pytest.param("{a.format.__globals__}", id="globals"),
    ],
)
def test_a_template_knows_columns_and_nothing_of_python(given: str) -> None:
    assert map_note(given, {"a": "x"}) is None
    assert map_note(given, {"a": "x", given[1:-1]: "the column of this name"}) == "the column of this name"


@pytest.mark.parametrize("given", ["{a!r}", "{a:>9999999999}", "{a:{b}}", "{}", "{a", "a}", "{!s}", "{0:%}"])
def test_a_template_with_anything_but_columns_is_refused(given: str) -> None:
    assert "claims.dead.note: " in (told := mapping_fault({"note": given}))
    assert "is not a template" in told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("a[", "not a JMESPath expression"),
        ("", "not a JMESPath expression"),
        ("__import__('os')", "JMESPath has no function `__import__`"),
        ("a.b(", "not a JMESPath expression"),
        ("eval(a)", "JMESPath has no function `eval`"),
        ("(" * 1500 + "a" + ")" * 1500, "at most 2,000 characters"),
        ("!" * 1900 + "a", "nested too deeply"),
        ("[@,@]|" * 30 + "to_string(@)", "the result of this path can be too large"),
        ("join(" * 12 + "a" + ', `["","","","",""]`)' * 12, "the result of this path can be too large"),
    ],
)
def test_a_path_is_jmespath_and_cannot_grow_without_bounds(path: str, told: str) -> None:
    assert told in mapping_fault({"note": {"path": path}})


def test_a_path_may_list_much_as_long_as_it_lists_it_once() -> None:
    objects = ", ".join(f"{{name: '{n}', dead: a{n}, hurt: b{n}}}" for n in range(40))
    assert len(compile_path(f"[{objects}]")({"a7": 1})) == 40
    assert MAX_PATH_GROWTH >= 40 * 3


def test_a_template_cannot_grow_without_bounds() -> None:
    assert "more than 100,000 characters" in row_fault({"note": "{a}" * 20}, {"a": "x" * 10_000})


@pytest.mark.parametrize(
    ("figure", "row", "becomes"),
    [
        pytest.param({}, {"dead": "7,000"}, {"value": 7000}, id="thousands"),
        pytest.param({}, {"dead": "over 300"}, {"lower": 300, "lower_inclusive": False}, id="more-than"),
        pytest.param({}, {"dead": "4 – 5"}, {"lower": 4, "upper": 5, **BOTH}, id="range"),
        pytest.param({}, {"dead": "about 1,000"}, {"value": 1000, "approximate": True}, id="about"),
        pytest.param({}, {"dead": "12 of 100"}, {"value": 12, "out_of": 100}, id="share"),
        pytest.param({}, {"dead": "-3.5"}, {"value": -3.5}, id="negative"),
        pytest.param({"printed": "about {dead}"}, {}, {"value": 1351, "approximate": True}, id="words-put-together"),
        pytest.param({"printed": {"path": "a.b"}}, {"a": {"b": 2.5}}, {"value": 2.5}, id="nested"),
        pytest.param(
            {"qualifier": {"column": "q", "map": {"more": "more than {}"}}},
            {"q": "more"},
            {"lower": 1351, "lower_inclusive": False},
            id="qualifier",
        ),
        pytest.param({"qualifier": {"column": "q"}}, {}, {"value": 1351}, id="no-qualifier"),
        pytest.param({"decimal": ","}, {"dead": "12,5"}, {"value": 12.5}, id="decimal-comma"),
        pytest.param({"decimal": ","}, {"dead": "1.234"}, {"value": 1234}, id="a-point-for-thousands"),
        pytest.param({"decimal": ","}, {"dead": "1.234.567,8"}, {"value": 1234567.8}, id="points-and-a-comma"),
        pytest.param(
            {"decimal": ","},
            {"dead": "über 3"},
            {"lower": 3, "lower_inclusive": False},
            id="words-of-another-language",
        ),
        pytest.param(
            {"language": "de"}, {"dead": "rund 1.234"}, {"value": 1234, "language": "de", **ABOUT}, id="language"
        ),
        pytest.param({"decimal": "."}, {"dead": "1,234"}, {"value": 1234}, id="a-comma-for-thousands"),
        pytest.param({}, {"dead": "1.234"}, None, id="a-point-is-not-guessed"),
        pytest.param({"value": {"column": "dead"}}, {"dead": "1.234"}, None, id="nor-in-a-part"),
        pytest.param({}, {"dead": "1.234.567"}, {"value": 1234567}, id="two-points-are-no-decimal-point"),
        pytest.param({"decimal": ","}, {"dead": "12.5"}, None, id="a-point-that-parts-no-thousands"),
        pytest.param({"decimal": ","}, {"dead": 1.234}, {"value": 1.234}, id="a-number-is-a-number"),
        pytest.param({}, {"dead": "12,5"}, {"value": 12.5}, id="a-comma-that-parts-no-thousands"),
        pytest.param({}, {"dead": "60-70,000"}, None, id="two-meanings"),
        pytest.param({}, {"dead": "1e400"}, None, id="infinite"),
        pytest.param({}, {"dead": "1_000"}, None, id="underscore"),
        pytest.param({"scale": 1000}, {"dead": "4.2"}, {"value": 4200, **IN_THOUSANDS}, id="in-thousands"),
        pytest.param({"scale": 0.01}, {"dead": "35"}, {"value": 0.35, **IN_PERCENT}, id="in-percent"),
        pytest.param(
            {"scale": 1000},
            {"dead": "over 4"},
            {"lower": 4000, "lower_inclusive": False, **IN_THOUSANDS},
            id="scaled-bound",
        ),
        pytest.param({"bound": "at_least"}, {}, {"lower": 1351, "lower_inclusive": True, **A_LOWER_BOUND}, id="floor"),
        pytest.param(
            {"bound": "at_most", "wording_differs": "It is a ceiling."},
            {},
            {"upper": 1351, "upper_inclusive": True, "wording_differs": "It is a ceiling."},
            id="ceiling",
        ),
        pytest.param(
            {"bound": "at_least"}, {"dead": "2 – 3"}, {"lower": 2, "upper": 3, **BOTH}, id="a-range-is-no-floor"
        ),
        pytest.param({"approximate": True}, {}, {"value": 1351, "approximate": True}, id="approximate"),
        pytest.param({"value": {"column": "best"}}, {"best": "7,000"}, {"value": 7000}, id="value"),
        pytest.param(
            {"value": {"column": "b"}, "lower": {"column": "l"}, "upper": {"column": "u"}, "coverage": 0.95},
            {"b": 5, "l": 4, "u": "6.5"},
            {"value": 5, "lower": 4, "upper": 6.5, "coverage": 0.95},
            id="interval",
        ),
        pytest.param(
            {"value": {"column": "b"}, "upper": {"column": "u"}, "coverage": 0.95},
            {"b": 5},
            {"value": 5},
            id="no-interval-no-coverage",
        ),
        pytest.param(
            {"value": {"column": "b"}, "decimal": ",", "scale": 10},
            {"b": "1.234,5"},
            {"value": 12345, **IN_TENS},
            id="parts-too",
        ),
        pytest.param(
            {"coverage": 0.9}, {"dead": "4–5"}, {"lower": 4, "upper": 5, **BOTH, "coverage": 0.9}, id="printed-too"
        ),
        pytest.param({"out_of": {"column": "n"}}, {"n": "2,000"}, {"value": 1351, "out_of": 2000}, id="out-of"),
        pytest.param({"relative_to": "2015-2019"}, {}, {"value": 1351, "relative_to": "2015-2019"}, id="relative"),
    ],
)
def test_a_figure_is_read_as_it_is_printed_or_not_at_all(
    figure: dict[str, Any], row: dict[str, Any], becomes: dict[str, Any] | None
) -> None:
    if becomes is None:
        assert row_fault({"figure": figure}, row).startswith("dead: ")
        return
    found = map_claim({"figure": figure}, row)["figure"]
    assert {"approximate": False, **found} == {"approximate": False, "as_printed": found["as_printed"], **becomes}


@pytest.mark.parametrize("cell", [None, "", "–", "n/a", "null"])
def test_no_figure_is_no_claim(cell: str | None) -> None:
    found = map_row({}, {"dead": cell})
    assert (found.drafts, found.faults, found.skip_reason) == ([], [], None)


def test_a_statement_without_a_figure_has_its_words() -> None:
    claim = {"proposition": "denial", "figure": {"printed": {"column": "said"}}}
    assert map_claim(claim, {"said": "No such thing happened"})["figure"] == {"as_printed": "No such thing happened"}


@pytest.mark.parametrize(
    ("shared", "own", "row", "becomes"),
    [
        ({}, {"edtf": "2022-03"}, {}, "2022-03"),
        ({}, {"on": {"column": "date"}}, {}, "2022-03-25"),
        ({}, {"start": "2022-02-24", "end": {"column": "date"}}, {}, "2022-02-24/2022-03-25"),
        ({}, {"start": date(2022, 2, 24)}, {}, "2022-02-24/.."),
        ({}, {"end": {"column": "date"}}, {}, "/2022-03-25"),
        ({}, {"hours": "24", "end": {"column": "date"}}, {}, "2022-03-25"),
        ({}, {"hours": {"column": "h"}, "on": {"column": "date"}}, {"h": 25}, "2022-03-24/2022-03-25"),
        ({}, {"hours": {"column": "h"}, "on": {"column": "date"}}, {}, "2022-03-25"),
        # The period of a claim overrides incompatible fields of the shared period.
        ({"start": "2022-02-24", "end": {"column": "date"}}, {"on": {"column": "date"}}, {}, "2022-03-25"),
        ({"on": {"column": "date"}}, {"start": "2022-02-24", "end": {"column": "date"}}, {}, "2022-02-24/2022-03-25"),
        ({"edtf": "2022"}, {"end": {"column": "date"}}, {}, "/2022-03-25"),
        ({"start": "2022-02-24", "end": {"column": "date"}}, {"start": "2022-03-01"}, {}, "2022-03-01/2022-03-25"),
        ({"start": "2022-02-24", "end": {"column": "date"}}, {"hours": "48"}, {}, "2022-03-24/2022-03-25"),
        ({"on": {"column": "date"}}, {"aggregation": "within"}, {}, "2022-03-25"),
    ],
)
def test_a_period_is_said_in_one_of_four_ways(
    shared: dict[str, Any], own: dict[str, Any], row: dict[str, Any], becomes: str
) -> None:
    found = map_claim({"period": own}, row, claim={**CLAIM, "period": shared})
    assert found["period"] == {"edtf": becomes, "aggregation": own.get("aggregation", "cumulative")}


@pytest.mark.parametrize(
    ("claim", "row", "told"),
    [
        ({"source": {"column": "who", "map": {"UK": "uk-mod", "US": "us-dod"}}}, {"who": "Uk"}, "did you mean `UK`?"),
        (
            {"source": {"column": "who", "map": {"UK": "uk-mod"}}},
            {"who": "?"},
            "`?` is not listed in the `map` of the mapping.",
        ),
        ({"date": {"column": "date", "date": "%d.%m.%Y"}}, {}, "`2022-03-25` is not a date in the format `%d.%m.%Y`."),
        ({"note": {"column": "a"}}, {"a": ["x", "y"]}, "Expected one value, found a list or an object."),
        ({"note": {"column": "a"}}, {"a": {"x": 1}}, "(`over` creates a claim for each element of a list)"),
        ({"note": {"path": "sum(a)"}}, {"a": "x"}, "`sum(a)` cannot be applied to this row"),
        ({"note": {"path": "length(@)"}, "over": "a"}, {"a": [1]}, None),
        ({"period": {"hours": "0", "end": "2022-03-25"}}, {}, "A period of 0 hours covers nothing."),
        ({"period": {"hours": "1e300", "end": "2022-03-25"}}, {}, "are not a period"),
        ({"period": {"hours": "99999999", "end": "2022-03-25"}}, {}, "are not a period"),
        ({"period": {"edtf": {"column": "p"}}}, {}, "The row has no period."),
        ({"figure": {"qualifier": {"column": "q"}}}, {"q": "about"}, "does not contain `{}`"),
        ({}, {"dead": "many, or few"}, "(give the numbers of the source, if it has any)"),
        ({"figure": {"scale": 1e300}}, {"dead": 1e300}, "is too large"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_reason(
    claim: dict[str, Any], row: dict[str, Any], told: str | None
) -> None:
    if told is None:
        assert map_row(claim, row).faults == []
    else:
        assert told in row_fault(claim, row)
        assert row_fault(claim, row).startswith("dead: ")


def test_a_claim_of_each_member_of_a_list() -> None:
    claim = {"over": "regions", "place": {"column": "name"}, "figure": {"printed": {"column": "n"}}}
    row = {"regions": [{"name": "kyiv", "n": 3}, {"name": "sumy", "n": 4}, {"name": "lviv"}]}
    drafts = map_row(claim, row).drafts
    assert [(each.claim_input["place"], each.claim_input["figure"]["value"]) for each in drafts] == [
        ("kyiv", 3),
        ("sumy", 4),
    ]
    assert drafts[0].claim_input["date"] == "2022-03-25", "the columns of the row are there too"


def test_members_that_are_no_objects_are_the_column_value() -> None:
    found = map_row({"over": "days", "figure": {"printed": {"column": "value"}}}, {"days": [3, 4, None]})
    assert [each.claim_input["figure"]["value"] for each in found.drafts] == [3, 4]


def test_one_object_is_a_list_of_one_and_nothing_is_none() -> None:
    claim = {"over": "total", "figure": {"printed": {"column": "n"}}}
    assert map_claim(claim, {"total": {"n": 3}})["figure"]["value"] == 3
    assert map_row(claim, {}).drafts == []


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"column": "a", "among": ["fill", "x"]}, True),
        ({"column": "a", "among": ["X"]}, False),
        ({"column": "a", "contains": "il"}, True),
        ({"column": "a", "contains": "of which"}, False),
        ({"column": "a", "empty": False}, True),
        ({"column": "a", "empty": True}, False),
        ({"column": "nowhere", "empty": True}, True),
        ({"column": "nowhere", "contains": "x"}, False),
        ({"column": "list", "empty": False}, True),
        ({"path": "a == 'fill' && n > `0`", "among": ["true"]}, True),
    ],
)
def test_rows_are_skipped_and_claims_left_out_by_conditions(condition: dict[str, Any], *, holds: bool) -> None:
    row = {"a": "fill", "n": 1, "list": [1]}
    assert map_row({}, row, skip=[{**condition, "reason": "why"}]).skip_reason == ("why" if holds else None)
    assert len(map_row({"only": [condition]}, row).drafts) == holds
    assert len(map_row({"unless": [condition]}, row).drafts) == (not holds)


def test_claims_of_one_row_stand_to_each_other_where_both_are_made() -> None:
    more = {
        "claims": {"dead": {}, "hurt": {"category": "wounded"}},
        "relations": [{"claim": "dead", "type": "part_of", "to": "hurt"}],
    }
    assert map_row({}, {"hurt": 3}, **more).relations == [(0, "part_of", 1)]
    assert map_row({}, {}, **more).relations == []


def test_a_row_is_known_again_by_its_key_and_the_claims_name() -> None:
    more = {"series": "dead", "vintage": {"key": [{"column": "date"}, "{who}"]}}
    (draft,) = map_row({}, {"who": "bbc"}, **more).drafts
    assert draft.key == "2022-03-25|bbc|dead"
    assert "The row has no key." in row_fault({}, {}, **more)


def test_the_day_of_a_file_is_read_off_its_name() -> None:
    vintage = {"key": ["{date}"], "date": {"column": "_file", "after": "_asof_", "before": "_"}}
    found = make_mapper({}, series="dead", vintage=vintage)
    assert found.vintage_of("dead_asof_2025-01-01_4d62.json") == date(2025, 1, 1)
    assert found.vintage_of("dead.json") is None
    with pytest.raises(MappingRefused, match="which is not a date"):
        found.vintage_of("dead_asof_new_4d62.json")
    dated = {**vintage, "date": {"column": "_file", "date": "%Y%m%d.csv"}}
    with pytest.raises(MappingRefused, match=r"The day of dead\.json cannot be read"):
        make_mapper({}, series="dead", vintage=dated).vintage_of("dead.json")


def test_the_day_of_a_file_is_a_column_of_its_rows() -> None:
    (draft,) = map_row({"note": "as of {_vintage}"}, {}, date(2025, 1, 1)).drafts
    assert draft.claim_input["note"] == "as of 2025-01-01"


def test_labels_and_day_numbers_are_looked_at() -> None:
    found = map_row({}, {"type": "Tanks - 17594, of which"}, labels=["type"])
    assert [smell.kind.value for smell in found.anomalies] == ["number_in_label"]
    check = {"column": "day", "date": {"column": "date"}, "first": "2022-02-24"}
    assert map_row({}, {"day": 30}, days=[check]).anomalies == []
    found = map_row({}, {"day": 31}, days=[check])
    assert [smell.kind.value for smell in found.anomalies] == ["day_contradicts_date"]
    assert len(found.drafts) == 1
    found = map_row({}, {"day": 31}, days=[{**check, "skip": True}])
    assert (found.drafts, found.skip_reason) == ([], "`day` does not match the date")


NEW = {
    "kind": "place",
    "slug": {"column": "land", "slug": True},
    "fields": {"name": "{land}", "definition": {"column": "what"}, "parents": ["world"]},
}


def test_what_the_rows_name_is_recorded_again_for_each_attempt() -> None:
    found = make_mapper({"place": {"column": "land", "slug": True}}, new=[NEW])
    for _ in range(2):
        ((kind, slug, given),) = found.map_row(FileRow("a", 1, {**ROW, "land": "Côte d'Ivoire"})).records
        assert (kind.name, slug) == ("place", "cote-d-ivoire")
        assert given.model_dump(exclude_unset=True) == {"name": "Côte d'Ivoire", "parents": ["world"]}


@pytest.mark.parametrize(
    ("kind", "words", "stored"),
    [
        ("place", "in {land}", "in Oz"),
        ("source", {"column": "land"}, "Oz"),
        ("subject", {"group": "people in {land}"}, {"group": "people in Oz", "people": None}),
        ("subject", {"group": "the {land}", "people": {"column": "land"}}, {"group": "the Oz", "people": "Oz"}),
    ],
)
def test_the_rows_say_how_a_new_record_reads(kind: str, words: Any, stored: Any) -> None:
    fields = {"name": "{land}", "in_text": words}
    fields |= {"kind": "media", "interest": "unknown", "short_name": "{land}"} if kind == "source" else {}
    found = map_row({}, {"land": "Oz"}, new=[{**NEW, "kind": kind, "fields": fields}])
    assert found.faults == []
    assert found.records[0][2].model_dump()["in_text"] == stored


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({**NEW, "fields": {"name": "x", "in_text": "a\nb"}}, "in_text: Expected words on one line"),
        ({**NEW, "slug": "{land}"}, "`Côte d'Ivoire` is not a slug of a place (`slug = true` converts text to a slug)"),
        ({**NEW, "fields": {"parents": ["world"]}}, "The place `cote-d-ivoire`: name: Field required"),
        ({**NEW, "fields": {"name": "x", "size": "9"}}, "size: Extra inputs are not permitted"),
    ],
)
def test_a_record_that_breaks_a_rule_refuses_the_row(new: dict[str, Any], told: str) -> None:
    found = map_row({}, {"land": "Côte d'Ivoire"}, new=[new])
    assert found.records == []
    assert told in found.faults[0]
    assert "\n" not in found.faults[0]


def test_declared_records_come_after_what_they_refer_to() -> None:
    kind = {"definition": "Killed.", "unit": "persons", "non_decreasing": True}
    categories = {
        "losses": {"name": "Losses", **kind, "components": ["dead", "hurt"]},
        "dead": {"name": "Dead", **kind, "parent": "hurt"},
        "hurt": {"name": "Hurt", **kind, "components": "unstated"},
    }
    records = make_mapper({}, categories=categories).records
    assert [slug for _, slug, _ in records] == ["hurt", "dead", "losses"]
    assert records[0][2].model_dump()["components"] is None
    categories["hurt"]["parent"] = "losses"
    told = mapping_fault({}, categories=categories)
    assert told == "These have circular references: losses, dead, hurt."


def claim_without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIM.items() if name not in names}


@pytest.mark.parametrize(
    ("claim", "more", "told"),
    [
        ({}, {"claim": claim_without("category")}, "claims.dead.category: Field required"),
        ({}, {"claim": claim_without("citation")}, "claims.dead.citation: Field required"),
        ({}, {"claim": {**CLAIM, "citation": {}}}, "claims.dead.citation.document: Field required"),
        ({}, {"claim": {**CLAIM, "sorce": "x"}}, "claim.sorce: there is no such field; did you mean `source`?"),
        ({"sorce": "x"}, {}, "claims.dead.sorce: there is no such field; did you mean `source`?"),
        ({"note": {"colum": "x"}}, {}, "claims.dead.note.colum: there is no such field; did you mean `column`?"),
        ({"figure": {"scael": 1}}, {}, "claims.dead.figure.scael: there is no such field; did you mean `scale`?"),
        ({}, {"serie": "x"}, "serie: there is no such field; did you mean `series`?"),
        ({}, {"file": {"kyed": "x"}}, "file.kyed: there is no such field; did you mean `keyed`?"),
        ({"note": {"column": "a", "path": "b"}}, {}, "claims.dead.note: expected one of `column`, `path`"),
        ({"note": {}}, {}, "claims.dead.note: expected one of `column`, `path`, `text` and `first`"),
        ({"note": 3}, {}, "claims.dead.note: Input should be a valid string"),
        ({"note": {"first": [{"colum": "x"}]}}, {}, "claims.dead.note.first.0.colum: there is no such field"),
        ({"only": [{"column": "a"}]}, {}, "claims.dead.only.0: expected one of `among`, `contains` and `empty`"),
        ({"only": [{"empty": True}]}, {}, "claims.dead.only.0: expected either `column` or `path`"),
        ({"figure": {"scale": 0}}, {}, "claims.dead.figure.scale: Input should be greater than 0"),
        ({"note": {"column": "a", "date": "%d.%m"}}, {}, "claims.dead.note.date: `%d.%m` is not a date format"),
        ({"note": {"column": "a", "date": "%d.%d %Y"}}, {}, "claims.dead.note.date: `%d.%d %Y` is not a date format"),
        ({"note": {"column": "a", "date": "%Q %Y"}}, {}, "claims.dead.note.date: `%Q %Y` is not a date format"),
        ({}, {"days": [{"column": "day", "date": "x", "first": "24.2.2022"}]}, "days.0.first: Expected a day like"),
        ({}, {"relations": [{"claim": "dead", "type": "part_of", "to": "x"}]}, "there is no claim `x`"),
        ({}, {"vintage": {"key": ["x"]}}, "rows are matched within a series of files"),
        ({}, {"series": "x", "vintage": {"key": []}}, "vintage.key: List should have at least 1 item"),
        ({}, {"series": "Not A Slug"}, "series: String should match pattern"),
        ({}, {"sources": {"a": {"name": "A"}}}, "sources.a.kind: Field required"),
        ({}, {"claims": {}}, "claims: Dictionary should have at least 1 item"),
        ({}, {"claims": {"dead": "x"}}, "claims.dead: Input should be a valid dictionary"),
    ],
)
def test_a_mapping_is_refused_with_the_table_and_the_reason(
    claim: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    assert f"\n  {told}" in (found := mapping_fault(claim, **more)) or told in found.splitlines()[1]


def test_a_fault_of_what_all_claims_share_is_told_once() -> None:
    claims: dict[str, Any] = {name: {} for name in ("dead", "hurt", "lost")}
    told = mapping_fault({}, claims=claims, claim={**CLAIM, "note": {"column": "a", "path": "b"}})
    assert len(told.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", "test is not TOML: Invalid value"),
        ("a = 1\na = 2", "test is not TOML: Cannot overwrite a value"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a = " + "9" * 5000, "test is not TOML"),
        ("", "title: Field required"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, told: str) -> None:
    with pytest.raises(MappingRefused) as wrong:
        parse_mapping(text, "test")
    assert told in str(wrong.value)


def test_an_unknown_mapping_names_those_that_there_are() -> None:
    with pytest.raises(MappingRefused, match="general-staff-a-personnel"):
        load_shipped_mapping("personell")


def test_what_a_claim_says_stands_over_what_all_share_table_by_table() -> None:
    shared = {**CLAIM, "citation": {"gap": "Not seen.", "document": {"title": "Losses", "language": "en"}}}
    claim = {"citation": {"document": {"title": "Of {date}"}}, "source": {"column": "who"}}
    found = map_claim(claim, {"who": "bbc"}, claim=shared)
    assert found["source"] == "bbc"
    assert found["citations"][0]["gap"] == "Not seen."
    assert found["citations"][0]["document"] == {"title": "Of 2022-03-25", "language": "en"}


WORDS = st.sampled_from(
    sorted({*Mapping.model_fields, *CLAIM, "column", "path", "map", "first", "figure", "dead", "x"})
)
LEAVES = (
    st.text(CHARACTERS, max_size=8)
    | st.sampled_from(["{a}", "{a", "%d", "a.b", "quantity", "2022-02-24", "%Y-%m-%d"])
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.dates()
)
TABLES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@try_examples(120)
@given(claim=st.dictionaries(st.sampled_from([*CLAIM, "figure", "over", "only"]), TABLES, max_size=4), more=TABLES)
def test_any_toml_is_a_mapping_or_refused(claim: dict[str, Any], more: Any) -> None:
    whole = {"title": "T", "claim": {**CLAIM, **claim}, "claims": {"dead": claim}}
    for given_ in (whole, {**whole, **more} if isinstance(more, dict) else {**whole, "claims": more}):
        try:
            MappingRowMapper("test", validate_mapping(given_, "test"))
        except MappingRefused:
            continue


CELLS: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(CHARACTERS, max_size=12)
    | st.sampled_from(["2022-03-25", "9999-12-31", "7,000", "over 3", "1e999", "1.234,5", "0001-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abn"), inner, max_size=3),
    max_leaves=6,
)
EVERYTHING = {
    "dead": {"figure": {"scale": 1e300, "decimal": ","}},
    "a": {"figure": {"value": {"column": "a"}, "lower": {"path": "b.n"}, "upper": "{n}", "out_of": {"column": "b"}}},
    "b": {"over": "b", "note": {"path": "sort(a)"}, "figure": {"qualifier": {"column": "n", "otherwise": "over {}"}}},
    "n": {"period": {"hours": {"column": "n"}, "end": {"column": "date"}}, "note": {"path": "sum(b)"}},
}
WHOLE = make_mapper(
    {},
    claims=EVERYTHING,
    series="x",
    vintage={"key": [{"column": "date"}]},
    labels=["a"],
    days=[{"column": "n", "date": {"column": "date"}, "first": "2022-02-24"}],
    skip=[{"path": "max(b)", "among": ["3"], "reason": "why"}],
    new=[{"kind": "source", "slug": {"column": "a", "slug": True}, "fields": {"name": "{a}", "anonymous": True}}],
)


@try_examples(120)
@given(row=st.dictionaries(st.sampled_from(["date", "dead", "a", "b", "n"]), CELLS))
def test_no_row_makes_a_mapping_stumble(row: dict[str, Any]) -> None:
    found = WHOLE.map_row(FileRow("a.json", 1, row))
    assert all(isinstance(reason, str) and reason for reason in found.faults)


@pytest.mark.parametrize("name", shipped_mappings())
def test_every_shipped_mapping_loads(name: str) -> None:
    assert MappingRowMapper(name, load_shipped_mapping(name)).mapping.title
    tomllib.loads(shipped_mappings()[name].read_text("utf-8"))


def test_a_claim_has_a_moment_a_unit_and_a_unit_of_time() -> None:
    fields = map_claim(
        {
            "said_at": "{date}T{time}:00+02:00",
            "figure": {"unit": {"column": "currency", "otherwise": ""}},
            "period": {"edtf": "2022-03", "aggregation": "rate", "per": {"column": "per"}},
        },
        {"time": "18:30", "currency": "USD", "per": "week"},
    )
    assert fields["said_at"] == "2022-03-25T18:30:00+02:00"
    assert fields["figure"] == {"as_printed": "1351", "value": 1351, "unit": "USD"}
    assert fields["period"] == {"edtf": "2022-03", "aggregation": "rate", "per": "week"}


def test_what_a_row_does_not_have_is_left_out() -> None:
    claim = {"said_at": "{date}T{time}Z", "figure": {"unit": {"column": "currency", "otherwise": ""}}}
    fields = map_claim({**claim, "period": {"per": {"column": "per", "otherwise": ""}}}, {})
    assert "said_at" not in fields
    assert fields["figure"] == {"as_printed": "1351", "value": 1351}
    assert fields["period"] == {"edtf": "2022-03-25", "aggregation": "cumulative"}


def test_a_total_does_not_inherit_the_unit_of_time_of_a_rate() -> None:
    shared = {"period": {"edtf": "2022-03", "aggregation": "rate", "per": "day"}}
    assert inherit_claim(shared, {"period": {"aggregation": "within"}})["period"] == {
        "edtf": "2022-03",
        "aggregation": "within",
    }
    assert inherit_claim(shared, {"period": {"edtf": "2022-04"}})["period"]["per"] == "day"
