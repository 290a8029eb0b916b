"""A side-by-side from the candidates equals one from all claims."""

import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import ClauseElement, select
from sqlmodel import Session

from alembic import command
from app.claims.create import record_claim, record_relation
from app.claims.lifecycle import reinstate, retract, revise
from app.claims.schemas import ChangeInput, ClaimInput, RelationInput, RetractionInput
from app.claims.search.question_scope import QuestionScope
from app.claims.serialization.input_fields import FIGURE_PLAIN_FIELDS, plain_figure_numbers
from app.claims.supersession import load_successors
from app.comparison.figure import PrintedFigure
from app.comparison.hierarchy import Hierarchy
from app.comparison.period import parse_period
from app.comparison.positions import compare_pairs, find_positions
from app.comparison.question import Question
from app.comparison.relative_base import normalize_relative_to
from app.comparison.series_key import build_series_columns
from app.comparison.spread import measure_spread
from app.comparison.statement import Statement
from app.database.engine import alembic_config
from app.database.snapshot import Snapshot, open_snapshot
from app.database.sql import compile_cached, fetch_rows
from app.database.tables import ClaimVersion, columns_of
from app.database.transaction import WriteTransaction, write_transaction
from app.enums import RelationType, Verdict
from app.errors import Problem
from app.sources.queries import load_position_holders, put_source
from app.sources.schemas import SourceInput
from app.takedown.claims import take_down_claims
from app.topics import candidates
from app.topics.records import put_topic
from app.topics.schemas import TopicInput
from app.topics.side_by_side import may_start_on
from app.vocabulary.records import load_hierarchy
from app.vocabulary.reference_data import get_reference_data
from tests.examples import (
    make_claim_body,
    make_source_body,
    make_topic_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
)
from tests.imports.import_helpers import post_file
from tests.registers import Register

QUESTIONS = int(os.environ.get("TEST_STEPS", "15"))
"""Number of random questions that each register is asked."""
SOURCES = ["ministry", "minister", "institute", "agency"]
CATEGORIES = ["casualties", "killed", "killed-named", "wounded", "survived"]
SCOPES: list[dict[str, list[str]]] = [
    {},
    {},
    {},
    {"includes": ["militia", "brigade"]},
    {"includes": ["brigade", "militia"]},
    {"includes": ["militia"]},
    {"excludes": ["militia"]},
]
PERIODS = [
    *("2022-02-24/2024-06-30", "2022-02-24/2024-06-30", "2022-02-24/2024-05", "2022-02/2024-05-31", "2022/2024-06-30"),
    *(
        "2022-02-24/..",
        "2022-02-24/..",
        "../2024-06-30",
        "2022-02-24/2024-06~",
        "2024-06-30",
        "2024-06",
        "2024",
        "202X",
    ),
    *("0001-01-01", "0001-01-01/0001-01-01", "2023-22", "2022-02-24/2030"),
]
AGGREGATIONS: list[dict[str, str]] = [
    *({"aggregation": name} for name in ("cumulative", "cumulative", "cumulative", "within", "within", "snapshot")),
    *({"aggregation": "rate", "per": per} for per in ("day", "month")),
]
DATES: list[dict[str, str]] = [
    {},
    {},
    *({"date": day} for day in ("0001-01-01", "2024-01-01", "2024-06-30", "2024-07-01", "2024-07-01", "2024-08-15")),
    {"date_edtf": "2024-07"},
    {"said_at": "2024-07-01T10:00:00+02:00"},
    {"said_at": "2024-07-01T18:00:00Z"},
]
DATED = [fields for fields in DATES if fields]
MOMENTS = ["2024-07-01T07:59:59Z", "2024-07-01T10:00:00+02:00", "2024-07-01T21:00:00+02:00", "2024-07-02T00:00:00Z"]
DAYS = [None, "0001-01-01", "2023-12-31", "2024-01-01", "2024-06-30", "2024-07-01", "2024-08-14", "2024-09-01"]


def some_claim(chance: random.Random, dates: Sequence[Mapping[str, str]] = DATES) -> dict[str, Any]:
    numbers: dict[str, Any] = chance.choice(
        [{"value": chance.randint(1, 4)}, {"lower": 2, "upper": chance.randint(2, 5)}, {"lower": 3}, {"upper": 3}, {}]
    )
    name = "".join(chance.choices("bcdfgh", k=8))
    body = make_claim_body(
        category=chance.choice(CATEGORIES),
        subject=chance.choice(["army", "army", "army", "brigade"]),
        place=chance.choice(["war", "war", "war", "front"]),
        source=chance.choice(SOURCES),
        modality=chance.choice(["estimate", "estimate", "count", "forecast"]),
        period={"edtf": chance.choice(PERIODS), **chance.choice(AGGREGATIONS)},
        **chance.choice(dates),
        figure={"as_printed": f"the figure of {name}" if numbers else f"many of {name}", **numbers},
        **chance.choice(SCOPES),
    )
    if numbers and chance.random() < 0.25:
        body["figure"]["relative_to"] = chance.choice(["militia", "1990"])
    if not numbers and chance.random() < 0.6:
        body["proposition"] = chance.choice(["trend", "existence", "denial"])
    return body


def apply_random_change(
    log: WriteTransaction, chance: random.Random, ids: list[str], *, is_dated: bool = False
) -> None:
    """Apply a random change to the register. With `is_dated` all claims have a date: none is taken down."""
    event, dates = chance.random(), DATED if is_dated else DATES
    with suppress(Problem):  # a duplicate, or an impossible event
        if len(ids) > 1 and event < 0.08:
            relation = RelationInput(type=RelationType.supersedes, claim=chance.choice(ids))
            record_relation(log, chance.choice(ids), relation)
        elif event < 0.7 or not ids:
            ids.append(record_claim(log, ClaimInput(**some_claim(chance, dates)))["id"])
        elif event < 0.8:
            day = date(2024, 7, 1) + timedelta(days=chance.randint(0, 60))
            retract(log, chance.choice(ids), RetractionInput(reason="Taken back.", retracted_on=day))
        elif event < 0.84:
            reinstate(log, chance.choice(ids), "It stands.")
        elif event < 0.95:
            other = some_claim(chance, dates)
            names = chance.sample(["category", "date", "period", "figure", "source", "modality", "proposition"], 2)
            changes = {name: other[name] for name in names if name in other}
            given = {"event": "transcription_fix", "reason": "A slip.", "changes": changes}
            revise(log, chance.choice(ids), ChangeInput.model_validate(given))
        elif event < 0.98 and not is_dated:
            take_down_claims(log, [ids.pop(chance.randrange(len(ids)))], "By a court.")
        else:
            held = chance.choice([None, "ministry"])
            put_source(log, "agency", SourceInput(**make_source_body("The agency", speaks_for=held)))


class Plain:
    """All claims of a state of the register, and side-by-sides of them without candidates."""

    def __init__(self, register: Register, as_of: str | None, known_on: date | datetime | None) -> None:
        self.day = known_on
        self.register = register
        with register.database.read() as session:
            self.snapshot: Snapshot = open_snapshot(session, as_of, known_on=known_on)
            self.scheme: Hierarchy = load_hierarchy(session, self.snapshot)
            self.held = load_position_holders(session, self.snapshot)
            columns = columns_of(ClaimVersion)
            wanted = select(*columns).where(self.snapshot.contains(ClaimVersion)).order_by(columns.id)
            self.rows = session.execute(wanted).mappings().all()

    def belonging(self, asked: Mapping[str, Any]) -> Iterator[Mapping[Any, Any]]:
        for row in self.on_question(asked):
            if self._has_aggregation(row, asked) and self._starts(row, asked):
                yield row

    def on_question(self, asked: Mapping[str, Any]) -> Iterator[Mapping[Any, Any]]:
        narrower = asked.get("narrower", ["category"])
        below = {
            "category": self.scheme.narrower_categories,
            "subject": self.scheme.narrower_subjects,
            "place": self.scheme.narrower_places,
        }
        within = {
            kind: find(asked[kind]) if kind in narrower else {asked[kind]}
            for kind, find in below.items()
            if asked.get(kind) is not None
        }
        for row in self.rows:
            if row["status"] != "removed" and all(row[kind] in slugs for kind, slugs in within.items()):
                yield row

    def _has_aggregation(self, row: Mapping[Any, Any], asked: Mapping[str, Any]) -> bool:
        aggregation = asked.get("aggregation")
        totals = {"cumulative", "within"}
        return aggregation is None or row["aggregation"] in (totals if aggregation in totals else {aggregation})

    def _starts(self, row: Mapping[Any, Any], asked: Mapping[str, Any]) -> bool:
        since = asked.get("since")
        if not since:
            return True
        if row["aggregation"] == "snapshot":
            return False
        if row["period_start"] == date.fromisoformat(since):
            return True
        starts = {text for part in (since[:7], since[:4]) for text in (part, f"{part}/")}
        text = row["period"].partition("/")
        return row["aggregation"] == "cumulative" and text[0] + text[1] in starts

    def statement(self, row: Mapping[Any, Any]) -> Statement:
        known = [self.scheme.subjects, self.scheme.categories]
        return Statement(
            **{name: str(row[name]) for name in ("id", "category", "subject", "place", "proposition", "modality")},
            source=self.held.get(row["source"], row["source"]),
            unit=row["unit"] or self.scheme.categories[row["category"]].unit,
            derivation=str(row["derivation"]),
            figure=PrintedFigure(**plain_figure_numbers(row), **{name: row[name] for name in FIGURE_PLAIN_FIELDS}),
            period=parse_period(row["period"]),
            aggregation=str(row["aggregation"]),
            date=row["date"],
            includes=frozenset(row["includes"]),
            excludes=frozenset(row["excludes"]),
            date_edtf=row["date_edtf"],
            said_at=row["said_at"] and datetime.fromisoformat(row["said_at"]),
            per=row["per"] and str(row["per"]),
            base=row["relative_to"] and " ".join(normalize_relative_to(row["relative_to"], *known)),
            fingerprint=row["fingerprint"],
        )

    def superseded(self, ids: Iterable[str]) -> set[str]:
        with self.register.database.read() as session:
            return set(load_successors(session, list(ids), self.snapshot))

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What a side-by-side says that depends on which claims were read."""
        limit = self.snapshot.knowledge_limit
        known = [
            row
            for row in self.belonging(asked)
            if limit is None or limit.includes(row["date"], row["said_at"] and datetime.fromisoformat(row["said_at"]))
        ]
        retracted = [
            row for row in known if row["status"] == "retracted" and row["retracted_on"] <= self.snapshot.last_known_day
        ]
        standing = [row for row in known if row not in retracted]
        statements = [self.statement(row) for row in standing if row["kind"] not in {"none", "vague"}]
        superseded = self.superseded(statement.id for statement in statements)
        ends_by = asked.get("ends_by") and date.fromisoformat(asked["ends_by"])
        since = asked.get("since") and date.fromisoformat(asked["since"])
        found = find_positions(
            statement
            for statement in statements
            if statement.id not in superseded
            and may_start_on(statement, since)
            and (not ends_by or (statement.effective.latest_end and statement.effective.latest_end <= ends_by))
        )
        positions = [position.statement for position in found]
        fields: dict[str, Any] = {name: asked.get(name) for name in ("category", "subject", "place", "aggregation")}
        question = Question(**fields)
        spread = asdict(measure_spread(positions, question, self.scheme))
        left_out = [{"claim": id_, "reasons": list(reasons)} for id_, reasons in spread.pop("left_out")]
        del spread["included"]  # used by sentences only
        pairs = [asdict(pair) for pair in compare_pairs(positions, self.scheme)]
        return {
            "positions": [position.id for position in found],
            "wordings": [list(position.wordings) for position in found],
            "holders": [position.source for position in positions],
            "pairs": pairs if len(found) <= 40 else None,
            "verdicts": {verdict.value: count_verdict(pairs, verdict.value) for verdict in Verdict},
            "spread": {**spread, "left_out": left_out},
            "related": [row["id"] for row in standing if row["kind"] in {"none", "vague"}],
            "retracted": [row["id"] for row in retracted],
        }

    def counted(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        rows = list(self.belonging(asked))
        dates = [row["date"].isoformat() for row in rows if row["date"]]
        return {
            "claims": len(rows),
            "sources": len({row["source"] for row in rows}),
            "first_date": min(dates, default=None),
            "last_date": max(dates, default=None),
        }


def count_verdict(pairs: list[dict[str, Any]], verdict: str) -> int:
    return sum(pair["verdict"] == verdict for pair in pairs)


def _without_sentence(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in pair.items() if name != "why"}


def comparable_parts(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "positions": [position["claim"]["id"] for position in body["positions"]],
        "wordings": [position["wordings"] for position in body["positions"]],
        "holders": [position["source"]["slug"] for position in body["positions"]],
        "pairs": None if body["pairs"] is None else [_without_sentence(pair) for pair in body["pairs"]],
        "verdicts": body["verdicts"],
        "spread": body["spread"],
        "related": [each["id"] for each in body["related"]["claims"]],
        "retracted": [each["id"] for each in body["retracted"]],
    }


def are_equal(one: Any, other: Any) -> bool:
    return orjson.dumps(one) == orjson.dumps(other)


TOPICS = [
    make_topic_body(aggregation=aggregation, since=since, category=category)
    for aggregation in (None, "cumulative")
    for since in (None, "2022-02-24")
    for category in ("casualties", "killed")
]


def check_topics(register: Register, as_of: str | None) -> None:
    plain = Plain(register, as_of, None)
    params = {"limit": "50"} | ({"recorded_as_of": as_of} if as_of else {})
    rows = register.get("/v1/topics", params=params).json()["data"]
    assert len(rows) == len(TOPICS)
    for row, body in zip(rows, TOPICS, strict=True):
        counted = plain.counted(body)
        assert {name: row[name] for name in counted} == counted
        expected = plain.answer(body)
        reasons = Counter(reason for each in expected["spread"]["left_out"] for reason in each["reasons"])
        assert row["spread"] == {**expected["spread"], "left_out": reasons}
        assert row["verdicts"] == expected["verdicts"]


def check_timeline(register: Register, chance: random.Random, as_of: str | None) -> None:
    number = chance.randrange(len(TOPICS))
    known_on = chance.choice([None, "2024-07-01"])
    plain = Plain(register, as_of, known_on and date.fromisoformat(known_on))  # type: ignore[arg-type] # or None
    asked = {"known_on": known_on, "recorded_as_of": as_of, "fields": "id"}
    params = {name: value for name, value in asked.items() if value}
    found = read_all_rows(register, f"/v1/topics/topic-{number}/timeline", chance.choice([1, 7, 1000]), **params)
    rows = [
        row for row in plain.belonging(TOPICS[number]) if not known_on or (row["date"] and row["date"] <= plain.day)
    ]
    rows.sort(key=lambda row: (row["source"], row["date"] or date.max, row["id"]))
    assert [row["id"] for row in found] == [row["id"] for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_a_side_by_side_is_the_same_as_over_every_claim(register: Register, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - random test data
    record_example_vocabulary(register)
    ids: list[str] = []
    with write_transaction(register.database, "desk") as log:
        for number, body in enumerate(TOPICS):
            put_topic(log, f"topic-{number}", TopicInput(**body))
    for events in (150, 40, 1, 1, 20):
        with write_transaction(register.database, "desk") as log:
            for _ in range(events):
                apply_random_change(log, chance, ids)
        check_topics(register, None)
    last = read_latest_seq(register)
    check_topics(register, f"seq:{last // 2}")
    for as_of in (None, None, f"seq:{last // 2}"):
        check_timeline(register, chance, as_of)
    for _ in range(QUESTIONS):
        asked: dict[str, Any] = {
            "category": chance.choice(CATEGORIES[:3]),
            "subject": chance.choice(["army", "army", None]),
            "place": chance.choice(["war", "war", None]),
            "aggregation": chance.choice([None, None, "cumulative", "within"]),
            "since": chance.choice([None, None, "2022-02-24", "2024-06-30"]),
            "narrower": chance.sample(["category", "subject", "place"], chance.randint(0, 3)),
            "ends_by": chance.choice([None, None, None, "2024-06-15", "2024-06-30"]),
            "known_on": chance.choice([None, *DAYS, *MOMENTS]),
            "recorded_as_of": chance.choice([None, None, f"seq:{chance.randint(60, last)}"]),
        }
        text = asked["known_on"]
        day = text and (datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text))
        plain = Plain(register, asked["recorded_as_of"], day)
        params = {name: value for name, value in asked.items() if value is not None}
        params["narrower"] = ",".join(asked["narrower"]) or "false"
        answer = register.get("/v1/side-by-side", params=params)
        assert answer.status_code == 200, answer.text
        assert are_equal(comparable_parts(answer.json()), plain.answer(asked)), asked


@pytest.mark.parametrize("seed", range(2))
def test_what_is_known_today_is_all_where_everything_is_dated(register: Register, seed: int) -> None:
    """Every claim, and with it every supersession and retraction, has a day in the past."""
    chance = random.Random(seed)  # noqa: S311 - random test data
    record_example_vocabulary(register)
    ids: list[str] = []
    with write_transaction(register.database, "desk") as log:
        put_topic(log, "topic", TopicInput(**make_topic_body(category="casualties")))
        for number in range(40):
            with suppress(Problem):  # a period that begins after the claim was made
                ids += record_superseded(log, some_claim(chance, DATED), number)
        for _ in range(200):
            apply_random_change(log, chance, ids, is_dated=True)
    today = datetime.now(UTC).date().isoformat()
    found: Counter[str] = Counter()

    def read_twice(path: str, **params: str) -> Any:
        plain, known = (register.get(path, params=params | limit).json() for limit in ({}, {"known_on": today}))
        if "known_on" in plain:
            assert (plain.pop("known_on"), known.pop("known_on")) == (None, today)
        assert without_links(plain) == without_links(known), path
        return plain

    for subject in ("army", "brigade", ""):
        for category in CATEGORIES[:3]:
            asked = {"category": category, "place": "war", "narrower": "true"} | (
                {"subject": subject} if subject else {}
            )
            body = read_twice("/v1/side-by-side", **asked)
            found["positions"] += len(body["positions"])
            found["superseded"] += body["left_out"].get("superseded", 0)
            found["retracted"] += len(body["retracted"])
    read_twice("/v1/topics")
    read_twice("/v1/topics/topic/timeline", limit="1000")
    for superseded in ("true", "false"):
        found[f"superseded={superseded}"] += len(read_twice("/v1/claims", superseded=superseded, limit="1000")["data"])
    names = ("positions", "superseded", "retracted", "superseded=true", "superseded=false")
    assert all(found[name] >= 1 for name in names), found


def record_superseded(log: WriteTransaction, body: dict[str, Any], number: int) -> list[str]:
    """Record a claim, and another of the same source with a new figure that supersedes it; return their ids."""
    figures = ({"as_printed": f"{number + 1}1", "value": number * 10 + 11}, {"as_printed": f"{number + 1}2"})
    bodies = [{**body, "proposition": "quantity", "figure": figure} for figure in figures]
    old, new = (record_claim(log, ClaimInput(**each))["id"] for each in bodies)
    record_relation(log, new, RelationInput(type=RelationType.supersedes, claim=old))
    return [old, new]


def without_links(body: Any) -> Any:
    """Return an answer without its links, which repeat what was asked."""
    if isinstance(body, list):
        return [without_links(each) for each in body]
    if isinstance(body, dict):
        return {name: without_links(value) for name, value in body.items() if name != "links"}
    return body


def assert_every_claim_is_placed(register: Register) -> None:
    with register.database.read() as session:
        rows = session.execute(select(*columns_of(ClaimVersion))).mappings().all()
    assert rows
    for row in rows:
        assert build_series_columns(dict(row)) == {name: row[name] for name in ("standpoint", "recency")}


def test_every_version_of_a_claim_is_placed_as_its_columns_say(register: Register) -> None:
    chance = random.Random(5)  # noqa: S311 - random test data
    record_example_vocabulary(register)
    ids: list[str] = []
    with write_transaction(register.database, "desk") as log:
        for _ in range(150):
            apply_random_change(log, chance, ids)
    lines = [orjson.dumps(some_claim(chance)) for _ in range(50)]
    assert post_file(register, b"\n".join(dict.fromkeys(lines)), "application/x-ndjson").status_code in (201, 422)
    assert_every_claim_is_placed(register)


def test_the_starter_claims_are_placed(shared_starter_register: Register) -> None:
    assert_every_claim_is_placed(shared_starter_register)


def test_claims_that_were_there_before_are_placed_by_the_migration(register: Register) -> None:
    chance = random.Random(6)  # noqa: S311 - random test data
    record_example_vocabulary(register)
    ids: list[str] = []
    with write_transaction(register.database, "desk") as log:
        for _ in range(150):
            apply_random_change(log, chance, ids)
    for step, target in ((command.downgrade, "0003"), (command.upgrade, "head")):
        config = alembic_config()
        with register.database.write_engine.connect() as connection:
            config.attributes["connection"] = connection
            step(config, target)
    register.database.read_engine.dispose()
    assert_every_claim_is_placed(register)


@pytest.mark.parametrize("as_of", [None, "seq:600"])
def test_statements_do_not_depend_on_the_number_of_values(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch, as_of: str | None
) -> None:
    statements: set[str] = set()

    def fetch_and_note(session: Session, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[Any]:
        statements.add(compile_cached(statement, session.connection().dialect.name))
        return fetch_rows(session, statement, parameters)

    monkeypatch.setattr(candidates, "fetch_rows", fetch_and_note)
    with shared_starter_register.database.read() as session:
        snapshot = open_snapshot(session, as_of)
        reference_data = get_reference_data(session, snapshot)
        topic = reference_data.topics["russian-casualties"]
        others = [sorted(reference_data.slugs[kind] - {topic[kind]}) for kind in ("category", "subject", "place")]
        counts = []
        for sizes in ((4, 2, 5), (5, 3, 4), (7, 2, 7)):
            names = zip(("category", "subject", "place"), others, sizes, strict=True)
            first, second, third = ((topic[kind], *slugs[:size]) for kind, slugs, size in names)
            scope = QuestionScope(first, second, third, (), None)
            shared_starter_register.database.caches.remove(candidates.CANDIDATES)  # which other tests have read
            assert candidates.load_candidates(session, scope, snapshot, reference_data)
            assert candidates.count_claims(session, scope, snapshot).claims
            counts.append(len(statements))
    assert counts == [counts[0]] * 3
