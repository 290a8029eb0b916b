"""The first page: the questions with their disagreement at a glance, and the search."""

from typing import Any

from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Verdict
from app.http.addresses import whole_address
from app.pages.views import Context, describe_state, with_query
from app.sentences.phrases import capitalize_first
from app.topics.parameters import TopicsQuery
from app.topics.queries import find_topics
from app.vocabulary.name_index import split_search_words
from app.vocabulary.suggestions import find_page_path, find_suggestions

TOPICS_PER_PAGE = 100
MAX_NAMES = 20
"""Maximum number of names that a search shows in addition to the questions."""

NAMED_KINDS = ("source", "category", "subject", "place")


def build_home_page(read: ReadSession, snapshot: Snapshot, search: str | None, cursor: str | None) -> Context:
    """Return what the first page shows: all questions, or those that a search finds."""
    search = (search or "").strip() or None
    if search and not split_search_words(search):
        nothing: Context = {"topics": [], "found": [], "next": None, "current": whole_address("/")}
        return {"path": "/", "search": search, **describe_state(snapshot), **nothing}
    page = find_topics(read.session, TopicsQuery(limit=TOPICS_PER_PAGE, cursor=cursor, q=search), snapshot)
    topics = [topic | {"glance": describe_glance(topic)} for topic in sorted(page.rows, key=disagreement_rank)]
    shown_state = describe_state(snapshot)
    parameters = {"q": search} if search else {}
    following = None
    if page.next_cursor:
        following = with_query("/", shown_state["state"] | parameters | {"cursor": page.next_cursor})
    return {
        "path": "/",
        "description": "Figures on which sources contradict each other, side by side, each with its source.",
        **shown_state,
        "current": with_query("/", parameters),
        "search": search,
        "topics": topics,
        "found": _find_names(read, snapshot, search),
        "next": following,
    }


def _find_names(read: ReadSession, snapshot: Snapshot, search: str | None) -> list[dict[str, Any]]:
    """Return the sources, categories, subjects and places that a search finds, each with the path of its page."""
    if search is None:
        return []
    rows = find_suggestions(read, snapshot, search, MAX_NAMES, NAMED_KINDS)
    return [{"name": row.name, "kind": row.kind, "path": find_page_path(row)} for row in rows]


def describe_glance(topic: dict[str, Any]) -> str:
    """Return in one line how far the sources of a topic disagree, and how many there are."""
    verdicts = topic["verdicts"]
    contradictions, undecided = (verdicts[verdict.value] for verdict in (Verdict.contradict, Verdict.undetermined))
    parts = [
        f"of all its figures, {_count(contradictions, 'pair')} cannot both be true" if contradictions else "",
        f"{_count(undecided, 'pair')} cannot be decided" if undecided else "",
        f"{_count(topic['claims'], 'claim')} by {_count(topic['sources'], 'source')}",
    ]
    return capitalize_first("; ".join(part for part in parts if part)) + "."


def disagreement_rank(topic: dict[str, Any]) -> tuple[int, int, int, str]:
    """Return the sort key of a topic: most contradictions first, then most undecided pairs and sources."""
    verdicts = topic["verdicts"]
    contradictions, undecided = (verdicts[verdict.value] for verdict in (Verdict.contradict, Verdict.undetermined))
    return -contradictions, -undecided, -topic["sources"], topic["slug"]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
