"""The printed sentence has the hedge, the category, the period, the claimant, the date and the outlet."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sentences.claim_names import ClaimNames
from app.sentences.phrases import CategoryDetails, SourceDetails, is_person, label_source, mention_source
from app.sentences.sentence import write_claim_text
from app.sentences.wording_note import describe_wording_difference
from tests.sentences.claim_factories import make_citation, make_claim, make_figure, make_names

KILLED = {"category": "Killed"}
COUNT = {"category": "Killed", "modality": "count", "source": "mediazona"}
FEW = make_figure("1,351", value=1351)
CSIS = "CSIS estimated on 3 June 2025 that"
KI = "the Kyiv Independent"
LEE = "Lee Seong-kweun, member of the National Assembly"
INSTITUTE = "Center for Strategic and International Studies"
UNSTATED = "(whether that includes the wounded was not said)"
IN_UKRAINE = "in Ukraine since 24 February 2022, the Kyiv Independent reported."
WORDINGS: list[tuple[dict[str, Any], str]] = [
    (make_figure("1,351", value=1351), "1,351 members"),
    (make_figure("1351", value=1351), "1351 members"),
    (make_figure("1351000", value=1351000), "1,351,000 members"),
    (make_figure("approximately 1,149", value=1149, approximate=True), "approximately 1,149 members"),
    (make_figure("Around 2,000", value=2000, approximate=True), "around 2,000 members"),
    (make_figure("~300,000", value=300000, approximate=True), "about 300,000 members"),
    (make_figure("500,000", value=500000, approximate=True), "about 500,000 members"),
    (make_figure("a thousand", value=1000, approximate=True), "about 1,000 members"),
    (make_figure("surpassed one million", lower=10**6, lower_inclusive=False), "over one million members"),
    (make_figure("topped 1 million", lower=10**6, lower_inclusive=False), "over 1 million members"),
    (make_figure("more than 3000", lower=3000, lower_inclusive=False), "more than 3000 members"),
    (make_figure("at least 300", lower=300), "at least 300 members"),
    (make_figure("4515", lower=4515), "at least 4,515 members"),
    (make_figure("20万186人", lower=200186), "at least 200,186 members"),
    (make_figure("mindestens ungefähr 300", lower=300, approximate=True), "at least about 300 members"),
    (make_figure("up to 250,000", upper=250000), "up to 250,000 members"),
    (make_figure("as many as 250,000", upper=250000), "as many as 250,000 members"),
    (make_figure("weniger als 70", upper=70, upper_inclusive=False), "under 70 members"),
    (make_figure("nearly 950,000", upper=950000, upper_inclusive=False, approximate=True), "nearly 950,000 members"),
    (make_figure("approaching 1,000", upper=1000, upper_inclusive=False, approximate=True), "nearly 1,000 members"),
    (make_figure("nearing 200,000", upper=200000, upper_inclusive=False, approximate=True), "nearly 200,000 members"),
    (make_figure("60,000–70,000", lower=60000, upper=70000), "60,000–70,000 members"),
    (make_figure("60,000 to 100,000", lower=60000, upper=100000), "60,000 to 100,000 members"),
    (make_figure("106,000-140,000", lower=106000, upper=140000), "between 106,000 and 140,000 members"),
    (make_figure("70 or 80,000", lower=70000, upper=80000), "between 70,000 and 80,000 members"),
    (
        make_figure("od 60 do 70 tys.", lower=60000, upper=70000, approximate=True),
        "between about 60,000 and 70,000 members",
    ),
    (make_figure(">5 bis 10", lower=5, upper=10, lower_inclusive=False), "over 5 and up to 10 members"),
    (make_figure("de 984 000 à 1,44 M", lower=984000, upper=1440000), "between 984,000 and 1,440,000 members"),
    (make_figure("1,2 bis 1,4 Mio.", lower=1200000, upper=1400000), "between 1.2 million and 1.4 million members"),
    (make_figure("thousands more"), "thousands more members"),
    (make_figure("several hundred"), "several hundred members"),
    (make_figure("dozens"), "dozens of members"),
    (make_figure("12 of the 100", value=12, out_of=100), "12 of the 100 members"),
    (make_figure("12 von 100", value=12, out_of=100), "12 of 100 members"),
    (make_figure("at least 12", lower=12, out_of=100), "at least 12 of 100 members"),
]


def write_sentence(made: dict[str, Any], disputed: tuple[str, ...] = ()) -> str:
    return write_claim_text(made, make_names(made, disputed)).sentence


def test_the_sentence_of_the_contract() -> None:
    assert write_sentence(make_claim()) == (
        "CSIS estimated on 3 June 2025 that Russian forces had suffered over 950,000 casualties (killed and wounded) "
        "in Ukraine since 24 February 2022, the Kyiv Independent reported."
    )


@pytest.mark.parametrize(("printed", "words"), WORDINGS, ids=[printed["as_printed"] for printed, _ in WORDINGS])
def test_every_wording_keeps_its_hedge(printed: dict[str, Any], words: str) -> None:
    made = make_claim(KILLED, figure=printed)
    assert write_sentence(made) == f"{CSIS} {words} of Russian forces had been killed {IN_UKRAINE}"


@pytest.mark.parametrize(
    ("printed", "words", "cell"),
    [
        (
            make_figure(
                "47,000 (40,000–55,000)", value=47000, lower=40000, upper=55000, approximate=True, coverage=0.95
            ),
            (
                "about 47,000 members of Russian forces had been killed in Ukraine since 24 February 2022, with a range"
                " of 40,000 to 55,000 at 95% confidence, the"
            ),
            "about 47,000 (40,000 to 55,000 at 95% confidence)",
        ),
        (
            make_figure("14.9 million (13.3–16.6)", value=14900000, lower=13300000, upper=16600000),
            (
                "14.9 million members of Russian forces had been killed in Ukraine since 24 February 2022, with a range"
                " of 13.3 million to 16.6 million, the"
            ),
            "14.9 million (13.3 million to 16.6 million)",
        ),
        (
            make_figure("60,000 to 70,000", lower=60000, upper=70000, coverage=0.995),
            (
                "60,000 to 70,000 members of Russian forces had been killed in Ukraine since 24 February 2022, with"
                " 99.5% confidence, the"
            ),
            "60,000 to 70,000 (with 99.5% confidence)",
        ),
        (
            make_figure("ужас"),
            (
                "an unstated number of members of Russian forces had been killed in Ukraine since 24 February 2022,"
                " described as “ужас”, the"
            ),
            "ужас",
        ),
    ],
)
def test_a_range_around_an_estimate_and_its_share_are_told(printed: dict[str, Any], words: str, cell: str) -> None:
    made = write_claim_text(make_claim(KILLED, figure=printed), make_names(make_claim(KILLED)))
    assert words in made.sentence
    assert made.figure == cell


@pytest.mark.parametrize(
    ("modality", "words"),
    [
        ("estimate", "estimated on 3 June 2025 that 1,351 members of Russian forces had been killed"),
        ("count", "gave on 3 June 2025 a count of 1,351 members of Russian forces killed"),
        ("forecast", "forecast on 3 June 2025 that 1,351 members of Russian forces would be killed"),
        ("allegation", "claimed on 3 June 2025 that 1,351 members of Russian forces had been killed"),
    ],
)
def test_the_verb_says_how_the_source_holds_it(modality: str, words: str) -> None:
    assert write_sentence(make_claim(KILLED, figure=FEW, modality=modality)) == f"CSIS {words} {IN_UKRAINE}"


@pytest.mark.parametrize(
    ("more", "estimated", "counted"),
    [
        (
            {"category": "Wounded"},
            "1,351 members of Russian forces had been wounded",
            "1,351 members of Russian forces wounded",
        ),
        (
            {"category": "Missing"},
            "1,351 members of Russian forces had gone missing",
            "1,351 members of Russian forces missing",
        ),
        (
            {"category": "Casualties", "subject": "wagner-group"},
            "the Wagner Group had suffered 1,351 casualties (killed and wounded)",
            "1,351 casualties (killed and wounded) suffered by the Wagner Group",
        ),
        (
            {"category": "Losses (not defined)"},
            f"Russian forces had suffered 1,351 losses {UNSTATED}",
            f"1,351 losses {UNSTATED} suffered by Russian forces",
        ),
        ({"category": "Tanks lost"}, "Russian forces had lost 1,351 tanks", "1,351 tanks lost by Russian forces"),
        (
            {"category": "Tanks destroyed"},
            "1,351 tanks of Russian forces had been destroyed",
            "1,351 tanks of Russian forces destroyed",
        ),
        (
            {"category": "Excess deaths", "subject": "india"},
            "there had been 1,351 excess deaths among people in India",
            "1,351 excess deaths among people in India",
        ),
        (
            {"category": "Injured", "subject": "gazans"},
            "1,351 residents of Gaza had been injured",
            "1,351 residents of Gaza injured",
        ),
        (
            {"category": "Forcibly displaced", "subject": "earth"},
            "1,351 persons among Earth had been forcibly displaced",
            "1,351 persons among Earth forcibly displaced",
        ),
    ],
)
def test_everything_counted_reads_well_as_estimate_and_as_count(
    more: dict[str, Any], estimated: str, counted: str
) -> None:
    assert write_sentence(make_claim(more, figure=FEW)) == f"{CSIS} {estimated} {IN_UKRAINE}"
    assert (
        write_sentence(make_claim(more, figure=FEW, modality="count"))
        == f"CSIS gave on 3 June 2025 a count of {counted} {IN_UKRAINE}"
    )


@pytest.mark.parametrize(
    ("edtf", "aggregation", "words"),
    [
        ("2022-02-24/2025-06-03", "cumulative", "since 24 February 2022"),
        ("2022-02-24/2025-06", "cumulative", "since 24 February 2022"),
        ("2022-02-24/..", "cumulative", "since 24 February 2022"),
        ("2022-02/2025", "cumulative", "since February 2022"),
        ("2022-02-24/2025-05-31", "cumulative", "from 24 February 2022 to 31 May 2025"),
        ("2022-02-24/2024-12~", "cumulative", "from 24 February 2022 to about December 2024"),
        ("../2025-05-24", "cumulative", "up to 24 May 2025 (since when was not said)"),
        ("2024", "cumulative", "in 2024"),
        ("2024", "within", "in 2024"),
        ("2024-08", "within", "in August 2024"),
        ("2025-06-02", "within", "on 2 June 2025"),
        ("2024-12-20/2024-12-27", "within", "from 20 to 27 December 2024"),
        ("2024-08-06/2024-10-02", "within", "from 6 August to 2 October 2024"),
        ("2024-09/2024-11", "within", "from September to November 2024"),
        ("2024-09/2025-02", "within", "from September 2024 to February 2025"),
        ("2020-01-01/2021-12-31", "within", "in 2020 and 2021"),
        ("2020-01-01/2020-12-31", "within", "in 2020"),
        ("2019-01-01/2021-12-31", "within", "from 2019 to 2021"),
        ("../2024-05", "within", "until May 2024"),
        ("2024-05/..", "within", "from May 2024 up to 3 June 2025"),
        ("2025", "within", "in 2025 up to 3 June 2025"),
        ("2025-05/2025-12", "within", "from May 2025 up to 3 June 2025"),
        ("2022-02-24/2025-12-31", "cumulative", "since 24 February 2022"),
        ("2025", "cumulative", "in 2025 up to 3 June 2025"),
        ("../2025-12", "cumulative", "up to 3 June 2025 (since when was not said)"),
        ("2024-22", "within", "in summer 2024"),
        ("2024-24", "within", "in winter 2024/25"),
        ("201X", "within", "in the 2010s"),
        ("2024-05?", "within", "in May 2024 (uncertain)"),
        ("2024-05-XX", "within", "in May 2024"),
        ("2022-02-24/2025-06-01", "snapshot", "as of 1 June 2025"),
        ("2025-06~", "snapshot", "as of about June 2025"),
        ("2025-06-01/..", "snapshot", "as of a day that was not stated"),
    ],
)
def test_every_period_is_put_into_words(edtf: str, aggregation: str, words: str) -> None:
    made = make_claim(KILLED, figure=FEW, edtf=edtf, aggregation=aggregation)
    expected = f"1,351 members of Russian forces had been killed in Ukraine {words}, the Kyiv Independent reported."
    assert write_sentence(made) == f"{CSIS} {expected}"


def test_a_rate_is_told_by_the_day() -> None:
    rate = {"edtf": "2024-09", "aggregation": "rate", "per": "day", "figure": make_figure("1,271", value=1271)}
    made = write_claim_text(make_claim(rate), make_names(make_claim(rate)))
    assert "had suffered 1,271 casualties (killed and wounded) a day in Ukraine in September 2024" in made.sentence
    assert made.figure == "1,271 a day"
    assert "1,271 members of Russian forces a day had been killed" in write_sentence(make_claim(KILLED, **rate))
    assert "a count of 1,271 casualties (killed and wounded) a day suffered by" in write_sentence(
        make_claim(rate, modality="count")
    )


@pytest.mark.parametrize(
    ("per", "words"),
    [("hour", "1,271 an hour"), ("week", "1,271 a week"), (None, "1,271 (a rate without a stated unit of time)")],
)
def test_a_rate_is_told_by_its_own_unit_of_time(per: str | None, words: str) -> None:
    rate = {"edtf": "2024-09", "aggregation": "rate", "per": per, "figure": make_figure("1,271", value=1271)}
    assert write_claim_text(make_claim(rate), make_names(make_claim(rate))).figure == words


def test_a_change_and_a_ratio_of_one_number_are_told_in_their_own_words() -> None:
    for proposition, words in (("change", "20% more than in 2022"), ("ratio", "four times the average")):
        figure = make_figure(words, value=20, relative_to="2022")
        made = write_claim_text(shown := make_claim(proposition=proposition, figure=figure), make_names(shown))
        assert made.figure == words
        assert "said on 3 June 2025 of casualties (killed and wounded) among Russian forces" in made.sentence
        assert f": “{words}”, " in made.sentence
        assert f"“{words}”" in made.short_form


@pytest.mark.parametrize(
    ("day", "edtf", "words"),
    [
        (date(2022, 3, 31), "2022-03", "estimated in March 2022 that"),
        (date(2022, 12, 31), "2022", "estimated in 2022 that"),
        (date(2025, 6, 3), "2025-06-03~", "estimated on about 3 June 2025 that"),
        (date(2025, 6, 3), "2025-06-03", "estimated on 3 June 2025 that"),
        (date(2025, 2, 28), "2024-24", "estimated in winter 2024/25 that"),
        (date(2025, 6, 3), "2025-06-01/2025-06-03", "estimated on 3 June 2025 that"),
        (None, None, "estimated, on a day that is not known, that"),
    ],
)
def test_an_uncertain_date_is_told_as_such(day: date | None, edtf: str | None, words: str) -> None:
    assert write_sentence(make_claim(date=day, date_edtf=edtf)).startswith(f"CSIS {words} Russian forces had suffered")


def test_the_sources_own_hedge_stays() -> None:
    assert "estimated on 3 June 2025 (“likely”) that" in write_sentence(make_claim(confidence={"stated": "likely"}))
    assert "(" not in write_sentence(make_claim(KILLED, confidence={"stated": None}))


def test_a_ratio_names_both_sides() -> None:
    ratio = {
        "proposition": "ratio",
        "source": "putin",
        "category": "Irrecoverable losses (not defined)",
        "figure": make_figure("one to five", value=1, out_of=5, relative_to="ukrainian-forces"),
    }
    made = write_claim_text(make_claim(ratio), make_names(make_claim(ratio)))
    assert made.sentence == (
        "Vladimir Putin, President of Russia, estimated on 3 June 2025 that the ratio of irrecoverable losses (what "
        "that includes was not said) among Russian forces to those of Ukrainian forces in Ukraine since 24 February "
        "2022 was one to five, the Kyiv Independent reported."
    )
    assert made.figure == "one to five"
    numbers = make_figure("1:5", lower=1, out_of=5, relative_to="ukrainian-forces")
    assert "the number of members of Russian forces killed to that of Ukrainian forces" in write_sentence(
        make_claim(ratio, category="Killed", figure=numbers)
    )
    assert " was at least 1 to 5, " in write_sentence(make_claim(ratio, figure=numbers))


def test_what_has_no_words_goes_by_its_recorded_name() -> None:
    aid = make_claim(category="Food aid", subject="gazans", place="gaza", edtf="2025-05", figure=FEW)
    label = "(Food aid: what that includes was not said; Residents of Gaza; said on 3 June 2025)"
    where = f"1,351 tonnes in the Gaza Strip in May 2025 {label}, the Kyiv Independent reported."
    assert write_sentence(aid) == f"CSIS estimated {where}"
    assert write_sentence({**aid, "modality": "count"}) == f"CSIS gave a figure of {where}"


def test_a_base_is_named() -> None:
    warm = {"category": "Temperature anomaly", "subject": "earth", "place": "world", "edtf": "2024", "source": "ocha"}
    made = make_claim(
        warm, aggregation="within", figure=make_figure("1.28", value=1.28, relative_to="the mean of 1951–1980")
    )
    assert write_sentence(made) == (
        "OCHA estimated 1.28°C worldwide in 2024 (Temperature anomaly; Earth; said on 3 June 2025), relative to the "
        "mean of 1951–1980, the Kyiv Independent reported."
    )


def test_claims_without_a_number_are_told_in_their_own_words() -> None:
    where = {"edtf": "2024-09/2024-11", "aggregation": "within", "source": "kofman", "date": None}
    peak = make_claim(where, proposition="peak_period", figure=make_figure("between September and November 2024"))
    assert write_sentence(peak) == (
        "Michael Kofman, military analyst, said, on a day that is not known, that casualties (killed and wounded) among"
        " Russian forces in Ukraine had been at their highest from September to November 2024, the Kyiv Independent"
        " reported."
    )
    hedged = make_claim(where, category="Killed", proposition="peak_period", figure=make_figure("probably in autumn"))
    assert "the number of members of Russian forces killed in Ukraine had been at its highest from" in write_sentence(
        hedged
    )
    assert "(“probably in autumn”)" in write_sentence(hedged)
    trend = make_claim(where, proposition="trend", figure=make_figure('"higher" casualty rates.'))
    assert (
        "of casualties (killed and wounded) among Russian forces in Ukraine from September to November 2024:"
        " “‘higher’ casualty rates”, the Kyiv Independent reported."
    ) in write_sentence(trend)
    assert write_claim_text(trend, make_names(trend)).figure == '"higher" casualty rates.'
    existence = make_claim(
        where, proposition="existence", modality="allegation", figure=make_figure("there were losses")
    )
    assert "claimed without giving grounds, on a day that is not known, of casualties" in write_sentence(existence)


def test_a_denial_says_whom_it_denies() -> None:
    denial = make_claim(proposition="denial", source="peskov", figure=make_figure("plucked from thin air"))
    assert write_sentence(denial, ("white-house",)) == (
        "Dmitry Peskov, Kremlin spokesman, rejected on 3 June 2025 what the White House had said about casualties"
        " (killed and wounded) among Russian forces in Ukraine since 24 February 2022: “plucked from thin air”, the"
        " Kyiv Independent reported."
    )
    assert "rejected on 3 June 2025 claims about casualties" in write_sentence(denial)


def test_a_retracted_claim_says_so_everywhere() -> None:
    retracted = make_claim(status="retracted", retracted_on=date(2025, 7, 1))
    made = write_claim_text(retracted, make_names(retracted))
    assert made.sentence.endswith(
        "the Kyiv Independent reported; the claim was later retracted by its source, on 1 July 2025."
    )
    assert made.figure == "over 950,000 (retracted)"
    assert made.short_form.endswith("(retracted)")


def test_scope_is_told_beside_the_subject() -> None:
    made = make_claim(KILLED, figure=FEW, includes=["wagner-group"], excludes=["dpr-lpr-forces"])
    assert (
        "1,351 members of Russian forces (including the Wagner Group; not counting Donetsk and Luhansk units) had been"
    ) in write_sentence(made)
    assert "Russian forces (including the Wagner Group) had suffered" in write_sentence(
        make_claim(includes=["wagner-group"])
    )


def test_a_witness_counts_his_own_unit() -> None:
    made = make_claim(
        category="Survived",
        subject="unit",
        place="vovchansk",
        modality="count",
        source="soldier",
        date=None,
        edtf="2024-06",
        aggregation="within",
        figure=make_figure("12 of the 100", value=12, out_of=100),
        citations=[make_citation(via=["reuters"])],
    )
    assert write_sentence(made) == (
        "A Russian soldier who fought at Vovchansk, not named here, gave, on a day that is not known, a count of 12 of"
        " the 100 members of a Russian unit at Vovchansk who had survived in June 2024, the Kyiv Independent reported,"
        " citing Reuters."
    )


@pytest.mark.parametrize(
    ("cited", "words"),
    [
        (make_citation(via=["lee", "reuters"]), f", {KI} reported, citing Reuters, which cited {LEE}."),
        (
            make_citation("ap", via=["reuters", "lee"]),
            f", the Associated Press reported, citing {LEE}, who cited Reuters.",
        ),
        (make_citation(via=["ki"]), f", {KI} reported."),
        (make_citation("data"), ", according to the 2022 Ukraine Russia War Dataset (Petro Ivaniuk)."),
        (make_citation(fidelity="rounded"), f", {KI} reported, rounding the figure."),
        (
            make_citation(fidelity="distorted", via=["ap"]),
            f", {KI} reported, changing the figure or what it means, citing the Associated Press.",
        ),
        (
            make_citation(withdrawn_on=date(2025, 7, 1)),
            f", {KI} reported in a report that it took back on 1 July 2025.",
        ),
        (make_citation(None), ", according to “The report”."),
        (make_citation("csis", role="original"), " since 24 February 2022."),
        (make_citation("ki", role="original"), f", as published by {KI}."),
        (make_citation("lee"), f", {LEE}, reported."),
    ],
)
def test_the_chain_to_the_page_is_told(cited: dict[str, Any], words: str) -> None:
    assert write_sentence(make_claim(citations=[cited])).endswith(words)


def test_the_leading_citation_is_told() -> None:
    cited = [make_citation("ap", leading=False), make_citation("reuters")]
    assert write_sentence(make_claim(citations=cited)).endswith(", Reuters reported.")
    assert write_sentence(make_claim(citations=[])).endswith(" since 24 February 2022.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Harvard (NEJM)", "Harvard (NEJM)"),
        ("WHO/IFHS (NEJM)", "WHO/IFHS (NEJM)"),
        ("Johns Hopkins University (CSSE)", "Johns Hopkins University (CSSE)"),
        (f"{INSTITUTE} (CSIS)", "CSIS"),
        ("Armed Conflict Location and Event Data (ACLED)", "ACLED"),
        ("Office for the Coordination of Humanitarian Affairs (OCHA)", "OCHA"),
        ("Respondents in the US (rv, I)", "Respondents in the US (rv, I)"),
        ("Ministry of Defence of the Russian Federation", "Ministry of Defence of the Russian Federation"),
        (INSTITUTE, INSTITUTE),
        ("Ukrainian National News (UNN)", "UNN"),
        ("Group 7 (G7)", "Group 7 (G7)"),
        ("Terrestrial Ecoregions, mangrove biome", "Terrestrial Ecoregions, mangrove biome,"),
        ("northern Ireland's police", "northern Ireland's police"),
        ("Jane  Doe,  a doctor", "Jane Doe, a doctor,"),
    ],
)
def test_a_name_is_printed_as_it_is_recorded(name: str, words: str) -> None:
    assert str(mention_source(SourceDetails("csis", name, "think_tank"))) == words


def test_a_source_reads_as_its_record_says() -> None:
    ministry = SourceDetails("m", "Ministry of Defence", "government", in_text="the Ministry of Defence")
    assert str(mention_source(ministry)) == "the Ministry of Defence"
    spokesman = SourceDetails("x", "Jane Doe", "individual", speaks_for=ministry)
    assert str(mention_source(spokesman)) == "Jane Doe, speaking for the Ministry of Defence,"
    assert str(mention_source(replace(spokesman, in_text="Jane Doe, a doctor"))) == "Jane Doe, a doctor,"
    assert label_source(ministry) == "Ministry of Defence"
    assert label_source(replace(ministry, short_name="MoD")) == "MoD"
    assert is_person(spokesman)
    assert not is_person(ministry)


def test_what_nothing_is_known_of_goes_by_its_slug() -> None:
    made = make_claim()
    bare = write_claim_text(made, ClaimNames(CategoryDetails("casualties"))).sentence
    assert bare.startswith(
        "Csis estimated over 950,000 persons since 24 February 2022 (casualties; russian-forces; war; said on 3 June"
    )
    assert "None" not in bare


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).filter(
    str.strip
)
numbers = st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e6, 1e6, allow_nan=False).map(lambda n: round(n, 3)))


@given(
    words=texts,
    value=st.none() | numbers,
    ends=st.lists(numbers, max_size=2, unique=True).map(sorted),
    approximate=st.booleans(),
    exclusive=st.booleans(),
    category=st.sampled_from(["Killed", "Casualties", "Tanks lost", "Food aid", "Losses"]),
    modality=st.sampled_from(["count", "estimate", "forecast", "allegation"]),
    proposition=st.sampled_from(["quantity", "trend", "denial", "existence", "peak_period"]),
    aggregation=st.sampled_from(["cumulative", "within", "rate", "snapshot"]),
)
def test_every_claim_is_one_sentence_with_no_number_of_our_own(
    words: str,
    value: float | None,
    ends: list[float],
    approximate: bool,  # noqa: FBT001 - the field's own type
    exclusive: bool,  # noqa: FBT001
    category: str,
    modality: str,
    proposition: str,
    aggregation: str,
) -> None:
    lower, upper = [*ends, None, None][:2]
    printed = make_figure(words, value=value, lower=lower, upper=upper, approximate=approximate)
    if exclusive and lower is not None:
        printed["lower_inclusive"] = False
    made = write_claim_text(
        shown := make_claim(
            category=category, modality=modality, proposition=proposition, aggregation=aggregation, figure=printed
        ),
        make_names(shown),
    )
    for text in (made.sentence, made.short_form, made.figure):
        assert "\n" not in text
        assert "  " not in text
    assert re.search(r"[^.]\.$", made.sentence) or words.strip()[-1:] in ".!?"
    assert made.sentence.startswith("CSIS ")
    assert "None" not in made.sentence.replace(" ".join(words.split()), "")
    if proposition == "quantity" and not any(character.isnumeric() for character in words):
        stated = {abs(Decimal(str(number))) for number in (value, lower, upper) if number is not None}
        for digits, scale in re.findall(r"([0-9][0-9,.]*)(?: (million|billion))?", made.figure):
            size = {"million": 10**6, "billion": 10**9}.get(scale, 1)
            assert Decimal(digits.replace(",", "")) * size in stated


def test_a_sentence_says_why_its_numbers_are_not_those_of_the_wording() -> None:
    figure = {"as_printed": "24,470", "wording_differs": "The list has only names, so it is a lower bound"}
    assert describe_wording_difference(figure) == (
        "The wording is “24,470”: The list has only names, so it is a lower bound."
    )
    assert not describe_wording_difference({"as_printed": "24,470", "wording_differs": None})
