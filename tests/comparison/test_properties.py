"""Rules that hold for every register: symmetry, no influence of order or of other claims, and no invented number."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.comparison.figure import PrintedFigure
from app.comparison.positions import compare_pair, compare_pairs, find_positions
from app.comparison.question import Question
from app.comparison.spread import MeasuredSpread, measure_spread
from app.comparison.statement import Statement
from app.comparison.supersession import SupersessionClaim, find_successors
from app.comparison.verdict_counts import count_verdicts
from app.comparison.verdicts import PairComparison, sort_reasons
from app.enums import Reason, Verdict
from tests.comparison.registers import (
    HIERARCHY,
    RANDOMS,
    draw_near_figure,
    draw_register,
    draw_rival,
    draw_rivals,
    draw_statement,
    registers,
)
from tests.strategies import try_examples

QUESTION = Question(category="dead", subject="travellers", place="sea")
TOLERANCES = st.none() | st.sampled_from([0.01, 0.05, 0.5, 1.0])
CONTRADICTORY = {Reason.disjoint, Reason.falls, Reason.part_of_whole, Reason.transcription_conflict}


def standing_of(claims: Iterable[Statement]) -> list[Statement]:
    return [position.statement for position in find_positions(claims)]


def pairs_of(claims: Iterable[Statement], tolerance: float | None = None) -> dict[frozenset[str], PairComparison]:
    pairs = compare_pairs(standing_of(claims), HIERARCHY, tolerance)
    return {frozenset({pair.a, pair.b}): pair for pair in pairs}


def spread_of(claims: Iterable[Statement]) -> MeasuredSpread:
    return measure_spread(standing_of(claims), QUESTION, HIERARCHY)


def draw_pair(random: Random) -> tuple[Statement, Statement]:
    """Return two random claims of two sources, which can most often be compared."""
    a, b = draw_rivals(random, 2)
    return replace(a, source="one"), replace(b, source="two")


def draw_stranger(random: Random, claims: list[Statement]) -> Statement:
    """Return a random claim of a source that has no other, most often one that can be compared with the others."""
    stranger = draw_rival(random, "stranger", random.choice(claims)) if claims else draw_statement(random, "stranger")
    return replace(stranger, source="stranger")


@given(registers(6), TOLERANCES)
@settings(max_examples=150, deadline=None)
def test_verdicts_do_not_depend_on_which_claim_is_named_first(claims: list[Statement], tolerance: float | None) -> None:
    for a in claims:
        for b in claims:
            pair, mirrored = compare_pair(a, b, HIERARCHY, tolerance), compare_pair(b, a, HIERARCHY, tolerance)
            assert pair == replace(mirrored, a=a.id, b=b.id)


@given(registers(8), TOLERANCES)
@settings(max_examples=150, deadline=None)
def test_every_verdict_but_agreement_says_why(claims: list[Statement], tolerance: float | None) -> None:
    for pair in pairs_of(claims, tolerance).values():
        assert pair.reasons == sort_reasons(pair.reasons)
        assert pair.reasons or pair.verdict is Verdict.agree
        if pair.verdict is Verdict.contradict:
            assert CONTRADICTORY & set(pair.reasons)
            assert pair.above in {pair.a, pair.b}
            assert pair.gap is not None
        else:
            assert not {Reason.disjoint, Reason.falls, Reason.transcription_conflict} & set(pair.reasons)
        if pair.verdict is Verdict.not_comparable:
            assert (pair.ratio, pair.gap, pair.above) == (None, None, None)


@given(registers(), RANDOMS, TOLERANCES)
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_claims_never_matters(
    claims: list[Statement], random: Random, tolerance: float | None
) -> None:
    shuffled = random.sample(claims, len(claims))
    assert find_positions(shuffled) == find_positions(claims)
    assert pairs_of(shuffled, tolerance) == pairs_of(claims, tolerance)
    assert measure_spread(shuffled, QUESTION, HIERARCHY) == measure_spread(claims, QUESTION, HIERARCHY)
    assert count_verdicts(shuffled, HIERARCHY, tolerance) == count_verdicts(claims, HIERARCHY, tolerance)


@given(registers(), RANDOMS, TOLERANCES)
@settings(max_examples=100, deadline=None)
def test_a_claim_of_another_source_changes_no_verdict(
    claims: list[Statement], random: Random, tolerance: float | None
) -> None:
    stranger = draw_stranger(random, claims)
    before, after = pairs_of(claims, tolerance), pairs_of([*claims, stranger], tolerance)
    assert {ids: pair for ids, pair in after.items() if "stranger" not in ids} == before


@given(registers(), RANDOMS, TOLERANCES)
@settings(max_examples=100, deadline=None)
def test_a_claim_on_another_subject_changes_no_verdict_and_no_spread(
    claims: list[Statement], random: Random, tolerance: float | None
) -> None:
    other = replace(draw_stranger(random, claims), id="other", subject="crew-of-another-sea")
    before, after = pairs_of(claims, tolerance), pairs_of([*claims, other], tolerance)
    assert {ids: pair for ids, pair in after.items() if "other" not in ids} == before
    left_out = tuple(each for each in spread_of([*claims, other]).left_out if each[0] != "other")
    assert replace(spread_of([*claims, other]), left_out=left_out) == spread_of(claims)


@given(registers(20, sources=2))
@settings(max_examples=100, deadline=None)
def test_what_is_no_position_plays_no_part(claims: list[Statement]) -> None:
    shown = {wording for position in find_positions(claims) for wording in position.wordings}
    assert find_positions([claim for claim in claims if claim.id in shown]) == find_positions(claims)


def widen(figure: PrintedFigure, down: int | None, up: int | None) -> PrintedFigure:
    """Return the figure with each bound moved outwards, or dropped. An approximate number stays approximate."""
    lower = figure.value if figure.lower is None and figure.upper is None else figure.lower
    upper = figure.value if figure.lower is None and figure.upper is None else figure.upper
    lower = None if lower is None or down is None else lower - down
    upper = None if upper is None or up is None else upper + up
    return replace(
        figure,
        lower=lower,
        upper=upper,
        lower_inclusive=None if lower is None else figure.lower_inclusive is not False or bool(down),
        upper_inclusive=None if upper is None else figure.upper_inclusive is not False or bool(up),
        coverage=None,
        value=figure.value if (lower, upper) != (None, None) else None,
    )


def is_lone_plain_value(figure: PrintedFigure) -> bool:
    return figure.lower is None and figure.upper is None and not figure.approximate


WIDTHS = st.none() | st.sampled_from([0, 1, 50, 5_000, 100_000])


@given(RANDOMS, WIDTHS, WIDTHS)
@try_examples(120)
def test_a_wider_interval_never_makes_a_contradiction(random: Random, down: int | None, up: int | None) -> None:
    a, b = draw_pair(random)
    assume(not is_lone_plain_value(a.figure) and not is_lone_plain_value(b.figure))
    wide = widen(a.figure, down, up)
    assume(wide.has_number)
    if compare_pair(a, b, HIERARCHY).verdict is not Verdict.contradict:
        assert compare_pair(replace(a, figure=wide), b, HIERARCHY).verdict is not Verdict.contradict


@given(RANDOMS, st.sampled_from([0.01, 0.05, 0.1]), st.sampled_from([0.1, 0.5, 1.0]))
@try_examples(80)
def test_a_larger_tolerance_never_makes_a_contradiction(random: Random, strict: float, lenient: float) -> None:
    a, b = draw_pair(random)
    if compare_pair(a, b, HIERARCHY, strict).verdict is not Verdict.contradict:
        assert compare_pair(a, b, HIERARCHY, lenient).verdict is not Verdict.contradict


@given(RANDOMS)
@try_examples(80)
def test_without_a_tolerance_an_approximate_figure_never_contradicts(random: Random) -> None:
    a, b = draw_pair(random)
    if a.figure.approximate or b.figure.approximate:
        assert compare_pair(a, b, HIERARCHY).verdict is not Verdict.contradict


def draw_superseded(random: Random, claims: list[Statement]) -> tuple[dict[str, str], list[Statement]]:
    """Return older claims with other figures, and the id of the claim that supersedes each."""
    by_id = {claim.id: claim for claim in claims}
    replaced = {f"old-{id_}": id_ for id_ in random.sample(sorted(by_id), random.randrange(len(claims) + 1))}
    return replaced, [
        replace(
            by_id[new], id=id_, figure=draw_near_figure(random, by_id[new].figure), date=random.choice(DATES_OF_OLD)
        )
        for id_, new in replaced.items()
    ]


@given(registers(), RANDOMS, TOLERANCES)
@settings(max_examples=100, deadline=None)
def test_a_superseded_claim_changes_no_verdict_and_no_spread(
    claims: list[Statement], random: Random, tolerance: float | None
) -> None:
    """Each superseded claim has the fields that supersession needs in common with its successor, and other numbers."""
    replaced, old = draw_superseded(random, claims)
    register = [*claims, *old]
    described = {claim.id: describe(claim) for claim in register}
    successors = find_successors([(new, id_) for id_, new in replaced.items()], described, None)
    assert set(successors) == set(replaced)
    current = [claim for claim in register if claim.id not in successors]
    assert pairs_of(current, tolerance) == pairs_of(claims, tolerance)
    assert spread_of(current) == spread_of(claims)


DATES_OF_OLD = [date(2023, 6, 12), date(2023, 6, 12) + timedelta(days=300), None]


def describe(claim: Statement) -> SupersessionClaim:
    return SupersessionClaim(
        id=claim.id,
        source=claim.source,
        category=claim.category,
        subject=claim.subject,
        place=claim.place,
        proposition=claim.proposition,
        aggregation=claim.aggregation,
        period_start=claim.period.earliest_start,
        period_end=claim.period.latest_end,
        date=claim.date,
    )


@given(registers(20))
@settings(max_examples=150, deadline=None)
def test_no_number_comes_out_that_no_source_stated(claims: list[Statement]) -> None:
    standing = standing_of(claims)
    assert all(statement in claims for statement in standing)
    found = spread_of(claims)
    stated = {number for each in claims for number in (each.figure.value, each.figure.lower, each.figure.upper)}
    shares = {each.figure.value / each.figure.out_of for each in claims if each.figure.value and each.figure.out_of}
    assert {found.lower, found.upper} <= stated | shares | {None}
    assert {id_ for id_, _ in found.left_out} <= {each.id for each in standing}
    assert found.sources <= len(standing) - len(found.left_out)
    assert all(reasons for _, reasons in found.left_out)


@given(RANDOMS)
@settings(max_examples=60, deadline=None)
def test_the_numbers_of_a_unit_are_the_stated_ones_and_all_are_plain(random: Random) -> None:
    units = random.choice((["hectares"], ["acres"], ["hectares", "acres"]))
    claims = [replace(each, category="burnt", unit=random.choice(units)) for each in draw_register(random, 9)]
    found = measure_spread(standing_of(claims), replace(QUESTION, category="burnt"), HIERARCHY)
    if len(units) == 1:
        stated = {number for each in claims for number in (each.figure.value, each.figure.lower, each.figure.upper)}
        shares = {each.figure.value / each.figure.out_of for each in claims if each.figure.value and each.figure.out_of}
        assert {found.lower, found.upper} <= stated | shares | {None}
    assert all(number is None or isinstance(number, int | float) for number in (found.lower, found.upper))


def test_the_random_claims_reach_the_cases_that_the_properties_are_about() -> None:
    """Without this, a property could hold only because hardly any of its claims can be compared."""
    found: Counter[str] = Counter()
    for seed in range(600):
        random = Random(seed)  # noqa: S311 - deterministic
        a, b = draw_pair(random)
        pair = compare_pair(a, b, HIERARCHY)
        found[pair.verdict] += 1
        found.update(f"reason {reason}" for reason in pair.reasons)
        found["approximate decides"] += Reason.approximate in pair.reasons
        tolerant = compare_pair(a, b, HIERARCHY, 0.5)
        found["tolerance changes the verdict"] += tolerant.verdict is not pair.verdict
        wide = widen(a.figure, random.choice((None, 0, 50, 5_000)), random.choice((None, 0, 50, 5_000)))
        if wide.has_number and not is_lone_plain_value(a.figure) and not is_lone_plain_value(b.figure):
            widened = compare_pair(replace(a, figure=wide), b, HIERARCHY).verdict
            is_comparable = pair.verdict is not Verdict.not_comparable
            found["widening, of comparable claims without contradiction"] += is_comparable and (
                pair.verdict is not Verdict.contradict
            )
            found["widening changes the verdict"] += widened is not pair.verdict
    for seed in range(150):
        random = Random(seed)  # noqa: S311 - deterministic
        claims = draw_rivals(random, random.randrange(2, 15))
        before = pairs_of(claims)
        stranger = draw_stranger(random, claims)
        added = pairs_of([*claims, stranger]).items()
        found["a stranger can be compared"] += any(
            pair.verdict is not Verdict.not_comparable for ids, pair in added if "stranger" in ids
        )
        _, old = draw_superseded(random, claims)
        found["a superseded claim would change verdicts"] += pairs_of([*claims, *old]) != before
        found["a superseded claim would change the spread"] += spread_of([*claims, *old]) != spread_of(claims)
        found["a spread of several sources"] += spread_of(claims).sources > 1
    expected = {
        **dict.fromkeys(Verdict, 15),
        **{f"reason {reason}": 3 for reason in (Reason.falls, Reason.rounded, Reason.part_of_whole, Reason.open_end)},
        "approximate decides": 60,
        "tolerance changes the verdict": 30,
        "widening, of comparable claims without contradiction": 60,
        "widening changes the verdict": 10,
        "a stranger can be compared": 60,
        "a superseded claim would change verdicts": 60,
        "a superseded claim would change the spread": 60,
        "a spread of several sources": 40,
    }
    assert {name: found[name] for name, least in expected.items() if found[name] < least} == {}
