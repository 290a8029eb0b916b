"""Unsafe files are read within limits or refused with `FileRefused`."""

import gzip
import io
import os
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.imports.readers.options import FileFormat, FileOptions, FileRefused, ReadLimits
from app.imports.readers.reader import FileReader
from tests.imports.readers.file_helpers import (
    make_workbook,
    make_zip,
    read_refusal,
    read_rows,
    replace_part,
    write_file,
)
from tests.strategies import try_examples

HEAD = "date,dead\n2022-03-02,498\n"
SMALL = ReadLimits(
    blank_rows=100,
    cell_characters=1_000,
    row_bytes=2_000,
    unpacked_bytes=5_000_000,
    unpacked_ratio=10,
    unpacked_ratio_from_bytes=1_000_000,
    members=3,
    yaml_bytes=3_000,
    columns=5,
)
BOOK = make_workbook([["a", "b"], [1, 2]])


def entry(name: str, *, content: bytes = b"a\n1\n", attributes: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP archive with one entry, whose name is not normalized."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.filename, info.external_attr, info.compress_type = name, attributes << 16, method
        archive.writestr(info, content)
    return written.getvalue()


def encrypted() -> bytes:
    """Return a ZIP archive whose entry is marked as encrypted."""
    made = bytearray(entry("a.csv"))
    made[6] |= 1
    made[made.index(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "a.csv: is empty"),
        ("a.csv", "\n\n", "a.csv: is empty"),
        (
            "a.csv",
            HEAD + '"2022-03-25,1351\n2022-03-26,1352\n',
            "a.csv, line 3: a quote in the row that begins here is never closed",
        ),
        ("a.csv", HEAD + '2022-03-25,"x"y\n', "a.csv, line 3: text follows a closing quote"),
        ("a.csv", HEAD + "2022-03-25\n", "a.csv, line 3: expected 2 cells, found 1"),
        ("a.csv", HEAD + '"a\nb",1,2\n', "a.csv, line 3: expected 2 cells, found 3"),
        ("a.csv", HEAD + "x\0,2\n", "a.csv, line 3: contains a NUL character"),
        ("a.csv", HEAD.encode("utf-16")[2:], "a.csv, line 1: contains a NUL character"),
        ("a.csv", HEAD + f"{'x' * 1_900_000},2\n", "a.csv, line 3: a cell has more than 1,000,000 characters"),
        ("a.csv", (HEAD + "Київ,1\n").encode() + "Київ,2\n".encode("cp1251"), "a.csv, line 4: byte 36 is not utf-8"),
        ("a.csv", HEAD + "date,dead\n", "a.csv, line 3: the header changes here"),
        ("a.csv", HEAD + "dead,date\n498,x\n", "a.csv, line 3: the header changes here"),
        ("a.csv", HEAD + "date,dead,wounded\n", "a.csv, line 3: the header changes here"),
        ("a.csv", "a,,c\n1,2,3\n", "a.csv, line 1: column 2 has no name"),
        ("a.csv", "a,b, a\n1,2,3\n", "a.csv, line 1: columns 1 and 3 are both named “a”"),
        ("a.csv", "Losses\na,b\n1,2\n", "a.csv, line 2: expected 1 cells, found 2"),
        ("a.csv", ",".join(map(str, range(3000))), "a.csv, line 1: has more than 2,000 columns"),
        ("a.csv", "\xff\xfe\0".encode("latin-1"), "a.csv, line 1: byte 2 is not utf-16"),
        ("a.json", "", "a.json, line 1: is not JSON: parse error: premature EOF"),
        ("a.json", '[{"a":1},\n{"a":}]', "a.json, line 2: is not JSON: parse error: unallowed token"),
        ("a.json", '[{"a":NaN}]', "a.json, line 1: is not JSON: lexical error: invalid char in json text. (column 7)"),
        ("a.json", '[{"a":1},{"a":1e400}]', "a.json, line 1: is not JSON: a number is too large (column 20)"),
        ("a.json", '[{"a":1e99999999999999999999}]', "a.json, line 1: is not JSON: a number is too large"),
        ("a.json", '[{"a":' + "9" * 5000 + "}]", "a.json, line 1: is not JSON: a number is too large"),
        ("a.json", "[" * 1_000_000, "a.json, element 1: lists and objects are nested more than 100 levels deep"),
        ("a.json", '{"a":' * 1_000_000, "a.json, element 1: lists and objects are nested more than 100 levels deep"),
        ("a.json", '[{"a":"\\u0000"}]', "a.json, element 1: a text contains a NUL character"),
        ("a.json", '[{"a":1},[1]]', "a.json, element 2: is not an object"),
        ("a.json", '[{"a":"\\udc00"}]', "a.json, line 1: is not JSON: an unpaired surrogate"),
        ("a.json", "[1]", "a.json, element 1: is not an object"),
        ("a.json", "7", "a.json: contains a single value, not rows"),
        ("a.json", '{"a":1}\n{"a":2}', "a.json, line 2: is not JSON: parse error: trailing garbage"),
        ("a.json", b'[{"a":"\xed\xa0\x80 \xd0\x90"}]', "a.json, line 1: byte 7 is not utf-8"),
        ("a.json", '[{"a":"' + "x" * 11_000_000 + '"}]', "a.json: an element has more than 2,000,000 bytes"),
        ("a.json", '[{"a":[' + "1," * 6_000_000 + "1]}]", "a.json: an element has more than 2,000,000 bytes"),
        ("a.ndjson", '{"a":1}\n[1]', "a.ndjson, line 2: is not an object"),
        ("a.ndjson", '{"a":1}\n{"a":1', "a.ndjson, line 2: is not JSON"),
        ("a.ndjson", '{"a":1e400}', "a.ndjson, line 1: is not JSON"),
        ("a.ndjson", '{"a":"\\u0000"}', "a.ndjson, line 1: a text contains a NUL character"),
        (
            "a.ndjson",
            '{"a":' + "[" * 500 + "]" * 500 + "}",
            "a.ndjson, line 1: lists and objects are nested more than 100 levels deep",
        ),
        ("a.ndjson", '{"a":' + "9" * 5000 + "}", "a.ndjson, line 1: "),
        ("a.ndjson", '{"a":"' + "x" * 11_000_000 + '"}', "a.ndjson, line 1: the row that begins here has more than"),
        ("a.yaml", "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "a.yaml, line 1: anchors and aliases are not supported"),
        ("a.yaml", "- *a\n", "a.yaml, line 1: aliases are not supported"),
        ("a.yaml", "- a: !!python/object/apply:os.system [ls]\n", "a.yaml, line 1: the tag “tag:yaml.org,2002:python/"),
        ("a.yaml", "- a: !x 1\n", "a.yaml, line 1: the tag “!x” is not supported"),
        ("a.yaml", "- <<: {a: 1}\n", "a.yaml, line 1: merge keys are not supported"),
        ("a.yaml", "- ? [a]\n  : 1\n", "a.yaml, line 1: a key is a list or an object"),
        ("a.yaml", "[" * 1_000_000, "a.yaml, line 1: lists and objects are nested more than 100 levels deep"),
        ("a.yaml", "- " * 5_000 + "1", "a.yaml, line 1: lists and objects are nested more than 100 levels deep"),
        ("a.yaml", "a: [1\nb: 2", "a.yaml, line 2: is not YAML"),
        ("a.yaml", "a: 2022-13-45", "a.yaml, line 1: “2022-13-45” cannot be converted"),
        ("a.yaml", "a: .inf", "a.yaml, line 1: “.inf” is not a number"),
        ("a.yaml", "a: " + "9" * 5000, "a.yaml, line 1: "),
        ("a.yaml", "a: !!int x", "a.yaml, line 1: “x” cannot be converted"),
        ("a.yaml", 'a: "\\0"', "a.yaml, line 1: a text contains a NUL character"),
        ("a.yaml", "# \0", "a.yaml"),
        ("a.yaml", "- 1", "a.yaml, line 1: is not an object"),
        ("a.yaml", "- a\n" * 6_000_000, "a.yaml, line 1: is not an object"),
        ("a.yaml", "a:\n" + "- abcdefgh\n" * 1_000_000, "a.yaml, line 18"),
        ("a.xlsx", b"PK\x03\x04 no", "a.xlsx: is not an XLSX file that can be read"),
        ("a.xlsx", make_zip({"x.txt": "y"}), "a.xlsx: is not an XLSX file that can be read"),
        ("a.xlsx", make_workbook([]), "a.xlsx: the sheet is empty"),
        ("a.xlsx", make_workbook([["a", "a"]]), "a.xlsx, row 1: columns 1 and 2 are both named “a”"),
        ("a.xlsx", make_workbook([["a"], [1, 2]]), "a.xlsx, row 2: a cell is to the right of the 1 named columns"),
        ("a.xlsx", make_workbook([["a", "b"], [1, 2], ["b", "a"]]), "a.xlsx, row 3: the header changes here"),
        (
            "a.xlsx",
            replace_part(BOOK, "xl/externalLinks/externalLink1.xml", "<x/>"),
            "a.xlsx: links to other workbooks",
        ),
        (
            "a.xlsx",
            replace_part(
                BOOK, "xl/sharedStrings.xml", '<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><sst>&b;</sst>'
            ),
            "a.xlsx: a part is not the XML that spreadsheets write",
        ),
        ("a.xlsx", replace_part(BOOK, "xl/styles.xml", b" " * 11_000_000), "a.xlsx: "),
        ("a.xlsx", replace_part(BOOK, "xl/worksheets/sheet1.xml", b"<sheetData><row r='9999999999'></row>"), "a.xlsx"),
        (
            "a.xlsx",
            replace_part(BOOK, "xl/worksheets/sheet1.xml", b"<row>" + b"<c/>" * 200_000),
            "a.xlsx: a row of a sheet",
        ),
        ("a.zip", b"PK no archive", "a.zip: is not a ZIP archive that can be read"),
        ("a.zip", make_zip({"x.md": ""}), "a.zip: contains no file of a known format"),
        ("a.zip", make_zip({"x.csv": HEAD})[:-30], "a.zip: is not a ZIP archive that can be read"),
        ("a.zip", make_zip({"x.csv": HEAD, "y.zip": "x"}), "a.zip: contains another archive: “y.zip”"),
        ("a.zip", entry("../a.csv"), "a.zip: has an entry outside the archive"),
        ("a.zip", entry("x/../../a.csv"), "a.zip: has an entry outside the archive"),
        ("a.zip", entry("/etc/a.csv"), "a.zip: has an entry outside the archive"),
        ("a.zip", entry("C:/a.csv"), "a.zip: has an entry outside the archive"),
        ("a.zip", entry("..\\a.csv"), "a.zip: has an entry outside the archive"),
        ("a.zip", entry("a.csv", attributes=0o120777), "a.zip: contains a link"),
        (
            "a.zip",
            entry("a.csv", method=zipfile.ZIP_LZMA),
            "a.zip: has an entry with an unsupported compression method",
        ),
        ("a.zip", encrypted(), "a.zip: is encrypted: “a.csv”"),
        (
            "a.zip",
            entry("a.csv", method=zipfile.ZIP_STORED).replace(b"a\n1", b"a\n2"),
            "a.zip/a.csv: cannot be read: Bad CRC-32",
        ),
        ("a.csv.gz", gzip.compress(HEAD.encode(), mtime=0)[:-9], "a.csv.gz: cannot be unpacked or read"),
        ("a.csv.gz", b"\x1f\x8b nothing", "a.csv.gz: cannot be unpacked or read"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    path = write_file(tmp_path, name, content)
    started = time.process_time()
    refused = read_refusal(path)
    cpu_seconds = time.process_time() - started
    assert str(refused).startswith(said)
    assert "\n" not in str(refused)
    assert len(str(refused)) < 400
    assert cpu_seconds < 10


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", make_zip({f"{n}.csv": HEAD for n in range(4)}), "contains more than 3 files"),
        ("a.zip", make_zip({"a.csv": b"a\n" + b"1\n" * 1_000_000}), "unpacks to more than 10 times its size"),
        ("a.csv.gz", gzip.compress(b"a\n" + b"1\n" * 1_000_000, mtime=0), "unpacks to more than 10 times its size"),
        (
            "a.csv.gz",
            gzip.compress(b"a\n" + os.urandom(3_000_000).hex().encode(), 1, mtime=0),
            "unpacks to more than 5,000,000",
        ),
        (
            "a.xlsx",
            replace_part(BOOK, "xl/worksheets/sheet9.xml", "<row></row>" * 200_000),
            "contains more than 3 parts",
        ),
        ("a.yaml", "- a: 1\n" * 1_000, "has more than 3,000 characters"),
        ("a.yaml", "- a: [" + "1, " * 900 + "1]", "an element has more than 2,000 characters"),
        ("a.ndjson", '{"a":"' + "x" * 1_500 + '"}', "a text has more than 1,000 characters"),
        ("a.ndjson", '{"a":"' + "x" * 2_500 + '"}', "has more than 2,000 characters"),
        ("a.json", '[{"a":"' + "x" * 1_500 + '"}]', "a text has more than 1,000 characters"),
        ("a.csv", "a,b\n" + "x" * 1_500 + ",1\n", "a cell has more than 1,000 characters"),
        ("a.csv", "a,b\n" + " ,\n" * 101, "has more than 100 blank rows"),
        ("a.csv", " \n" * 101 + "a,b\n1,2\n", "has more than 100 blank rows"),
        ("a.ndjson", '{"a":1}\n' + " \n" * 101, "has more than 100 blank rows"),
        ("a.csv", "a,b,c\n" + '"1\n",' * 200_000, "the row that begins here has more than 2,000 characters"),
    ],
)
def test_each_limit_holds(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    assert read_refusal(write_file(tmp_path, name, content), limits=SMALL).detail.startswith(said)


def test_a_sheet_of_blank_rows_is_refused(tmp_path: Path) -> None:
    book = write_file(tmp_path, "a.xlsx", make_workbook([["a"], *[[" "]] * 101, [1]]))
    assert read_refusal(book, limits=ReadLimits(blank_rows=100)).detail == "has more than 100 blank rows"
    assert len(read_rows(book, limits=ReadLimits(blank_rows=101))) == 1


def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path) -> None:
    """Its headers state a small size; memory use stays constant."""
    bomb = write_file(tmp_path, "a.csv.gz", gzip.compress(b"a\n" + b"1\n" * 60_000_000, 9, mtime=0)[:-4] + b"\1\0\0\0")
    tracemalloc.start()
    try:
        assert read_refusal(
            bomb, limits=ReadLimits(unpacked_ratio=500, unpacked_ratio_from_bytes=1_000_000)
        ).detail.startswith("unpacks to more than")
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format_", list(FileFormat))
@pytest.mark.parametrize("name", ["absent", "folder", "pipe", "link"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, format_: FileFormat) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert read_refusal(tmp_path / name, format=format_).file == name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rows": "datum"}, "there is nothing at “datum” (did you mean `data`?)"),
        ({"rows": "data.x"}, "the path “data.x” leads into a value that is not an object"),
        ({"rows": "data", "keyed": "k"}, "the rows are a list: there are no keys for the column of `keyed`"),
        ({"rows": "entries", "keyed": "n"}, "the object at “a” has a field “n” of its own (change `keyed`)"),
        ({"rows": "twice"}, "“twice” of the path to the rows occurs twice"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    text = '{"data": [{"n": 1}], "entries": {"a": {"n": 1}}, "twice": [{"n": 1}], "twice": []}'
    refused = read_refusal(write_file(tmp_path, "a.json", text), **options)
    assert f"{refused.detail} ({refused.hint})".startswith(said)


SEEDS = [HEAD.encode(), b'[{"a": 1.5, "b": [null, "x"]}]', b'{"a": 1}\n{"b": 2}\n', b"- a: 1\n  b: [x, {y: 2}]\n", BOOK]


@settings(try_examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.sampled_from([*SEEDS, make_zip({"a.csv": HEAD, "b.json": "[]"}), gzip.compress(HEAD.encode(), mtime=0)]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), max_size=6),
    name=st.sampled_from(["a", "a.csv", "a.tsv", "a.json", "a.ndjson", "a.yaml", "a.xlsx", "a.zip", "a.csv.gz"]),
    encoding=st.sampled_from([None, "utf-16", "shift_jis", "cp1251"]),
)
def test_any_bytes_are_read_or_refused(
    tmp_path: Path, seed: bytes, changes: list[tuple[float, bytes]], name: str, encoding: str | None
) -> None:
    content = bytearray(seed)
    for where, piece in changes:
        at = int(where * len(content))
        content[at : at + len(piece)] = piece
    path = write_file(tmp_path, name, bytes(content))
    try:
        for row in FileReader([path], FileOptions(encoding=encoding)):
            assert row.line > 0
            assert row.data
    except FileRefused as refusing:
        said = str(refusing)
    else:
        said = name
    assert said.startswith(name)
