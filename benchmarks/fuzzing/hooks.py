"""The failures of Schemathesis that are no faults of the service, each with its reason. The others fail the run."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis

STREAM = "/v1/changes/stream"
ACCEPTED: Counter[str] = Counter()
"""How often each reason was accepted."""


def _find_reason(title: str, case: Any, response: Any) -> str | None:
    """Return why a failure is accepted, if it is."""
    query = parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True)
    headers = {name.lower(): str(value) for name, value in response.request.headers.items()}
    if response.status_code == 501:
        return "an unknown method is 501 (RFC 9110, 15.6.2), and QUERY is unknown"
    if response.status_code == 503 and "is not available yet" in response.text:
        return "X-Register-Seq beyond the change log is 503 with Retry-After: a replica may be behind"
    if title == "Schema-violating request accepted" and any(not value for _name, value in query):
        return "an empty query parameter is one that was not given: forms send them"
    if title == "Schema-violating request accepted" and any(not value for value in headers.values()):
        return "an empty header is one that was not given"
    if title == "Schema-violating request accepted" and response.status_code in (410, 412):
        return "the state of the record is told before a header or a parameter is read"
    if title == "SSE event violates schema" and case.path == STREAM:
        return "OpenAPI 3.1 describes the stream as one text, and cannot describe its events"
    if title == "API accepts invalid authentication" and case.method == "GET":
        return "reads need no key"
    return None


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Return whether a failure is a fault of the service, and count the others."""
    del context
    reason = _find_reason(failure.title, case, response)
    if reason is not None:
        ACCEPTED[reason] += 1
        Path(os.environ["FUZZ_ACCEPTED"]).write_text(json.dumps(ACCEPTED), encoding="utf-8")
    return reason is None
