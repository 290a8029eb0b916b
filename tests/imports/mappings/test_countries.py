"""Countries, their people and their authorities that the rows name read in sentences as the mapping says."""

import pytest

from tests.imports.import_helpers import numbers, post_form
from tests.registers import Register

MAPPING = """
title = "Drowned by country and year"

[columns]
with_article = { column = "country", otherwise = "", map = { Netherlands = "the Netherlands" } }
"the country" = { first = ["{with_article}", "{country}"] }
title = "Drowned in {the country}, {year}"

[claims.drowned]
category = "drowned"
subject = { text = "people-in-{country}", slug = true }
place = { column = "country", slug = true }
source = { text = "statistics-{country}", slug = true }
modality = "count"
date = "2025-03-01"
period = { on = { column = "year" }, aggregation = "within" }
citation.document = { title = "{title}", url = "https://example.org/{year}/{country}" }

[categories.drowned]
name = "Drowned"
definition = "People who drowned."
unit = "persons"
non_decreasing = true
in_text = { form = "people", past = "had drowned", future = "would drown", part = "drowned" }

[[new]]
kind = "place"
slug = { column = "country", slug = true }
fields = { name = "{country}", in_text = "in {the country}" }

[[new]]
kind = "subject"
slug = { text = "people-in-{country}", slug = true }

[new.fields]
name = "People in {country}"
definition = "All of them."
in_text = { group = "people", people = "people" }

[[new]]
kind = "source"
slug = { text = "statistics-{country}", slug = true }

[new.fields]
name = "Statistics {country}"
in_text = "the statistical office of {the country}"
kind = "government"
interest = "unknown"
"""
ROWS = "country,year,drowned\nNetherlands,2024,117\nCôte d'Ivoire,2024,over 340\n"


@pytest.fixture
def sentences(register: Register) -> dict[str, str]:
    answer = post_form(register, "drowned.csv", ROWS, MAPPING)
    assert answer.status_code == 201, answer.text
    assert numbers(answer) == {"rows": 2, "new": 2}
    claims = register.get("/v1/claims").json()["data"]
    return {claim["place"]: register.get(f"/v1/claims/{claim['id']}/citation.txt").text for claim in claims}


def test_a_country_of_a_row_reads_in_the_sentence_as_the_mapping_says(sentences: dict[str, str]) -> None:
    assert sentences == {
        "netherlands": "The statistical office of the Netherlands gave on 1 March 2025 a count of 117 people drowned "
        "in the Netherlands in 2024, according to “Drowned in the Netherlands, 2024”.\n",
        "cote-d-ivoire": "The statistical office of Côte d'Ivoire gave on 1 March 2025 a count of over 340 people "
        "drowned in Côte d'Ivoire in 2024, according to “Drowned in Côte d'Ivoire, 2024”.\n",
    }


def test_a_name_for_which_the_mapping_says_nothing_stays_a_name(register: Register) -> None:
    mapping = MAPPING.replace(', in_text = "in {the country}"', "")
    assert post_form(register, "drowned.csv", ROWS, mapping).status_code == 201
    [claim] = register.get("/v1/claims", params={"place": "netherlands"}).json()["data"]
    sentence = register.get(f"/v1/claims/{claim['id']}/citation.txt").text
    assert "117 people drowned in 2024 (Netherlands)" in sentence


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ('_line = "1"', "columns._line"),
        ('again = "{no}}"', "columns.again"),
    ],
)
def test_a_derived_column_has_a_name_of_its_own_and_a_value(register: Register, columns: str, fault: str) -> None:
    answer = post_form(register, "drowned.csv", ROWS, MAPPING.replace("[columns]", f"[columns]\n{columns}"))
    assert answer.status_code == 422
    assert fault in answer.text
