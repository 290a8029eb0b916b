"""Files in another shape than one claim per cell: days as columns, counted rows, measures as rows, members of lists."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.imports.mappings.load import parse_mapping, validate_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.pipeline.row_mapping import MappedRow
from app.imports.readers.options import FileRow, MappingRefused
from app.imports.readers.reader import FileReader
from tests.examples import read_all_rows, record_example_vocabulary
from tests.imports.import_helpers import numbers, post_form
from tests.imports.readers.file_helpers import write_file
from tests.registers import Register

CLAIM = """
[claim]
subject = "army"
place = { column = "place", otherwise = "war", map = { A = "front" } }
source = "ministry"
modality = "count"
date = { column = "day" }
period = { on = { column = "day" }, aggregation = "within" }
citation.document = { title = "The list", url = "https://example.org/list" }
"""
ROW_MAPPING = {
    "title": "T",
    "claims": {
        "n": {
            **tomllib.loads(CLAIM)["claim"],
            "category": "killed",
            "proposition": {"column": "kind", "otherwise": "quantity"},
        }
    },
}


def map_row(row: dict[str, Any], figure: dict[str, Any], **more: Any) -> MappedRow:
    tables = {**ROW_MAPPING, **more}
    tables["claims"] = {"n": {**ROW_MAPPING["claims"]["n"], "figure": figure}}  # type: ignore[index]
    mapper = MappingRowMapper("test", validate_mapping(tables, "test"))
    return mapper.map_row(FileRow("a.csv", 2, {"day": "2026-03-01", **row}))


def figure_of(row: dict[str, Any], figure: dict[str, Any]) -> dict[str, Any]:
    made = map_row(row, figure)
    assert made.faults == []
    return {name: value for name, value in made.drafts[0].claim_input["figure"].items() if value not in (None, False)}


@pytest.mark.parametrize(
    ("figure", "row", "becomes"),
    [
        ({"bound": {"column": "b"}}, {"n": "5", "b": "at_least"}, {"lower": 5, "lower_inclusive": True}),
        ({"bound": {"column": "b"}}, {"n": "5", "b": ""}, {"value": 5}),
        ({"approximate": {"column": "b"}}, {"n": "5", "b": "yes"}, {"value": 5, "approximate": True}),
        ({"approximate": {"column": "b"}}, {"n": "5", "b": "false"}, {"value": 5}),
        ({"decimal": {"column": "b"}}, {"n": "1.200", "b": ","}, {"value": 1200}),
        ({"decimal": {"column": "b"}}, {"n": "1.200", "b": "."}, {"value": 1.2}),
        ({"scale": {"column": "b", "map": {"thousands": "1000"}}}, {"n": "1.5", "b": "thousands"}, {"value": 1500}),
        ({"margin": {"column": "b"}}, {"n": "300", "b": "20"}, {"value": 300, "lower": 280, "upper": 320}),
        ({"margin": {"column": "b"}}, {"n": 1.234, "b": "± 0.1"}, {"value": 1.234, "lower": 1.134, "upper": 1.334}),
        ({"margin": {"column": "b"}}, {"n": "300", "b": ""}, {"value": 300}),
        (
            {"lower": {"column": "n"}, "upper": {"column": "hi"}, "coverage": {"column": "b"}},
            {"n": "5", "hi": "9", "b": "95%"},
            {"lower": 5, "upper": 9, "coverage": 0.95},
        ),
        ({"coverage": {"column": "b"}}, {"n": "5–9", "b": "0.9"}, {"lower": 5, "upper": 9, "coverage": 0.9}),
    ],
)
def test_what_a_figure_has_can_come_from_the_row(
    figure: dict[str, Any], row: dict[str, Any], becomes: dict[str, Any]
) -> None:
    made = figure_of(row, figure)
    assert {name: made.get(name) for name in becomes} == becomes


@pytest.mark.parametrize(
    ("figure", "cell", "reason"),
    [
        ({"bound": {"column": "b"}}, "about", "`bound` is `about`; expected `at_least` or `at_most`. (a `map`"),
        ({"approximate": {"column": "b"}}, "ca.", "`approximate` is `ca.`; expected `true` or `false`."),
        ({"decimal": {"column": "b"}}, ";", "`decimal` is `;`; expected `.` or `,`."),
        ({"scale": {"column": "b"}}, "0", "`scale` is `0`; expected a number above 0."),
        ({"coverage": {"column": "b"}}, "950", "`coverage` is `950`; expected a share"),
        ({"margin": {"column": "b"}}, "some", "Not read as a figure: `5 ± some`"),
    ],
)
def test_a_cell_that_says_none_of_them_is_refused(figure: dict[str, Any], cell: str, reason: str) -> None:
    assert reason in map_row({"n": "5", "b": cell}, figure).faults[0]


def test_the_proposition_of_the_row_says_whether_there_is_a_figure() -> None:
    made = map_row({"n": "the heaviest losses fell in March", "kind": "peak_period"}, {})
    assert made.drafts[0].claim_input["figure"] == {"as_printed": "the heaviest losses fell in March"}
    assert "more than" not in str(map_row({"n": "12", "kind": ""}, {}).faults)


def test_members_of_a_list_name_records_of_every_kind() -> None:
    new = [
        {
            "kind": "category",
            "over": "measures",
            "slug": {"column": "name", "slug": True},
            "fields": {
                "name": "{name}",
                "definition": "As the list says: {name}.",
                "unit": {"column": "unit"},
                "components": "unstated",
                "non_decreasing": False,
                "in_text": {"form": "there", "noun": "{name}"},
            },
        },
        {"kind": "place", "over": "measures", "slug": {"column": "at", "slug": True}, "fields": {"name": "{at}"}},
    ]
    row = {"measures": [{"name": "Lost tanks", "unit": "tanks", "at": "North"}, {"name": "Aid", "unit": "currency"}]}
    made = map_row(row, {}, new=new)
    assert made.faults == []
    assert [(kind.name, slug) for kind, slug, _ in made.records] == [
        ("category", "lost-tanks"),
        ("category", "aid"),
        ("place", "north"),
    ]
    fields = made.records[0][2].model_dump()
    assert (fields["unit"], fields["components"], fields["in_text"]["noun"]) == ("tanks", None, "Lost tanks")


def test_a_mapping_includes_the_vocabulary_of_another_file(tmp_path: Path) -> None:
    vocabulary = '[sources.x]\nname = "X"\nkind = "media"\ninterest = "unknown"\n[places.p]\nname = "P"\n'
    write_file(tmp_path, "words.toml", f'include = ["gaza-casualties", "words.toml"]\n{vocabulary}')
    text = f'title = "T"\ninclude = ["words.toml"]\n[places.p]\nname = "Own"\n{CLAIM}[claims.n]\ncategory = "killed"\n'
    mapping = parse_mapping(text, "own.toml", tmp_path)
    assert mapping.sources["x"].name == "X"
    assert mapping.places["p"].name == "Own"
    assert "gaza-health-ministry" in mapping.sources


@pytest.mark.parametrize(
    ("name", "is_local", "message"),
    [
        ("gaza-casulties", False, "did you mean `gaza-casualties`"),
        ("/etc/passwd", True, "expected a shipped mapping or a file that ends in .toml"),
        ("../words.toml", False, "expected a shipped mapping"),
        ("missing.toml", True, "cannot be read"),
        ("wrong.toml", True, "wrong.toml is not TOML"),
    ],
)
def test_an_included_mapping_that_cannot_be_read_is_refused(
    tmp_path: Path,
    name: str,
    is_local: bool,  # noqa: FBT001 - a parameter of the test
    message: str,
) -> None:
    write_file(tmp_path, "wrong.toml", "x = ")
    text = f'title = "T"\ninclude = ["{name}"]\n{CLAIM}[claims.n]\ncategory = "killed"\n'
    with pytest.raises(MappingRefused, match=message):
        parse_mapping(text, "own.toml", tmp_path if is_local else None)


EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "mappings"
MEASURES = """day,place,measure,figure,qualifier
2026-03-01,A,dead,300,
2026-03-01,A,injured,"1,200",at least
2026-03-02,A,dead,310,about
2026-03-02,A,missing,40,up to
"""


def test_measures_as_rows_have_their_category_bound_and_approximation(register: Register) -> None:
    record_example_vocabulary(register)
    mapping = (EXAMPLES / "measures-as-rows.toml").read_text("utf-8")
    shown_first = post_form(register, "measures.csv", MEASURES, mapping, dry_run="true").json()["examples"]["new"]
    answer = post_form(register, "measures.csv", MEASURES, (EXAMPLES / "measures-as-rows.toml").read_text("utf-8"))
    assert answer.status_code == 201, answer.text
    claims = read_all_rows(register, "/v1/claims", sort="date")
    shown = {(claim["category"], claim["date"][-2:], claim["figure"]["display"]) for claim in claims}
    assert shown == {
        ("killed", "01", "300 persons"),
        ("wounded", "01", "at least 1,200 persons"),
        ("killed", "02", "about 310 persons"),
        ("missing", "02", "up to 40 persons"),
    }
    sentences = {register.get(f"/v1/claims/{claim['id']}/citation.txt").text.strip() for claim in claims}
    assert {text.partition(": ")[2] for text in shown_first} <= {text.partition("\n")[0] for text in sentences}
    assert len(shown_first) == 4


DAYS = """Province,Country,2026-03-01,2026-03-02,2026-03-03
,Atlantis,1,3,3
North,Utopia,0,,4
South,Utopia,10,12,11
"""
COUNTED = """id,day,place,kind
e1,2026-03-01,A,killed
e2,2026-03-01,A,killed
e3,2026-03-01,B,wounded
e4,2026-03-02,A,killed
"""


def allow_queries(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = register.app.state.settings
    monkeypatch.setitem(register.app.state._state, "settings", settings.model_copy(update={"import_sql": True}))


def test_days_as_columns_and_counted_rows_are_imported_twice(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_example_vocabulary(register)
    days = (EXAMPLES / "days-as-columns.toml").read_text("utf-8")
    refused = post_form(register, "days.csv", DAYS, days)
    assert (refused.status_code, refused.json()["code"]) == (422, "mapping_refused")
    assert "COUNTERCLAIM_IMPORT_SQL" in refused.json()["detail"]

    allow_queries(register, monkeypatch)
    answer = post_form(register, "days.csv", DAYS, days)
    assert answer.status_code == 201, answer.text
    assert numbers(answer) == {"rows": 8, "new": 8}
    assert answer.json()["smell_counts"] == {"total_falls": 1}
    assert numbers(post_form(register, "days.csv", DAYS, days))["unchanged"] == 8

    counted = post_form(register, "events.csv", COUNTED, (EXAMPLES / "events.toml").read_text("utf-8"))
    assert numbers(counted) == {"rows": 3, "new": 3}, counted.text
    (first,) = read_all_rows(register, "/v1/claims", place="a", period_to="2026-03-01", category="killed")
    assert (first["figure"]["value"], first["citations"][0]["locator"]) == (2, "lines 2, 3")


def test_fields_above_the_rows_splits_and_footnotes(tmp_path: Path) -> None:
    document = {"as_of": "2026-03-05", "items": [{"at": "A; B", "dead": "3*"}, {"at": "C", "dead": "4"}]}
    path = write_file(tmp_path, "a.json", json.dumps(document))
    sql = """SELECT as_of, trim(place) AS place, rtrim(item.dead, '*') AS dead,
      CASE WHEN item.dead LIKE '%*' THEN 'preliminary' END AS note
      FROM (SELECT as_of, unnest(from_json("items", '[{"at": "VARCHAR", "dead": "VARCHAR"}]')) AS item FROM rows),
      LATERAL (SELECT unnest(string_split(item.at, ';')) AS place)"""
    mapping = parse_mapping(f"title = 'T'\n[file]\nsql = '''{sql}'''\n{CLAIM}[claims.dead]\ncategory = 'killed'\n", "m")
    rows = [row.data for row in FileReader([path], mapping.file)]
    assert [list(row.values()) for row in rows] == [
        ["2026-03-05", "A", "3", "preliminary"],
        ["2026-03-05", "B", "3", "preliminary"],
        ["2026-03-05", "C", "4", None],
    ]


EDITIONS = """day,dead,url,title,archive_url
2026-03-01,300,https://health.example/today,Situation on 1 March,https://archive.example/20260301/today
2026-03-02,310,https://health.example/today,Situation on 2 March,https://archive.example/20260302/today
2026-03-03,312,https://health.example/today,Situation on 3 March,https://archive.example/20260303/today
"""


def test_each_edition_of_one_address_has_its_own_day_title_and_copy(register: Register) -> None:
    record_example_vocabulary(register)
    mapping = (EXAMPLES / "editions.toml").read_text("utf-8")
    answer = post_form(register, "editions.csv", EDITIONS, mapping)
    assert answer.status_code == 201, answer.text
    claims = read_all_rows(register, "/v1/claims", sort="date")
    cited = [claim["citations"][0]["document"] for claim in claims]
    assert [(each["title"][-7:], each["published_on"], each["archive_url"][-14:]) for each in cited] == [
        (f"{day} March", f"2026-03-0{day}", f"2026030{day}/today") for day in (1, 2, 3)
    ]
    assert numbers(post_form(register, "editions.csv", EDITIONS, mapping)) == {"rows": 3, "unchanged": 3}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 60
