"""Spellings of one address find the same page; other pages stay apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sources.addresses import normalize_address

PAGE = "https://paper.example/a"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("HTTPS://Paper.Example/a", PAGE),
        ("https://paper.example:443/a", PAGE),
        ("http://paper.example:80/a", "http://paper.example/a"),
        ("https://paper.example:8443/a", "https://paper.example:8443/a"),
        ("https://paper.example", "https://paper.example/"),
        ("https://paper.example?q=1", "https://paper.example/?q=1"),
        ("https://paper.example/a#comments", PAGE),
        ("https://paper.example/a#:~:text=over%20300", PAGE),
        ("https://paper.example/a#", PAGE),
        ("https://paper.example/app#/a", "https://paper.example/app#/a"),
        ("https://paper.example/app#!a", "https://paper.example/app#!a"),
        ("https://paper.example/a?utm_source=x&UTM_Medium=y&fbclid=1&gclid", PAGE),
        ("https://paper.example/a?id=7&utm_source=x&page=2", "https://paper.example/a?id=7&page=2"),
        ("https://paper.example/a?source=utm_x", "https://paper.example/a?source=utm_x"),
        ("https://paper.example/%7euser/%d0%b0", "https://paper.example/~user/%D0%B0"),
        ("https://paper.example/b%2fc", "https://paper.example/b%2Fc"),
        ("https://paper.example/x/../a", PAGE),
        ("https://paper.example/./a/b/..", "https://paper.example/a/"),
        ("https://paper.example/../../a", PAGE),
        ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
    ],
)
def test_spellings_of_one_page_have_one_address(url: str, address: str) -> None:
    assert normalize_address(url) == address
    assert normalize_address(address) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://paper.example/a",
        "https://www.paper.example/a",
        "https://paper.example/a/",
        "https://paper.example/A",
        "https://paper.example/a?id=1",
        "https://paper.example/a?ref=home",
        "https://paper.example/a%2F",
    ],
)
def test_what_can_be_another_page_has_another_address(url: str) -> None:
    assert normalize_address(url) != PAGE


@given(st.text("aZ9/.%7eE?&=#!:utm_-~ é", max_size=30))
def test_an_address_is_normalized_once(rest: str) -> None:
    address = normalize_address(f"https://paper.example/{rest}")
    assert normalize_address(address) == address
