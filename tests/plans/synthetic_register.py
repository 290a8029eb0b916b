"""A synthetic register of any size on either database, with a realistic skew, for query plan tests and benchmarks.

One source makes 60% of all claims and one topic has 30% of them. Every filter has common and rare values. Some claims
are undated, have an open period, or were corrected, retracted, taken down or assessed twice. The register is
deterministic for a given number of claims, including its ids.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update

from app.claims.counts.stored import update_counts
from app.comparison.figure import PrintedFigure
from app.comparison.series_key import build_series_columns
from app.database.engine import Database
from app.database.question_keys import question_key
from app.database.tables import VERSION_TABLES, Change, Clock
from app.database.text_folding import search_words
from app.database.transaction import write_transaction
from app.enums import Aggregation, Interest, Modality, SourceKind
from app.sentences.figures import build_display
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from app.takedown.claims import TAKEDOWN_VALUES
from app.topics.records import TOPIC
from app.topics.schemas import TopicInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from app.vocabulary.slug_records import replace_record
from tests.plans.loading import PutRows, bulk_load
from tests.registers import make_settings

SEED = 5
CLAIMS_PER_BATCH = 50_000
"""Number of claims that are created in one batch, which limits the memory use."""

SOURCE_COUNT, CATEGORY_COUNT, SUBJECT_COUNT, PLACE_COUNT, TOPIC_COUNT = 300, 50, 20, 100, 20
QUESTION_COUNT = 3_000
"""Number of questions (category, subject, place) with claims; the first `TOPIC_COUNT` of them are topics."""

LARGE_SOURCE_SHARE, LARGE_TOPIC_SHARE, LARGE_DOCUMENT_SHARE = 0.6, 0.3, 0.05
"""The shares of the first source, topic and document in all claims."""
CLAIMS_PER_DOCUMENT = 20
CLAIMS_PER_SUPERSESSION = 500

REGISTER_START = dt.datetime(2022, 3, 1, tzinfo=dt.UTC)
REGISTER_DAYS = 1_200
"""Number of days on which claims were recorded; claims are dated up to `ARCHIVE_DAYS` earlier."""
ARCHIVE_DAYS = 700

COMMON_WORD, FREQUENT_WORD, UNCOMMON_WORD, RARE_WORD = "officials", "shelling", "estuary", "quagga"
"""Words in the quotes of half of all claims, of about 5%, of about 0.25%, and of a few claims."""
QUOTE_COUNT = 10_000
FILLER_WORDS = (
    "confirmed that several units near the crossing were lost or damaged while fresh reports continued".split()  # noqa: SIM905
)
NOTES = (*repeat(None, 7), "The page gives the figure twice.", "Read from a chart.", "Rounded by the agency.")

REPAIRED, RETRACTED, REMOVED = 1, 2, 3
ACTIONS = ("", "transcription_fix", "retraction", "takedown")
LEVELS = ("high", "moderate", "low", None)
AGGREGATIONS = ("cumulative", "within", "snapshot", "rate")
MODALITIES = tuple(each.value for each in (Modality.count, Modality.estimate, Modality.forecast, Modality.allegation))

UNIT = "persons"
FIGURE_COLUMNS = ("as_printed", "value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate")
DERIVED_FROM = (
    *(*FIGURE_COLUMNS, "kind", "status", "source", "proposition", "modality"),
    *("period", "period_end", "aggregation", "date", "date_edtf"),
)
"""The columns of these claims from which others are derived."""
LEFT_OUT: dict[str, Any] = {
    **dict.fromkeys(("coverage", "out_of", "relative_to", "unit", "per")),
    "includes": (),
    "excludes": (),
}
"""Columns from which others are derived, and which no claim here has."""

IntegerArray = NDArray[np.int64]


def fill_register(url: str, claims: int) -> None:
    """Fill the migrated, empty register at `url` with `claims` claims and the records that they refer to."""
    database = Database(make_settings(url))
    made = SyntheticClaims(claims, record_synthetic_vocabulary(database))
    with database.write() as session:
        # A transaction has the time of the machine's clock, which is later than that of the claims.
        session.execute(update(Change).values(at=REGISTER_START))
        for kind in ("category", "subject", "place", "source", "topic"):
            session.execute(update(VERSION_TABLES[kind]).values(recorded_at=REGISTER_START))
    database.close()
    with bulk_load(url) as put:
        made.put_documents(put)
        for start in range(0, claims, CLAIMS_PER_BATCH):
            made.put_claims(put, np.arange(start, min(start + CLAIMS_PER_BATCH, claims)))
        made.put_later_changes(put)
        made.put_supersessions(put)
    database = Database(make_settings(url))
    with database.write() as session:
        session.execute(update(Clock).values(seq=made.last_seq, at=made.last_time()))
    with write_transaction(database, "filled") as transaction:
        update_counts(transaction)
    database.close()


def slug_of(kind: str, number: int) -> str:
    """Return a slug; number 0 is the most frequent one."""
    return f"{kind}-{number}"


def record_synthetic_vocabulary(database: Database) -> int:
    """Record vocabularies, sources and topics; return the last `seq`."""
    kinds = [each for each in SourceKind if each not in (SourceKind.witness, SourceKind.unknown)]
    with write_transaction(database, "filled") as log:
        for n in range(CATEGORY_COUNT):
            given = CategoryInput(
                name=f"Category {n}",
                definition="Counted for a test.",
                unit=UNIT,
                non_decreasing=n % 2 == 0,
                parent=_parent_category(n),
                components=[slug_of("category", 3), slug_of("category", 4)] if n == 5 else [],
            )
            put_category(log, slug_of("category", n), given)
        for n in range(SUBJECT_COUNT):
            put_subject(
                log, slug_of("subject", n), SubjectInput(name=f"Subject {n}", parents=_parent_slugs("subject", n))
            )
        for n in range(PLACE_COUNT):
            put_place(log, slug_of("place", n), PlaceInput(name=f"Place {n}", parents=_parent_slugs("place", n)))
        for n in range(SOURCE_COUNT):
            # The rarest kind and interest belong to small sources, common ones to the large source.
            kind_of = SourceKind.witness if n == SOURCE_COUNT - 1 else kinds[n % len(kinds)]
            interest = Interest.aligned if n == SOURCE_COUNT - 2 else [*Interest][(0, 2, 3)[n % 3]]
            source = SourceInput(name=f"Source {n} Bulletin", kind=kind_of, interest=interest)
            put_source(log, slug_of("source", n), source)
        for n, (category, subject, place) in enumerate(zip(*make_questions(), strict=True)):
            if n == TOPIC_COUNT:
                break
            topic = TopicInput(
                title=f"How many, {n}?",
                category=category,
                subject=subject,
                place=place,
                aggregation=Aggregation.cumulative if n % 3 == 1 else None,
                since=dt.date(2022, 2, 24) if n % 5 == 2 else None,
            )
            replace_record(log, TOPIC, slug_of("topic", n), topic)
        return log.seq


def _parent_category(n: int) -> str | None:
    """Return the parent of a category: the first category has two children, that of `topic-2` has nine."""
    if n in (1, 2):
        return slug_of("category", 0)
    return make_questions()[0][2] if 40 <= n < 49 else None


def _parent_slugs(kind: str, n: int) -> list[str]:
    return [slug_of(kind, n % 5)] if 5 <= n < 15 else []


@cache
def make_questions() -> tuple[list[str], list[str], list[str]]:
    """Return category, subject and place of each question; all are different."""
    numbers = (
        np.random.default_rng(SEED).permutation(CATEGORY_COUNT * SUBJECT_COUNT * PLACE_COUNT - 1)[: QUESTION_COUNT - 1]
        + 1
    )
    numbers = np.concatenate(([0], numbers))
    parts = (
        ("category", 1, CATEGORY_COUNT),
        ("subject", CATEGORY_COUNT, SUBJECT_COUNT),
        ("place", CATEGORY_COUNT * SUBJECT_COUNT, PLACE_COUNT),
    )
    found = [[slug_of(kind, n) for n in (numbers // step % count).tolist()] for kind, step, count in parts]
    return found[0], found[1], found[2]


class SyntheticClaims:
    """The values of all claims as arrays. Rows are created from them in batches."""

    def __init__(self, claims: int, first: int) -> None:
        """`first` is the latest `seq` before the claims."""
        chance, n = np.random.default_rng(SEED), claims
        self.fate = chance.choice(4, n, p=(0.9849, 0.01, 0.005, 0.0001))
        self.assessed = chance.choice(3, n, p=(0.5, 0.48, 0.02)) * (self.fate != REMOVED)
        self.documents = max(1, n // CLAIMS_PER_DOCUMENT)
        self.seq_before = first
        self.seq = first + self.documents + 1 + np.arange(n) + np.cumsum(self.assessed) - self.assessed
        self.changed_rows = np.flatnonzero(self.fate)
        before = first + self.documents + n + int(self.assessed.sum())
        self.changed_seqs = before + 1 + np.arange(len(self.changed_rows))
        self.relation_seqs = before + len(self.changed_rows) + 1 + np.arange(n // CLAIMS_PER_SUPERSESSION)
        self.last_seq = before + len(self.changed_rows) + len(self.relation_seqs)
        self.bits = chance.integers(1 << 32, 1 << 48, n)
        self.source = _draw_skewed(chance, n, SOURCE_COUNT, LARGE_SOURCE_SHARE)
        self.question = _draw_skewed(chance, n, QUESTION_COUNT, LARGE_TOPIC_SHARE)
        self.document = chance.integers(0, self.documents, n) * (chance.random(n) >= LARGE_DOCUMENT_SHARE)
        recorded = self.seq * REGISTER_DAYS // (self.last_seq + 1)  # no claim is dated later
        lately = recorded - np.minimum(chance.exponential(8, n), 300).astype(np.int64)
        archived = np.minimum(chance.integers(-ARCHIVE_DAYS, REGISTER_DAYS, n), recorded)
        self.day = np.where(chance.random(n) < 0.1, archived, lately)
        self.dated = chance.random(n) >= 0.01
        self.number = np.minimum(np.exp(chance.normal(6, 2.5, n)), 1e9).astype(np.int64) + 1
        self.wording = chance.choice(7, n, p=(0.75, 0.1, 0.05, 0.05, 0.02, 0.025, 0.005))
        self.modality = chance.choice(4, n, p=(0.3, 0.6899, 0.01, 0.0001))
        self.aggregation = chance.choice(4, n, p=(0.6, 0.35, 0.0499, 0.0001))
        self.open = chance.choice(3, n, p=(0.985, 0.01, 0.005))
        self.note = chance.integers(0, len(NOTES), n)
        self.quote = chance.integers(0, 2 * QUOTE_COUNT, n)
        self.grades = chance.integers(0, 1000, n)
        self.versions = {"claim": 0, "citation": 0, "assessment": 0}
        self.quotes = [*_make_quotes(), *repeat(None, QUOTE_COUNT)]
        self.quote_words = [" ".join(search_words(quote)) for quote in self.quotes]
        self.note_words = [search_words(note) for note in NOTES]
        self.claim_ids = _make_ids(self.seq, self.bits, "8")
        days = range(-ARCHIVE_DAYS - 300, REGISTER_DAYS + 400)
        self.days = {n: str(REGISTER_START.date() + dt.timedelta(days=n)) for n in days}
        self.seconds = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}.000000" for s in range(86_400)]
        self.document_ids = _make_ids(np.arange(self.documents), np.arange(self.documents) + (1 << 40), "a")

    def last_time(self) -> dt.datetime:
        """The time of the latest change."""
        return dt.datetime.fromisoformat(self.times_of(np.array([self.last_seq]))[0]).replace(tzinfo=dt.UTC)

    def times_of(self, seqs: IntegerArray) -> list[str]:
        """Return the times of changes, evenly distributed over the days."""
        second = seqs * (REGISTER_DAYS * 86_400) // (self.last_seq + 1)
        days, seconds = self.days, self.seconds
        return [
            f"{days[d]} {seconds[s]}"
            for d, s in zip((second // 86_400).tolist(), (second % 86_400).tolist(), strict=True)
        ]

    def put_documents(self, put: PutRows) -> None:
        """Load every document with its change log entry."""
        n = self.documents
        seqs = self.seq_before + 1 + np.arange(n)
        moments, publishers = self.times_of(seqs), np.arange(n) % SOURCE_COUNT
        put("change", _change_columns(seqs, moments, "document", self.document_ids, None))
        put(
            "document",
            {
                "version": range(1, n + 1),
                **_version_columns(seqs, moments),
                "id": self.document_ids,
                "url": [f"https://example.org/reports/{i}" for i in range(n)],
                "title": [f"Report {i} on losses and damage" for i in range(n)],
                "publisher": [slug_of("source", p) for p in publishers.tolist()],
                "published_on": [self.days[d] for d in (np.arange(n) * REGISTER_DAYS // n).tolist()],
                "language": ["en"] * n,
                "archive_url": [None if i % 4 else f"https://archive.example.org/{i}" for i in range(n)],
            },
        )

    def put_claims(self, put: PutRows, rows: IntegerArray) -> None:
        """Load the first versions of the claims `rows`, with their citations and assessments."""
        standing, late = rows[self.fate[rows] == 0], rows[self.fate[rows] != 0]
        ids, moments = self.ids_of(rows), self.times_of(self.seq[rows])
        put("change", _change_columns(self.seq[rows], moments, "claim", ids, ids, questions=self.keys_of(rows)))
        put("claim", self._claim_columns(standing, self.seq[standing]))
        until = self.changed_seqs[np.searchsorted(self.changed_rows, late)]
        closed = {"until_seq": until.tolist(), "recorded_until": self.times_of(until)}
        put("claim", self._claim_columns(late, self.seq[late], first=True) | closed)
        cited = rows[self.fate[rows] != REMOVED]
        quotes = self.quote[cited].tolist()
        put(
            "citation",
            {
                **self._next_versions("citation", len(cited)),
                **_version_columns(self.seq[cited], self.times_of(self.seq[cited])),
                "id": self.ids_of(cited, "9"),
                "claim": self.ids_of(cited),
                "document": [self.document_ids[d] for d in self.document[cited].tolist()],
                "role": ["original"] * len(cited),
                "via": ["[]"] * len(cited),
                "fidelity": ["paraphrase" if self.quotes[q] is None else "verbatim" for q in quotes],
                "quote": [self.quotes[q] for q in quotes],
                "quote_language": ["en"] * len(cited),
                "words": [self.quote_words[q] for q in quotes],
            },
        )
        for turn in (1, 2):
            self._put_assessments(put, rows[self.assessed[rows] >= turn], turn)

    def put_later_changes(self, put: PutRows) -> None:
        """Load the later changes of some claims: corrections, retractions and takedowns."""
        moments, ids = self.times_of(self.changed_seqs), self.ids_of(self.changed_rows)
        actions = [ACTIONS[fate] for fate in self.fate[self.changed_rows].tolist()]
        questions = self.keys_of(self.changed_rows)
        put("change", _change_columns(self.changed_seqs, moments, "claim", ids, ids, actions, 2, questions))
        put("claim", self._claim_columns(self.changed_rows, self.changed_seqs))

    def put_supersessions(self, put: PutRows) -> None:
        """Some claims superseded others: most of them of the same source, question and day, so that they count."""
        order = np.lexsort((self.day, self.aggregation, self.question, self.source))
        older, newer = order[:-1], order[1:]
        is_like = (self.aggregation[older] == 0) & (self.open[older] == 0) & (self.fate[newer] != REMOVED)
        for values in (self.source, self.question, self.aggregation, self.day, self.open):
            is_like &= values[older] == values[newer]
        chosen = np.argsort(~is_like, kind="stable")[: len(self.relation_seqs)]
        moments, ids = self.times_of(self.relation_seqs), self.ids_of(newer[chosen], "b")
        claims, n = self.ids_of(newer[chosen]), len(chosen)
        questions = self.keys_of(newer[chosen])
        put("change", _change_columns(self.relation_seqs, moments, "relation", ids, claims, questions=questions))
        put(
            "relation",
            {
                "version": range(1, n + 1),
                **_version_columns(self.relation_seqs, moments),
                "id": ids,
                "type": ["supersedes"] * n,
                "claim": claims,
                "to_claim": self.ids_of(older[chosen]),
                "asserted_by": ["editors"] * n,
                "withdrawn": [i % 10 == 9 for i in range(n)],
            },
        )

    def ids_of(self, rows: IntegerArray, mark: str = "8") -> list[str]:
        """Return UUIDs (version 7) of claims, or with another `mark` of their citations and assessments."""
        ids = self.claim_ids
        if mark == "8":
            return [ids[row] for row in rows.tolist()]
        return [f"{(own := ids[row])[:19]}{mark}{own[20:]}" for row in rows.tolist()]

    def keys_of(self, rows: IntegerArray) -> list[int]:
        """Return the keys of the questions of claims."""
        questions = list(zip(*make_questions(), strict=True))
        return [question_key(*questions[number]) for number in self.question[rows].tolist()]

    def _next_versions(self, table: str, n: int) -> dict[str, Sequence[Any]]:
        start = self.versions[table] + 1
        self.versions[table] += n
        return {"version": range(start, start + n)}

    def _put_assessments(self, put: PutRows, rows: IntegerArray, turn: int) -> None:
        seqs = self.seq[rows] + turn
        moments, claims, ids = self.times_of(seqs), self.ids_of(rows), self.ids_of(rows, "ab"[turn - 1])
        grades = ((self.grades[rows] + 500 * (turn - 1)) % 1000).tolist()
        put("change", _change_columns(seqs, moments, "assessment", ids, claims, questions=self.keys_of(rows)))
        put(
            "assessment",
            {
                **self._next_versions("assessment", len(rows)),
                **_version_columns(seqs, moments),
                "id": ids,
                "claim": claims,
                "level": [LEVELS[(g >= 2) + (g >= 300) + (g >= 950)] for g in grades],
                "reliability": ["A" if g == 3 else "BCCDEF"[g % 6] for g in grades],
                "credibility": ["1" if g == 4 else "233456"[g // 6 % 6] for g in grades],
                "assessor": ["desk"] * len(rows),
                "assessed_on": [moment[:10] for moment in moments],
                "rationale": ["Read for a test."] * len(rows),
                "withdrawn": [g == 777 for g in grades],
            },
        )

    def _claim_columns(
        self, rows: IntegerArray, seqs: IntegerArray, *, first: bool = False
    ) -> dict[str, Sequence[Any]]:
        """Return the columns of the current versions of `rows`, or with `first` those of the closed ones."""
        n = len(rows)
        categories, subjects, places = make_questions()
        asked = self.question[rows].tolist()
        figures = [
            _FIGURE_WORDINGS[w](x) for w, x in zip(self.wording[rows].tolist(), self.number[rows].tolist(), strict=True)
        ]
        printed, kinds, value, lower, upper = zip(*figures, strict=True) if n else repeat((), 5)
        day = [self.days[d] for d in self.day[rows].tolist()]
        date = [d if known else None for d, known in zip(day, self.dated[rows].tolist(), strict=True)]
        fate = self.fate[rows].tolist()
        status = ["retracted" if f == RETRACTED and not first else "asserted" for f in fate]
        took_back = [self.days[d + 30] for d in self.day[rows].tolist()]
        note = self.note[rows].tolist()
        periods = [
            _period_columns(d, a, o)
            for d, a, o in zip(day, self.aggregation[rows].tolist(), self.open[rows].tolist(), strict=True)
        ]
        period, start, end = zip(*periods, strict=True) if n else repeat((), 3)
        point = [v if v is not None else low for v, low in zip(value, lower, strict=True)]
        columns: dict[str, Sequence[Any]] = {
            **self._next_versions("claim", n),
            **_version_columns(seqs, self.times_of(seqs)),
            "revision": [2 if f and not first else 1 for f in fate],
            "id": self.ids_of(rows),
            "status": status,
            "category": [categories[q] for q in asked],
            "subject": [subjects[q] for q in asked],
            "place": [places[q] for q in asked],
            "proposition": ["trend" if kind == "none" else "quantity" for kind in kinds],
            "modality": [MODALITIES[m] for m in self.modality[rows].tolist()],
            "derivation": ["own" if b % 2 else "unknown" for b in self.bits[rows].tolist()],
            "as_printed": printed,
            "kind": kinds,
            "value": value,
            "lower": lower,
            "upper": upper,
            "lower_inclusive": [None if x is None else kind == "range" for x, kind in zip(lower, kinds, strict=True)],
            "upper_inclusive": [None if x is None else True for x in upper],
            "approximate": [kind == "approximate" for kind in kinds],
            "low": point,
            "high": [v if v is not None else high for v, high in zip(value, upper, strict=True)],
            "magnitude": [p if p is not None else high for p, high in zip(point, upper, strict=True)],
            "period": period,
            "period_start": start,
            "period_end": end,
            "aggregation": [AGGREGATIONS[a] for a in self.aggregation[rows].tolist()],
            "date": date,
            "date_edtf": date,
            "source": [slug_of("source", s) for s in self.source[rows].tolist()],
            "includes": ["[]"] * n,
            "excludes": ["[]"] * n,
            "note": [NOTES[each] for each in note],
            "retracted_on": [t if s == "retracted" else None for s, t in zip(status, took_back, strict=True)],
            "fingerprint": [sha256(b"%d" % i).hexdigest() for i in rows.tolist()],
            "words": [" ".join(_fold_words(p, self.note_words[each])) for p, each in zip(printed, note, strict=True)],
        }
        columns |= _derived_columns(columns)
        return _erase_removed(columns, [f == REMOVED for f in fate], first=first) if REMOVED in fate else columns


def _derived_columns(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the columns that the service derives from others."""
    derived: dict[str, list[Any]] = {"standpoint": [], "recency": [], "display": []}
    for values in zip(*(columns[name] for name in DERIVED_FROM), strict=True):
        claim = dict(zip(DERIVED_FROM, values, strict=True)) | LEFT_OUT
        for name in ("period_end", "date"):
            claim[name] = claim[name] and dt.date.fromisoformat(claim[name])
        figure = PrintedFigure(**{name: claim[name] for name in (*FIGURE_COLUMNS, "coverage", "out_of", "relative_to")})
        derived["display"].append(build_display(figure, claim["proposition"], UNIT, claim["aggregation"], None))
        for name, value in build_series_columns(claim).items():
            derived[name].append(value)
    return derived


def _draw_skewed(chance: np.random.Generator, n: int, many: int, share: float) -> IntegerArray:
    """Return random numbers below `many`: 0 with its share, the others with a frequency of about 1/k."""
    weights = 1 / np.arange(1, many) ** 1.1
    others = 1 + chance.choice(many - 1, n, p=weights / weights.sum())
    return np.where(chance.random(n) < share, 0, others)


def _make_ids(seqs: IntegerArray, bits: IntegerArray, mark: str) -> list[str]:
    """Return UUIDs that increase with `seqs`, like version 7 with time."""
    milliseconds = (1_650_000_000_000 + seqs * 40).tolist()
    return [
        f"{(text := f'{ms:012x}')[:8]}-{text[8:]}-7000-{mark}000-{low:012x}"
        for ms, low in zip(milliseconds, bits.tolist(), strict=True)
    ]


def _version_columns(seqs: IntegerArray, moments: Sequence[str]) -> dict[str, Sequence[Any]]:
    return {"revision": [1] * len(seqs), "seq": seqs.tolist(), "recorded_at": moments}


def _change_columns(
    seqs: IntegerArray,
    moments: Sequence[str],
    kind: str,
    keys: Sequence[str],
    claims: Sequence[str] | None,
    actions: Sequence[str] | None = None,
    revision: int = 1,
    questions: Sequence[int] | None = None,
) -> dict[str, Sequence[Any]]:
    n = len(seqs)
    return {
        "seq": seqs.tolist(),
        "at": moments,
        "kind": [kind] * n,
        "key": keys,
        "action": actions or ["created"] * n,
        "revision": [revision] * n,
        "claim": claims or [None] * n,
        "question": questions or [None] * n,
        "actor": ["filled"] * n,
        "reason": [None if action == "created" else "Made up." for action in actions or ["created"] * n],
    }


def _make_quotes() -> list[str]:
    """Return quotes with words of every frequency."""
    chance = np.random.default_rng(SEED)
    words = chance.choice(FILLER_WORDS, (QUOTE_COUNT, 5))
    found = []
    for n, some in enumerate(words.tolist()):
        rarer = [FREQUENT_WORD] * (n % 10 == 0) + [UNCOMMON_WORD] * (n % 200 == 1) + [RARE_WORD] * (n == 2)
        found.append(" ".join(["Officials", *some, *rarer, f"figure{n % 1000}"]))
    return found


_FIGURE_WORDINGS = (
    lambda x: (f"{x:,}", "plain", x, None, None),
    lambda x: (f"about {x:,}", "approximate", x, None, None),
    lambda x: (f"between {x:,} and {x + x // 5 + 1:,}", "range", None, x, x + x // 5 + 1),
    lambda x: (f"more than {x:,}", "lower_bound", None, x, None),
    lambda x: (f"up to {x:,}", "upper_bound", None, None, x),
    lambda _: ("dozens more", "vague", None, None, None),
    lambda _: ("rising", "none", None, None, None),
)
"""Return the wordings of a figure: as printed, kind, value, lower, upper."""


def _fold_words(printed: str, more: Sequence[str]) -> list[str]:
    """Return the same as `search_words` for these simple texts."""
    return sorted({*printed.replace(",", " ").split(), *more})


def _period_columns(day: str, aggregation: int, open_end: int) -> tuple[str, str | None, str | None]:
    if open_end:
        return ("2022-02-24/..", "2022-02-24", None) if open_end == 1 else (f"../{day}", None, day)
    if aggregation == 0:
        first = min("2022-02-24", day)
        return f"{first}/{day}", first, day
    return day, day, day


def _erase_removed(columns: dict[str, Sequence[Any]], removed: list[bool], *, first: bool) -> dict[str, Sequence[Any]]:
    """Return the columns, with `TAKEDOWN_VALUES` for claims that were taken down."""
    texts = {name: value.value if hasattr(value, "value") else value for name, value in TAKEDOWN_VALUES.items()}
    texts |= {"standpoint": None, "recency": None, "includes": "[]", "excludes": "[]", "words": ""} | (
        {"fingerprint": ""} if first else {}
    )
    return {
        name: [texts[name] if gone else each for each, gone in zip(values, removed, strict=True)]
        if name in texts
        else values
        for name, values in columns.items()
    }
