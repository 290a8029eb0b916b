"""Compares the responses of the peers before they are measured."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.servers import Server, ServerGaveUp, path_of_address
from benchmarks.workload import (
    SEARCH_WORDS,
    SHAPES,
    PagePosition,
    RegisterFacts,
    naive_page_path,
    our_page_path,
)


class PeersDisagree(Exception):
    """Two peers answer one question differently."""


def check_agreement(
    ours: Server, naive: Server, known: RegisterFacts, large: str, small: str, *, sets: int
) -> dict[str, Any]:
    """Compare pages of every shape with so many `sets` of values, claims, timelines, searches and positions."""
    compared = dict.fromkeys(("pages", "claims", "timelines", "searches", "positions", "positions_more", "given_up"), 0)

    @contextmanager
    def counted(what: str) -> Iterator[None]:
        """Count a comparison, or that the naive peer gave up."""
        try:
            yield
        except ServerGaveUp as fault:
            if not str(fault).startswith(naive.name):
                raise
            compared["given_up"] += 1
        else:
            compared[what] += 1

    for shape in SHAPES:
        for filters in shape.filters[:sets]:
            first = ours.json(our_page_path(shape, filters, None))
            with counted("pages"):
                check_equal(
                    shape.name, first["data"], naive.json(naive_page_path(shape, filters, None, count=False))["data"]
                )
            if first["links"]["next"]:
                place = PagePosition(None, "", len(first["data"]))
                with counted("pages"):
                    other = naive.json(naive_page_path(shape, filters, place, count=False))
                    check_equal(
                        f"{shape.name}, second page",
                        ours.json(path_of_address(first["links"]["next"]))["data"],
                        other["data"],
                    )
    for id_ in known.claim_ids[:40]:
        with counted("claims"):
            check_equal("claim", [ours.json(f"/v1/claims/{id_}")], [naive.json(f"/v1/claims/{id_}")])
    for slug in (large, small):
        path = f"/v1/topics/{slug}/timeline?limit=200"
        with counted("timelines"):
            check_equal("timeline", ours.json(path)["data"], naive.json(f"{path}&count=false")["data"])
        path = f"/v1/topics/{slug}/side-by-side?known_on=2025-06-01"
        mine = {each["claim"]["id"]: each["claim"] for each in ours.json(path)["positions"]}
        others = [each["claim"] for each in naive.json(path)["positions"]]
        # Two transcriptions of one utterance that lie apart are both positions here; the naive peer shows one of them.
        if strange := [each["id"] for each in others if each["id"] not in mine]:
            raise PeersDisagree(f"side-by-side of {slug}: {len(strange)} positions are not ours, first {strange[0]}")
        check_equal("side-by-side", [mine[each["id"]] for each in others], others)
        compared["positions"] += len(others)
        compared["positions_more"] += len(mine) - len(others)
    for words in SEARCH_WORDS:
        path = f"/v1/claims?limit=50&q={words.replace(' ', '%20')}"
        with counted("searches"):
            check_equal(f"search {words}", ours.json(path)["data"], naive.json(f"{path}&count=false")["data"])
    return compared


def check_equal(what: str, ours: list[Any], others: list[Any]) -> None:
    """Raise `PeersDisagree` if two lists of JSON objects differ."""
    if len(ours) != len(others):
        raise PeersDisagree(f"{what}: {len(ours)} rows of ours, {len(others)} of the peer")
    for number, (one, other) in enumerate(zip(ours, others, strict=True)):
        mine, theirs = normalize(one), normalize(other)
        if mine != theirs:
            shown = {
                name: (mine[name], theirs.get(name)) for name in mine if mine[name] != theirs.get(name)
            } or theirs.keys() - mine.keys()
            raise PeersDisagree(f"{what}, row {number}: {shown}")


def normalize(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can say
    """The value with times in one spelling, and paths instead of the addresses of a server."""
    if isinstance(value, str):
        return path_of_address(value)
    if isinstance(value, dict):
        return {
            name: dt.datetime.fromisoformat(each).isoformat()
            if name in {"recorded_at", "recorded_until"} and each
            else normalize(each)
            for name, each in value.items()
        }
    return [normalize(each) for each in value] if isinstance(value, list) else value
