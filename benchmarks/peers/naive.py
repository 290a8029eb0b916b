"""The naive peer: FastAPI and SQLModel as a competent developer would write them, over the same tables.

Synchronous routes, a session from a yield dependency, `response_model`s, `selectinload`, offset pages, `COUNT(*)` for
`meta.total` (`count=false` leaves it out). Its claims have the same bodies as the service's. A statement that takes
longer than `PATIENCE` is given up, and answered with 503.
"""

import csv
import datetime as dt
import io
import os
import secrets
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Optional

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    ARRAY,
    JSON,
    Engine,
    String,
    Text,
    and_,
    case,
    create_engine,
    event,
    exists,
    func,
    or_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased, joinedload, registry, selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, select

ID = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
WORDS = Text().with_variant(ARRAY(Text), "postgresql")
Number = int | float


class Table(SQLModel, registry=registry()):
    """The tables of this file, apart from the service's own."""


class Source(Table, table=True):
    """Who makes claims."""

    version: int = Field(primary_key=True)
    slug: str
    name: str
    short_name: str | None
    kind: str
    interest: str
    terms: str | None
    until_seq: int | None


class Category(Table, table=True):
    """What is counted."""

    version: int = Field(primary_key=True)
    slug: str
    name: str
    unit: str
    parent: str | None
    until_seq: int | None


class Subject(Table, table=True):
    """Whose."""

    version: int = Field(primary_key=True)
    slug: str
    name: str
    until_seq: int | None


class Place(Table, table=True):
    """Where."""

    version: int = Field(primary_key=True)
    slug: str
    name: str
    until_seq: int | None


class Topic(Table, table=True):
    """A question."""

    version: int = Field(primary_key=True)
    slug: str
    category: str
    subject: str
    place: str
    aggregation: str | None
    since: dt.date | None
    until_seq: int | None


class Document(Table, table=True):
    """Where claims can be read."""

    version: int | None = Field(default=None, primary_key=True)
    revision: int = 1
    seq: int = 1
    recorded_at: dt.datetime = Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    id: str = Field(default_factory=lambda: str(uuid.uuid4()), sa_type=ID)
    url: str | None
    title: str
    publisher: str | None
    published_on: dt.date | None = None
    language: str | None = None
    archive_url: str | None = None
    content_sha256: str | None = None
    terms: str | None = None
    until_seq: int | None = None
    publisher_record: Source | None = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(foreign(Document.publisher) == Source.slug, Source.until_seq == None)",
            "viewonly": True,
            "uselist": False,
        }
    )


class Citation(Table, table=True):
    """A claim's appearance in a document."""

    version: int | None = Field(default=None, primary_key=True)
    revision: int = 1
    seq: int = 1
    recorded_at: dt.datetime = Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    id: str = Field(default_factory=lambda: str(uuid.uuid4()), sa_type=ID)
    claim: str = Field(sa_type=ID)
    document: str = Field(sa_type=ID)
    role: str
    via: list[str] = Field(default_factory=list, sa_type=JSON)
    fidelity: str
    quote: str | None = None
    quote_language: str | None = None
    translation: str | None = None
    locator: str | None = None
    gap: str | None = None
    withdrawn_on: dt.date | None = None
    words: Any = Field(default=None, sa_type=WORDS)
    until_seq: int | None = None
    document_record: Document | None = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(foreign(Citation.document) == Document.id, Document.until_seq == None)",
            "viewonly": True,
            "uselist": False,
        }
    )


class Assessment(Table, table=True):
    """How far somebody would trust a claim."""

    version: int = Field(primary_key=True)
    id: str = Field(sa_type=ID)
    claim: str = Field(sa_type=ID)
    level: str | None
    reliability: str | None
    credibility: str | None
    stated: str | None
    assessor: str
    assessed_on: dt.date
    rationale: str
    withdrawn: bool
    until_seq: int | None


class Relation(Table, table=True):
    """A relation between two claims."""

    version: int = Field(primary_key=True)
    type: str
    claim: str = Field(sa_type=ID)
    to_claim: str = Field(sa_type=ID)
    withdrawn: bool
    until_seq: int | None
    claim_record: Optional["Claim"] = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(foreign(Relation.claim) == Claim.id, Claim.until_seq == None)",
            "viewonly": True,
            "uselist": False,
        }
    )


class Claim(Table, table=True):
    """One source's statement."""

    version: int | None = Field(default=None, primary_key=True)
    revision: int = 1
    seq: int = 1
    until_seq: int | None = None
    recorded_at: dt.datetime = Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    id: str = Field(default_factory=lambda: str(uuid.uuid4()), sa_type=ID)
    status: str = "asserted"
    category: str
    subject: str
    place: str
    proposition: str
    modality: str
    derivation: str
    as_printed: str
    language: str | None = None
    display: str | None = None
    wording_differs: str | None = None
    per: str | None = None
    said_at: str | None = None
    kind: str
    value: float | None
    lower: float | None
    upper: float | None
    lower_inclusive: bool | None = None
    upper_inclusive: bool | None = None
    approximate: bool
    coverage: float | None = None
    out_of: float | None = None
    relative_to: str | None = None
    low: float | None = None
    high: float | None = None
    magnitude: float | None = None
    period: str
    period_start: dt.date | None
    period_end: dt.date | None
    aggregation: str
    date: dt.date | None
    date_edtf: str | None
    source: str
    includes: list[str] = Field(default_factory=list, sa_type=JSON)
    excludes: list[str] = Field(default_factory=list, sa_type=JSON)
    note: str | None = None
    retracted_on: dt.date | None = None
    fingerprint: str = Field(default_factory=lambda: secrets.token_hex(32))
    import_id: str | None = Field(default=None, sa_type=ID)
    words: Any = Field(default=None, sa_type=WORDS)
    source_record: Source | None = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(foreign(Claim.source) == Source.slug, Source.until_seq == None)",
            "viewonly": True,
            "uselist": False,
        }
    )
    category_record: Category | None = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(foreign(Claim.category) == Category.slug, Category.until_seq == None)",
            "viewonly": True,
            "uselist": False,
        }
    )
    citations: list[Citation] = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(Claim.id == foreign(Citation.claim), Citation.until_seq == None)",
            "viewonly": True,
            "order_by": "Citation.id",
        }
    )
    successors: list[Relation] = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(Claim.id == foreign(Relation.to_claim), Relation.until_seq == None, "
            "Relation.type == 'supersedes', Relation.withdrawn == False)",
            "viewonly": True,
        }
    )
    assessments: list[Assessment] = Relationship(
        sa_relationship_kwargs={
            "primaryjoin": "and_(Claim.id == foreign(Assessment.claim), Assessment.until_seq == None, "
            "Assessment.withdrawn == False)",
            "viewonly": True,
            "order_by": "Assessment.assessed_on, Assessment.id",
        }
    )


class Read(BaseModel):
    """What answers are made of."""

    model_config = ConfigDict(from_attributes=True)


class FigureRead(Read):
    """What was printed."""

    as_printed: str
    language: str | None
    kind: str
    value: Number | None
    lower: Number | None
    upper: Number | None
    lower_inclusive: bool | None
    upper_inclusive: bool | None
    approximate: bool
    coverage: Number | None
    out_of: Number | None
    relative_to: str | None
    relative_to_kind: str | None
    unit: str
    display: str | None
    wording_differs: str | None


class PeriodRead(Read):
    """What it covers."""

    edtf: str
    start: dt.date | None
    end: dt.date | None
    aggregation: str
    per: str | None


class SourceRead(Read):
    """Who said it."""

    slug: str
    name: str
    short_name: str | None
    kind: str
    interest: str
    terms: str | None


class ConfidenceRead(Read):
    """The newest assessment."""

    level: str | None
    reliability: str | None
    credibility: str | None
    stated: str | None
    assessor: str
    assessed_on: dt.date
    rationale: str


class DocumentRead(Read):
    """Where it can be read."""

    id: str
    title: str
    publisher: str | None
    publisher_name: str | None
    url: str | None
    archive_url: str | None
    published_on: dt.date | None
    language: str | None
    terms: str | None
    content_sha256: str | None


class CitationRead(Read):
    """A claim's appearance in a document."""

    id: str
    document: DocumentRead
    leading: bool
    role: str
    via: list[str]
    fidelity: str
    quote: str | None
    quote_language: str | None
    translation: str | None
    locator: str | None
    gap: str | None
    withdrawn_on: dt.date | None


class ClaimRead(Read):
    """A claim, as the service shows it."""

    id: str
    revision: int
    status: str
    category: str
    subject: str
    place: str
    proposition: str
    modality: str
    derivation: str
    figure: FigureRead
    period: PeriodRead
    date: dt.date | None
    date_edtf: str | None
    said_at: str | None
    source: SourceRead
    confidence: ConfidenceRead | None
    includes: list[str]
    excludes: list[str]
    citations: list[CitationRead]
    note: str | None
    retracted_on: dt.date | None
    superseded_by: str | None
    superseded_on: dt.date | None
    import_id: str | None
    recorded_at: dt.datetime
    recorded_until: dt.datetime | None
    seq: int
    links: dict[str, str]


class Meta(Read):
    """What a page says of itself."""

    count: int
    total: int | None
    offset: int


class Page(Read):
    """A page of claims."""

    data: list[ClaimRead]
    meta: Meta
    links: dict[str, str | None]


class TimelineRow(Read):
    """A claim as a chart draws it."""

    id: str
    status: str
    category: str
    value: Number | None
    lower: Number | None
    upper: Number | None
    approximate: bool
    unit: str
    kind: str
    as_printed: str
    period_start: dt.date | None
    period_end: dt.date | None
    date: dt.date | None
    source: str
    source_name: str
    confidence: str | None
    document_url: str | None
    url: str
    superseded_by: str | None
    superseded_on: dt.date | None
    subject: str
    place: str
    modality: str
    aggregation: str
    source_interest: str
    date_edtf: str | None


class TimelinePage(Read):
    """A page of a timeline."""

    data: list[TimelineRow]
    meta: Meta
    links: dict[str, str | None]


class PositionRead(Read):
    """Where a source stands."""

    source: SourceRead
    claim: ClaimRead


class SidesRead(Read):
    """The positions of a topic; verdicts, spread and origins are left out."""

    topic: str
    positions: list[PositionRead]


class DocumentIn(BaseModel):
    """A document, as it is given."""

    url: str | None = None
    title: str
    publisher: str | None = None


class CitationIn(BaseModel):
    """A citation, as it is given."""

    document: DocumentIn
    fidelity: str = "paraphrase"
    quote: str | None = None


class FigureIn(BaseModel):
    """A figure, as it is given."""

    as_printed: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    approximate: bool = False


class PeriodIn(BaseModel):
    """A period, as it is given."""

    edtf: str
    aggregation: str


class ClaimIn(BaseModel):
    """A claim, as it is given."""

    category: str
    subject: str
    place: str
    proposition: str = "quantity"
    modality: str
    derivation: str = "unknown"
    figure: FigureIn
    period: PeriodIn
    date: dt.date | None = None
    source: str
    citations: list[CitationIn]
    note: str | None = None


STATEMENT_TIMEOUT_SECONDS = 10.0
"""Seconds that a statement may take."""


def _create_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        address = url.replace("postgresql://", "postgresql+psycopg://")
        limited = {"options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS:.0f}s"}
        return create_engine(address, pool_size=20, max_overflow=0, connect_args=limited)
    engine = create_engine(url, pool_size=20, max_overflow=0, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        until = record.info["until"] = [float("inf")]
        connection.set_progress_handler(lambda: time.monotonic() > until[0], 200_000)

    @event.listens_for(engine, "before_cursor_execute")
    def limit(connection: Any, *given: Any) -> None:  # noqa: ANN401 - as SQLAlchemy calls it
        streamed = given[3] is not None and "yield_per" in given[3].execution_options
        connection.info["until"][0] = float("inf") if streamed else time.monotonic() + STATEMENT_TIMEOUT_SECONDS

    return engine


ENGINE = _create_engine(os.environ["DATABASE_URL"])
TOTALS = ["cumulative", "within"]
BASE_URL = f"http://127.0.0.1:{os.environ['NAIVE_PORT']}"
SQLITE = ENGINE.dialect.name == "sqlite"


def get_session() -> Iterator[Session]:
    """A session for one request."""
    with Session(ENGINE) as session:
        yield session


Db = Annotated[Session, Depends(get_session)]
app = FastAPI()


@app.exception_handler(OperationalError)
def give_up(_request: Request, _fault: OperationalError) -> JSONResponse:
    """Refuse what took too long."""
    return JSONResponse({"detail": "It took too long."}, 503)


CLAIM_LOADING = (
    joinedload(Claim.source_record),  # type: ignore[arg-type] # an attribute of the mapped class
    joinedload(Claim.category_record),  # type: ignore[arg-type]
    selectinload(Claim.citations).joinedload(Citation.document_record).joinedload(Document.publisher_record),  # type: ignore[arg-type]
    selectinload(Claim.assessments),  # type: ignore[arg-type]
    selectinload(Claim.successors).joinedload(Relation.claim_record),  # type: ignore[arg-type]
)


class Filters(BaseModel):
    """What a list of claims takes."""

    category: list[str] = []
    subject: list[str] = []
    place: list[str] = []
    source: list[str] = []
    source_kind: list[str] = []
    interest: list[str] = []
    proposition: list[str] = []
    modality: list[str] = []
    aggregation: list[str] = []
    kind: list[str] = []
    confidence: list[str] = []
    status: list[str] = []
    topic: list[str] = []
    date_from: dt.date | None = None
    date_to: dt.date | None = None
    known_on: dt.date | None = None
    period_from: dt.date | None = None
    period_to: dt.date | None = None
    value_min: float | None = None
    value_max: float | None = None
    q: str | None = None
    sort: str = "-date"
    limit: int = Field(default=50, ge=1, le=1000)
    offset: int = 0
    count: bool = True


def conditions(session: Session, filters: Filters) -> list[Any]:  # noqa: C901, PLR0912 - a branch for each filter
    """The WHERE clauses of a list."""
    c: Any = Claim
    found: list[Any] = [c.until_seq.is_(None)]
    if filters.status:
        found.append(c.status.in_(filters.status))
    else:
        found.append(c.status != "removed")
    for name in ("category", "subject", "place", "source", "proposition", "modality", "aggregation", "kind"):
        wanted = getattr(filters, name)
        if wanted:
            found.append(getattr(c, name).in_(wanted))
    s: Any = Source
    for name, column in (("source_kind", s.kind), ("interest", s.interest)):
        if wanted := getattr(filters, name):
            found.append(c.source.in_(select(s.slug).where(column.in_(wanted), s.until_seq.is_(None))))
    if filters.date_from:
        found.append(c.date >= filters.date_from)
    found += [c.date <= day for day in (filters.date_to, filters.known_on) if day]
    if filters.period_from:
        found.append(or_(c.period_end >= filters.period_from, c.period_end.is_(None)))
    if filters.period_to:
        found.append(or_(c.period_start <= filters.period_to, c.period_start.is_(None)))
    if filters.value_min is not None:
        found += [or_(c.high >= filters.value_min, c.high.is_(None)), c.magnitude.is_not(None)]
    if filters.value_max is not None:
        found += [or_(c.low <= filters.value_max, c.low.is_(None)), c.magnitude.is_not(None)]
    if filters.confidence:
        found.append(_has_confidence(filters.confidence))
    if filters.topic:
        found.append(or_(*(_is_in_topic(session, slug) for slug in filters.topic)))
    if filters.q:
        found += [_contains_word(word) for word in filters.q.split()]
    return found


def _has_confidence(wanted: Sequence[str]) -> Any:  # noqa: ANN401 - a clause
    a: Any = aliased(Assessment)
    b: Any = Assessment
    newest = (
        select(a.version)
        .where(a.claim == Claim.id, a.until_seq.is_(None), a.withdrawn.is_(False))
        .order_by(a.assessed_on.desc(), a.id.desc())
        .limit(1)
        .correlate(Claim)
        .scalar_subquery()
    )
    clauses: list[Any] = []
    levels = [each for each in wanted if each != "unassessed"]
    if levels:
        clauses.append(exists().where(b.version == newest, b.level.in_(levels)))
    if "unassessed" in wanted:
        clauses.append(~exists().where(b.claim == Claim.id, b.until_seq.is_(None), b.withdrawn.is_(False)))
    return or_(*clauses)


def _is_in_topic(session: Session, slug: str) -> Any:  # noqa: ANN401 - a clause
    c: Any = Claim
    g: Any = Category
    topic = session.exec(select(Topic).where(Topic.slug == slug, Topic.until_seq == None)).first()  # noqa: E711
    if topic is None:
        raise HTTPException(404, "no such topic")
    parents = session.exec(select(g.slug, g.parent).where(g.until_seq.is_(None))).all()
    within = {topic.category}
    for _ in range(5):
        within |= {slug for slug, parent in parents if parent in within}
    clauses = [c.category.in_(within), c.subject == topic.subject, c.place == topic.place]
    if topic.aggregation:
        clauses.append(c.aggregation.in_(TOTALS if topic.aggregation in TOTALS else [topic.aggregation]))
    if topic.since:
        coarser = [
            c.period.like(f"{prefix}/%") for prefix in (topic.since.isoformat()[:7], topic.since.isoformat()[:4])
        ]
        clauses.append(or_(c.period_start == topic.since, and_(c.aggregation == "cumulative", or_(*coarser))))
        clauses.append(c.aggregation != "snapshot")
    return and_(*clauses)


def _contains_word(word: str) -> Any:  # noqa: ANN401 - a clause
    c: Any = Claim
    t: Any = Citation
    like = f"%{word}%"
    named = [
        column.in_(select(table.slug).where(table.name.ilike(like), table.until_seq.is_(None)))
        for column, table in ((c.source, Source), (c.category, Category), (c.subject, Subject), (c.place, Place))
        for table in [_as_any(table)]
    ]
    cited = exists().where(t.claim == c.id, t.until_seq.is_(None), or_(t.quote.ilike(like), t.translation.ilike(like)))
    return or_(c.as_printed.ilike(like), c.note.ilike(like), cited, *named)


def _as_any(table: Any) -> Any:  # noqa: ANN401 - its columns are attributes
    return table


def ordering(sort: str) -> list[Any]:
    """The ORDER BY of a list: unknown values come last."""
    c: Any = Claim
    if sort == "source":
        return [c.source, c.date.asc().nulls_last(), c.id]
    column = {"date": c.date, "recorded": c.seq, "value": c.magnitude}[sort.removeprefix("-")]
    if sort.startswith("-"):
        return [column.desc().nulls_last(), c.id.desc()]
    return [column.asc().nulls_last(), c.id]


def whole_number(value: float | None) -> Number | None:
    """A whole number without its point."""
    return int(value) if value is not None and value.is_integer() else value


def to_read(claim: Claim) -> ClaimRead:
    """A claim as it is shown."""
    address = f"{BASE_URL}/v1/claims/{claim.id}"
    at = claim.recorded_at if claim.recorded_at.tzinfo else claim.recorded_at.replace(tzinfo=dt.UTC)
    return ClaimRead(
        **claim.model_dump(
            include={
                *("id", "revision", "status", "category", "subject", "place", "proposition", "modality", "derivation"),
                *("date", "date_edtf", "said_at", "includes", "excludes", "note", "retracted_on", "import_id", "seq"),
            }
        ),
        figure=FigureRead(
            as_printed=claim.as_printed,
            kind=claim.kind,
            value=whole_number(claim.value),
            lower=whole_number(claim.lower),
            upper=whole_number(claim.upper),
            lower_inclusive=claim.lower_inclusive,
            upper_inclusive=claim.upper_inclusive,
            approximate=claim.approximate,
            coverage=whole_number(claim.coverage),
            out_of=whole_number(claim.out_of),
            relative_to=claim.relative_to,
            language=claim.language,
            relative_to_kind=None,
            display=claim.display,
            wording_differs=claim.wording_differs,
            unit=claim.category_record.unit if claim.category_record else "",
        ),
        period=PeriodRead(
            edtf=claim.period,
            start=claim.period_start,
            end=claim.period_end,
            aggregation=claim.aggregation,
            per=claim.per,
        ),
        **_successor(claim),
        source=SourceRead.model_validate(claim.source_record),
        confidence=ConfidenceRead.model_validate(claim.assessments[-1]) if claim.assessments else None,
        citations=[_citation(each) for each in claim.citations],
        recorded_at=at.astimezone(dt.UTC),
        recorded_until=None,
        links={
            "self": address,
            **{name: f"{address}/{name}" for name in ("revisions", "citation", "relations", "assessments")},
            "page": f"{BASE_URL}/claims/{claim.id}",
        },
    )


def _successor(claim: Claim) -> dict[str, Any]:
    """The claim that replaced a claim: the last one of a chain."""
    later = claim
    while later.successors and later.successors[0].claim_record is not None:
        later = later.successors[0].claim_record
    found = None if later is claim else later
    return {"superseded_by": found and found.id, "superseded_on": found and found.date}


def _citation(citation: Citation) -> CitationRead:
    document = citation.document_record
    assert document is not None  # noqa: S101 - every citation has one
    return CitationRead(
        **citation.model_dump(
            include={
                *("id", "role", "via", "fidelity", "quote", "quote_language", "translation"),
                *("locator", "gap", "withdrawn_on"),
            }
        ),
        leading=True,  # no claim of this register has several
        document=DocumentRead(
            **document.model_dump(
                include={
                    *("id", "title", "publisher", "url", "archive_url", "published_on", "language"),
                    *("terms", "content_sha256"),
                }
            ),
            publisher_name=document.publisher_record.name if document.publisher_record else None,
        ),
    )


def to_timeline_row(claim: Claim) -> TimelineRow:
    """A claim as a row of a timeline."""
    document = claim.citations[0].document_record if claim.citations else None
    return TimelineRow(
        **claim.model_dump(
            include={
                *("id", "status", "category", "approximate", "kind", "as_printed", "period_start", "period_end"),
                *("date", "source", "subject", "place", "modality", "aggregation", "date_edtf"),
            }
        ),
        **_successor(claim),
        source_interest=claim.source_record.interest if claim.source_record else "",
        value=whole_number(claim.value),
        lower=whole_number(claim.lower),
        upper=whole_number(claim.upper),
        unit=claim.category_record.unit if claim.category_record else "",
        source_name=claim.source_record.name if claim.source_record else "",
        confidence=claim.assessments[-1].level if claim.assessments else None,
        document_url=document.url if document else None,
        url=f"{BASE_URL}/v1/claims/{claim.id}",
    )


def find_page(session: Session, filters: Filters) -> tuple[Sequence[Claim], Meta]:
    """One page, and how many match."""
    where = conditions(session, filters)
    total = session.exec(select(func.count()).select_from(Claim).where(*where)).one() if filters.count else None
    statement = select(Claim).where(*where).options(*CLAIM_LOADING).order_by(*ordering(filters.sort))
    claims = session.exec(statement.offset(filters.offset).limit(filters.limit)).all()
    return claims, Meta(count=len(claims), total=total, offset=filters.offset)


def page_links(path: str, filters: Filters, count: int) -> dict[str, str | None]:
    """Where the next page is."""
    following = f"{BASE_URL}{path}?limit={filters.limit}&offset={filters.offset + filters.limit}"
    return {"self": f"{BASE_URL}{path}", "next": following if count == filters.limit else None}


@app.get("/v1/claims", response_model=Page)
def list_claims(filters: Annotated[Filters, Query()], session: Db) -> Page:
    """A page of claims."""
    claims, meta = find_page(session, filters)
    return Page(
        data=[to_read(claim) for claim in claims], meta=meta, links=page_links("/v1/claims", filters, len(claims))
    )


@app.get("/v1/claims.csv")
def export_claims(filters: Annotated[Filters, Query()]) -> StreamingResponse:
    """Every claim as CSV."""

    def lines() -> Iterator[str]:
        with Session(ENGINE) as session:
            written = io.StringIO()
            table = csv.writer(written)
            table.writerow(TimelineRow.model_fields)
            statement = select(Claim).where(*conditions(session, filters)).options(*CLAIM_LOADING)
            ordered = statement.order_by(*ordering(filters.sort)).execution_options(yield_per=1000)
            for claim in session.exec(ordered):
                table.writerow(to_timeline_row(claim).model_dump().values())
                if written.tell() > 65536:  # noqa: PLR2004 - a chunk
                    yield written.getvalue()
                    written.seek(0)
                    written.truncate()
            yield written.getvalue()

    return StreamingResponse(lines(), media_type="text/csv")


@app.get("/v1/claims/{id_}", response_model=ClaimRead)
def get_claim(id_: str, session: Db) -> ClaimRead:
    """One claim."""
    statement = select(Claim).where(Claim.id == id_, Claim.until_seq == None).options(*CLAIM_LOADING)  # noqa: E711
    claim = session.exec(statement).first()
    if claim is None:
        raise HTTPException(404, "no such claim")
    return to_read(claim)


@app.get("/v1/topics/{slug}/timeline", response_model=TimelinePage)
def timeline(slug: str, filters: Annotated[Filters, Query()], session: Db) -> TimelinePage:
    """The claims of a topic by source and date."""
    filters = filters.model_copy(update={"topic": [slug], "sort": "source"})
    claims, meta = find_page(session, filters)
    path = f"/v1/topics/{slug}/timeline"
    return TimelinePage(
        data=[to_timeline_row(claim) for claim in claims], meta=meta, links=page_links(path, filters, len(claims))
    )


@app.get("/v1/topics/{slug}/side-by-side", response_model=SidesRead)
def side_by_side(slug: str, session: Db, known_on: dt.date | None = None) -> SidesRead:
    """The latest claim of each source on each thing that the topic asks for."""
    c: Any = Claim
    g: Any = Category
    today = known_on or dt.datetime.now(dt.UTC).date()
    stands = or_(c.status != "retracted", c.retracted_on > today)
    known = [
        _is_in_topic(session, slug),
        c.until_seq.is_(None),
        c.status != "removed",
        c.kind.not_in(["none", "vague"]),
        stands,
    ]
    if known_on:
        known.append(c.date <= known_on)
    includes, excludes = (func.coalesce(column.cast(Text), "") for column in (c.includes, c.excludes))
    start = case((c.aggregation == "cumulative", c.period_start))
    same = (
        *(c.source, c.category, c.subject, c.place, includes, excludes, c.modality),
        *(c.aggregation, start, g.unit, c.relative_to),
    )
    is_past = and_(c.modality != "forecast", c.date.is_not(None), or_(c.period_end.is_(None), c.period_end > c.date))
    end = case((is_past, c.date), else_=c.period_end)
    latest = (end.desc().nulls_last(), c.date.desc().nulls_last(), (c.high - c.low).asc().nulls_last(), c.id)
    numbered = (
        select(
            c.version.label("version"),
            func.row_number().over(partition_by=same, order_by=latest).label("rank"),
        )
        .join(g, and_(g.slug == c.category, g.until_seq.is_(None)))
        .where(*known)
        .subquery()
    )
    wanted = select(Claim).join(numbered, numbered.c.version == c.version).where(numbered.c.rank == 1)
    ordered = wanted.options(*CLAIM_LOADING).order_by(c.low.asc().nulls_first(), c.source, c.id)
    positions = []
    for claim in session.exec(ordered):
        read = to_read(claim)
        if known_on and read.retracted_on and read.retracted_on > known_on:  # on that day it stood
            read.status, read.retracted_on = "asserted", None
        positions.append(PositionRead(source=read.source, claim=read))
    return SidesRead(topic=slug, positions=positions)


@app.post("/v1/claims", response_model=ClaimRead, status_code=201)
def post_claim(given: ClaimIn, session: Db) -> ClaimRead:
    """Record a claim."""
    source = session.exec(select(Source).where(Source.slug == given.source, Source.until_seq == None)).first()  # noqa: E711
    category = session.exec(
        select(Category).where(Category.slug == given.category, Category.until_seq == None)  # noqa: E711
    ).first()
    if source is None or category is None:
        raise HTTPException(422, "no such source or category")
    figure = given.figure
    start, _, end = given.period.edtf.partition("/")
    low = figure.value if figure.lower is None else figure.lower
    claim = Claim(
        **given.model_dump(include={"category", "subject", "place", "proposition", "modality", "derivation"}),
        **figure.model_dump(),
        kind="plain",
        low=low,
        high=figure.value if figure.upper is None else figure.upper,
        magnitude=low,
        period=given.period.edtf,
        period_start=dt.date.fromisoformat(start),
        period_end=dt.date.fromisoformat(end or start),
        aggregation=given.period.aggregation,
        date=given.date,
        date_edtf=given.date.isoformat() if given.date else None,
        source=given.source,
        note=given.note,
        words=_search_words(figure.as_printed, given.note),
    )
    session.add(claim)
    for each in given.citations:
        wanted = select(Document).where(Document.url == each.document.url, Document.until_seq == None)  # noqa: E711
        document = session.exec(wanted).first()
        if document is None:
            document = Document(**each.document.model_dump())
            session.add(document)
        session.add(
            Citation(
                claim=claim.id,
                document=document.id,
                role="original" if document.publisher == given.source else "relay",
                fidelity=each.fidelity,
                quote=each.quote,
                words=_search_words(each.quote),
            )
        )
    session.commit()
    session.refresh(claim)
    return to_read(claim)


def _search_words(*texts: str | None) -> Any:  # noqa: ANN401 - per database
    words = sorted({word.lower() for text in texts if text for word in text.split()})
    return " ".join(words) if SQLITE else words


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", int(os.environ["NAIVE_PORT"])), backlog=2048)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
