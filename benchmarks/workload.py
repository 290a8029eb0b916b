"""The workload: twenty shapes of filtered pages, and the addresses of each measure for each peer."""

import base64
import datetime as dt
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.plans.synthetic_register import (
    COMMON_WORD,
    FREQUENT_WORD,
    RARE_WORD,
    REGISTER_DAYS,
    REGISTER_START,
    SOURCE_COUNT,
    TOPIC_COUNT,
    UNCOMMON_WORD,
    make_questions,
    slug_of,
)

PAGE_LIMIT = 50
SETS_PER_SHAPE = 4
"""Each shape has so many sets of values."""
Filters = Mapping[str, str]
LATE_DATE = "2099-01-01"


@dataclass(frozen=True)
class PageShape:
    """A filtered page: the same filters with several sets of values, and an order."""

    name: str
    filters: Sequence[Filters]
    sort: str = "-date"


def _day_text(number: int) -> str:
    return (REGISTER_START.date() + dt.timedelta(days=number)).isoformat()


def _question_filters(number: int) -> dict[str, str]:
    return {
        kind: values[number] for kind, values in zip(("category", "subject", "place"), make_questions(), strict=True)
    }


def topic_filters(topic: str) -> dict[str, str]:
    """What a topic asks for; those that are used here ask for no aggregation and no first day."""
    return _question_filters(int(topic.rpartition("-")[2]))


_SET_NUMBERS = range(1, SETS_PER_SHAPE + 1)

SHAPES = (
    PageShape("newest", [{}]),
    PageShape("category", [{"category": _question_filters(n)["category"]} for n in _SET_NUMBERS]),
    PageShape("place", [{"place": _question_filters(n)["place"]} for n in _SET_NUMBERS]),
    PageShape("one question", [_question_filters(n) for n in _SET_NUMBERS]),
    PageShape("the large question", [_question_filters(0)]),
    PageShape("small source", [{"source": slug_of("source", n)} for n in _SET_NUMBERS]),
    PageShape("the large source", [{"source": slug_of("source", 0)}]),
    PageShape(
        "large source, category",
        [{"source": slug_of("source", 0), "category": _question_filters(n)["category"]} for n in _SET_NUMBERS],
    ),
    PageShape("the large topic", [{"topic": slug_of("topic", 0)}]),
    PageShape("small topic", [{"topic": slug_of("topic", n)} for n in (3, 5, 6, 9)]),
    PageShape("month", [{"date_from": _day_text(250 * n), "date_to": _day_text(250 * n + 30)} for n in _SET_NUMBERS]),
    PageShape(
        "category, year",
        [{"category": _question_filters(n)["category"], "date_to": _day_text(200 * n + 300)} for n in _SET_NUMBERS],
    ),
    PageShape(
        "period", [{"period_from": _day_text(200 * n), "period_to": _day_text(200 * n + 30)} for n in _SET_NUMBERS]
    ),
    PageShape("kind", [{"kind": kind} for kind in ("lower_bound", "upper_bound", "range", "approximate")]),
    PageShape("aggregation, modality", [{"aggregation": "within", "modality": each} for each in ("count", "estimate")]),
    PageShape("source kind", [{"source_kind": kind} for kind in ("government", "media", "ngo", "military")]),
    PageShape("confidence", [{"confidence": level} for level in ("high", "moderate", "low", "unassessed")]),
    PageShape("range of values", [{"value_min": f"{10**n}", "value_max": f"{2 * 10**n}"} for n in _SET_NUMBERS]),
    PageShape("largest", [{"category": _question_filters(n)["category"]} for n in _SET_NUMBERS], "-value"),
    PageShape("newest recorded", [{"source": slug_of("source", n)} for n in (0, 1, 2, 3)], "-recorded"),
)
"""The twenty shapes, declared here and nowhere else."""


def deep_shapes(known: "RegisterFacts") -> tuple[PageShape, ...]:
    """The shapes whose pages are full at any depth, also in a register a tenth as large."""
    full = PAGE_LIMIT * 100
    return tuple(
        shape for shape in SHAPES if all(known.totals[list_key(shape, filters)] >= full for filters in shape.filters)
    )


SEARCH_WORDS = (
    RARE_WORD,
    UNCOMMON_WORD,
    "figure123",
    "figure777",
    f"{FREQUENT_WORD} figure100",
    f"{FREQUENT_WORD} crossing",
)


@dataclass
class RegisterFacts:
    """What the addresses are made from: ids of claims, the last `seq`, and how many claims each set of filters has."""

    claim_ids: Sequence[str]
    seq: int
    totals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PagePosition:
    """Where in a list a page begins, as each peer can say it."""

    value: Any
    """The sort value after which it begins."""
    id: str
    offset: int


def encode_cursor(shape: PageShape, place: PagePosition) -> str:
    """The service's cursor for a place; it need not be a row."""
    parts = json.dumps([shape.sort, place.value, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(parts.encode()).rstrip(b"=").decode()


def _random_id(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def position_before_first(
    shape: PageShape, _filters: Filters, _known: RegisterFacts, chance: random.Random
) -> PagePosition:
    """Before the first row; every time in other words, so that no two addresses are the same."""
    top = {"-date": LATE_DATE, "-value": 10**15, "-recorded": 1 << 60}[shape.sort]
    return PagePosition(top, _random_id(chance), chance.randrange(10))


def random_position(shape: PageShape, filters: Filters, known: RegisterFacts, chance: random.Random) -> PagePosition:
    """Anywhere in the list."""
    first = _day_number(filters.get("date_from"), 0)
    last = _day_number(filters.get("date_to"), REGISTER_DAYS)
    share = chance.random()
    total = max(1, known.totals[list_key(shape, filters)] - PAGE_LIMIT)
    match shape.sort:
        case "-value":
            value: Any = round(math.exp(chance.gauss(6, 2.5)))
        case "-recorded":
            value = int(known.seq * (1 - share))
        case _:
            value = _day_text(int(last - (last - first) * share))
    return PagePosition(value, _random_id(chance), int(total * share))


def _day_number(day: str | None, otherwise: int) -> int:
    return otherwise if day is None else (dt.date.fromisoformat(day) - REGISTER_START.date()).days


def list_key(shape: PageShape, filters: Filters) -> str:
    """What the number of a list's claims is kept under."""
    return f"{shape.name}?{urlencode(filters)}"


def page_positions(
    shapes: Sequence[PageShape], depth: str, known: RegisterFacts, count: int, seed: int
) -> Iterator[tuple[PageShape, Filters, PagePosition]]:
    """`count` pages, the shapes in turn."""
    chance = random.Random(f"{depth}{seed}")  # noqa: S311 - it has to be the same every time
    where = position_before_first if depth == "shallow" else random_position
    for n in range(count):
        shape = shapes[n % len(shapes)]
        filters = shape.filters[n // len(shapes) % len(shape.filters)]
        yield shape, filters, where(shape, filters, known, chance)


def our_page_path(shape: PageShape, filters: Filters, place: PagePosition | None) -> str:
    """The service's address of a page."""
    more = {} if shape.sort == "-date" else {"sort": shape.sort}
    more |= {"limit": str(PAGE_LIMIT)}
    if place is not None:
        more |= {"cursor": encode_cursor(shape, place)}
    return f"/v1/claims?{urlencode({**filters, **more})}"


def naive_page_path(shape: PageShape, filters: Filters, place: PagePosition | None, *, count: bool = True) -> str:
    """The naive peer's address of a page."""
    more = {"sort": shape.sort, "limit": str(PAGE_LIMIT), "offset": str(place.offset if place else 0)}
    return f"/v1/claims?{urlencode({**filters, **more, **({} if count else {'count': 'false'})})}"


BROAD_SEARCH_WORDS = (
    *(RARE_WORD, UNCOMMON_WORD, FREQUENT_WORD, COMMON_WORD),
    *("figure123", f"{FREQUENT_WORD} crossing", f"{COMMON_WORD} {UNCOMMON_WORD}"),
)
FORMS_PER_ROUND = 8
PLAIN_CASE = "category, by date"
FilterFactory = Callable[[random.Random, int], Filters]
"""Makes filters by chance, in a register with so many changes."""


def _random_day(chance: random.Random) -> str:
    return _day_text(chance.randrange(REGISTER_DAYS // 4, REGISTER_DAYS))


def _random_state(chance: random.Random, seq: int) -> str:
    return f"seq:{chance.randrange(seq // 4, seq)}"


def _random_source(chance: random.Random) -> str:
    return slug_of("source", chance.randrange(SOURCE_COUNT))


def _random_place(chance: random.Random) -> str:
    return _question_filters(chance.choice(_SET_NUMBERS))["place"]


def _random_category(chance: random.Random) -> str:
    return _question_filters(chance.choice(_SET_NUMBERS))["category"]


BOUNDED_QUERIES: Mapping[str, Sequence[FilterFactory]] = {
    PLAIN_CASE: [lambda chance, _seq: {"category": _random_category(chance)}],
    "q": [
        *(lambda _chance, _seq, q=words: {"q": q} for words in BROAD_SEARCH_WORDS),
        lambda chance, _seq: {"q": FREQUENT_WORD, "category": _random_category(chance)},
    ],
    "topic": [
        lambda _chance, _seq: {"topic": slug_of("topic", 0)},
        lambda chance, _seq: {"topic": slug_of("topic", chance.randrange(TOPIC_COUNT))},
    ],
    "narrower": [
        lambda _chance, _seq: {"category": slug_of("category", 0), "narrower": "true"},
        lambda chance, _seq: {"subject": slug_of("subject", chance.randrange(5)), "narrower": "true"},
        lambda chance, _seq: {"place": slug_of("place", chance.randrange(5)), "narrower": "true"},
        lambda chance, _seq: {"topic": slug_of("topic", chance.randrange(TOPIC_COUNT)), "narrower": "false"},
    ],
    "known_on": [
        lambda chance, _seq: {"known_on": _random_day(chance)},
        lambda chance, _seq: {"known_on": _random_day(chance), "category": _random_category(chance)},
        lambda chance, _seq: {"known_on": _random_day(chance), "source": _random_source(chance)},
        lambda chance, _seq: {"known_on": _random_day(chance), "place": _random_place(chance)},
    ],
    "recorded_as_of": [
        lambda chance, seq: {"recorded_as_of": _random_state(chance, seq)},
        lambda chance, seq: {"recorded_as_of": _random_state(chance, seq), "category": _random_category(chance)},
        lambda chance, seq: {"recorded_as_of": _random_state(chance, seq), "source": _random_source(chance)},
        lambda chance, seq: {"recorded_as_of": _random_state(chance, seq), "place": _random_place(chance)},
    ],
    "value_min": [
        *(lambda chance, _seq, n=power: {"value_min": f"{chance.randrange(1, 10) * 10**n}"} for power in range(2, 9)),
        lambda chance, _seq: {"value_min": f"{chance.randrange(1, 10**6)}", "category": _random_category(chance)},
    ],
}
"""Questions that an index does not lead straight to, by the parameter that makes them so; the number of forms of each
divides `FORMS`."""


def bounded_page_paths(name: str, known: RegisterFacts, count: int, seed: int) -> list[str]:
    """`count` first pages of the newest claims, all of them different."""
    chance = random.Random(f"bounded{seed}")  # noqa: S311 - it has to be the same every time
    newest = SHAPES[0]
    forms = BOUNDED_QUERIES[name]
    return [
        our_page_path(
            newest,
            filters := forms[n % len(forms)](chance, known.seq),
            position_before_first(newest, filters, known, chance),
        )
        for n in range(count)
    ]


SORT_COLUMNS = {"-date": "date", "-value": "magnitude", "-recorded": "seq"}


SQL_CONDITIONS = {
    "within": "c.category IN (SELECT slug FROM category WHERE until_seq IS NULL AND :within IN (slug, parent))",
    "date_from": "c.date >= :date_from",
    "date_to": "c.date <= :date_to",
    "period_from": "(c.period_end >= :period_from OR c.period_end IS NULL)",
    "period_to": "(c.period_start <= :period_to OR c.period_start IS NULL)",
    "value_min": "(c.high >= CAST(:value_min AS REAL) OR c.high IS NULL) AND c.magnitude IS NOT NULL",
    "value_max": "(c.low <= CAST(:value_max AS REAL) OR c.low IS NULL) AND c.magnitude IS NOT NULL",
    "source_kind": "c.source IN (SELECT slug FROM source WHERE kind = :source_kind AND until_seq IS NULL)",
    "confidence": (
        "coalesce((SELECT a.level FROM assessment a WHERE a.claim = c.id AND a.until_seq IS NULL AND NOT a.withdrawn"
        " ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1), 'unassessed') = :confidence"
    ),
}


def sql_condition(name: str) -> str:
    """The condition of a filter on the claim `c` in SQL, with `:name` as its value."""
    return SQL_CONDITIONS.get(name, f"c.{name} = :{name}")


def encode_request(path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> bytes:
    """A GET, or with a body a POST, as bytes."""
    lines = {"Host": "127.0.0.1", "Accept": "*/*", **(headers or {})}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")


MAX_WINDOWS = 36_000
"""A side-by-side takes so many windows that change nothing of what is read."""


def side_by_side_paths(slug: str, first: int, count: int) -> list[str]:
    """A side-by-side `count` times, each time with another window."""
    return [
        f"/v1/topics/{slug}/side-by-side?known_on={_day_text(REGISTER_DAYS)}&window={400 + first + n}"
        for n in range(count)
    ]


def timeline_paths(slug: str, first: int, count: int) -> list[str]:
    """The first 200 rows of a timeline, as known on different days that are still to come: the rows stay the same."""
    days = range(2 * REGISTER_DAYS + first, 2 * REGISTER_DAYS + first + count)
    return [f"/v1/topics/{slug}/timeline?limit=200&known_on={_day_text(day)}" for day in days]


def search_paths(seed: int, count: int) -> list[str]:
    """Words, each time with another beginning: a rare one, seldom ones, and frequent ones together with others."""
    chance = random.Random(f"search{seed}")  # noqa: S311 - it has to be the same every time
    shape = PageShape("search", [])
    path = f"/v1/claims?limit={PAGE_LIMIT}&q="
    return [
        f"{path}{quote(SEARCH_WORDS[n % len(SEARCH_WORDS)])}&cursor={encode_cursor(shape, PagePosition(LATE_DATE, _random_id(chance), 0))}"
        for n in range(count)
    ]


def unique_claim(number: int, mark: str) -> dict[str, Any]:
    """A claim with a figure that no other claim of the run has, as its quote says it."""
    return with_unique_figure(new_claims(1, mark)[0], number)


def with_unique_figure(claim: dict[str, Any], number: int) -> dict[str, Any]:
    """A new claim with another figure, which its quote says, too."""
    figure = 10**8 + number
    citation = claim["citations"][0] | {"quote": f"Officials confirmed {figure} fresh reports near the crossing."}
    return claim | {"figure": {"as_printed": f"{figure}", "value": figure}, "citations": [citation]}


SMALL_TOPIC = slug_of("topic", TOPIC_COUNT - 1)
LARGE_TOPIC = slug_of("topic", 0)


def new_claims(count: int, mark: str) -> list[dict[str, Any]]:
    """Claims that nobody has made yet."""
    return [
        {
            **_question_filters(n % 200),
            "modality": "estimate",
            "source": slug_of("source", 1 + n % (SOURCE_COUNT - 1)),
            "figure": {"as_printed": f"{10**8 + n}", "value": 10**8 + n},
            "period": {
                "edtf": f"{_day_text(n % REGISTER_DAYS)}/{_day_text(n % REGISTER_DAYS + 1)}",
                "aggregation": "within",
            },
            "date": _day_text(n % REGISTER_DAYS + 2),
            "note": f"Recorded while measuring, {mark} {n}.",
            "citations": [
                {
                    "document": {"url": f"https://example.org/live/{n % 50}", "title": f"Live {n % 50}"},
                    "fidelity": "verbatim",
                    "quote": f"Officials confirmed {n} fresh reports near the crossing.",
                }
            ],
        }
        for n in range(count)
    ]
