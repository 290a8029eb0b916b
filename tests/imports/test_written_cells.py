"""Cells of a claims file as people write them: names instead of slugs, days and periods in words."""

from typing import Any

import pytest

from app.database.transaction import write_transaction
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from tests.examples import make_source_body, record_example_vocabulary
from tests.imports.import_helpers import NATIVE_ROW, format_csv, native_row, numbers, post_file, reasons
from tests.registers import Register


@pytest.fixture
def desk(register: Register) -> Register:
    """A register with a few sources whose names are not easily told apart."""
    record_example_vocabulary(register)
    with write_transaction(register.database, "desk") as log:
        for slug, name, short_name in (
            ("meduza", "Meduza", None),
            ("meduza-2", "MÉDUZA", None),
            ("zolochiv", "Rada of Zołočiv", "Zołočiv"),
            ("the-paper", "Somebody else", None),
        ):
            put_source(log, slug, SourceInput(**make_source_body(name, short_name=short_name)))
    return register


def import_row(register: Register, **cells: str) -> dict[str, Any]:
    """Import a row, and return its claim."""
    answer = post_file(register, format_csv(NATIVE_ROW | cells), "text/csv", "contributor")
    assert answer.status_code == 201, answer.text
    [claim] = register.get("/v1/claims").json()["data"]
    return dict(claim)


def refusal_reasons(register: Register, **cells: str) -> list[str]:
    return reasons(post_file(register, format_csv(NATIVE_ROW | cells), "text/csv", "contributor"))


def test_a_row_can_have_the_names_of_its_records_and_its_dates_in_words(desk: Register) -> None:
    claim = import_row(
        desk,
        source="rada of zolociv",
        category="CASUALTIES",
        subject="The  Army",
        place="the front",
        publisher="Zolociv",
        includes="The brigade; militia",
        modality="Estimate",
        aggregation="Cumulative",
        period="since 15 April 2023",
        date="30 July 2024",
        document_published_on="July 31, 2024",
    )
    assert claim["source"]["slug"] == "zolochiv"
    assert (claim["category"], claim["subject"], claim["place"]) == ("casualties", "army", "front")
    assert claim["includes"] == ["brigade", "militia"]
    assert claim["period"]["edtf"] == "2023-04-15/.."
    assert claim["date"] == "2024-07-30"
    document = claim["citations"][0]["document"]
    assert (document["publisher"], document["published_on"]) == ("zolochiv", "2024-07-31")


def test_the_row_with_slugs_and_edtf_is_the_same_claim(desk: Register) -> None:
    words = native_row(source="The ministry", subject="the army", period="24 Feb 2022 – 12 June 2025")
    answer = post_file(desk, format_csv(words | {"date": "June 12, 2025"}, NATIVE_ROW), "text/csv", "contributor")
    assert numbers(answer) == {"rows": 2, "new": 1, "unchanged": 1}


def test_a_name_that_two_records_have_is_refused_with_both_slugs(desk: Register) -> None:
    [reason] = refusal_reasons(desk, source="meduza", category="Killed")
    assert reason == (
        "category: Several records of the kind category are named `Killed`: `killed`, `killed-named`. "
        "(write the slug of the one that is meant)"
    )
    assert "`meduza`, `meduza-2`" in refusal_reasons(desk, source="Meduza")[0]
    # A slug is certain, and comes before a name.
    assert import_row(desk, source="the-paper")["source"]["slug"] == "the-paper"


def test_a_name_is_never_a_part_of_a_name(desk: Register) -> None:
    assert refusal_reasons(desk, source="Rada") == [
        "source: There is no source `Rada`. (did you mean `Rada of Zołočiv` (`zolochiv`)?)"
    ]
    [reason] = refusal_reasons(desk, source="The Minstry")
    assert reason == (
        "source: There is no source `The Minstry`. (did you mean `The ministry` (`ministry`) or "
        "`The minister` (`minister`)?)"
    )
    assert refusal_reasons(desk, source="Reuters & AFP", publisher="Nobody!") == [
        "source: There is no source `Reuters & AFP`.",
        "citations/0/document/publisher: There is no source `Nobody!`.",
    ]
    assert refusal_reasons(desk, source="minstry") == [
        "source: There is no source `minstry`. (did you mean `ministry`?)"
    ]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (
            {"date": "03/04/2024"},
            "`date` is `03/04/2024`: it can be 2024-04-03 and 2024-03-04. (write the one that is meant)",
        ),
        (
            {"document_title": "#NAME?"},
            "`document_title` is `#NAME?`, the error of a formula. (write what the formula was to show)",
        ),
        (
            {"date": "Dec-24"},
            "`date` is `Dec-24`: 24 can be a day and a year. (write the year in full, as in 1 Dec 2024 or Dec 2024)",
        ),
        (
            {"period": "31 April 2024"},
            "`period` is `31 April 2024`: it is read as 2024-04-31: April 2024 has 30 days. (correct '31 April 2024')",
        ),
    ],
)
def test_a_date_that_is_not_certain_is_refused(desk: Register, cells: dict[str, str], reason: str) -> None:
    assert refusal_reasons(desk, **cells) == [reason]


def test_a_month_in_the_column_of_the_date_is_the_month_of_the_statement(desk: Register) -> None:
    claim = import_row(desk, date="Nov 2024", period="to Nov 2024")
    assert (claim["date"], claim["date_edtf"], claim["period"]["edtf"]) == ("2024-11-30", "2024-11", "/2024-11")


def test_a_row_that_is_marked_to_be_skipped_is_not_imported(desk: Register) -> None:
    rows = [native_row(1, skip=""), native_row(2, skip="example", category="nothing")]
    answer = post_file(desk, format_csv(*rows), "text/csv", "contributor")
    assert numbers(answer) == {"rows": 2, "rows_skipped": 1, "new": 1}
    assert answer.json()["skipped"] == {"marked in the column `skip`": 1}
