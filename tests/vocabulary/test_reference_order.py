"""Records are sorted after the records that they refer to."""

import pytest

from app.vocabulary.reference_order import CircularReferences, sort_by_references


@pytest.mark.parametrize(
    ("references", "ordered"),
    [
        ({}, []),
        ({"b": [], "a": []}, ["b", "a"]),
        ({"b": ["a"], "a": []}, ["a", "b"]),
        ({"c": ["b"], "d": [], "b": ["a"], "a": []}, ["d", "a", "b", "c"]),
        ({"a": ["a", "elsewhere"]}, ["a"]),
    ],
)
def test_each_comes_after_those_it_refers_to(references: dict[str, list[str]], ordered: list[str]) -> None:
    assert sort_by_references(references) == ordered


def test_a_circle_is_named_with_what_refers_to_it() -> None:
    with pytest.raises(CircularReferences, match=r"^these have circular references: a, b, c$") as refused:
        sort_by_references({"a": ["b"], "b": ["a"], "c": ["a"], "d": []})
    assert refused.value.slugs == ["a", "b", "c"]
