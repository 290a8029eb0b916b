"""Cards for other sites: a topic or a claim in a frame, and the oEmbed description of a page (oembed.com, 1.0)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

from pydantic import Field, ValidationError

from app.cache.scope import CacheScope
from app.claims.change_scope import claim_scope
from app.database.read_session import ReadSession
from app.errors import NotFound, invalid_field
from app.http.addresses import base_path, whole_address
from app.pages.views import NOTHING, Context, PageStateQuery, state_parameters, with_query
from app.references.queries import read_citable_claim
from app.topics.brief import BriefLimits, build_brief
from app.topics.brief_text import find_common_unit
from app.topics.parameters import TOLERANCE_FIELD, ComparisonQuery, ToleranceParameter, build_options
from app.topics.queries import read_topic_fields
from app.topics.records import topic_scope
from app.topics.side_by_side import build_question

CARD_ROWS = 8
"""A card shows so many positions of the first group; the others are counted."""
CARD_WIDTH, CARD_HEIGHT = 600, 420
"""The size in pixels of a card whose frame does not size itself."""
CARD_IMAGE_SIZE = (1200, 630)
OEMBED_CACHE_SECONDS = 3600

_PAGE_PATH = re.compile(r"/(topics|claims)/([a-z0-9-]{1,80})/?")


class CardQuery(PageStateQuery):
    """The query parameters of a card. Unknown ones are ignored."""

    tolerance: ToleranceParameter = TOLERANCE_FIELD
    theme: Literal["auto", "light", "dark"] = Field(
        default="auto", description="The colours; `auto` for those that the reader has set.", examples=["light"]
    )


def build_topic_card(read: ReadSession, slug: str, query: CardQuery) -> tuple[Context, CacheScope]:
    """Return what the card of a topic shows, and what it depends on."""
    snapshot = query.open_snapshot(read)
    topic = read_topic_fields(read.session, slug, snapshot)
    options = build_options(ComparisonQuery(tolerance=query.tolerance), topic["tolerance"], topic["narrower"])
    limits = BriefLimits(positions=CARD_ROWS, pairs=1)
    brief = build_brief(read, build_question(topic), options, snapshot, topic["interests"], limits)
    group = brief["groups"][0] if brief["groups"] and brief["groups"][0]["is_on_question"] else None
    rows = [
        position | {"is_current": name == "current"}
        for name in ("current", "earlier")
        for position in (group[name] if group else ())
    ]
    context: Context = {
        "title": topic["title"],
        "path": f"/topics/{slug}",
        "theme": query.theme,
        "known_on": brief["known_on"],
        "state": state_parameters(snapshot),
        "rows": rows,
        "rows_title": group["title"] if group else "",
        "unit": find_common_unit(group) if group else "",
        "older": len(group["earlier"]) if group else 0,
        "window": brief["window"],
        "more": group["left_out"] if group else 0,
        "notes": brief["lead"][2 if group["earlier"] else 1 :] if group else brief["lead"],
    }
    return context, topic_scope(snapshot.latest_seq, topic, options.narrower)


def build_claim_card(read: ReadSession, id_: str, query: CardQuery) -> tuple[Context, CacheScope]:
    """Return what the card of a claim shows, and what it depends on."""
    snapshot = query.open_snapshot(read)
    citable = read_citable_claim(read.session, id_, snapshot)
    context: Context = {
        "title": citable.text.short_form,
        "path": f"/claims/{id_}",
        "theme": query.theme,
        "known_on": citable.known_on,
        "state": state_parameters(snapshot),
        "figure": citable.text.figure,
        "sentence": citable.text.sentence,
        "document": citable.text.citation["document"] if citable.text.citation else None,
    }
    return context, claim_scope(snapshot.latest_seq, id_)


@dataclass(frozen=True, slots=True)
class EmbeddedPage:
    """A page that can be embedded: the kind and the name of its record, its title, and the state that it shows."""

    kind: str
    name: str
    title: str
    state: Mapping[str, str] = field(default_factory=dict)
    """The parameters of its state of the register."""


def find_embedded_page(read: ReadSession, url: str) -> EmbeddedPage:
    """Return the page of a topic or a claim at an address of this service. Raises `NotFound` for any other address."""
    address = urlsplit(url)
    own = urlsplit(whole_address("/"))
    is_own = not own.netloc or (address.scheme, address.netloc) == (own.scheme, own.netloc)
    path = address.path.removeprefix(base_path())
    match = _PAGE_PATH.fullmatch(path)
    if not is_own or match is None:
        raise NotFound(
            "There is no page at this address that can be embedded.",
            hint=f"the pages are {whole_address('/topics/…')} and {whole_address('/claims/…')}",
        )
    kind, name = match.groups()
    snapshot = _read_state(address.query).open_snapshot(read)
    state = state_parameters(snapshot)
    if kind == "topics":
        return EmbeddedPage(kind, name, str(read_topic_fields(read.session, name, snapshot)["title"]), state)
    return EmbeddedPage(kind, name, read_citable_claim(read.session, name, snapshot).text.short_form, state)


def _read_state(query: str) -> PageStateQuery:
    """Return the state of the register that the address of a page names. Raises `InvalidRequest`."""
    try:
        return PageStateQuery.model_validate({name: value for name, value in parse_qsl(query) if value})
    except ValidationError as error:
        raise invalid_field(
            "url", "The state of the register in the address cannot be read.", location="query"
        ) from error


def describe_embed(page: EmbeddedPage, max_width: int | None, max_height: int | None) -> dict[str, Any]:
    """Return the oEmbed response of a page: type `rich`, with a frame and a link as fallback."""
    width = min(CARD_WIDTH, max_width or CARD_WIDTH)
    height = min(CARD_HEIGHT, max_height or CARD_HEIGHT)
    path = f"/{page.kind}/{page.name}"
    link = f'<a href="{escape(with_query(path, page.state))}">{escape(page.title)}</a>'
    frame = build_frame(path, page.title, width, height, page.state)
    response: dict[str, Any] = {
        "version": "1.0",
        "type": "rich",
        "title": page.title,
        "provider_name": "Counterclaim",
        "provider_url": whole_address("/"),
        "cache_age": OEMBED_CACHE_SECONDS,
        "width": width,
        "height": height,
        "html": f'<blockquote class="wp-embedded-content">{link}</blockquote>{frame}',
    }
    if page.kind == "topics":
        response["thumbnail_url"] = card_image_address(page.name, page.state)
        response["thumbnail_width"], response["thumbnail_height"] = CARD_IMAGE_SIZE
    return response


def build_frame(path: str, title: str, width: int | str, height: int, state: Mapping[str, str] = NOTHING) -> str:
    """Return the HTML of a frame with the card of a page in a state of the register."""
    source = escape(with_query(f"/embed{path}", state))
    return (
        f'<iframe class="wp-embedded-content" src="{source}" title="{escape(title)}" width="{width}" '
        f'height="{height}" frameborder="0" loading="lazy" sandbox="allow-scripts allow-popups"></iframe>'
    )


def build_element(kind: str, attribute: str, name: str, state: Mapping[str, str] = NOTHING) -> str:
    """Return the HTML of an element with the card of a page, and of the script that defines it."""
    script = escape(whole_address("/embed.js"))
    tag = f"counterclaim-{kind}"
    values = {attribute: name} | {parameter.replace("_", "-"): value for parameter, value in state.items()}
    attributes = " ".join(f'{each}="{escape(value)}"' for each, value in values.items())
    return f'<script type="module" src="{script}"></script><{tag} {attributes}></{tag}>'


def oembed_addresses(path: str, state: Mapping[str, str] = NOTHING) -> list[tuple[str, str]]:
    """Return the media types and addresses of the oEmbed response of a page, which its head links."""
    url = with_query(path, state)
    return [
        (f"{media_type}+oembed", with_query("/oembed", {"url": url, "format": name}))
        for media_type, name in (("application/json", "json"), ("text/xml", "xml"))
    ]


def card_image_address(slug: str, state: Mapping[str, str] = NOTHING) -> str:
    """Return the address of the picture that other sites show for the page of a topic."""
    return with_query(f"/v1/topics/{slug}/chart.png", {"view": "card", **state})


def render_oembed_xml(response: dict[str, Any]) -> bytes:
    """Return an oEmbed response as XML."""
    root = ET.Element("oembed")
    for name, value in response.items():
        ET.SubElement(root, name).text = str(value)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
