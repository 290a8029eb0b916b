"""The draft for files in other shapes: days as columns, sheets typed by hand, folders, titles above the table."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.imports.mappings.load import parse_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.propose import draft_mapping
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.run import run_import
from app.imports.readers.options import FileOptions
from app.imports.readers.reader import FileReader
from tests.examples import record_example_vocabulary
from tests.imports.import_helpers import nonzero_counts
from tests.imports.readers.file_helpers import make_workbook, write_file
from tests.registers import Register

KNOWN = {
    ("source", "The ministry"): "ministry",
    ("source", "The institute"): "institute",
    ("category", "Killed"): "killed",
    ("category", "Wounded"): "wounded",
    ("place", "war"): "war",
    ("place", "front"): "front",
}
FILLED = {
    "title": '"The list"',
    "subject": '"army"',
    "place": '"war"',
    "source": '"ministry"',
    "url": '"https://example.org/list"',
    "decimal": '"."',
    "start": '"2026-01-01"',
    "period": '"2026-01-01"',
    "category": '"killed"',
    "on": '"2026-03-01"',
    "date": '"2026-03-01"',
}


def find_known(kind: str, text: str) -> str | None:
    return KNOWN.get((kind, text))


def draft_file(path: Path, options: FileOptions | None = None) -> str:
    return draft_mapping(path, options, find_known)


def propose_mapping(path: Path, options: FileOptions | None = None) -> dict[str, Any]:
    return tomllib.loads(draft_file(path, options))


def complete_draft(draft: str, **more: str) -> tuple[str, int]:
    """Return a draft with every `???` replaced, and the number of lines that had one."""
    lines, changed = draft.splitlines(), 0
    for number, line in enumerate(lines):
        if "???" in line and not line.startswith("#"):
            name = line.partition(" = ")[0]
            lines[number] = line.replace('"???"', more.get(name, FILLED.get(name, '"killed"'))).replace(
                '"https://???"', FILLED["url"]
            )
            changed += 1
    return "\n".join(lines), changed


TYPED = """Who,When said,What,Where,Number in words,Covers,Link,Notes
The ministry,12 June 2025,Killed,war,over 1 million,since 24 February 2022,https://example.org/a,first
The institute,3 June 2025,Killed,war,"nearly 250,000",Feb 2022 – May 2025,https://example.org/b,
The ministry,1 May 2025,Wounded,front,about 300,2024,https://example.org/c,second
UK MoD,2 May 2025,Wounded,front,thousands,2023,https://example.org/d,
"""
TOTALS = "day,region,cases,cum_deaths,low_est,high_est\n" + "".join(
    f"2026-03-0{day},N,{day * 7 % 5},{day * 3},{day},{day + 4}\n" for day in range(1, 10)
)
TITLED = "Casualties of the war\nSource: Ministry\n\nday,dead\n2026-03-01,3\n2026-03-02,4\n"
GROUPS = "date,region,0-17,18-59,60+\n2026-03-01,N,1,2,3\n2026-03-02,N,4,5,6\n"
WIDE = "Province,Country,Lat,1/22/20,1/23/20,1/24/20\n,Atlantis,1.5,1,3,3\nN,Utopia,2.5,0,,4\nS,Utopia,3.5,10,12,11\n"


@pytest.mark.parametrize(
    ("name", "content", "more", "lines_changed", "claims"),
    [
        ("typed.csv", TYPED, {"source": '"institute"'}, 5, 4),
        ("totals.csv", TOTALS, {}, 9, 27),
        ("titled.csv", TITLED, {}, 7, 2),
        ("groups.csv", GROUPS, {}, 6, 6),
        ("titled.xlsx", make_workbook([["Losses"], [None], ["day", "dead"], ["2026-03-01", 5]]), {}, 7, 1),
    ],
)
def test_a_draft_imports_after_its_gaps_are_filled(
    register: Register,
    tmp_path: Path,
    name: str,
    content: str | bytes,
    more: dict[str, str],
    lines_changed: int,
    claims: int,
) -> None:
    record_example_vocabulary(register)
    path = write_file(tmp_path, name, content)
    text, changed = complete_draft(draft_file(path), **more)
    if name == "groups.csv":  # three groups of one category would be one claim with three figures
        text = text.replace('"18-59" = "killed"', '"18-59" = "wounded"').replace(
            '"60+" = "killed"', '"60+" = "survived"'
        )
    assert changed == lines_changed
    request = ImportRequest([path], MappingRowMapper("draft", parse_mapping(text, "draft")))
    assert nonzero_counts(run_import(register.database, request, "desk"))["new"] == claims
    assert nonzero_counts(run_import(register.database, request, "desk"))["unchanged"] == claims


def test_a_sheet_typed_by_hand_has_its_columns_recognized(tmp_path: Path) -> None:
    found = propose_mapping(write_file(tmp_path, "typed.csv", TYPED))
    claim = found["claim"]
    names = {"The ministry": "ministry", "The institute": "institute", "UK MoD": "???"}
    assert claim["source"] == {"column": "Who", "map": names}
    assert claim["place"] == {"column": "Where", "map": {"war": "war", "front": "front"}}
    assert claim["date"] == {"column": "When said", "date": "%d %B %Y"}
    assert claim["period"]["edtf"] == {"column": "Covers", "written": "period"}
    assert claim["citation"]["document"]["url"] == {"column": "Link"}
    assert claim["note"] == {"column": "Notes"}
    categories = {"Killed": "killed", "Wounded": "wounded"}
    assert found["claims"] == {"Number in words": {"category": {"column": "What", "map": categories}}}


def test_days_as_columns_become_rows(tmp_path: Path) -> None:
    path = write_file(tmp_path, "wide.csv", WIDE)
    found = propose_mapping(path)
    assert found["file"]["sql"].startswith("UNPIVOT rows ON COLUMNS('^(?:[0-9]{1,2}[./-]")
    assert found["claim"]["date_edtf"] == "{last day}/.."
    assert found["claim"]["period"] == {
        "start": "???",
        "end": {"column": "day", "date": "%m/%d/%y"},
        "aggregation": "cumulative",
    }
    assert found["vintage"]["key"][1:] == [{"column": "Country"}, {"column": "Province", "otherwise": "-"}]
    assert list(found["claims"]) == ["figure"]
    mapper = MappingRowMapper("draft", parse_mapping(complete_draft(draft_file(path))[0], "draft"))
    made = [draft for row in FileReader([path], mapper.options) for draft in mapper.map_row(row).drafts]
    assert [(each.claim_input["place"], each.claim_input["figure"]["value"]) for each in made] == [
        *(("atlantis", number) for number in (1, 3, 3)),
        *(("n", number) for number in (0, 4)),
        *(("s", number) for number in (10, 12, 11)),
    ]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ("2026-03-01,2026-03-02", "NAME day"),
        ("Jan 2024,Feb 2024", "NAME month"),
        ("2021,2022,2023", "NAME year"),
        ("deaths_2021,deaths_2022", "^deaths_(?:19|20)"),
        ("2021 [YR2021],2022 [YR2022]", "regexp_extract(year"),
        ("0-4,5-14,15+", "NAME part"),
        ("men,women,children", "NAME part"),
    ],
)
def test_columns_that_are_periods_or_groups_are_seen(tmp_path: Path, columns: str, part: str) -> None:
    width = columns.count(",") + 1
    path = write_file(tmp_path, "a.csv", f"region,{columns}\nN{',3' * width}\nS{',4' * width}\n")
    assert part in propose_mapping(path)["file"]["sql"]
    rows = list(FileReader([path], FileOptions(sql=propose_mapping(path)["file"]["sql"])))
    assert len(rows) == 2 * width


@pytest.mark.parametrize("name", ["Jahr", "année", "рік", "T"])
def test_a_year_is_a_date_and_no_figure(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{year};Nord;{year % 7},5 ha\n{year};Süd;{year % 5},7 ha\n" for year in range(2019, 2026))
    found = propose_mapping(write_file(tmp_path, "a.csv", f"{name};Ort;Verbrannt\n{rows}"))
    assert found["claim"]["period"]["edtf"] == {"column": name}
    assert found["claim"]["date_edtf"] == f"{{{name}}}-12-31/.."
    assert list(found["claims"]) == ["Verbrannt"]
    assert found["vintage"]["key"] == [{"column": name}, {"column": "Ort"}]


def test_a_figure_near_a_year_stays_a_figure(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.csv", "day,dead\n2026-03-01,1950\n2026-03-02,2040\n2026-03-03,1999\n")
    assert list(propose_mapping(path)["claims"]) == ["dead"]


def test_bounds_are_paired_by_the_rest_of_their_names(tmp_path: Path) -> None:
    columns = "day,A (low),A (high),dead_min,dead_max,dead,model ci95_lower,model ci95_upper,model est"
    text = f"{columns}\n2026-03-01,1,9,2,8,5,3,7,5\n"
    claims = propose_mapping(write_file(tmp_path, "a.csv", text))["claims"]
    parts = {name: {part: pick["column"] for part, pick in claim["figure"].items()} for name, claim in claims.items()}
    assert parts == {
        "a": {"lower": "A (low)", "upper": "A (high)"},
        "the dead": {"value": "dead", "lower": "dead_min", "upper": "dead_max"},
        "model": {"value": "model est", "lower": "model ci95_lower", "upper": "model ci95_upper"},
    }


def test_running_totals_are_told_from_daily_values(tmp_path: Path) -> None:
    claims = propose_mapping(write_file(tmp_path, "totals.csv", TOTALS))["claims"]
    assert "period" not in claims["cases"]
    assert claims["cum_deaths"]["period"]["aggregation"] == "cumulative"


def test_a_folder_of_objects_takes_the_day_from_the_names(register: Register, tmp_path: Path) -> None:
    record_example_vocabulary(register)
    for day in (1, 2, 3):
        write_file(tmp_path, f"days/report_2026-03-0{day}.json", f'{{"dead": {day}, "hurt": {day * 3}}}')
    path = tmp_path / "days"
    day_of_name = {"column": "_file", "after": "report_", "before": "."}
    found = propose_mapping(path)
    assert found["vintage"]["key"] == [day_of_name]
    assert found["claim"]["date"] == found["claim"]["period"]["on"] == day_of_name
    text, _ = complete_draft(draft_file(path))
    text = text.replace('[claims.hurt]\ncategory = "killed"', '[claims.hurt]\ncategory = "wounded"')
    request = ImportRequest([path], MappingRowMapper("draft", parse_mapping(text, "draft")))
    assert nonzero_counts(run_import(register.database, request, "desk")) == {"rows": 3, "new": 6}


def test_the_sheets_of_a_workbook_are_listed_and_chosen(tmp_path: Path) -> None:
    import openpyxl  # noqa: PLC0415 - slow to import

    book = openpyxl.Workbook()
    book.active.append(["read me"])
    for row in (["day", "dead"], ["2026-03-01", 5]):
        book.create_sheet("Losses") if "Losses" not in book.sheetnames else None
        book["Losses"].append(row)
    path = tmp_path / "a.xlsx"
    book.save(path)
    draft = draft_file(path, FileOptions(sheet="Losses"))
    assert "# Sheets: Sheet, Losses (inspected)." in draft
    assert tomllib.loads(draft)["file"] == {"sheet": "Losses"}
    assert list(tomllib.loads(draft)["claims"]) == ["dead"]


def test_a_key_has_no_figure_link_or_note(tmp_path: Path) -> None:
    rows = "".join(f"2026-03-01,{n} ha,https://example.org/{n},note {n},{'abc'[n]}\n" for n in range(3))
    found = propose_mapping(write_file(tmp_path, "a.csv", f"day,burnt,page,remarks,place\n{rows}"))
    assert found["vintage"]["key"] == [{"column": "day"}, {"column": "place"}]
