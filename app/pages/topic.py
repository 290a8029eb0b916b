"""The page of a topic: its brief, its chart, its claims, and its files."""

from datetime import date

from pydantic import Field

from app.cache.scope import CacheScope
from app.claims.search.filters import ClaimQuery, ConfidenceFilter
from app.database.read_session import ReadSession
from app.http.addresses import whole_address
from app.http.schema_types import Slug
from app.pages.embed import CARD_HEIGHT, build_element, build_frame, card_image_address, oembed_addresses
from app.pages.views import (
    CLAIMS_PER_PAGE,
    Context,
    PageCursor,
    PageStateQuery,
    list_files,
    load_claims,
    page_links,
    state_parameters,
    with_query,
)
from app.topics.brief import BriefLimits, build_brief
from app.topics.parameters import TOLERANCE_FIELD, ComparisonQuery, ToleranceParameter, build_options
from app.topics.queries import read_topic_fields
from app.topics.records import topic_scope
from app.topics.side_by_side import build_question

POSITIONS_PER_GROUP = 100
"""A page shows so many positions of a group; the side-by-side has all."""
PAIRS_ON_PAGE = 20

TOLERANCES = (("none", "nothing"), ("0.01", "1%"), ("0.05", "5%"), ("0.1", "10%"), ("0.25", "25%"))


class TopicPageQuery(PageStateQuery):
    """The query parameters of the page of a topic. Unknown ones are ignored."""

    tolerance: ToleranceParameter = TOLERANCE_FIELD
    claims_q: str | None = Field(
        default=None, max_length=200, description="Words that the listed claims contain.", examples=["casualties"]
    )
    source: Slug | None = Field(default=None, description="Only the claims of this source.", examples=["csis"])
    confidence: ConfidenceFilter | None = Field(
        default=None, description="Only claims with this confidence level, or `unassessed`.", examples=["low"]
    )
    cursor: PageCursor = None


def build_topic_page(read: ReadSession, slug: str, query: TopicPageQuery) -> tuple[Context, CacheScope]:
    """Return what the page of a topic shows, and what it depends on."""
    snapshot = query.open_snapshot(read)
    topic = read_topic_fields(read.session, slug, snapshot)
    comparison = ComparisonQuery(tolerance=query.tolerance)
    options = build_options(comparison, topic["tolerance"], topic["narrower"])
    limits = BriefLimits(positions=POSITIONS_PER_GROUP, pairs=PAIRS_ON_PAGE)
    brief = build_brief(read, build_question(topic), options, snapshot, topic["interests"], limits)
    positions = {
        position["claim"]: position for group in brief["groups"] for position in (*group["current"], *group["earlier"])
    }
    for entry in brief["on_same_end"]:
        entry["estimate"] = positions[entry["claim"]]
    claims, next_cursor, _ = load_claims(
        read,
        ClaimQuery(
            topic=[slug],
            source=[query.source] if query.source else [],
            confidence=[query.confidence] if query.confidence else [],
            q=query.claims_q,
            known_on=query.known_on,
            recorded_as_of=query.recorded_as_of,
            cursor=query.cursor,
            limit=CLAIMS_PER_PAGE,
        ),
        snapshot,
        topic["interests"],
    )
    path = f"/topics/{slug}"
    tolerance = "none" if brief["tolerance"] is None else f"{brief['tolerance']:g}"
    state = state_parameters(snapshot)
    filters = {
        "tolerance": None if query.tolerance is None else tolerance,
        "claims_q": query.claims_q,
        "source": query.source,
        "confidence": query.confidence,
    }
    context: Context = {
        "title": topic["title"],
        "description": " ".join(brief["lead"]),
        "brief": brief,
        "topic": topic,
        "state": state,
        "path": path,
        "known_on_day": _day_of(brief["known_on"]),
        "tolerance": tolerance,
        "tolerances": _list_tolerances(tolerance),
        "filters": filters,
        "sources": sorted(
            {(each["source"].slug, each["source"].short_name or each["source"].name) for each in positions.values()},
            key=lambda pair: pair[1].casefold(),
        ),
        "claims": claims,
        **page_links(path, state | filters, query.cursor, next_cursor),
        "charts": _list_charts(path, state | ({"tolerance": tolerance} if query.tolerance is not None else {})),
        "timelines": _list_charts(path, {"view": "timeline", **state}) if positions else [],
        "card_image": card_image_address(slug, state),
        "alternates": [
            *oembed_addresses(path, state),
            ("application/json", with_query(f"/v1{path}/brief", state)),
            ("text/csv", with_query(f"/v1{path}/claims.csv", state)),
            ("application/atom+xml", whole_address(f"/v1{path}/feed.atom")),
            ("application/feed+json", whole_address(f"/v1{path}/feed.json")),
        ],
        "take": [
            *list_files(
                (
                    ("This page", path, ""),
                    ("Claims as CSV", f"/v1{path}/claims.csv", "paste it into a spreadsheet or a chart tool"),
                    ("Brief as Markdown", f"/v1{path}/brief.md", ""),
                    ("Side by side as JSON", f"/v1{path}/side-by-side", "positions, pairs and reasons"),
                    ("Chart as SVG", f"/v1{path}/chart.svg", ""),
                    ("Chart as PNG", f"/v1{path}/chart.png", ""),
                ),
                state,
            ),
            *list_files([("Feed", f"/v1{path}/feed.atom", "what changed")]),
            ("Embed as a frame", build_frame(path, topic["title"], "100%", CARD_HEIGHT, state), "any site"),
            ("Embed as an element", build_element("topic", "slug", slug, state), "sizes itself"),
            ("Google Sheets", f'=IMPORTDATA("{with_query(f"/v1{path}/claims.csv", state)}")', "not run"),
        ],
    }
    return context, topic_scope(snapshot.latest_seq, topic, options.narrower)


CHART_WIDTHS = ((320, "(max-width: 30rem)"), (680, "(max-width: 60rem)"), (1080, ""))
"""The widths of a chart in pixels, each with the screens that it is for. The widest is for all others."""


def _list_charts(path: str, parameters: dict[str, str]) -> list[tuple[str, str]]:
    """Return the address of a chart in each width, with its media query."""
    return [
        (with_query(f"/v1{path}/chart.svg", {**parameters, "width": width}), media) for width, media in CHART_WIDTHS
    ]


def _day_of(known_on: str | None) -> str:
    """Return the day of `known_on` for a field of a form; empty without one."""
    return "" if known_on is None else date.fromisoformat(known_on[:10]).isoformat()


def _list_tolerances(tolerance: str) -> list[tuple[str, str]]:
    listed = list(TOLERANCES)
    if tolerance not in dict(listed):
        listed.append((tolerance, f"{float(tolerance) * 100:g}%"))
    return listed
