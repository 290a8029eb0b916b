"""The comparison of any two claims."""

from typing import Any

from sqlmodel import Session

from app.claims.queries import read_claim
from app.claims.supersession import load_chain, load_successors
from app.comparison.positions import compare_pair, find_positions, is_same_statement
from app.comparison.statement import Statement
from app.comparison.supersession import replaces
from app.comparison.verdicts import PairComparison
from app.database.snapshot import Snapshot
from app.enums import Reason, Verdict
from app.topics.candidates import is_retracted, load_claims, load_tied_candidates
from app.topics.side_by_side import PairExplainer, describe_pair
from app.vocabulary.reference_data import ReferenceData, get_reference_data


def compare_two_claims(session: Session, a: str, b: str, snapshot: Snapshot, tolerance: float | None) -> dict[str, Any]:
    """Return the comparison of two claims, with a sentence that says why.

    Raises:
        NotFound: One of the claims does not exist in the snapshot.
        Removed: One of them was taken down.
        NotSaidYet: One of them had not been said by `known_on`.
        DateUnknown: There is a `known_on`, and one of them is undated.
    """
    for id_ in (a, b):
        read_claim(session, id_, snapshot)
    reference_data = get_reference_data(session, snapshot)
    statements = [candidate.statement for candidate in load_claims(session, [a, b], snapshot, reference_data)]
    pair = _compare(session, statements[0], statements[1], snapshot, tolerance, reference_data)
    explain = PairExplainer(statements, reference_data.read_names(session, snapshot))
    return describe_pair(pair, explain) | {
        "known_on": snapshot.known_on_text,
        "recorded_as_of": None if snapshot.as_of is None else f"seq:{snapshot.as_of}",
        "seq": snapshot.seq,
        "tolerance": tolerance,
    }


def _compare(
    session: Session,
    a: Statement,
    b: Statement,
    snapshot: Snapshot,
    tolerance: float | None,
    reference_data: ReferenceData,
) -> PairComparison:
    chain = load_chain(session, [a.id, b.id], snapshot)
    ids = ((a.id, b.id), (b.id, a.id))
    if any(replaces(*pair, chain.relations, chain.claims, snapshot.knowledge_limit) for pair in ids):
        return PairComparison(a.id, b.id, Verdict.not_comparable, (Reason.superseded,))
    is_same = a.source == b.source and is_same_statement(a, b)
    if is_same and _are_wordings(session, a, b, snapshot, reference_data):
        return PairComparison(a.id, b.id, Verdict.agree, (Reason.one_utterance,))
    return compare_pair(a, b, reference_data.hierarchy, tolerance)


def _are_wordings(
    session: Session, a: Statement, b: Statement, snapshot: Snapshot, reference_data: ReferenceData
) -> bool:
    """Return whether two claims of one source about one period on one day are wordings of one position.

    That depends on all claims of the source about the period on that day.
    """
    candidates = load_tied_candidates(session, [a.id, b.id], snapshot, reference_data)
    superseded = load_successors(session, [candidate.id for candidate in candidates], snapshot)
    positions = find_positions(
        candidate.statement
        for candidate in candidates
        if candidate.id in {a.id, b.id}
        or (
            candidate.id not in superseded
            and not is_retracted(candidate, snapshot)
            and candidate.statement.source == a.source
            and is_same_statement(a, candidate.statement)
        )
    )
    return any({a.id, b.id} <= set(position.wordings) for position in positions)
