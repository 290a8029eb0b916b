"""Quality values of `Accept` and `Accept-Encoding` (RFC 9110, section 12.4.2)."""

import math

MAX_ELEMENTS = 200
"""Maximum number of elements that are read. A client names the types that it wants first."""


def parse_quality_values(header: str) -> dict[str, float]:
    """Return the quality value of each element of the header, by its name in lower case; 0 if it is not a number."""
    qualities: dict[str, float] = {}
    for element in header.lower().split(",", MAX_ELEMENTS)[:MAX_ELEMENTS]:
        name, *parameters = (part.strip() for part in element.split(";", MAX_ELEMENTS))
        if not name:
            continue
        weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            quality = float(weight)
        except ValueError:
            quality = 0.0
        qualities.setdefault(name, quality if math.isfinite(quality) else 0.0)
    return qualities
