"""The draft mapping for an unknown file is valid once its gaps are filled in."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.mappings.inspect import MAX_INSPECTED_ROWS, matching_date_formats, profile_file
from app.imports.mappings.load import parse_mapping, validate_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.propose import draft_mapping
from app.imports.readers.options import FileRefused
from app.imports.readers.reader import FileReader
from tests.imports.readers.file_helpers import make_workbook, write_file
from tests.strategies import CHARACTERS, try_examples

DAILY = {f"2022-03-{day:02}": {"deaths": day, "total": 100 + day} for day in range(1, 8)}
KEYED = {
    "ukraine": {"dead": 77321, "missing": 77242, "last_updated": "2025-11-08"},
    "russia": {"dead": 122670, "last_updated": "2025-11-08"},
    "note": "by hand",
}


def draft_file(folder: Path, name: str, content: str | bytes) -> str:
    return draft_mapping(write_file(folder, name, content))


def parse_draft(draft: str) -> dict[str, Any]:
    return tomllib.loads(draft)


def complete_draft(draft: str) -> str:
    """Return a draft with a value in place of every `???`."""
    return draft.replace("https://???", "https://example.org").replace("???", "killed")


def map_file(path: Path, draft: str) -> list[dict[str, Any]]:
    """Return the drafts of claims of a file with the completed draft mapping."""
    plan = MappingRowMapper("draft", parse_mapping(complete_draft(draft), "draft"))
    made = [plan.map_row(row) for row in FileReader([path], plan.options)]
    assert [each.faults for each in made if each.faults] == []
    return [draft.claim_input for each in made for draft in each.drafts]


FILES: dict[str, tuple[str, str | bytes, list[Any]]] = {
    "csv": ("losses.csv", "date,dead,hurt\n2022-03-02,498,1597\n2022-03-25,1351,over 300\n", [498, 1597, 1351, None]),
    "nested": (
        "losses.json",
        json.dumps([{"date": f"2022-03-0{n}", "un": {"dead now": n, "2022": 5}} for n in (1, 2)]),
        [1, 5, 2, 5],
    ),
    "keyed-by-day": ("daily.json", json.dumps(DAILY), [n for day in range(1, 8) for n in (day, 100 + day)]),
    "keyed-by-name": ("totals.json", json.dumps(KEYED), [77321, 77242, 122670]),
    "keyed-numbers": ("dead.json", json.dumps({"2022-03-01": 3, "2022-03-02": 4}), [3, 4]),
    "an-envelope": (
        "losses.json",
        json.dumps({"meta": {"n": 1}, "data": {"items": [{"date": "2022-03-01", "dead": 3}]}}),
        [3],
    ),
    "ndjson": ("losses.ndjson", '{"date": "2022-03-01", "dead": 3}\n{"date": "2022-03-02", "dead": 4}\n', [3, 4]),
    "yaml": ("losses.yaml", "- {date: 2022-03-01, dead: 3}\n- {date: 2022-03-02, dead: 4}\n", [3, 4]),
    "xlsx": ("losses.xlsx", make_workbook([["date", "dead"], ["2022-03-01", 3], ["2022-03-02", 4]]), [3, 4]),
    "semicolons": (
        "verluste.csv",
        "Tag;Tote je 100.000;Tote\n02.03.2022;12,5;1.234\n25.03.2022;1.250,75;2.500\n".encode("cp1252"),
        [12.5, 1234, 1250.75, 2500],
    ),
    "a-list-in-each-row": (
        "regions.json",
        json.dumps([{"date": "2022-03-01", "regions": [{"name": "a", "dead": 3}, {"name": "b", "dead": 4}]}]),
        [3, 4],
    ),
    "interval": ("model.csv", "date,est,ci95_low,ci95_high\n2022-03-02,5,4,7\n2022-03-03,6,5,8\n", [5, 6]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_draft_that_is_filled_in_makes_claims(tmp_path: Path, name: str) -> None:
    file, content, values = FILES[name]
    path = write_file(tmp_path, file, content)
    made = map_file(path, draft_mapping(path))
    assert [each["figure"].get("value") for each in made] == values
    days = {each["period"]["edtf"] for each in made}
    assert all(re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", day) for day in days), days


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("keyed-by-day", {"keyed": "date"}),
        ("keyed-by-name", {"keyed": "key"}),
        ("keyed-numbers", {"keyed": "date"}),
        ("an-envelope", {"rows": "data.items"}),
        ("csv", None),
    ],
)
def test_where_the_rows_of_a_document_are_is_proposed(tmp_path: Path, name: str, file: dict[str, str] | None) -> None:
    assert parse_draft(draft_file(tmp_path, *FILES[name][:2])).get("file") == file


def test_one_object_of_numbers_is_one_row(tmp_path: Path) -> None:
    assert "file" not in parse_draft(draft_file(tmp_path, "a.json", '{"dead": 3, "hurt": 4, "by": {"un": 5}}'))


@pytest.mark.parametrize(
    ("cells", "pick"),
    [
        (["2022-03-02", "2022-03-25"], {"column": "when"}),
        (["02.03.2022", "25.03.2022"], {"column": "when", "date": "%d.%m.%Y"}),
        (["25/03/2022", "02/03/2022"], {"column": "when", "date": "%d/%m/%Y"}),
        (["03/25/2022", "03/02/2022"], {"column": "when", "date": "%m/%d/%Y"}),
        (["03/02/2022", "03/04/2022"], {"column": "when", "date": "???"}),
        (["20220302", "20220325"], {"column": "when", "date": "%Y%m%d"}),
        (["2 March 2022", "25 March 2022"], {"column": "when", "date": "%d %B %Y"}),
        (["Mar 2, 2022", "Mar 25, 2022"], {"column": "when", "date": "%b %d, %Y"}),
        (["2022-03-02T10:00:00Z", "2022-03-25T10:00:00Z"], {"column": "when", "date": "%Y-%m-%dT%H:%M:%SZ"}),
    ],
)
def test_the_format_of_dates_is_found_and_never_guessed(tmp_path: Path, cells: list[str], pick: dict[str, str]) -> None:
    text = "when\tdead\n" + "".join(f"{cell}\t{n}\n" for n, cell in enumerate(cells))
    draft = draft_file(tmp_path, "a.tsv", text)
    assert parse_draft(draft)["claim"]["date"] == parse_draft(draft)["claim"]["period"]["on"] == pick
    assert ("both fit" in draft) == (pick.get("date") == "???")


@pytest.mark.parametrize(
    ("cells", "pick"),
    [
        (["2022-03", "2022-04"], {"column": "when"}),
        (["2022-03", "2022-04-01", "2023-01"], {"column": "when"}),
        (["March 2022", "April 2022"], {"column": "when", "date": "%B %Y"}),
    ],
)
def test_months_are_proposed_as_months(tmp_path: Path, cells: list[str], pick: dict[str, str]) -> None:
    claim = parse_draft(draft_file(tmp_path, "a.csv", "when,dead\n" + "".join(f"{cell},3\n" for cell in cells)))[
        "claim"
    ]
    assert claim["date_edtf"] == claim["period"]["edtf"] == pick
    assert "date" not in claim


@pytest.mark.parametrize("text", ["1545-06-03", "154563", "12.5", "12.53", "2022-13-01", "abc", "7.5.3", "55 mm"])
def test_numbers_and_words_are_no_dates(text: str) -> None:
    assert matching_date_formats(text) == ()


def test_numbers_that_count_nothing_get_no_claim(tmp_path: Path) -> None:
    text = "date,year,month,region_code,sysID,paid,covid\n" + "".join(
        f"2022-03-{day:02},2022,3,7,{day},{day},{day}\n" for day in range(1, 9)
    )
    draft = draft_file(tmp_path, "a.csv", text)
    assert list(parse_draft(draft)["claims"]) == ["paid", "covid"]
    assert "# Numbers that are probably not figures: year, month, region_code, sysID." in draft


def test_a_column_that_counts_days_is_checked(tmp_path: Path) -> None:
    text = "date,day,dead\n" + "".join(f"2022-03-{n:02},{n + 5},{n}\n" for n in range(1, 9))
    wanted = {"column": "day", "date": {"column": "date"}, "first": "2022-02-24"}
    assert parse_draft(draft_file(tmp_path, "a.csv", text))["days"] == [wanted]
    assert "days" not in parse_draft(draft_file(tmp_path, "a.csv", text.replace(",6,", ",7,").replace(",9,", ",3,")))


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ("2022-03-01,x,1,u\n2022-03-02,x,1,u\n", ["date"]),
        ("2022-03-01,x,1,u\n2022-03-01,y,1,u\n", ["date", "who"]),
        ("2022-03-01,x,1,u\n2022-03-01,x,1,v\n", ["date", "kind"]),
        ("2022-03-01,x,1,u\n2022-03-01,x,1,u\n", ["date", "???"]),
    ],
)
def test_the_key_is_as_short_as_it_can_be(tmp_path: Path, rows: str, key: list[str]) -> None:
    found = parse_draft(draft_file(tmp_path, "a.csv", f"date,who,dead,kind\n{rows}"))["vintage"]["key"]
    assert [each["column"] if isinstance(each, dict) else each for each in found] == key


def test_an_id_is_a_key_by_itself(tmp_path: Path) -> None:
    found = parse_draft(draft_file(tmp_path, "a.csv", "date,fact_id,dead\n2022-03-01,R1,1\n2022-03-02,R2,1\n"))
    assert found["vintage"]["key"] == [{"column": "fact_id"}]


@pytest.mark.parametrize(
    ("name", "series", "day"),
    [
        ("losses.csv", "losses", None),
        ("personnel_asof_2022-10-01_6c85.csv", "personnel", "2022-10-01"),
        ("russia_daily_2025-09-01.csv", "russia-daily", "2025-09-01"),
        ("2025-09-01.csv", "series", "2025-09-01"),
        ("daily daily_2025-09-01.csv", "daily-daily", "2025-09-01"),
    ],
)
def test_the_day_in_a_files_name_is_no_part_of_its_series(
    tmp_path: Path, name: str, series: str, day: str | None
) -> None:
    draft = draft_file(tmp_path, name, "date,dead\n2022-03-01,1\n")
    found = MappingRowMapper("draft", parse_mapping(complete_draft(draft), "draft"))
    assert found.mapping.series == series
    assert str(found.vintage_of(name)) == str(day)


def test_a_column_of_addresses_is_where_it_can_be_read(tmp_path: Path) -> None:
    text = "date,dead,page\n" + "".join(f"2022-03-{n:02},{n},https://example.org/{n}\n" for n in range(1, 20))
    assert parse_draft(draft_file(tmp_path, "a.csv", text))["claim"]["citation"]["document"]["url"] == {
        "column": "page"
    }


def test_a_wide_file_names_what_it_leaves_out(tmp_path: Path) -> None:
    names = [f"n{n}" for n in range(60)]
    row = ",".join(map(str, range(60)))
    draft = draft_file(tmp_path, "a.csv", f"date,{','.join(names)}\n2022-03-01,{row}\n2022-03-02,{row}\n")
    assert len(parse_draft(draft)["claims"]) == 40
    assert "# And 20 more columns of numbers: n40, n41," in draft


def test_a_file_without_numbers_gives_a_draft_too(tmp_path: Path) -> None:
    draft = draft_file(tmp_path, "a.csv", "date,said\n2022-03-01,nobody came\n")
    assert parse_draft(draft)["claims"] == {"figure": {"category": "???", "figure": {"printed": "???"}}}


def test_no_more_rows_are_looked_at_than_are_promised(tmp_path: Path) -> None:
    lines = "".join(f"2022-03-01,{n}\n" for n in range(MAX_INSPECTED_ROWS))
    path = write_file(tmp_path, "a.csv", f"date,dead\n{lines}" + '"a cell that never ends')
    assert f"a.csv: {MAX_INSPECTED_ROWS:,} rows inspected" in draft_mapping(path)
    with pytest.raises(FileRefused):
        list(FileReader([path], profile_file(path).options))


@pytest.mark.parametrize("content", ["", "[]", "{}", "date,dead\n"])
def test_a_file_without_rows_is_told_or_refused(tmp_path: Path, content: str) -> None:
    try:
        draft = draft_file(tmp_path, "a.json" if content[:1] in {"[", "{"} else "a.csv", content)
    except FileRefused:
        return
    assert "rows inspected" in draft


NAMES = st.text(CHARACTERS, min_size=1, max_size=8).filter(lambda name: "\0" not in name)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-999, 99999)
    | st.text(CHARACTERS, max_size=8).filter(lambda t: "\0" not in t)
)
ROWS = st.lists(
    st.dictionaries(
        NAMES,
        VALUES | st.dictionaries(NAMES, VALUES, max_size=2) | st.lists(st.dictionaries(NAMES, VALUES), max_size=2),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=4,
)


@try_examples(80)
@given(rows=ROWS)
def test_whatever_a_file_holds_its_draft_is_a_mapping(tmp_path_factory: pytest.TempPathFactory, rows: Any) -> None:
    path = write_file(tmp_path_factory.mktemp("given"), "a.json", json.dumps(rows))
    MappingRowMapper("draft", validate_mapping(tomllib.loads(complete_draft(draft_mapping(path))), "draft"))
