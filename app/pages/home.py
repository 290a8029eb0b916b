"""The first page: the questions with their disagreement at a glance, and the search."""

from typing import Any

from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Verdict
from app.pages.views import Context, with_query
from app.sentences.figures import describe_number
from app.topics.parameters import TopicsQuery
from app.topics.queries import find_topics

TOPICS_PER_PAGE = 100


def build_home_page(read: ReadSession, snapshot: Snapshot, search: str | None, cursor: str | None) -> Context:
    """Return what the first page shows: all questions, or those that a search finds."""
    page = find_topics(read.session, TopicsQuery(limit=TOPICS_PER_PAGE, cursor=cursor), snapshot)
    topics = [topic | {"glance": describe_glance(topic)} for topic in page.rows]
    if search:
        words = search.casefold().split()
        topics = [topic for topic in topics if all(word in topic["title"].casefold() for word in words)]
    following = with_query("/", {"cursor": page.next_cursor}) if page.next_cursor else None
    return {"search": search, "topics": topics, "found": [], "next": following}


def describe_glance(topic: dict[str, Any]) -> str:
    """Return in one line how far the sources of a topic disagree: the range, and the pairs that contradict."""
    spread, verdicts = topic["spread"], topic["verdicts"]
    parts = [_describe_range(spread)]
    if contradictions := verdicts[Verdict.contradict.value]:
        parts.append(f"{_count(contradictions, 'pair')} of figures cannot both be true")
    if undecided := verdicts[Verdict.undetermined.value]:
        parts.append(f"{_count(undecided, 'pair')} cannot be decided")
    parts.append(f"{_count(topic['claims'], 'claim')} of {_count(topic['sources'], 'source')}")
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."


def _describe_range(spread: dict[str, Any]) -> str:
    lower, upper = spread["lower"], spread["upper"]
    if lower is None or upper is None:
        return "no number on exactly this question"
    if lower == upper:
        text = describe_number(lower, spread["unit"])
        open_end = "at least " if spread["open_upper"] else "up to " if spread["open_lower"] else ""
        return f"{open_end}{text} ({_count(spread['sources'], 'source')})"
    beyond = " or more" if spread["open_upper"] else ""
    unit = describe_number(upper, spread["unit"])
    return f"from {describe_number(lower)} to {unit}{beyond} ({_count(spread['sources'], 'source')}, newest figures)"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
