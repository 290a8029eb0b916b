"""Addresses of every route that reads a register, drawn by seed, with the ids that the register has."""

import random
from typing import Any

from tests.contract.examples import iterate_operations

OWN_PATHS = ("/health/", "/metrics", "/v1/keys", "/v1/changes/stream", "/v1/leases")
"""Paths whose responses say something of the process, never end, or belong to the origin."""

FORMATS = ("csv", "ndjson", "json", "jsonld")


def draw_addresses(get: Any, document: dict[str, Any], number: int, seed: int) -> list[str]:
    """Return `number` addresses of all routes in turn; `get` returns the JSON of an address."""
    chooser = random.Random(seed)  # noqa: S311 - not for secrets
    latest = get("/v1/register")["seq"]
    slugs = {
        kind: [row["slug"] for row in get(f"/v1/{kind}?limit=200")["data"]]
        for kind in ("topics", "sources", "categories", "subjects", "places")
    }
    claims = [row["id"] for row in get("/v1/claims?limit=200")["data"]]
    documents = [row["id"] for row in get("/v1/documents?limit=200")["data"]]
    imports = [row["id"] for row in get("/v1/imports")["data"]] or ["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"]
    ids = {"claims": claims, "documents": documents, "imports": imports}
    routes = [
        (path, {each["name"] for each in operation.get("parameters", [])})
        for method, path, operation in iterate_operations(document)
        if method == "get" and not path.startswith(OWN_PATHS)
    ]

    def draw(path: str, names: set[str]) -> str:
        kind = next((part for part in path.split("/") if part in slugs or part in ids), "claims")
        filled = path.replace("{slug}", chooser.choice(slugs.get(kind, slugs["topics"])))
        filled = filled.replace("{id}", chooser.choice(ids.get(kind, claims))).replace("{revision}", "1")
        filled = filled.replace("{code}", "not-found").replace("{name}", "reading")
        parameters = {"a": chooser.choice(claims), "b": chooser.choice(claims)} if path == "/v1/compare" else {}
        if path == "/v1/side-by-side":
            topic = chooser.choice(get("/v1/topics?limit=200")["data"])
            parameters = {name: topic[name] for name in ("category", "subject", "place")}
        if "recorded_as_of" in names and chooser.random() < 0.4:
            parameters["recorded_as_of"] = f"seq:{chooser.randint(1, latest)}"
        if "limit" in names:
            parameters["limit"] = str(chooser.randint(1, 50))
        if "source" in names and chooser.random() < 0.3:
            parameters["source"] = chooser.choice(slugs["sources"])
        if {"format", "shape"} <= names and chooser.random() < 0.4:
            parameters["format"] = chooser.choice(FORMATS)
        if path == "/v1/changes":
            parameters["after"] = str(chooser.randint(0, latest))
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"{filled}?{query}" if query else filled

    return [draw(*routes[index % len(routes)]) for index in range(number)]
