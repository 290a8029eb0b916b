"""Which claim replaced another one: chains, retractions, takedowns, circles, and what was known on a day."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.comparison.supersession import (
    KnowledgeLimit,
    Successor,
    SupersessionClaim,
    find_mismatches,
    find_successors,
    replaces,
    status_of,
    would_form_circle,
)

DAY = date(2018, 1, 5)


def claim(id_: str, day: date | None = DAY, **fields: Any) -> SupersessionClaim:
    return SupersessionClaim(id=id_, date=day, **{"source": "a", **fields})


def by_id(*claims: SupersessionClaim) -> dict[str, SupersessionClaim]:
    return {each.id: each for each in claims}


OLD = claim("old", date(2017, 1, 6))
NEW = claim("new")


def test_a_claim_is_replaced_from_the_date_of_its_successor_on() -> None:
    relations, claims = [("new", "old")], by_id(OLD, NEW)
    expected = {"old": Successor("new", DAY, "asserted")}
    assert find_successors(relations, claims, None) == expected
    assert find_successors(relations, claims, KnowledgeLimit(DAY)) == expected
    assert find_successors(relations, claims, KnowledgeLimit(DAY - timedelta(days=1))) == {}


def test_an_undated_claim_supersedes_only_without_a_limit() -> None:
    relations, claims = [("new", "old")], by_id(OLD, claim("new", None))
    assert find_successors(relations, claims, None) == {"old": Successor("new", None, "asserted")}
    assert find_successors(relations, claims, KnowledgeLimit(date(2026, 1, 1))) == {}


def test_the_newest_standing_claim_of_a_chain_is_named() -> None:
    chain = [claim(f"c{n}", date(2020, 1, n)) for n in range(1, 5)]
    relations = [(newer.id, older.id) for older, newer in pairwise(chain)]
    found = find_successors(relations, by_id(*chain), None)
    assert found == {older.id: Successor("c4", date(2020, 1, 4), "asserted") for older in chain[:3]}
    found = find_successors(relations, by_id(*chain), KnowledgeLimit(date(2020, 1, 3)))
    assert found == {id_: Successor("c3", date(2020, 1, 3), "asserted") for id_ in ("c1", "c2")}
    retracted = claim("c4", date(2020, 1, 4), status="retracted", retracted_on=date(2020, 2, 1))
    found = find_successors(relations, by_id(*chain[:3], retracted), None)
    assert found["c1"] == found["c2"] == Successor("c3", date(2020, 1, 3), "asserted")
    assert found["c3"] == Successor("c4", date(2020, 1, 4), "retracted")
    found = find_successors(relations, by_id(*chain[:3], retracted), KnowledgeLimit(date(2020, 1, 31)))
    assert found["c1"] == Successor("c4", date(2020, 1, 4), "asserted")


def test_a_removed_claim_still_replaces_and_tells_only_its_id() -> None:
    removed = SupersessionClaim(id="new", status="removed")
    assert find_successors([("new", "old")], by_id(OLD, removed), None) == {"old": Successor("new", None, "removed")}
    later = claim("later", date(2019, 1, 1))
    found = find_successors([("new", "old"), ("later", "new")], by_id(OLD, removed, later), None)
    assert found["old"] == Successor("later", date(2019, 1, 1), "asserted")


@pytest.mark.parametrize(
    ("fields", "dimension"),
    [
        ({"source": "b"}, "source"),
        ({"category": "missing"}, "category"),
        ({"subject": "children"}, "subject"),
        ({"place": "west"}, "place"),
        ({"proposition": "ratio"}, "proposition"),
        ({"aggregation": "snapshot"}, "aggregation"),
        ({"period_end": date(2016, 12, 31)}, "period"),
        ({"period_start": date(2016, 1, 1)}, "period"),
    ],
)
def test_a_relation_of_unlike_claims_does_not_count(fields: dict[str, Any], dimension: str) -> None:
    other = claim("new", **fields)
    assert find_mismatches(other, OLD) == (dimension,)
    assert find_successors([("new", "old")], by_id(OLD, other), None) == {}


def test_both_kinds_of_totals_are_one_class() -> None:
    assert find_mismatches(claim("new", aggregation="cumulative"), OLD) == ()
    rate, snapshot = claim("r", aggregation="rate"), claim("s", aggregation="snapshot")
    assert find_mismatches(rate, snapshot) == ("aggregation",)


def test_several_replacements_of_one_claim_name_the_latest() -> None:
    first, second = claim("x", date(2019, 1, 1)), claim("b", date(2019, 1, 2))
    same_day = claim("c", date(2019, 1, 2))
    relations = [("x", "old"), ("b", "old"), ("c", "old")]
    for order in permutations(relations):
        assert find_successors(order, by_id(OLD, first, second, same_day), None)["old"].claim == "c"
    at = datetime(2019, 1, 2, 8, tzinfo=UTC)
    timed = claim("b", date(2019, 1, 2), said_at=at)
    assert find_successors(relations, by_id(OLD, first, timed, same_day), None)["old"].claim == "b"


def test_a_circle_replaces_nothing_and_is_recognized_before_it_is_closed() -> None:
    relations = [("new", "old"), ("old", "new")]
    assert find_successors(relations, by_id(OLD, NEW), None) == {}
    later = claim("later", date(2020, 1, 1))
    found = find_successors([*relations, ("later", "old")], by_id(OLD, NEW, later), None)
    assert found == {"old": Successor("later", date(2020, 1, 1), "asserted")}
    assert would_form_circle("old", "new", [("new", "old")])
    assert would_form_circle("a", "c", [("b", "a"), ("c", "b")])
    assert not would_form_circle("c", "a", [("b", "a"), ("c", "b")])


def test_a_moment_counts_what_has_none_from_the_next_day_on() -> None:
    limit = KnowledgeLimit.at(datetime(2023, 2, 6, 12, tzinfo=timezone(timedelta(hours=3))))
    assert limit.day == date(2023, 2, 5)
    assert limit.includes(date(2023, 2, 5))
    assert not limit.includes(date(2023, 2, 6))
    assert limit.includes(date(2023, 2, 6), datetime(2023, 2, 6, 9, tzinfo=UTC))
    assert not limit.includes(date(2023, 2, 6), datetime(2023, 2, 6, 9, 0, 1, tzinfo=UTC))
    assert not limit.includes(None)
    assert KnowledgeLimit.at(DAY) == KnowledgeLimit(DAY)


CLAIMS = st.builds(
    lambda day, status, place: {"date": day, "status": status, "place": place},
    st.none() | st.dates(date(2020, 1, 1), date(2020, 1, 4)),
    st.sampled_from(["asserted", "retracted", "removed"]),
    st.sampled_from(["sea", "sea", "sea", "west"]),
)


@given(
    st.lists(CLAIMS, min_size=2, max_size=6),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10),
    st.none() | st.dates(date(2020, 1, 1), date(2020, 1, 4)),
    st.randoms(),
)
def test_the_order_of_the_input_does_not_matter(
    fields: list[dict[str, Any]], edges: set[tuple[int, int]], known_on: date | None, random: Any
) -> None:
    claims = by_id(*(SupersessionClaim(id=str(n), **each) for n, each in enumerate(fields)))
    relations = [(str(a), str(b)) for a, b in edges]
    limit = KnowledgeLimit.at(known_on) if known_on else None
    found = find_successors(relations, claims, limit)
    random.shuffle(relations)
    ids = list(claims)
    random.shuffle(ids)
    assert find_successors(relations, {id_: claims[id_] for id_ in ids}, limit) == found
    for id_, successor in found.items():
        assert successor.claim != id_
        assert limit is None or (claims[successor.claim].date is not None)


def test_a_long_chain_needs_no_recursion() -> None:
    claims = by_id(*(claim(f"{n:05}", DAY + timedelta(days=n)) for n in range(5_000)))
    relations = [(newer, older) for older, newer in pairwise(claims)]
    assert {successor.claim for successor in find_successors(relations, claims, None).values()} == {"04999"}


def test_a_claim_replaces_another_directly_or_through_others() -> None:
    chain = [claim(f"c{n}", date(2020, 1, n)) for n in range(1, 4)]
    claims, relations = by_id(*chain, claim("other", source="b")), [("c3", "c2"), ("c2", "c1")]
    limit = KnowledgeLimit(date(2020, 1, 2))

    def found(
        newer: str, older: str, limit: KnowledgeLimit | None = None, extra: tuple[str, str] = ("c3", "c2")
    ) -> bool:
        return replaces(newer, older, [*relations, extra], claims, limit)

    assert found("c2", "c1")
    assert found("c3", "c1")
    assert not found("c1", "c3")
    assert found("c2", "c1", limit)
    assert not found("c3", "c2", limit)
    # A relation counts only between recorded claims of one series.
    assert not found("other", "c1", extra=("other", "c1"))
    assert not found("unknown", "c1", extra=("unknown", "c1"))
    assert not found("c3", "unknown", extra=("c3", "unknown"))


def test_of_successors_of_one_day_the_last_moment_counts() -> None:
    def at(id_: str, hour: int | None) -> SupersessionClaim:
        return claim(id_, said_at=None if hour is None else datetime(2018, 1, 5, hour, tzinfo=UTC))

    claims = by_id(OLD, at("a", 12), at("b", 10), at("z", None))
    relations = [(id_, "old") for id_ in ("a", "b", "z")]
    for order in permutations(relations):
        assert find_successors(order, claims, None)["old"].claim == "a"
    undated = by_id(OLD, claim("a", None), claim("b", date(1, 1, 1)))
    assert find_successors([("a", "old"), ("b", "old")], undated, None)["old"].claim == "b"


def test_of_a_claim_that_was_taken_down_little_is_compared() -> None:
    removed = claim("removed", status="removed", source="")
    assert find_mismatches(removed, OLD) == ()
    assert find_mismatches(OLD, removed) == ()
    assert find_mismatches(claim("removed", status="removed", place="west"), OLD) == ("place",)


def test_a_retraction_counts_from_its_day_on() -> None:
    retracted = claim("r", status="retracted", retracted_on=date(2020, 2, 1))
    for limit, status in (
        (None, "retracted"),
        (KnowledgeLimit(date(2020, 1, 31)), "asserted"),
        (KnowledgeLimit(date(2020, 2, 1)), "retracted"),
        (KnowledgeLimit.at(datetime(2020, 2, 1, 23, tzinfo=UTC)), "asserted"),
        (KnowledgeLimit.at(datetime(2020, 2, 2, tzinfo=UTC)), "retracted"),
    ):
        assert status_of(retracted, limit) == status
    assert status_of(claim("r", status="removed"), None) == "removed"
    assert status_of(claim("r"), None) == "asserted"


def test_there_is_no_day_before_the_first() -> None:
    assert KnowledgeLimit.at(datetime(1, 1, 1, 12, tzinfo=UTC)).day == date(1, 1, 1)
