"""The brief of a topic: its positions in groups, newest first, and the pairs of positions that deserve a look."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from app.claims.search.question_scope import QuestionScope
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.supersession import load_successors
from app.comparison.brief import BriefGroup, NotablePairs, find_notable_pairs, group_positions
from app.comparison.groups import GroupKey, group_key_of
from app.comparison.hierarchy import Hierarchy
from app.comparison.positions import age_days, compare_pair, find_positions
from app.comparison.question import ComparisonOptions, Question
from app.comparison.statement import Statement
from app.comparison.verdict_counts import count_verdicts
from app.comparison.verdicts import sort_reasons
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Interest, Modality, Verdict
from app.http.serializers import NESTED_LAYOUT
from app.sentences.overview import GroupWords, PairWords, describe_age, describe_group, shorten_titles, write_lead
from app.sentences.phrases import RecordNames
from app.topics.candidates import count_left_out, is_retracted, load_totals_ending_on
from app.topics.side_by_side import (
    SPREAD_FIELDS,
    ComparedClaims,
    PairExplainer,
    describe_comparison,
    describe_pair,
    describe_source,
    find_claims_to_compare,
    scope_of,
    sort_interests,
)
from app.vocabulary.reference_data import ReferenceData, get_reference_data

DEFAULT_POSITIONS = 12
DEFAULT_PAIRS = 10
"""A brief fits a screen unless a request asks for more positions of a group, or more pairs."""

MAX_POSITIONS = 500
MAX_PAIRS = 100
MAX_SAME_END_DAYS = 40
"""For so many ends of estimates the running totals of other sources are looked up, the newest first."""

BriefObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefLimits:
    """How many positions of a group, and how many pairs, a brief shows."""

    positions: int = DEFAULT_POSITIONS
    pairs: int = DEFAULT_PAIRS


@dataclass(frozen=True, slots=True)
class _ShownGroup:
    """A group with its title, and those of its positions that the brief shows: the newest ones."""

    group: BriefGroup
    title: str
    current: Sequence[Statement]
    earlier: Sequence[Statement]

    @property
    def shown(self) -> list[Statement]:
        return [*self.current, *self.earlier]


def build_brief(
    read: ReadSession,
    question: Question,
    options: ComparisonOptions,
    snapshot: Snapshot,
    interests: Mapping[str, str],
    limits: BriefLimits,
) -> BriefObject:
    """Return the response of a brief. `interests` are those of the topic, by source."""
    reference_data = get_reference_data(read.session, snapshot)
    scope = scope_of(question, reference_data, options.narrower)
    claims = find_claims_to_compare(read.session, scope, options, snapshot, reference_data)
    hierarchy = reference_data.hierarchy
    names = reference_data.read_names(read.session, snapshot).with_short_names()
    parties = {
        statement.source
        for statement in claims.statements
        if describe_source(reference_data.sources[statement.source], interests).interest == Interest.party
    }
    brief_groups = group_positions(claims.statements, question, hierarchy, options.window)
    groups = [
        _select_shown(group, describe_group(group.statements, question, names), limits.positions)
        for group in brief_groups
    ]
    notable = find_notable_pairs(brief_groups, hierarchy, options.tolerance, limits.pairs)
    same_end = _find_totals_on_same_end(read, groups, scope, claims, snapshot, reference_data)
    explain = PairExplainer(claims.statements, names)
    positions = _describe_positions(
        read,
        [statement for each in groups for statement in each.shown]
        + [total for _, found in same_end for total in found],
        claims.versions,
        snapshot,
        reference_data,
        interests,
    )
    left_out = {**count_left_out(read.session, scope, snapshot), **claims.left_out}
    return {
        **describe_comparison(question, options, snapshot),
        "lead": _write_lead(groups, notable, len(claims.without_number), explain, names, parties),
        "groups": [
            _describe_group(each, groups[0], hierarchy, options.tolerance, positions, explain) for each in groups
        ],
        "verdicts": {verdict.value: notable.verdicts[verdict] for verdict in Verdict},
        "look": [describe_pair(pair, explain) for pair in notable.pairs],
        "look_left_out": notable.total - len(notable.pairs),
        "on_same_end": [
            {
                "claim": estimate.id,
                "effective_end": estimate.effective.earliest_end,
                "totals": [positions[total.id] for total in totals],
            }
            for estimate, totals in same_end
        ],
        "without_number": len(claims.without_number),
        "retracted": len(claims.retracted),
        "left_out": {reason.value: left_out[reason] for reason in sort_reasons(left_out)},
    }


def _select_shown(group: BriefGroup, title: str, limit: int) -> _ShownGroup:
    current = group.current[:limit]
    return _ShownGroup(group, title, current, group.earlier[: limit - len(current)])


def _write_lead(
    groups: Sequence[_ShownGroup],
    notable: NotablePairs,
    without_number: int,
    explain: PairExplainer,
    names: RecordNames,
    parties: Collection[str],
) -> list[str]:
    words = [
        GroupWords(
            title,
            each.group.is_on_question,
            each.group.current,
            each.group.earlier,
            len({statement.source for statement in each.group.statements}),
        )
        for each, title in zip(groups, shorten_titles([each.title for each in groups]), strict=True)
    ]
    on_question = {statement.id for each in groups if each.group.is_on_question for statement in each.group.statements}
    contradicting = (pair for pair in notable.pairs if pair.verdict is Verdict.contradict)
    worst = next((explain(pair) for pair in contradicting if {pair.a, pair.b} & on_question), None)
    verdicts = notable.verdicts
    pairs = PairWords(
        verdicts.total() - verdicts[Verdict.not_comparable],
        verdicts[Verdict.contradict],
        notable.contradictions_on_question,
        verdicts[Verdict.undetermined],
        worst,
    )
    return write_lead(words, pairs, without_number, names, parties)


def _describe_group(
    shown: _ShownGroup,
    first: _ShownGroup,
    hierarchy: Hierarchy,
    tolerance: float | None,
    positions: Mapping[str, BriefObject],
    explain: PairExplainer,
) -> BriefObject:
    """Return a group as a response object; `beside` compares its newest position with that of the first group."""
    group = shown.group
    verdicts = count_verdicts(group.statements, hierarchy, tolerance)
    newest, other = group.current[0], first.group.current[0]
    beside = None if shown is first else compare_pair(other, newest, hierarchy, tolerance)
    return {
        "title": shown.title,
        "is_on_question": group.is_on_question,
        "unit": newest.unit,
        "current": [positions[statement.id] for statement in shown.current],
        "earlier": [positions[statement.id] for statement in shown.earlier],
        "left_out": len(group.statements) - len(shown.shown),
        "sources": len({statement.source for statement in group.statements}),
        "spread": {name: getattr(group.spread, name) for name in SPREAD_FIELDS},
        "verdicts": {verdict.value: verdicts[verdict] for verdict in Verdict},
        "beside": None if beside is None else describe_pair(beside, explain),
    }


def _describe_positions(
    read: ReadSession,
    statements: Iterable[Statement],
    versions: Mapping[str, int],
    snapshot: Snapshot,
    reference_data: ReferenceData,
    interests: Mapping[str, str],
) -> dict[str, BriefObject]:
    """Return positions as response objects, by claim id."""
    by_id = {statement.id: statement for statement in statements}
    layout = replace(NESTED_LAYOUT, interests=sort_interests(interests))
    rendered = get_or_render_claims(read, [versions[id_] for id_ in by_id], snapshot, layout)
    described = {}
    for (id_, statement), text in zip(by_id.items(), rendered, strict=True):
        claim = orjson.loads(text)
        confidence, links = claim["confidence"], claim["links"]
        age = age_days(statement, snapshot.today)
        described[id_] = {
            "claim": id_,
            "source": describe_source(reference_data.sources[statement.source], interests),
            **{name: claim[name] for name in ("category", "proposition", "modality", "figure", "date", "date_edtf")},
            "period": claim["period"],
            "effective_end": statement.effective.earliest_end,
            "age_days": age,
            "age": describe_age(age),
            "confidence": None if confidence is None else confidence["level"],
            "document": next((each["document"] for each in claim["citations"] if each["leading"]), None),
            "links": {"claim": links["self"], "citation": links["citation"], "page": links["page"]},
        }
    return described


def _find_totals_on_same_end(
    read: ReadSession,
    groups: Sequence[_ShownGroup],
    scope: QuestionScope,
    claims: ComparedClaims,
    snapshot: Snapshot,
    reference_data: ReferenceData,
) -> list[tuple[Statement, list[Statement]]]:
    """Return each shown estimate with the running totals of other sources in its group that end on its day.

    The totals need not be positions: a source that gives a total every day has one for the end of every estimate.
    Adds the versions of the totals to `claims`.
    """
    estimates = [
        (each.group.key, statement)
        for each in groups
        for statement in each.shown
        if statement.aggregation == "cumulative" and statement.modality == Modality.estimate
    ]
    days = sorted({end for _, estimate in estimates if (end := estimate.effective.earliest_end)}, reverse=True)
    running = [
        claims.versions[statement.id]
        for each in groups
        for statement in each.group.statements
        if statement.aggregation == "cumulative"
    ]
    if not days or len(running) < 2:  # noqa: PLR2004 - an estimate and another total
        return []
    candidates = load_totals_ending_on(read.session, running, days[:MAX_SAME_END_DAYS], scope, snapshot, reference_data)
    replaced = load_successors(read.session, [candidate.id for candidate in candidates], snapshot).keys()
    totals: dict[tuple[GroupKey, object], list[Statement]] = {}
    for candidate in candidates:
        statement = candidate.statement
        if candidate.id not in replaced and not is_retracted(candidate, snapshot) and statement.figure.has_number:
            key = replace(group_key_of(statement, reference_data.hierarchy), only=None)
            totals.setdefault((key, statement.effective.earliest_end), []).append(statement)
            claims.versions[candidate.id] = candidate.version
    found: list[tuple[Statement, list[Statement]]] = []
    listed: dict[tuple[GroupKey, object], set[str]] = {}
    for key, estimate in estimates:
        group_and_day = key, estimate.effective.earliest_end
        others = totals.get(group_and_day, [])
        merged = find_positions(total for total in others if total.source != estimate.source)
        own = [each.statement for each in merged]
        ids = {estimate.id, *(total.id for total in own)}
        # Estimates that end on one day are listed once.
        if own and not ids <= listed.setdefault(group_and_day, set()):
            listed[group_and_day] |= ids
            found.append((estimate, own))
    return found
