"""A synthetic register of any size on either database, with the skew of a real one: for plans and for benchmarks.

One source makes 60% of all claims and one topic has 30% of them; every filter has words that are common and words that
are rare; some claims are undated, open ended, repaired, retracted, taken down or assessed twice. The same number of
claims is always the same register, down to its ids (the identities of its vocabularies are their slugs).
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update

from app.claims.lifecycle import TAKEDOWN_VALUES
from app.claims.series_key import PERIOD_END_FACTOR
from app.database.engine import Database
from app.database.tables import Clock
from app.database.text_folding import search_words
from app.database.transaction import write_transaction
from app.enums import Aggregation, Interest, Modality, SourceKind
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from app.topics.records import TOPIC
from app.topics.schemas import TopicInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from app.vocabulary.slug_records import replace_record
from tests.plans.loading import Put, loading
from tests.registers import settings_for

SEED = 5
AT_ONCE = 50_000
"""So many claims are made at once: memory does not grow much with the register."""

SOURCES, CATEGORIES, SUBJECTS, PLACES, TOPICS = 300, 50, 20, 100, 20
QUESTIONS = 3_000
"""So many questions (category, subject, place) have claims; the first `TOPICS` of them are topics."""

LARGE_SOURCE, LARGE_TOPIC, LARGE_DOCUMENT = 0.6, 0.3, 0.05
"""The shares of all claims: what the first source makes, the first topic has, the first document says."""
PER_DOCUMENT = 20

BEGAN = dt.datetime(2022, 3, 1, tzinfo=dt.UTC)
DAYS = 1_200
"""The register was kept for so many days, and reached back by up to `ARCHIVES` more."""
ARCHIVES = 700

COMMON_WORD, FREQUENT_WORD, SELDOM_WORD, RARE_WORD = "officials", "shelling", "estuary", "quagga"
"""Words in the quotes of half of all claims, of about 5%, of about 0.25% and of few."""
QUOTES = 10_000
PLAIN = (
    "confirmed that several units near the crossing were lost or damaged while fresh reports continued".split()  # noqa: SIM905
)
NOTES = (*repeat(None, 7), "The page gives the figure twice.", "Read from a chart.", "Rounded by the agency.")

REPAIRED, RETRACTED, REMOVED = 1, 2, 3
ACTIONS = ("", "transcription_fix", "retraction", "takedown")
LEVELS = ("high", "moderate", "low", None)
AGGREGATIONS = ("cumulative", "within", "snapshot", "rate")
MODALITIES = tuple(each.value for each in (Modality.count, Modality.estimate, Modality.forecast, Modality.allegation))

Whole = NDArray[np.int64]


def fill(url: str, claims: int) -> None:
    """Fill the migrated and empty register at `url` with `claims` claims and all that they need."""
    database = Database(settings_for(url))
    made = Made(claims, furnish(database))
    database.close()
    with loading(url) as put:
        made.put_documents(put)
        for start in range(0, claims, AT_ONCE):
            made.put_claims(put, np.arange(start, min(start + AT_ONCE, claims)))
        made.put_late(put)
    database = Database(settings_for(url))
    with database.write() as session:
        session.execute(update(Clock).values(seq=made.last, at=made.now()))
    database.close()


def named(kind: str, number: int) -> str:
    """The slugs of the register; number 0 is the large one."""
    return f"{kind}-{number}"


def furnish(database: Database) -> int:
    """Record vocabularies, sources and topics; return the last `seq`."""
    kinds = [each for each in SourceKind if each not in (SourceKind.witness, SourceKind.unknown)]
    with write_transaction(database, "filled") as log:
        log.at = BEGAN
        for n in range(CATEGORIES):
            given = CategoryInput(
                name=f"Category {n}",
                definition="Counted for a test.",
                unit="persons",
                non_decreasing=n % 2 == 0,
                parent=_parent(n),
                components=[named("category", 3), named("category", 4)] if n == 5 else [],
            )
            put_category(log, named("category", n), given)
        for n in range(SUBJECTS):
            put_subject(log, named("subject", n), SubjectInput(name=f"Subject {n}", parents=_above("subject", n)))
        for n in range(PLACES):
            put_place(log, named("place", n), PlaceInput(name=f"Place {n}", parents=_above("place", n)))
        for n in range(SOURCES):
            # The rarest kind and interest belong to small sources, a common one to the large source.
            kind_of = SourceKind.witness if n == SOURCES - 1 else kinds[n % len(kinds)]
            interest = Interest.aligned if n == SOURCES - 2 else [*Interest][(0, 2, 3)[n % 3]]
            source = SourceInput(name=f"Source {n} Bulletin", kind=kind_of, interest=interest)
            put_source(log, named("source", n), source)
        for n, (category, subject, place) in enumerate(zip(*questions(), strict=True)):
            if n == TOPICS:
                break
            topic = TopicInput(
                title=f"How many, {n}?",
                category=category,
                subject=subject,
                place=place,
                aggregation=Aggregation.cumulative if n % 3 == 1 else None,
                since=dt.date(2022, 2, 24) if n % 5 == 2 else None,
            )
            replace_record(log, TOPIC, named("topic", n), topic)
        return log.seq


def _parent(n: int) -> str | None:
    """Two categories lie below the first one, and nine below that of a topic."""
    if n in (1, 2):
        return named("category", 0)
    return questions()[0][2] if 40 <= n < 49 else None


def _above(kind: str, n: int) -> list[str]:
    return [named(kind, n % 5)] if 5 <= n < 15 else []


@cache
def questions() -> tuple[list[str], list[str], list[str]]:
    """What is counted, whose and where, of each question; no two are the same."""
    numbers = np.random.default_rng(SEED).permutation(CATEGORIES * SUBJECTS * PLACES - 1)[: QUESTIONS - 1] + 1
    numbers = np.concatenate(([0], numbers))
    parts = (("category", 1, CATEGORIES), ("subject", CATEGORIES, SUBJECTS), ("place", CATEGORIES * SUBJECTS, PLACES))
    found = [[named(kind, n) for n in (numbers // step % count).tolist()] for kind, step, count in parts]
    return found[0], found[1], found[2]


class Made:
    """What the claims of the register are, decided for all of them at once; rows are made some at a time."""

    def __init__(self, claims: int, first: int) -> None:
        """`first` is the last `seq` that was taken before them."""
        chance, n = np.random.default_rng(SEED), claims
        self.fate = chance.choice(4, n, p=(0.9849, 0.01, 0.005, 0.0001))
        self.assessed = chance.choice(3, n, p=(0.5, 0.48, 0.02)) * (self.fate != REMOVED)
        self.documents = max(1, n // PER_DOCUMENT)
        self.first = first
        self.seq = first + self.documents + 1 + np.arange(n) + np.cumsum(self.assessed) - self.assessed
        self.late = np.flatnonzero(self.fate)
        before = first + self.documents + n + int(self.assessed.sum())
        self.late_seq = before + 1 + np.arange(len(self.late))
        self.last = before + len(self.late)
        self.bits = chance.integers(1 << 32, 1 << 48, n)
        self.source = _skewed(chance, n, SOURCES, LARGE_SOURCE)
        self.question = _skewed(chance, n, QUESTIONS, LARGE_TOPIC)
        self.document = chance.integers(0, self.documents, n) * (chance.random(n) >= LARGE_DOCUMENT)
        recorded = self.seq * DAYS // (self.last + 1)  # nothing is said after that day
        lately = recorded - np.minimum(chance.exponential(8, n), 300).astype(np.int64)
        archived = np.minimum(chance.integers(-ARCHIVES, DAYS, n), recorded)
        self.day = np.where(chance.random(n) < 0.1, archived, lately)
        self.dated = chance.random(n) >= 0.01
        self.number = np.minimum(np.exp(chance.normal(6, 2.5, n)), 1e9).astype(np.int64) + 1
        self.wording = chance.choice(7, n, p=(0.75, 0.1, 0.05, 0.05, 0.02, 0.025, 0.005))
        self.modality = chance.choice(4, n, p=(0.3, 0.6899, 0.01, 0.0001))
        self.aggregation = chance.choice(4, n, p=(0.6, 0.35, 0.0499, 0.0001))
        self.open = chance.choice(3, n, p=(0.985, 0.01, 0.005))
        self.note = chance.integers(0, len(NOTES), n)
        self.quote = chance.integers(0, 2 * QUOTES, n)
        self.grades = chance.integers(0, 1000, n)
        self.versions = {"claim": 0, "citation": 0, "assessment": 0}
        self.quotes = [*_quotes(), *repeat(None, QUOTES)]
        self.quote_words = [" ".join(search_words(quote)) for quote in self.quotes]
        self.note_words = [search_words(note) for note in NOTES]
        self.claim_ids = _ids(self.seq, self.bits, "8")
        days = range(-ARCHIVES - 300, DAYS + 400)
        self.days = {n: str(BEGAN.date() + dt.timedelta(days=n)) for n in days}
        self.seconds = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}.000000" for s in range(86_400)]
        self.document_ids = _ids(np.arange(self.documents), np.arange(self.documents) + (1 << 40), "a")

    def now(self) -> dt.datetime:
        """The time of the last change."""
        return dt.datetime.fromisoformat(self.moments(np.array([self.last]))[0]).replace(tzinfo=dt.UTC)

    def moments(self, seqs: Whole) -> list[str]:
        """The times of changes: evenly from the first day to the last."""
        second = seqs * (DAYS * 86_400) // (self.last + 1)
        days, seconds = self.days, self.seconds
        return [
            f"{days[d]} {seconds[s]}"
            for d, s in zip((second // 86_400).tolist(), (second % 86_400).tolist(), strict=True)
        ]

    def put_documents(self, put: Put) -> None:
        """Every document, and its entry in the log."""
        n = self.documents
        seqs = self.first + 1 + np.arange(n)
        moments, publishers = self.moments(seqs), np.arange(n) % SOURCES
        put("change", _changes(seqs, moments, "document", self.document_ids, None))
        put(
            "document",
            {
                "version": range(1, n + 1),
                **_stamps(seqs, moments),
                "id": self.document_ids,
                "url": [f"https://example.org/reports/{i}" for i in range(n)],
                "title": [f"Report {i} on losses and damage" for i in range(n)],
                "publisher": [named("source", p) for p in publishers.tolist()],
                "published_on": [self.days[d] for d in (np.arange(n) * DAYS // n).tolist()],
                "language": ["en"] * n,
                "archive_url": [None if i % 4 else f"https://archive.example.org/{i}" for i in range(n)],
            },
        )

    def put_claims(self, put: Put, rows: Whole) -> None:
        """The claims `rows` as they were recorded first, with their citations and assessments."""
        standing, late = rows[self.fate[rows] == 0], rows[self.fate[rows] != 0]
        ids, moments = self.ids(rows), self.moments(self.seq[rows])
        put("change", _changes(self.seq[rows], moments, "claim", ids, ids))
        put("claim", self._claims(standing, self.seq[standing]))
        until = self.late_seq[np.searchsorted(self.late, late)]
        closed = {"until_seq": until.tolist(), "recorded_until": self.moments(until)}
        put("claim", self._claims(late, self.seq[late], first=True) | closed)
        cited = rows[self.fate[rows] != REMOVED]
        quotes = self.quote[cited].tolist()
        put(
            "citation",
            {
                **self._numbered("citation", len(cited)),
                **_stamps(self.seq[cited], self.moments(self.seq[cited])),
                "id": self.ids(cited, "9"),
                "claim": self.ids(cited),
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

    def put_late(self, put: Put) -> None:
        """What happened to some claims after everything else: they were repaired, retracted or taken down."""
        moments, ids = self.moments(self.late_seq), self.ids(self.late)
        actions = [ACTIONS[fate] for fate in self.fate[self.late].tolist()]
        put("change", _changes(self.late_seq, moments, "claim", ids, ids, actions, revision=2))
        put("claim", self._claims(self.late, self.late_seq))

    def ids(self, rows: Whole, mark: str = "8") -> list[str]:
        """UUIDs of version 7: of the claims themselves, or with another `mark` of what belongs to them."""
        ids = self.claim_ids
        if mark == "8":
            return [ids[row] for row in rows.tolist()]
        return [f"{(own := ids[row])[:19]}{mark}{own[20:]}" for row in rows.tolist()]

    def _numbered(self, table: str, n: int) -> dict[str, Sequence[Any]]:
        start = self.versions[table] + 1
        self.versions[table] += n
        return {"version": range(start, start + n)}

    def _put_assessments(self, put: Put, rows: Whole, turn: int) -> None:
        seqs = self.seq[rows] + turn
        moments, claims, ids = self.moments(seqs), self.ids(rows), self.ids(rows, "ab"[turn - 1])
        grades = ((self.grades[rows] + 500 * (turn - 1)) % 1000).tolist()
        put("change", _changes(seqs, moments, "assessment", ids, claims))
        put(
            "assessment",
            {
                **self._numbered("assessment", len(rows)),
                **_stamps(seqs, moments),
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

    def _claims(self, rows: Whole, seqs: Whole, *, first: bool = False) -> dict[str, Sequence[Any]]:
        """The versions of `rows` that stand, or those that were closed `first`."""
        n = len(rows)
        categories, subjects, places = questions()
        asked = self.question[rows].tolist()
        figures = [_FIGURES[w](x) for w, x in zip(self.wording[rows].tolist(), self.number[rows].tolist(), strict=True)]
        printed, kinds, value, lower, upper = zip(*figures, strict=True) if n else repeat((), 5)
        day = [self.days[d] for d in self.day[rows].tolist()]
        date = [d if known else None for d, known in zip(day, self.dated[rows].tolist(), strict=True)]
        fate = self.fate[rows].tolist()
        status = ["retracted" if f == RETRACTED and not first else "asserted" for f in fate]
        took_back = [self.days[d + 30] for d in self.day[rows].tolist()]
        note = self.note[rows].tolist()
        periods = [
            _period(d, a, o)
            for d, a, o in zip(day, self.aggregation[rows].tolist(), self.open[rows].tolist(), strict=True)
        ]
        period, start, end = zip(*periods, strict=True) if n else repeat((), 3)
        point = [v if v is not None else low for v, low in zip(value, lower, strict=True)]
        lines = zip(
            *(each[rows].tolist() for each in (self.source, self.aggregation, self.modality)),
            end,
            status,
            kinds,
            strict=True,
        )
        columns: dict[str, Sequence[Any]] = {
            **self._numbered("claim", n),
            **_stamps(seqs, self.moments(seqs)),
            "revision": [2 if f and not first else 1 for f in fate],
            "id": self.ids(rows),
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
            "source": [named("source", s) for s in self.source[rows].tolist()],
            "includes": ["[]"] * n,
            "excludes": ["[]"] * n,
            "note": [NOTES[each] for each in note],
            "retracted_on": [t if s == "retracted" else None for s, t in zip(status, took_back, strict=True)],
            "standpoint": [f"{named('source', s)} {AGGREGATIONS[a]}{_line(m, o, t, k)}" for s, a, m, o, t, k in lines],
            "recency": [_number(e) * PERIOD_END_FACTOR + _number(d) for e, d in zip(end, date, strict=True)],
            "fingerprint": [sha256(b"%d" % i).hexdigest() for i in rows.tolist()],
            "words": [" ".join(_words(p, self.note_words[each])) for p, each in zip(printed, note, strict=True)],
        }
        return _erased(columns, [f == REMOVED for f in fate], first=first) if REMOVED in fate else columns


def _skewed(chance: np.random.Generator, n: int, many: int, share: float) -> Whole:
    """Numbers below `many`: 0 has its share, and the others less and less (number k about 1/k)."""
    weights = 1 / np.arange(1, many) ** 1.1
    others = 1 + chance.choice(many - 1, n, p=weights / weights.sum())
    return np.where(chance.random(n) < share, 0, others)


def _ids(seqs: Whole, bits: Whole, mark: str) -> list[str]:
    """UUIDs that grow with `seqs`, as those of version 7 do with time."""
    milliseconds = (1_650_000_000_000 + seqs * 40).tolist()
    return [
        f"{(text := f'{ms:012x}')[:8]}-{text[8:]}-7000-{mark}000-{low:012x}"
        for ms, low in zip(milliseconds, bits.tolist(), strict=True)
    ]


def _stamps(seqs: Whole, moments: Sequence[str]) -> dict[str, Sequence[Any]]:
    return {"revision": [1] * len(seqs), "seq": seqs.tolist(), "recorded_at": moments}


def _changes(
    seqs: Whole,
    moments: Sequence[str],
    kind: str,
    keys: Sequence[str],
    claims: Sequence[str] | None,
    actions: Sequence[str] | None = None,
    revision: int = 1,
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
        "actor": ["filled"] * n,
        "reason": [None if action == "created" else "Made up." for action in actions or ["created"] * n],
    }


def _quotes() -> list[str]:
    """What the documents say, in words of every frequency."""
    chance = np.random.default_rng(SEED)
    words = chance.choice(PLAIN, (QUOTES, 5))
    found = []
    for n, some in enumerate(words.tolist()):
        rarer = [FREQUENT_WORD] * (n % 10 == 0) + [SELDOM_WORD] * (n % 200 == 1) + [RARE_WORD] * (n == 2)
        found.append(" ".join(["Officials", *some, *rarer, f"figure{n % 1000}"]))
    return found


Figure = tuple[str, str, int | None, int | None, int | None]
_FIGURES = (
    lambda x: (f"{x:,}", "plain", x, None, None),
    lambda x: (f"about {x:,}", "approximate", x, None, None),
    lambda x: (f"between {x:,} and {x + x // 5 + 1:,}", "range", None, x, x + x // 5 + 1),
    lambda x: (f"more than {x:,}", "lower_bound", None, x, None),
    lambda x: (f"up to {x:,}", "upper_bound", None, None, x),
    lambda _: ("dozens more", "vague", None, None, None),
    lambda _: ("rising", "none", None, None, None),
)
"""The wordings of a figure: as printed, kind, value, lower, upper."""


def _words(printed: str, more: Sequence[str]) -> list[str]:
    """`words_of` for texts that are this plain."""
    return sorted({*printed.replace(",", " ").split(), *more})


def _period(day: str, aggregation: int, open_end: int) -> tuple[str, str | None, str | None]:
    if open_end:
        return ("2022-02-24/..", "2022-02-24", None) if open_end == 1 else (f"../{day}", None, day)
    if aggregation == 0:
        first = min("2022-02-24", day)
        return f"{first}/{day}", first, day
    return day, day, day


def _line(modality: int, end: str | None, status: str, kind: str) -> str:
    """The end of a standpoint, as `standpoints.placed` puts it for claims as plain as these."""
    forecast = " forecast" if MODALITIES[modality] == "forecast" else ""
    last = " retracted" if status == "retracted" else " none" if kind == "none" else ""
    return f"{forecast}{'' if end else ' open'}{last}"


def _number(day: str | None) -> int:
    return int(day.replace("-", "")) if day else 0


def _erased(columns: dict[str, Sequence[Any]], removed: list[bool], *, first: bool) -> dict[str, Sequence[Any]]:
    """The columns, with what a takedown leaves of the claims that it concerns (`events.ERASED`)."""
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
