"""Hypothesis strategies and settings that several tests use."""

import os

from hypothesis import settings
from hypothesis import strategies as st

EXAMPLES_FACTOR = int(os.environ.get("TEST_EXAMPLES", "1"))
"""How many times as many examples are tried: `make races` tries ten times as many."""

CHARACTERS = st.characters(exclude_categories=["Cs"])
"""Every character but surrogates: those of `st.text()`, which computes them for seconds in a new checkout."""


def try_examples(count: int) -> settings:
    """Return settings for a test of `count` examples that each take long, or of a multiple with `TEST_EXAMPLES`."""
    return settings(max_examples=count * EXAMPLES_FACTOR, deadline=None)
