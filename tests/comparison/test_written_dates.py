"""Days and periods in words: what they are in EDTF, and what is refused with which reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.comparison.written_dates import UnreadableDate, read_written_date, read_written_period

DATES = {
    "1 Dec 2024": "2024-12-01",
    "30 July 2024": "2024-07-30",
    "Dec 1, 2024": "2024-12-01",
    "Dec. 1 2024": "2024-12-01",
    "1-Dec-2024": "2024-12-01",
    "the 1st of December, 2024": "2024-12-01",
    "2024 Dec 1": "2024-12-01",
    "sept. 3, 2024": "2024-09-03",
    " 3  MAY 2024 ": "2024-05-03",
    "Nov 2024": "2024-11",
    "2024-12-01": "2024-12-01",
    "2024-06~": "2024-06~",
    "2024": "2024",
    "2025-02-30": "2025-02-30",
    "12/2024": "12/2024",
}
"""The last two are no words: the rules of EDTF say what is wrong with them."""

PERIODS = {
    "since 15 April 2023": "2023-04-15/..",
    "from April 2023": "2023-04/..",
    "2023 onwards": "2023/..",
    "Apr 2023 – Jun 2024": "2023-04/2024-06",
    "Apr 2023 - Jun 2024": "2023-04/2024-06",
    "Apr 2023-Jun 2024": "2023-04/2024-06",
    "Apr 2023—Jun 2024": "2023-04/2024-06",
    "Apr 2023 to Jun 2024": "2023-04/2024-06",
    "Apr 2023 until Jun 2024": "2023-04/2024-06",
    "from Apr 2023 to Jun 2024": "2023-04/2024-06",
    "between Apr 2023 and Jun 2024": "2023-04/2024-06",
    "Apr 2023 – present": "2023-04/..",
    "to Nov 2024": "/2024-11",
    "until 3 November 2024": "/2024-11-03",
    "up to Nov. 3, 2024": "/2024-11-03",
    "2022–2024": "2022/2024",
    "2022-2024": "2022/2024",
    "2022 to 2024": "2022/2024",
    "Apr–Jun 2024": "2024-04/2024-06",
    "1–15 June 2024": "2024-06-01/2024-06-15",
    "June 1–15, 2024": "2024-06-01/2024-06-15",
    "1 Apr – 15 June 2024": "2024-04-01/2024-06-15",
    "24 Feb 2022–12 Jun 2025": "2022-02-24/2025-06-12",
    "2022-02-24 to 2025-06-12": "2022-02-24/2025-06-12",
    "2022-12 – 2023-02~": "2022-12/2023-02~",
    "1 Dec 2024": "2024-12-01",
    "June 2024": "2024-06",
    "2022-02-24/2025-06-12": "2022-02-24/2025-06-12",
    "../2024": "../2024",
    "/2024-11": "/2024-11",
    "2021-22": "2021-22",
}

REFUSED = {
    "03/04/2024": "it can be 2024-04-03 and 2024-03-04",
    "3.4.2024": "it can be 2024-04-03 and 2024-03-04",
    "13/04/2024": "countries write day and month in different orders",
    "03/04/24": "its year has two digits",
    "1 Dec 24": "its year has two digits",
    "Dec-24": "24 can be a day and a year",
    "1 December": "it has no year",
    "31 Feb 2024": "it is read as 2024-02-31: February 2024 has 29 days",
    "yesterday": "it is not read as a date",
    "spring 2024": "it is not read as a date",
    "3 mai 2024": "it is not read as a date",
}

REFUSED_PERIODS = {
    "03/04/2024 to 05/04/2024": "it can be 2024-04-03 and 2024-03-04",
    "Dec – Feb 2024": "it is read as 2024-12/2024-02: the interval ends before it starts",
    "June 2024 – August": "it is not read as a period",
    "2021–22": "it is not read as a period",
    "before 2024": "it is not read as a period",
    "since May": "it is not read as a period",
}


@pytest.mark.parametrize("text", DATES)
def test_a_day_in_words_is_read(text: str) -> None:
    assert read_written_date(text) == DATES[text]


@pytest.mark.parametrize("text", PERIODS)
def test_a_period_in_words_is_read(text: str) -> None:
    assert read_written_period(text) == PERIODS[text]


@pytest.mark.parametrize("text", REFUSED)
def test_a_day_that_is_not_certain_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(UnreadableDate) as caught:
        read_written_date(text)
    assert caught.value.detail == REFUSED[text]
    assert caught.value.hint


@pytest.mark.parametrize("text", REFUSED_PERIODS)
def test_a_period_that_is_not_certain_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(UnreadableDate) as caught:
        read_written_period(text)
    assert caught.value.detail == REFUSED_PERIODS[text]


@given(st.text(alphabet="0123456789/-.–, aAbcdDeEfnorstuJMXy~?", max_size=40))
def test_any_text_is_a_date_or_refused_and_what_is_read_is_read_again_the_same(text: str) -> None:
    for read in (read_written_date, read_written_period):
        try:
            edtf = read(text)
        except UnreadableDate:
            continue
        assert read(edtf) == edtf
