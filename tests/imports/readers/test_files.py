"""Files of every format give the same rows."""

import gzip
import hashlib
import json
import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.imports.readers.options import FileFormat, FileOptions, FileRow
from app.imports.readers.reader import FileReader
from tests.imports.readers.file_helpers import make_workbook, make_zip, read_data, read_refusal, read_rows, write_file

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
TWO = [{"date": "2022-03-02", "dead": "498"}, {"date": "2022-03-25", "dead": "1351"}]
CSV = "date,dead\n2022-03-02,498\n2022-03-25,1351\n"


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", CSV, {}),
        ("a.csv", CSV.replace("\n", "\r\n"), {}),
        ("a.csv", CSV.replace("\n", "\r"), {}),
        ("a.csv", CSV.removesuffix("\n"), {}),
        ("a.csv", CSV.replace("\n", "\n\n"), {}),
        ("a.csv", CSV.replace(",", ";"), {}),
        ("a.txt", CSV.replace(",", "|"), {}),
        ("a.tsv", CSV.replace(",", "\t"), {}),
        ("a.csv", CSV.replace(",", ":"), {"delimiter": ":"}),
        ("a.csv", CSV.replace("\n", ",,\n"), {}),
        ("a.csv", CSV + ",\n,\n", {}),
        ("a.csv", " ,\n" + CSV.replace("\n", "\n \t, \n   \n\u00a0,\n \n") + " , , \n", {}),
        ("a.tsv", "\t\n" + CSV.replace(",", "\t").replace("\n", "\n \t \n\n"), {}),
        ("a.csv", CSV.replace("2022-03-02", "'2022-03-02'"), {"quote": "'"}),
        ("a.csv", "Losses, by day\n(of the ministry)\n" + CSV, {"header_row": 3}),
        ("a.csv", CSV.encode("utf-8-sig"), {}),
        ("a.csv", CSV.encode("utf-16"), {}),
        ("a.csv", CSV.encode("utf-8-sig"), {"encoding": "utf-8"}),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0), {}),
        ("a", CSV, {}),
        ("a", CSV.replace(",", "\t"), {}),
        ("a.bin", gzip.compress(CSV.encode(), mtime=0), {}),
        ("a.json", json.dumps(TWO), {}),
        ("a.json", json.dumps(TWO).encode("utf-16"), {}),
        ("a.json", json.dumps({"meta": {"n": [1, {}]}, "data": {"items": TWO}, "z": 1}), {"rows": "data.items"}),
        ("a.json", json.dumps({row["date"]: {"dead": row["dead"]} for row in TWO}), {"keyed": "date"}),
        ("a", json.dumps(TWO, indent=2), {}),
        ("a.ndjson", "\n\n".join(map(json.dumps, TWO)), {}),
        ("a.ndjson", "\n \t\n" + " \n\r\n".join(map(json.dumps, TWO)) + "\n\n  \n", {}),
        ("a.jsonl.gz", gzip.compress("\r\n".join(map(json.dumps, TWO)).encode(), mtime=0), {}),
        ("a", "\n".join(map(json.dumps, TWO)), {}),
        ("a.yaml", "- date: 2022-03-02\n  dead: '498'\n- {date: 2022-03-25, dead: '1351'}\n", {}),
        ("a.yml", "---\ndate: 2022-03-02\ndead: '498'\n---\n- date: 2022-03-25\n  dead: '1351'\n---\n", {}),
        ("a.yaml", "2022-03-02: {dead: '498'}\n2022-03-25: {dead: '1351'}\n", {"keyed": "date"}),
        ("a", "---\ndate: 2022-03-02\ndead: '498'\n---\ndate: 2022-03-25\ndead: '1351'\n", {}),
        ("a.xlsx", make_workbook([["date", "dead"], [date(2022, 3, 2), "498"], ["2022-03-25", "1351"]]), {}),
        (
            "a.xlsx",
            make_workbook([[" "], ["date", "dead", " "], [" ", "\t"], *map(list, map(dict.values, TWO)), [" "]]),
            {},
        ),
        ("a", make_workbook([["date", "dead"], ["2022-03-02", "498"], [], ["2022-03-25", "1351"], [None, ""]]), {}),
        (
            "a.zip",
            make_zip({"x/1.csv": CSV[:25], "x/2.json": json.dumps(TWO[1:]), "README.txt": "Notes", "y.md": ""}),
            {},
        ),
        ("a.zip", make_zip({"x.xlsx": make_workbook([["date", "dead"], *[list(row.values()) for row in TWO]])}), {}),
        (
            "a.zip",
            make_zip({"x.csv.gz": gzip.compress(CSV.encode(), mtime=0), ".hidden.csv": "x", "__MACOSX/x.csv": "x"}),
            {},
        ),
    ],
)
def test_the_same_rows_come_out_of_every_format(
    tmp_path: Path, name: str, content: str | bytes, options: dict[str, Any]
) -> None:
    assert read_data(write_file(tmp_path, name, content), **options) == TWO


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("name\nKyiv\nLviv\n", [{"name": "Kyiv"}, {"name": "Lviv"}]),
        ("place\nKyiv, Ukraine\nLviv\n", [{"place": "Kyiv, Ukraine"}, {"place": "Lviv"}]),
        ('a;b\n"1;2,3,4";5\n', [{"a": "1;2,3,4", "b": "5"}]),
        ('a,b\n"x\ny; z; z",5\n"say ""no""",\n', [{"a": "x\ny; z; z", "b": "5"}, {"a": 'say "no"', "b": ""}]),
        ("date;share\n1;2,5\n2;3,5\n", [{"date": "1", "share": "2,5"}, {"date": "2", "share": "3,5"}]),
        ("a,b\n", []),
        (" a , b \n1,2\n", [{"a": "1", "b": "2"}]),
    ],
)
def test_the_delimiter_is_found(tmp_path: Path, content: str, rows: list[dict[str, str]]) -> None:
    assert read_data(write_file(tmp_path, "a.csv", content)) == rows


@pytest.mark.parametrize(
    ("encoding", "shown", "word"),
    [
        ("windows-1251", "windows-1251", "Минобороны России, личный состав"),
        ("koi8-r", "koi8_r", "Минобороны России, личный состав"),
        ("latin-1", "windows-1252", "Région Rhône-Alpes évacuée"),
        ("utf-8", "utf-8", "Мінооборони, з'єднання"),
        ("utf-16-le", None, "Мінооборони"),
    ],
)
def test_the_encoding_is_found_also_late_in_a_file(tmp_path: Path, encoding: str, shown: str | None, word: str) -> None:
    text = "a,b\n" + f"{'1' * 38},2\n" * 20_000 + f'3,"{word}"\n' * 3
    path = write_file(tmp_path, "a.csv", text.encode(encoding))
    reading = FileReader([path], FileOptions(encoding=None if shown else encoding))
    assert list(reading)[-1].data == {"a": "3", "b": word}
    assert reading.files[0].encoding == (shown or encoding)


def test_a_row_says_where_it_begins(tmp_path: Path) -> None:
    csv = write_file(tmp_path, "a.csv", 'title\n\nx,y\n\n1,"a\nb"\n\n2,c\n')
    assert [row.line for row in read_rows(csv, header_row=2)] == [5, 8]
    blank = write_file(tmp_path, "b.csv", " \nx,y\n , \n1,2\n\t\n3,4\n")
    assert [row.line for row in read_rows(blank)] == [4, 6]
    lines = write_file(tmp_path, "b.ndjson", '\n{"a":1}\n \n\n{"a":2}\n\t')
    assert [row.line for row in read_rows(lines)] == [2, 5]
    book = write_file(tmp_path, "b.xlsx", make_workbook([[], ["x"], [" "], [1], [], [""], [2], ["  "]]))
    assert [row.line for row in read_rows(book)] == [4, 7]
    yaml = write_file(tmp_path, "a.yaml", "# note\n- a: 1\n  b: 2\n- a: 2\n")
    assert [row.line for row in read_rows(yaml)] == [2, 4]
    assert [row.line for row in read_rows(write_file(tmp_path, "a.ndjson", '{"a":1}\n\n{"a":2}'))] == [1, 3]
    assert [row.line for row in read_rows(write_file(tmp_path, "a.json", '[{"a":1},\n\n{"a":2}]'))] == [1, 2]
    assert [row.line for row in read_rows(write_file(tmp_path, "a.xlsx", make_workbook([[], ["a"], [], [1]])))] == [4]


def test_values_keep_their_types(tmp_path: Path) -> None:
    json_values = '[{"i": 1234567890123456789, "f": 0.1, "e": 1e3, "t": true, "n": null, "l": [1, {"x": "é"}]}]'
    wanted = {"i": 1234567890123456789, "f": 0.1, "e": 1000.0, "t": True, "n": None, "l": [1, {"x": "é"}]}
    for name, text in [("a.json", json_values), ("a.ndjson", json_values[1:-1])]:
        (found,) = read_data(write_file(tmp_path, name, text))
        assert found == wanted
        assert type(found["f"]) is type(found["e"]) is float
    yaml = "i: 7\nf: 0.5\nd: 2022-03-02\nt: 2022-03-02 10:00:00Z\nq: '7'\nn:\nno: x\n"
    assert read_data(write_file(tmp_path, "a.yaml", yaml)) == [
        {
            "i": 7,
            "f": 0.5,
            "d": "2022-03-02",
            "t": "2022-03-02T10:00:00+00:00",
            "q": "7",
            "n": None,
            "no": "x",
        }
    ]
    cells = [
        7000.0,
        0.5,
        "x",
        True,
        datetime(2022, 3, 2, 10, tzinfo=UTC).replace(tzinfo=None),
        date(2022, 3, 2),
        None,
        "=1+1",
    ]
    (found,) = read_data(write_file(tmp_path, "a.xlsx", make_workbook([list("abcdefgh"), cells])))
    assert list(found.values()) == [7000, 0.5, "x", True, "2022-03-02T10:00:00", "2022-03-02", None, None]
    assert type(found["a"]) is int


def test_an_object_is_one_row_unless_its_entries_are_rows(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.json", '{"x": {"n": 1}, "y": 2, "z": [3]}')
    assert read_data(path) == [{"x": {"n": 1}, "y": 2, "z": [3]}]
    assert read_data(path, keyed="k") == [{"k": "x", "n": 1}, {"k": "y", "value": 2}, {"k": "z", "value": [3]}]
    assert read_data(path, rows="x") == [{"n": 1}]


def test_a_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.xlsx", make_workbook([["note"], ["a", 2024, None], [1, 2]]))
    assert read_data(path, sheet="Losses", header_row=2) == [{"a": 1, "2024": 2}]
    refused = read_refusal(path, sheet="Loses")
    assert (refused.detail, refused.hint) == ("contains no sheet “Loses”", "the sheets are “Losses”")


def test_a_folder_is_read_in_order_and_reported_once(tmp_path: Path) -> None:
    folder = tmp_path / "dead"
    for name, content in [
        ("b/2.json", '{"n": 2}'),
        ("a.csv", "n\n1\n"),
        (".git/x.csv", "n\n9\n"),
        ("LICENSE.txt", "x"),
    ]:
        write_file(folder, name, content)
    reading = FileReader([folder, folder / "a.csv"], FileOptions(), names=["Dead of 2025", "upload.csv"])
    assert list(reading) == [
        FileRow("Dead of 2025/a.csv", 2, {"n": "1"}, is_table=True),
        FileRow("Dead of 2025/b/2.json", 1, {"n": 2}),
        FileRow("upload.csv", 2, {"n": "1"}, is_table=True),
    ]
    assert [(file.name, file.rows, file.bytes) for file in reading.files] == [
        ("Dead of 2025", 2, 12),
        ("upload.csv", 1, 4),
    ]
    assert reading.bytes_done == reading.bytes_total == 16
    digests = sorted(hashlib.sha256(text).hexdigest() for text in (b'{"n": 2}', b"n\n1\n"))
    assert reading.files[0].sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()


def test_a_report_says_what_was_found(tmp_path: Path) -> None:
    packed = gzip.compress(CSV.replace(",", ";").encode(), mtime=0)
    reading = FileReader([write_file(tmp_path, "upload", packed)], FileOptions(), names=["dead.csv.gz"])
    assert len(list(reading)) == 2
    (file,) = reading.files
    assert (file.name, file.format, file.encoding, file.delimiter) == ("dead.csv.gz", FileFormat.csv, "utf-8", ";")
    assert (file.sha256, file.bytes, file.rows) == (hashlib.sha256(packed).hexdigest(), len(packed), 2)


@pytest.mark.parametrize(
    "options", [{"encoding": "zip"}, {"encoding": "klingon"}, {"delimiter": '"'}, {"delimiter": "\n"}, {"header": 1}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FileOptions(**options)


def test_every_option_is_described() -> None:
    assert all(field.description and field.examples for field in FileOptions.model_fields.values())


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    def peak(count: int) -> int:
        head, line, end = {
            "csv": ("date,dead,source\n", "2022-03-02,498,Ministry of Defence\n", ""),
            "json": ('[{"dead":0}', ',{"date":"2022-03-02","dead":498.5}\n', "]"),
            "ndjson": ("", '{"date":"2022-03-02","dead":498.5}\n', ""),
        }[kind]
        path = write_file(tmp_path, f"a.{kind}", head + line * count + end)
        tracemalloc.start()
        try:
            assert sum(1 for _ in FileReader([path], FileOptions())) >= count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = (10_000, 60_000) if kind == "csv" else (10_000, 50_000)
    assert peak(many) < peak(few) * 2 < 10_000_000


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("name", "options", "count", "last"),
    [
        ("facts.csv", {}, 110, {"fact_id": "N12"}),
        ("covid/all_weekly_excess_deaths.csv", {}, 11_615, {"country": "United States", "region_code": "0"}),
        ("oryx/totals_by_type.csv", {}, 56, {"equipment_type": "Trucks, Vehicles, and Jeeps", "destroyed": "899"}),
        ("oryx", {}, 16_851, {"country": "Ukraine"}),
        ("general-staff-a/personnel.json", {}, 1_406, {"date": "2025-12-31", "personnel": 1_207_910}),
        ("general-staff-a/equipment.json", {}, 1_406, {"day": 1407, "tank": 11_481}),
        ("named-dead/russia_daily_2025-09-01.json", {"keyed": "date"}, 1_176, {"date": "2025-08-04", "deaths": 50}),
        ("named-dead/casualty-totals.json", {}, 1, {"lastUpdated": "2025-11-08T17:36:20.266Z"}),
    ],
)
def test_real_files_are_read(name: str, options: dict[str, Any], count: int, last: dict[str, Any]) -> None:
    rows = read_data(SHARED / name, **options)
    assert len(rows) == count
    assert rows[-1] | last == rows[-1]
