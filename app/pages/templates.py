"""Renders Jinja templates, and names the files that pages load: styles, script and icon.

Jinja is imported with the first page, so that a service that only answers programs does not load it.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from app import __version__
from app.enums import Interest, Level, Modality, Reason, RelationType, Verdict
from app.http.addresses import whole_address
from app.sentences.dates import describe_date, describe_known_on, format_day
from app.sentences.phrases import capitalize_first
from app.terms import terms_address
from app.topics.brief_text import describe_last_day, find_common_unit

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER: Final = Path(__file__).parent
STATIC_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

VERDICT_WORDS: Final = {
    Verdict.agree: "say the same",
    Verdict.no_conflict: "can both be true",
    Verdict.contradict: "cannot both be true",
    Verdict.undetermined: "cannot be decided from what was said",
    Verdict.not_comparable: "do not count the same thing",
}
INTEREST_WORDS: Final = {
    Interest.party: "a party to the dispute",
    Interest.aligned: "aligned with a party",
    Interest.independent: "independent",
    Interest.unknown: "interest not known",
}
INTEREST_MARKS: Final = {Interest.party: "■", Interest.aligned: "▲", Interest.independent: "●", Interest.unknown: "○"}
"""A shape for each interest, beside its words: color alone says nothing."""
MODALITY_WORDS: Final = {
    Modality.count: "count",
    Modality.estimate: "estimate",
    Modality.forecast: "forecast",
    Modality.allegation: "allegation",
}
RELATION_WORDS: Final = {
    RelationType.corroborates: "corroborates",
    RelationType.disputes: "disputes",
    RelationType.repeats: "repeats",
    RelationType.based_on: "is based on",
    RelationType.part_of: "is part of",
    RelationType.supersedes: "replaces",
}
CONFIDENCE_WORDS: Final = {Level.high: "high", Level.moderate: "moderate", Level.low: "low"}


def render(template: str, **context: Any) -> bytes:  # noqa: ANN401 - values of a template
    """Return a page."""
    return _environment().get_template(template).render(**context).encode()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context  # noqa: PLC0415 - see the docstring

    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "day": show_day,
        "edtf": lambda edtf: describe_date(edtf).text,
        "moment": show_moment,
        "sentence": capitalize_first,
        "known_on": describe_known_on,
        "last_day": describe_last_day,
        "common_unit": find_common_unit,
        "figure_in": show_figure,
        "number": lambda number: f"{number:,}",
        "value": show_value,
    }
    environment.globals |= {
        "href": whole_address,
        "link": pass_context(link_record),
        "asset": lambda name: whole_address(asset_path(name)),
        "is_web_address": is_web_address,
        "terms_address": terms_address,
        "version": __version__,
        "verdict_words": VERDICT_WORDS,
        "interest_words": INTEREST_WORDS,
        "interest_marks": INTEREST_MARKS,
        "modality_words": MODALITY_WORDS,
        "relation_words": RELATION_WORDS,
        "confidence_words": CONFIDENCE_WORDS,
        "reason_words": {reason.value: reason.definition for reason in Reason},
    }
    return environment


def link_record(context: Mapping[str, Any], path: str) -> str:
    """Return the address of a page in the state of the register that the linking page shows."""
    state = context.get("state")
    return whole_address(path) + (f"{'&' if '?' in path else '?'}{urlencode(state)}" if state else "")


def show_day(day: date | str | None) -> str:
    """Return a day in words, such as "12 June 2025"; "no date was given" for none."""
    if day is None:
        return "no date was given"
    return format_day(date.fromisoformat(day) if isinstance(day, str) else day)


def show_figure(position: Mapping[str, Any], unit: str) -> str:
    """Return the figure of a position, without its unit where the head of the table names it."""
    return str(position["figure"]["display"]).removesuffix(f" {unit}")


def show_value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value of a record: a text as it is, "nothing" for null, and other values as JSON."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def show_moment(moment: datetime | str) -> str:
    """Return a time in words, such as "12 June 2025, 10:00 UTC"."""
    time = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{format_day(time.date())}, {time:%H:%M} UTC"


def is_web_address(url: str | None) -> bool:
    """Return whether a recorded address can be a link: only those of the web are."""
    return url is not None and urlsplit(url).scheme.lower() in {"http", "https"}


@cache
def load_static(name: str) -> tuple[bytes, str] | None:
    """Return the content and the digest of a file that pages load; None if there is no such file."""
    path = FOLDER / "static" / name
    if path.parent != FOLDER / "static" or not path.is_file():
        return None
    content = path.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]


def asset_path(name: str) -> str:
    """Return the path of a file that pages load. It contains the digest, so that caches can hold it for good."""
    found = load_static(name)
    if found is None:
        raise FileNotFoundError(name)
    stem, _, suffix = name.rpartition(".")
    return f"/static/{stem}.{found[1]}.{suffix}"
