"""Lists recorded claims that break a rule which was added after they had been recorded."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, or_, select
from sqlmodel import Session

from app.claims.rules import RuledClaim, RuleName, VerbatimQuote, find_breaches
from app.claims.validation import earliest_statement_day
from app.comparison.figure import NUMERIC_PROPOSITIONS, PrintedFigure
from app.comparison.period import parse_period
from app.comparison.units import DIMENSIONS
from app.database.engine import Database
from app.database.snapshot import Snapshot, open_snapshot
from app.database.tables import CategoryVersion, CitationVersion, ClaimVersion, columns_of
from app.enums import Aggregation, Fidelity, Modality, Proposition, Status

CLAIMS_PER_BATCH = 5_000

FIGURE_COLUMNS = (
    *("as_printed", "value", "lower", "upper", "lower_inclusive", "upper_inclusive"),
    *("approximate", "coverage", "out_of", "relative_to"),
)
OTHER_COLUMNS = (
    *("version", "id", "proposition", "modality", "unit", "period", "aggregation", "per"),
    *("date", "date_edtf", "said_at", "recorded_at", "category", "language", "wording_differs"),
)


class ClaimBreach(NamedTuple):
    """A recorded claim, and a rule that it breaks."""

    claim: str
    rule: RuleName
    detail: str


def find_claim_breaches(database: Database) -> Iterator[ClaimBreach]:
    """Yield the current claims that break a rule, with the rule, in the order of recording.

    Each batch is read in a session of its own, so that a long check holds no connection and no snapshot for long.
    """
    last_version = 0
    while True:
        with database.read() as session:
            statement = _select_suspects(open_snapshot(session), last_version)
            rows = session.execute(statement).mappings().all()
            quotes = _load_verbatim_quotes(session, [row["id"] for row in rows])
        for row in rows:
            for breach in find_breaches(_ruled_claim(row, quotes.get(row["id"], []))):
                yield ClaimBreach(row["id"], breach.rule, breach.detail)
        if len(rows) < CLAIMS_PER_BATCH:
            return
        last_version = rows[-1]["version"]


def _select_suspects(snapshot: Snapshot, last_version: int) -> Select[Any]:
    """Select the next claims that may break a rule. The conditions let too many through rather than too few."""
    claim, category = columns_of(ClaimVersion), columns_of(CategoryVersion)
    joined = and_(category.slug == claim.category, snapshot.contains(CategoryVersion))
    numbers = (claim.value, claim.lower, claim.upper)
    is_quantity = claim.proposition == Proposition.quantity
    is_suspect = or_(
        and_(claim.aggregation == Aggregation.rate, claim.per.is_(None)),
        and_(category.unit.in_(DIMENSIONS), claim.unit.is_(None)),
        # Any wording may say something else than its numbers.
        claim.proposition.in_(NUMERIC_PROPOSITIONS),
        and_(is_quantity, category.non_decreasing, or_(*(number < 0 for number in numbers))),
        claim.period_start > claim.date,
        claim.date.is_(None),
        and_(claim.modality == Modality.forecast, claim.period_end.is_not(None)),
    )
    columns = [claim[name] for name in (*OTHER_COLUMNS, *FIGURE_COLUMNS)]
    return (
        select(*columns, category.unit.label("category_unit"), category.non_decreasing, category.fractional)
        .join_from(ClaimVersion, CategoryVersion, joined)
        .where(
            claim.version > last_version, snapshot.contains(ClaimVersion), claim.status != Status.removed, is_suspect
        )
        .order_by(claim.version)
        .limit(CLAIMS_PER_BATCH)
    )


def _load_verbatim_quotes(session: Session, claims: Sequence[str]) -> dict[str, list[VerbatimQuote]]:
    """Return the quotes that the current citations of claims give as verbatim."""
    citation = columns_of(CitationVersion)
    statement = (
        select(citation.claim, citation.id, citation.quote, citation.quote_language)
        .where(citation.claim.in_(claims), citation.until_seq.is_(None))
        .where(citation.fidelity == Fidelity.verbatim, citation.quote.is_not(None))
        .order_by(citation.id)
    )
    quotes: dict[str, list[VerbatimQuote]] = defaultdict(list)
    for claim, id_, text, language in session.execute(statement):
        quotes[claim].append(VerbatimQuote(f"citations/{id_}/quote", text, language))
    return quotes


def _ruled_claim(row: Mapping[Any, Any], quotes: Sequence[VerbatimQuote]) -> RuledClaim:
    return RuledClaim(
        category_unit=row["category_unit"],
        is_non_decreasing=row["non_decreasing"],
        proposition=str(row["proposition"]),
        modality=str(row["modality"]),
        figure=PrintedFigure(**{name: row[name] for name in FIGURE_COLUMNS}),
        unit=row["unit"],
        period=parse_period(row["period"]),
        aggregation=str(row["aggregation"]),
        per=row["per"],
        date=row["date"],
        earliest_date=earliest_statement_day(row["date"], row["date_edtf"], row["said_at"]),
        recorded_on=row["recorded_at"].astimezone(UTC).date(),
        is_fractional=row["fractional"],
        category=row["category"],
        language=row["language"],
        wording_differs=row["wording_differs"],
        quotes=tuple(replace(quote, language=quote.language or row["language"]) for quote in quotes),
    )
