"""The OpenAPI document of the routes: `python -m tests.contract.openapi_document > docs/openapi.json`."""

import json
import sys

from app.http.openapi import build_document
from app.main import DESCRIBED_ROUTES


def render_document() -> str:
    """Return the document with one value per line, for readable diffs."""
    document = build_document(DESCRIBED_ROUTES)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_document())
