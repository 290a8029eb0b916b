"""Which citation of a claim leads."""

from datetime import date
from itertools import combinations
from typing import Any

import pytest

from app.comparison.leading import choose_leading, find_leading
from app.enums import SourceKind

EARLY, LATE = date(2025, 6, 4), date(2025, 6, 20)


def cite(id_: str, kind: str | None = "media", **more: Any) -> tuple[dict[str, Any], str | None]:
    published_on = more.pop("published_on", None)
    plain = {"role": "relay", "fidelity": "paraphrase", "withdrawn_on": None}
    return {"id": id_, "document": {"published_on": published_on}, **plain, **more}, kind


ORDER = [
    cite("i", "unknown", role="original", fidelity="verbatim"),
    cite("h", "media", role="original", published_on=LATE),
    cite("g", "ngo", role="original", published_on=EARLY),
    cite("j", "media", fidelity="verbatim", published_on=LATE),
    cite("f", "media", published_on=EARLY),
    cite("e", "media", published_on=LATE),
    cite("c", "media"),
    cite("d", "media", fidelity="rounded"),
    *(cite(f"b{i}", kind) for i, kind in enumerate(("government", "military", "intelligence", "think_tank", "ngo"))),
    cite("b", "dataset", published_on=EARLY),
    cite("a", "individual"),
    cite("k", "witness"),
    cite("l", "unknown"),
    cite("m", None),
    cite("o", "media", role="original", fidelity="distorted"),
    cite("n", "media", role="original", fidelity="verbatim", withdrawn_on=EARLY),
]
"""Each leads before those after it."""


def lead(*cited: tuple[dict[str, Any], str | None], **more: Any) -> str | None:
    return choose_leading([citation for citation, _ in cited], [kind for _, kind in cited], **more)


def test_each_citation_leads_before_those_after_it() -> None:
    for first, second in combinations(ORDER, 2):
        assert lead(second, first) == lead(first, second) == first[0]["id"]
    assert lead(*reversed(ORDER)) == "i"
    assert lead() is None
    assert lead(ORDER[-1]) == "n"


def test_a_mark_decides_among_those_that_stand() -> None:
    for citation, kind in ORDER[:-1]:
        assert lead(*ORDER, marked=citation["id"]) == citation["id"], kind
    assert lead(*ORDER, marked="n") == "i"


@pytest.mark.parametrize(("known_on", "id_"), [(None, "b"), (LATE, "b"), (EARLY, "a"), (date(2025, 6, 1), "c")])
def test_what_was_published_by_the_day_leads(known_on: date | None, id_: str) -> None:
    cited = [cite("a", "dataset", published_on=EARLY), cite("b", published_on=LATE), cite("c", None)]
    assert lead(*cited, known_on=known_on) == id_
    assert lead(*cited, known_on=known_on, marked="b") == id_


def test_a_report_leads_until_the_day_on_which_it_is_withdrawn() -> None:
    cited = [cite("a", published_on=EARLY, withdrawn_on=LATE), cite("b", "dataset", published_on=EARLY)]
    assert [lead(*cited, known_on=day) for day in (None, EARLY, LATE)] == ["b", "a", "b"]
    only = [cite("a", published_on=EARLY, withdrawn_on=EARLY), cite("b", published_on=LATE)]
    assert lead(*only, known_on=EARLY) == "a"


def test_every_kind_of_source_has_a_rank() -> None:
    for kind in SourceKind:
        assert lead(cite("a", kind), cite("b", None)) == "a"


def test_the_leading_citation_of_a_response_is_the_marked_one() -> None:
    marked = [{"id": id_, "leading": id_ == "b"} for id_ in "abc"]
    assert find_leading(marked) == {"id": "b", "leading": True}
    assert find_leading([]) is None
