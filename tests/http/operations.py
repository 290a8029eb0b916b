"""The OpenAPI document of the service, and its operations with example paths."""

import json
from typing import Any

from tests.contract.examples import iterate_operations, path_of
from tests.contract.openapi_document import render_document

DOCUMENT: dict[str, Any] = json.loads(render_document())

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]

OPERATIONS = list(iterate_operations(DOCUMENT))

WRITES = [
    (method.upper(), path_of(path, operation), operation)
    for method, path, operation in OPERATIONS
    if "application/json" in operation.get("requestBody", {}).get("content", {})
    and operation["operationId"] != "post_import"
]

READS = [
    (path_of(path, operation), operation)
    for method, path, operation in OPERATIONS
    if method == "get" and operation["security"] == []
]
"""The reads that need no key."""
