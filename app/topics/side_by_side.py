"""The side-by-side of a topic: the position of each source, verdicts, spread and origins."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import combinations
from threading import Lock
from typing import Any

from cachetools import LRUCache
from orjson import Fragment, dumps, loads
from sqlalchemy import CompoundSelect, select, union
from sqlmodel import Session

from app.claims.annotations import load_relations
from app.claims.search.filters import FilterContext, claim
from app.claims.search.question_scope import NARROWABLE, QuestionScope, expand_question
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject
from app.claims.supersession import load_successors, load_superseded_by
from app.comparison.figure import interval_of
from app.comparison.hierarchy import Hierarchy
from app.comparison.origins import ClaimNode, OriginEdge, OriginRoot, count_independent_origins, find_all_roots
from app.comparison.positions import (
    Position,
    age_days,
    compare_pair,
    compare_pairs,
    find_positions,
    find_wordings,
)
from app.comparison.question import ComparisonOptions, Question
from app.comparison.spread import MeasuredSpread, measure_spread
from app.comparison.statement import Statement
from app.comparison.verdict_counts import MAX_PAIRED_POSITIONS, count_verdicts, recount_verdicts
from app.comparison.verdicts import PairComparison, sort_reasons
from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import InList, batch_values, fetch_rows
from app.database.tables import ClaimVersion, RelationVersion, table_of
from app.enums import Reason, RelationType, Status, Verdict
from app.http.serializers import NESTED_LAYOUT, RowLayout
from app.sentences.pair import explain_pair
from app.sentences.phrases import RecordNames
from app.sources.queries import SOURCE
from app.topics.candidates import (
    Candidate,
    count_left_out,
    is_retracted,
    load_candidates,
    load_earlier_candidates,
)
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import ReferenceData, SourceSummary, get_reference_data

MAX_COUNTED_POSITIONS = 6_000
"""Maximum number of positions in the cache of verdict counts. Most of them are in the cache of candidates, too."""

MAX_IDS_PER_STATEMENT = 10_000
"""Maximum number of ids in one statement; SQLite allows 32,766 parameters."""

BASIS_RELATION_TYPES = (RelationType.based_on, RelationType.repeats)

QUESTION_FIELDS = ("slug", "title", "category", "subject", "place", "aggregation", "since")
"""The fields of a question in a response."""


@dataclass(frozen=True, slots=True)
class ComparedClaims:
    """The claims of a question: its positions, the ids of claims that are listed apart, and counts of what is left out.

    `versions` maps the ids of all these claims to their versions.
    """

    positions: Sequence[Position]
    without_number: Sequence[str]
    retracted: Sequence[str]
    left_out: Mapping[Reason, int]
    versions: dict[str, int]

    @property
    def statements(self) -> list[Statement]:
        """The claims that state the positions."""
        return [position.statement for position in self.positions]


@dataclass(frozen=True, slots=True)
class SideBySideParts:
    """The parts of a side-by-side that are in a response, and the layout of its claims."""

    layout: RowLayout = NESTED_LAYOUT
    has_pairs: bool = True
    has_citations: bool = True


ALL_PARTS = SideBySideParts()


def build_question(fields: Mapping[str, Any]) -> Question:
    """Return the question of a topic or of the filters of a request."""
    aggregation = fields["aggregation"]
    return Question(
        slug=fields.get("slug"),
        title=fields.get("title"),
        category=fields["category"],
        subject=fields["subject"],
        place=fields["place"],
        aggregation=None if aggregation is None else str(aggregation),
        since=fields["since"],
    )


def scope_of(question: Question, reference_data: ReferenceData, narrower: Collection[str]) -> QuestionScope:
    """Return the scope of a question, with what lies below the fields in `narrower`."""
    fields = {name: getattr(question, name) for name in (*NARROWABLE, "aggregation", "since")}
    return expand_question(fields, reference_data, narrower)


def build_side_by_side(
    read: ReadSession,
    question: Question,
    options: ComparisonOptions,
    snapshot: Snapshot,
    interests: Mapping[str, str] | None = None,
    parts: SideBySideParts = ALL_PARTS,
) -> tuple[dict[str, Any], list[int]]:
    """Return the response of a side-by-side, and the versions of the claims that are positions.

    The database renders the claims. Intervals, roots and pairs have the field names of the schema and are serialized
    as they are. `interests` are those of the topic, by source. `parts` says what the response leaves out.
    """
    session = read.session
    reference_data = get_reference_data(session, snapshot)
    scope = scope_of(question, reference_data, options.narrower)
    claims = find_claims_to_compare(session, scope, options, snapshot, reference_data)
    statements = claims.statements
    hierarchy = reference_data.hierarchy
    against = _resolve_against(session, options.against, reference_data.position_holders, snapshot)
    pairs = compare_positions(statements, hierarchy, options.tolerance, against)
    spread = measure_spread(statements, question, hierarchy, options.window)
    relations = _load_relations(session, [position.id for position in claims.positions], snapshot)
    roots = _trace_roots(session, statements, relations, reference_data.position_holders, snapshot)
    at_least, at_most = count_independent_origins(root for claim_roots in roots.values() for root in claim_roots)
    listed_ids = [*roots, *claims.without_number, *claims.retracted]
    layout = replace(parts.layout, interests=sort_interests(interests or {}))
    rendered = _render_claims(read, listed_ids, claims.versions, snapshot, layout, citations=parts.has_citations)
    explain = PairExplainer(statements, reference_data.read_names(session, snapshot)) if options.why else None
    if pairs is None or against is not None:
        verdicts = get_or_count_verdicts(session, scope, claims, options.tolerance, snapshot, reference_data)
    else:
        verdicts = Counter(pair.verdict for pair in pairs)
    left_out = {**count_left_out(session, scope, snapshot), **claims.left_out}
    response = {
        **describe_comparison(question, options, snapshot),
        "positions": [
            {
                "source": describe_source(reference_data.sources[position.statement.source], interests or {}),
                "claim": rendered[position.id],
                "wordings": position.wordings,
                "interval": interval_of(position.statement.figure, options.tolerance),
                "effective_end": position.statement.effective.earliest_end,
                "age_days": age_days(position.statement, snapshot.today),
                "roots": roots[position.id],
            }
            for position in claims.positions
        ],
        "pairs": None if pairs is None or not parts.has_pairs else [describe_pair(pair, explain) for pair in pairs],
        "verdicts": {verdict.value: verdicts[verdict] for verdict in Verdict},
        "spread": describe_spread(spread),
        "independent_origins": {"at_least": at_least, "at_most": at_most},
        "related": {"relations": relations, "claims": [rendered[id_] for id_ in claims.without_number]},
        "retracted": [rendered[id_] for id_ in claims.retracted],
        "left_out": {reason.value: left_out[reason] for reason in sort_reasons(left_out)},
    }
    return response, [claims.versions[position.id] for position in claims.positions]


def describe_comparison(question: Question, options: ComparisonOptions, snapshot: Snapshot) -> dict[str, Any]:
    """Return what a response about a question begins with: the question, the state that was read, and the options."""
    return {
        "topic": {name: getattr(question, name) for name in QUESTION_FIELDS},
        "known_on": snapshot.known_on_text,
        "recorded_as_of": None if snapshot.as_of is None else f"seq:{snapshot.as_of}",
        "seq": snapshot.seq,
        "tolerance": options.tolerance,
        "window": options.window,
        "narrower": [name for name in NARROWABLE if name in options.narrower],
        "ends_by": options.ends_by,
    }


def find_claims_to_compare(
    session: Session,
    scope: QuestionScope,
    options: ComparisonOptions,
    snapshot: Snapshot,
    reference_data: ReferenceData,
    *,
    include_non_positions: bool = True,
) -> ComparedClaims:
    """Return the positions on a question, and the claims that are listed apart from them.

    A claim that its source superseded is no position, nor is another wording of what it states. Then the claims before
    it in its series are read, until one of them is not superseded. `superseded` in `left_out` counts these, and with
    `include_non_positions` also the claims that the positions replaced.
    """
    candidates = load_candidates(
        session,
        scope,
        snapshot,
        reference_data,
        include_non_positions=include_non_positions,
        ends_by=options.ends_by,
    )
    all_candidates = {candidate.id: candidate for candidate in candidates}
    statements, without_number, retracted, superseded = [], [], [], set[str]()
    while candidates:
        standing: list[Candidate] = []
        for candidate in candidates:
            if is_retracted(candidate, snapshot):
                retracted.append(candidate.id)
            elif candidate.statement.figure.has_number:
                standing.append(candidate)
            else:
                without_number.append(candidate.id)
        replaced = set(load_successors(session, [candidate.id for candidate in standing], snapshot))
        if replaced:
            named = [candidate.statement for candidate in standing if candidate.id in replaced]
            replaced |= find_wordings(named, [candidate.statement for candidate in standing])
        statements += [candidate.statement for candidate in standing if candidate.id not in replaced]
        superseded |= replaced
        earlier = load_earlier_candidates(
            session,
            (candidate for candidate in standing if candidate.id in replaced),
            scope,
            snapshot,
            reference_data,
            options.ends_by,
        )
        candidates = [candidate for candidate in earlier if candidate.id not in all_candidates]
        all_candidates |= {candidate.id: candidate for candidate in candidates}
    statements = [statement for statement in statements if _has_ended(statement, options.ends_by)]
    in_time = [statement for statement in statements if may_start_on(statement, scope.since)]
    positions = find_positions(in_time)
    if include_non_positions:
        replaced_ids = load_superseded_by(session, (position.id for position in positions), snapshot)
        superseded |= replaced_ids.difference(without_number, retracted)
    left_out: dict[Reason, int] = {}
    if superseded:
        left_out[Reason.superseded] = len(superseded)
    return ComparedClaims(
        positions,
        sorted(without_number),
        sorted(retracted),
        left_out,
        {candidate.id: candidate.version for candidate in all_candidates.values()},
    )


def _has_ended(statement: Statement, ends_by: date | None) -> bool:
    end = statement.effective.latest_end
    return ends_by is None or (end is not None and end <= ends_by)


def may_start_on(statement: Statement, since: date | None) -> bool:
    """Return whether the period of a claim may start on a day; always if the day is None. A snapshot has no start."""
    if since is None:
        return True
    start = statement.effective.start
    return statement.aggregation != "snapshot" and start is not None and start[0] <= since.toordinal() <= start[1]


def compare_positions(
    positions: Sequence[Statement], hierarchy: Hierarchy, tolerance: float | None, against: str | None = None
) -> list[PairComparison] | None:
    """Compare all pairs of positions, or those of the source `against` with all positions, its own among them.

    None if there are too many positions to list all pairs.
    """
    if against is not None:
        return [
            compare_pair(a, b, hierarchy, tolerance)
            for a, b in combinations(positions, 2)
            if against in {a.source, b.source}
        ]
    if len(positions) > MAX_PAIRED_POSITIONS:
        return None
    return list(compare_pairs(positions, hierarchy, tolerance))


CountedQuestion = tuple[QuestionScope, float | None]
"""A question and the tolerance with which its positions were compared."""


@dataclass(frozen=True, slots=True)
class _CountedPairs:
    """The number of pairs of some positions by verdict. The positions are by version."""

    positions: Mapping[int, Statement]
    counts: Counter[Verdict]


class _VerdictCounts:
    """A cache of the latest verdict counts of questions, for one state of the vocabularies."""

    def __init__(self) -> None:
        self._reference_data: ReferenceData | None = None
        self._entries: LRUCache[CountedQuestion, _CountedPairs] = LRUCache(
            MAX_COUNTED_POSITIONS, getsizeof=lambda entry: len(entry.positions)
        )
        self._lock = Lock()

    def get(self, key: CountedQuestion, reference_data: ReferenceData) -> _CountedPairs | None:
        """Return the latest entry of a question. Changed reference data clear the cache."""
        with self._lock:
            if self._reference_data is not reference_data:
                self._reference_data = reference_data
                self._entries.clear()
            return self._entries.get(key)

    def store(self, key: CountedQuestion, entry: _CountedPairs, reference_data: ReferenceData) -> None:
        """Set the entry of a question, unless the reference data have changed since it was computed."""
        with self._lock:
            if self._reference_data is reference_data and len(entry.positions) <= MAX_COUNTED_POSITIONS:
                self._entries[key] = entry


VERDICT_COUNTS = CacheKey("verdict_counts", lambda _database: _VerdictCounts())


def get_or_count_verdicts(
    session: Session,
    scope: QuestionScope,
    claims: ComparedClaims,
    tolerance: float | None,
    snapshot: Snapshot,
    reference_data: ReferenceData,
) -> Counter[Verdict]:
    """Return the number of pairs of positions by verdict.

    The counts of the positions that the question had before are cached, so that after a write only the pairs of the
    positions that it changed are compared. A version never changes, so that the counts of some versions are valid as
    long as the reference data are the same.
    """
    database: Database | None = session.info.get("database")
    hierarchy = reference_data.hierarchy
    if database is None or snapshot.is_past:
        return count_verdicts(claims.statements, hierarchy, tolerance)
    cache = database.caches[VERDICT_COUNTS]
    key = scope, tolerance
    positions = {claims.versions[position.id]: position.statement for position in claims.positions}
    entry = cache.get(key, reference_data)
    if entry is None:
        counts = count_verdicts(claims.statements, hierarchy, tolerance)
    else:
        counts = recount_verdicts(entry.counts, entry.positions, positions, hierarchy, tolerance)
    cache.store(key, _CountedPairs(positions, counts), reference_data)
    return counts


def describe_spread(spread: MeasuredSpread) -> dict[str, Any]:
    """Return a spread as a response object, with the positions that it leaves out."""
    left_out = [{"claim": id_, "reasons": reasons} for id_, reasons in spread.left_out]
    return {**{name: getattr(spread, name) for name in SPREAD_FIELDS}, "left_out": left_out}


SPREAD_FIELDS = ("lower", "upper", "ratio", "unit", "sources", "open_lower", "open_upper")


def summarize_spread(spread: MeasuredSpread) -> dict[str, Any]:
    """Return a spread as a response object, with the number of positions that it leaves out by reason."""
    left_out = Counter(reason for _, reasons in spread.left_out for reason in reasons)
    counts = {reason.value: left_out[reason] for reason in sort_reasons(left_out)}
    return {**{name: getattr(spread, name) for name in SPREAD_FIELDS}, "left_out": counts}


def sort_interests(interests: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the interests of sources in the dispute of a topic, by source, as a row layout has them."""
    return tuple(sorted((source, str(interest)) for source, interest in interests.items()))


def describe_source(source: SourceSummary, interests: Mapping[str, str]) -> SourceSummary:
    """Return a source with its interest in the dispute of the topic."""
    interest = interests.get(source.slug)
    return source if interest is None else replace(source, interest=interest)


class PairExplainer:
    """Writes one sentence for each pair of some statements."""

    def __init__(self, statements: Iterable[Statement], names: RecordNames) -> None:
        self._statements = {statement.id: statement for statement in statements}
        self._names = names

    def __call__(self, pair: PairComparison) -> str:
        """Return the sentence of a pair."""
        return explain_pair(self._statements[pair.a], self._statements[pair.b], pair, self._names)


def describe_pair(pair: PairComparison, explain: PairExplainer | None) -> dict[str, Any]:
    """Return a pair as a response object, with a sentence if it is to be explained."""
    sentence = None if explain is None else explain(pair)
    return {name: getattr(pair, name) for name in PAIR_FIELDS} | {"why": sentence}


PAIR_FIELDS = ("a", "b", "verdict", "reasons", "ratio", "gap", "above")


def check_question(session: Session, category: str, subject: str | None, place: str | None, snapshot: Snapshot) -> None:
    """Check the slugs of a question. Raises `UnknownSlug` if one of them does not exist."""
    context = FilterContext(session, snapshot)
    context.check_slugs("category", CATEGORY.name, [category])
    context.check_slugs("subject", SUBJECT.name, [subject] if subject else [])
    context.check_slugs("place", PLACE.name, [place] if place else [])


def _resolve_against(
    session: Session, slug: str | None, position_holders: Mapping[str, str], snapshot: Snapshot
) -> str | None:
    """Return the source whose position `slug` holds. Raises `UnknownSlug` if there is no such source."""
    if slug is None:
        return None
    FilterContext(session, snapshot).check_slugs("against", SOURCE.name, [slug])
    return position_holders.get(slug, slug)


def _render_claims(
    read: ReadSession,
    ids: Sequence[str],
    versions: Mapping[str, int],
    snapshot: Snapshot,
    layout: RowLayout,
    *,
    citations: bool,
) -> dict[str, Fragment]:
    """Return claims as JSON, by id; without `citations` with an empty list of them."""
    texts: list[Any] = list(get_or_render_claims(read, [versions[id_] for id_ in ids], snapshot, layout))
    if not citations and not layout.columns:
        texts = [dumps({**loads(text), "citations": []}) for text in texts]
    return {id_: Fragment(text) for id_, text in zip(ids, texts, strict=True)}


def _trace_roots(
    session: Session,
    positions: Sequence[Statement],
    relations: Sequence[ResponseObject],
    position_holders: Mapping[str, str],
    snapshot: Snapshot,
) -> dict[str, tuple[OriginRoot, ...]]:
    """Return the roots of each position, by following `based_on` and `repeats`. `relations` are those of positions."""
    nodes = {position.id: ClaimNode(position.id, position.source, position.derivation) for position in positions}
    edges: list[OriginEdge] = []
    level: Sequence[Mapping[Any, Any]] = [row for row in relations if row["claim"] in nodes]
    visited = set(nodes)
    while level:
        level = [row for row in level if row["type"] in BASIS_RELATION_TYPES]
        edges += [
            OriginEdge(row["claim"], row["to_claim"], position_holders.get(row["to_source"], row["to_source"]))
            for row in level
        ]
        next_claims = {row["to_claim"] for row in level if row["to_claim"]} - visited
        visited |= next_claims
        level = [
            row
            for batch in batch_values(next_claims, MAX_IDS_PER_STATEMENT)
            for row in load_relations(session, batch, snapshot, withdrawn=False)
            if row["claim"] in next_claims
        ]
    for batch in batch_values(visited - nodes.keys(), MAX_IDS_PER_STATEMENT):
        origins = select(claim.id, claim.source, claim.derivation).where(
            claim.id.in_(batch), claim.status != Status.removed, snapshot.contains(ClaimVersion)
        )
        for id_, source, derivation in session.execute(origins):
            nodes[id_] = ClaimNode(id_, position_holders.get(source, source), derivation.value)
    # A removed claim is no node: `find_all_roots` takes an edge to it for an unknown basis.
    ids = [position.id for position in positions]
    return find_all_roots(ids, nodes, [edge for edge in edges if edge.from_claim in nodes])


def _load_relations(session: Session, ids: Sequence[str], snapshot: Snapshot) -> list[ResponseObject]:
    """Return the relations from and to these claims, each once, in the order in which they were recorded."""
    # Most claims have no relations: a cheaper statement first selects those that have some.
    statement = _select_related(past=snapshot.as_of is not None)
    related = {str(id_) for (id_,) in fetch_rows(session, statement, {"ids": list(ids), "as_of": snapshot.as_of})}
    relations = {
        relation["id"]: relation
        for batch in batch_values(sorted(related), MAX_IDS_PER_STATEMENT)
        for relation in load_relations(session, batch, snapshot, withdrawn=False)
    }
    return [relations[id_] for id_ in sorted(relations)]


@cache
def _select_related(*, past: bool) -> CompoundSelect[Any]:
    """Return the statement that selects, of some claims, those with a current relation."""
    relation = table_of(RelationVersion).c
    is_current = (relation.withdrawn.is_(False), is_version_at(relation, AS_OF if past else None))
    ends = (relation.claim, relation.to_claim)
    return union(*(select(end).where(InList(end, "ids"), *is_current) for end in ends))
