"""A point or comma that can mean two things is refused until the mapping says which."""

from pathlib import Path

import pytest

from app.imports.mappings.propose import draft_mapping
from tests.examples import read_all_rows, record_example_vocabulary
from tests.imports.import_helpers import post_form
from tests.registers import Register

GERMAN = "Tag;Tote\n2026-03-01;1.200\n2026-03-02;2.500\n2026-03-03;987\n2026-03-04;1.002.500\n"
MIXED = 'day,dead\n2026-03-01,10.44\n2026-03-02,"2,923"\n2026-03-03,"1,045,442.22"\n2026-03-04,"1,23"\n'
SEPARATORS_MAPPING = """
title = "Dead"
[claim]
category = "killed"
subject = "army"
place = "war"
source = "ministry"
modality = "count"
[claim.period]
on = { column = "DAY" }
aggregation = "within"
[claim.citation.document]
title = "The table"
url = "https://example.org/table"
[claims.dead.figure]
printed = { column = "DEAD" }
"""


@pytest.mark.parametrize(
    ("columns", "content", "sign", "refused", "values"),
    [
        (("Tag", "Tote"), GERMAN, 'decimal = ","', [], [987, 1200, 2500, 1002500]),
        (("Tag", "Tote"), GERMAN, 'language = "de"', [], [987, 1200, 2500, 1002500]),
        (("Tag", "Tote"), GERMAN, "", [2, 3], [987, 1002500]),
        (("day", "dead"), MIXED, "", [2, 4, 5], [2923]),
    ],
)
def test_a_separator_is_never_guessed(
    register: Register, columns: tuple[str, str], content: str, sign: str, refused: list[int], values: list[int]
) -> None:
    record_example_vocabulary(register)
    mapping = SEPARATORS_MAPPING.replace("DAY", columns[0]).replace("DEAD", columns[1]) + sign
    answer = post_form(register, "dead.csv", content, mapping, keep_going="true")
    assert answer.status_code in {200, 201}, answer.text
    assert [row["line"] for row in answer.json()["refused"]] == refused
    claims = read_all_rows(register, "/v1/claims")
    assert sorted(claim["figure"]["value"] for claim in claims) == values


@pytest.mark.parametrize(
    ("content", "sign"),
    [
        (GERMAN, 'decimal = ","'),
        (MIXED, 'decimal = "???"'),
        ("day,dead\n2026-03-01,12\n2026-03-02,15\n", ""),
        ("day,dead\n2026-03-01,1.200\n2026-03-02,2.500\n", 'decimal = "???"'),
    ],
)
def test_a_draft_proposes_a_decimal_sign_that_all_values_fit(tmp_path: Path, content: str, sign: str) -> None:
    file = tmp_path / "dead.csv"
    file.write_text(content, encoding="utf-8")
    draft = draft_mapping(file)
    assert sign in draft
    assert sign or "decimal =" not in draft
