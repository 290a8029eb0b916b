"""The OpenAPI document as it is served: `python -m tests.contract.openapi_document > docs/openapi.json`."""

import json
import sys

from app.http.openapi import build_openapi
from app.main import create_app
from app.settings import Settings


def render_document() -> str:
    """Return the document with one value per line, for readable diffs."""
    document = build_openapi(create_app(Settings(DATABASE_URL="sqlite:///unused.db")))  # type: ignore[call-arg] # named by its alias
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_document())
