"""What `benchmarks.pair` measures: the requests of each measure, and how many of them."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks.pair_register import (
    BUSY_SOURCES,
    CATEGORIES,
    DAYS,
    QUESTIONS,
    SMALL_SOURCES,
    SMALL_TOPIC,
    SOURCES,
    TOPICS,
    WIDE_TOPIC,
    WORDS,
    day,
)
from benchmarks.pair_versions import Request


@dataclass(frozen=True)
class RegisterState:
    """The ids of claims, and the last `seq` of the register, from which requests are made."""

    ids: Sequence[str]
    seq: int


RequestFactory = Callable[[RegisterState, random.Random], Request]


@dataclass(frozen=True)
class Measure:
    """A kind of request: `count` of them are sent to each version in a round, `chunk` at a time in turn.

    A measure that is `cached` is taken from a server as it is shipped, all others from one that keeps no responses.
    One that is `repeated` sends one address again and again, all others send each address once.
    """

    title: str
    count: int
    chunk: int
    make: RequestFactory
    cached: bool = False
    repeated: bool = False
    connections: int = 1

    def requests(self, state: RegisterState, seed: str, warming: int) -> tuple[list[Request], list[list[Request]]]:
        """Return the requests of a round: some before it is measured, and the chunks. No two are the same."""
        chance = random.Random(seed)  # noqa: S311 - it has to be the same every time
        if self.repeated:
            requests = [self.make(state, chance)] * (self.count + warming)
        else:
            found: dict[Request, None] = {}
            for _ in range(100 * (warming + self.count)):
                if len(found) == warming + self.count:
                    break
                found[self.make(state, chance)] = None
            else:
                raise ValueError(f"There are not enough different requests for {self.title}.")
            requests = list(found)
        measured = requests[warming:]
        return requests[:warming], [measured[at : at + self.chunk] for at in range(0, self.count, self.chunk)]


def _page(**filters: str) -> Request:
    return Request(f"/v1/claims?{urlencode({**filters, 'limit': '50'})}")


def _late_day(chance: random.Random) -> str:
    return day(chance.randrange(DAYS // 2, DAYS))


def _early_day(chance: random.Random) -> str:
    return day(chance.randrange(DAYS // 2))


def _question_page(state: RegisterState, chance: random.Random) -> Request:
    del state
    return _page(**vars(chance.choice(QUESTIONS)), date_to=_late_day(chance))


def _category_page(state: RegisterState, chance: random.Random) -> Request:
    del state
    return _page(category=chance.choice(CATEGORIES), sort="-value", date_from=_early_day(chance))


def _source_page(state: RegisterState, chance: random.Random) -> Request:
    del state
    return _page(source=chance.choice(BUSY_SOURCES), date_to=_late_day(chance))


def _topic_page(state: RegisterState, chance: random.Random) -> Request:
    del state
    return _page(topic=f"topic-{chance.randrange(TOPICS)}", date_to=_late_day(chance))


def _hot_page(state: RegisterState, chance: random.Random) -> Request:
    del state, chance
    return _page(category=CATEGORIES[2])


def _value_page(state: RegisterState, chance: random.Random) -> Request:
    del state
    least = chance.randrange(1_000, 60_000)
    return _page(value_min=str(least), value_max=str(2 * least))


def _period_page(state: RegisterState, chance: random.Random) -> Request:
    del state
    first = chance.randrange(DAYS // 2)
    return _page(period_from=day(first), period_to=day(first + 30), source_kind="media")


def _recorded_page(state: RegisterState, chance: random.Random) -> Request:
    return _page(
        category=chance.choice(CATEGORIES), recorded_as_of=f"seq:{chance.randrange(state.seq // 2, state.seq)}"
    )


def _walk(state: RegisterState, chance: random.Random) -> Request:
    del state
    return Request(f"/v1/claims?limit=50&sort=-value&date_from={_early_day(chance)}", pages=10)


def _claim(state: RegisterState, chance: random.Random) -> Request:
    return Request(f"/v1/claims/{chance.choice(state.ids)}")


def _citation(state: RegisterState, chance: random.Random) -> Request:
    return Request(f"/v1/claims/{chance.choice(state.ids)}/citation")


def _topics(state: RegisterState, chance: random.Random) -> Request:
    del state
    return Request(f"/v1/topics?limit={chance.randrange(TOPICS, 1_000)}")


def _feed(state: RegisterState, chance: random.Random) -> Request:
    del state
    # Every register ignores `_`, which makes one address of many.
    return Request(f"/v1/topics/topic-{chance.randrange(TOPICS)}/feed.atom?_={chance.randrange(10**9)}")


def _timeline(state: RegisterState, chance: random.Random) -> Request:
    del state
    later = day(2 * DAYS + chance.randrange(20_000))
    return Request(f"/v1/topics/{SMALL_TOPIC}/timeline?limit=200&known_on={later}")


def _side_by_side(slug: str) -> RequestFactory:
    """Return what makes side-by-sides whose windows are so long that all of them have the same positions."""
    return lambda _state, chance: Request(
        f"/v1/topics/{slug}/side-by-side?known_on={day(DAYS)}&window={chance.randrange(4_000, 36_000)}"
    )


def _new_claim(state: RegisterState, chance: random.Random) -> Request:
    del state
    number, on = chance.randrange(10**8, 10**12), chance.randrange(DAYS)
    claim = {
        **vars(chance.choice(QUESTIONS[2:])),
        "modality": "estimate",
        "source": chance.choice(SOURCES),
        "figure": {"as_printed": f"{number:,}", "value": number},
        "period": {"edtf": day(on), "aggregation": "within"},
        "date": day(on + 2),
        "citations": [
            {
                "document": {"url": f"https://example.org/live/{number % 50}", "title": f"Live {number % 50}"},
                "fidelity": "verbatim",
                "quote": f"Officials confirmed {number:,} fresh reports.",
            }
        ],
    }
    return Request("/v1/claims", "POST", json.dumps(claim))


MEASURES: Mapping[str, Measure] = {
    "page-newest": Measure("page: newest claims", 40, 4, lambda _, chance: _page(date_to=_late_day(chance))),
    "page-category": Measure("page: category, largest first", 24, 2, _category_page),
    "page-question": Measure("page: category, subject, place", 30, 3, _question_page),
    "page-source": Measure("page: source", 30, 3, _source_page),
    "page-topic": Measure("page: topic", 24, 3, _topic_page),
    "page-words": Measure("page: words", 10, 1, lambda _, chance: _page(q=" ".join(chance.sample(WORDS, 2)))),
    "page-value": Measure("page: range of values", 14, 1, _value_page),
    "page-period": Measure("page: period and kind of source", 10, 1, _period_page),
    "page-recorded": Measure("page: category, as recorded then", 14, 1, _recorded_page),
    "page-walk": Measure("page: 10 pages of a list", 6, 1, _walk),
    "claim": Measure("one claim", 120, 5, _claim),
    "citation": Measure("citation of a claim", 16, 1, _citation),
    "topics": Measure("list of topics", 16, 2, _topics),
    "feed": Measure("feed of a topic", 2, 1, _feed),
    "timeline": Measure("timeline, 200 rows", 16, 1, _timeline),
    "sides": Measure(f"side-by-side, {SMALL_SOURCES} sources", 8, 1, _side_by_side(SMALL_TOPIC)),
    "sides-wide": Measure(f"side-by-side, {len(SOURCES)} sources", 6, 1, _side_by_side(WIDE_TOPIC)),
    "page-hot": Measure("hot page", 800, 80, _hot_page, cached=True, repeated=True, connections=8),
    "post": Measure("POST of a claim", 24, 2, _new_claim, cached=True),
}
"""In the order in which they are measured: what writes comes last."""

START_CPU, START_ELAPSED, IDLE_MEMORY = "start-cpu", "start-elapsed", "memory"
OF_A_START = {
    START_CPU: "start, CPU",
    START_ELAPSED: "start, elapsed",
    IDLE_MEMORY: "idle memory",
}
"""What every start of a server tells, without a request of its own."""


def names() -> Iterator[str]:
    """Yield the name of everything that can be measured, in the order of the table."""
    return itertools.chain(OF_A_START, MEASURES)
