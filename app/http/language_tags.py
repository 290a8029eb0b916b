"""Language tags (BCP 47): the grammar of RFC 5646, section 2.1, and the subtags that IANA has registered."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

SUBTAGS_FILE: Final = Path(__file__).parent / "language_subtags.txt"

_TAG_PATTERN: Final = re.compile(
    r"(?P<language>[a-z]{2,3}(?:-(?P<extlang>[a-z]{3}))?|[a-z]{4,8})"
    r"(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_PRIVATE_USE_PATTERN: Final = re.compile(r"x(?:-[a-z0-9]{1,8})+")
_SINGLETON_PATTERN: Final = re.compile(r"-([0-9a-wy-z])(?=-)")


@lru_cache(maxsize=1024)
def is_language_tag(text: str) -> bool:
    """Return whether `text` is a valid language tag (RFC 5646, section 2.2.9), in any case.

    The content of extensions is checked only by the grammar, since it is defined elsewhere.
    """
    tag = text.lower()
    if not tag.isascii():
        return False
    subtags = _registered_subtags()
    if tag in subtags["grandfathered"] or _PRIVATE_USE_PATTERN.fullmatch(tag):
        return True
    match = _TAG_PATTERN.fullmatch(tag)
    if match is None:
        return False
    variants = match["variants"].split("-")[1:]
    singletons = _SINGLETON_PATTERN.findall(match["extensions"])
    return (
        match["language"].partition("-")[0] in subtags["language"]
        and all(match[kind] is None or match[kind] in subtags[kind] for kind in ("extlang", "script", "region"))
        and subtags["variant"].issuperset(variants)
        and len(set(variants)) == len(variants)
        and len(set(singletons)) == len(singletons)
    )


@lru_cache(maxsize=1)
def _registered_subtags() -> dict[str, frozenset[str]]:
    """Return the registered subtags by type, in lower case, with the ranges for private use expanded."""
    subtags: dict[str, set[str]] = {}
    section = ""
    for line in SUBTAGS_FILE.read_text(encoding="ascii").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif not line.startswith("#"):
            for code in line.split():
                subtags.setdefault(section, set()).update(_expand_range(code))
    return {kind: frozenset(codes) for kind, codes in subtags.items()}


def _expand_range(code: str) -> list[str]:
    """Return the codes of a range such as `qaa..qtz`, which differ in their last two letters."""
    first, _, last = code.partition("..")
    if not last:
        return [first]
    letters = "abcdefghijklmnopqrstuvwxyz"
    codes = [first[:-2] + a + b for a in letters for b in letters]
    return codes[codes.index(first) : codes.index(last) + 1]
