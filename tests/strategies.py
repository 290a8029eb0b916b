"""Hypothesis strategies that several tests use."""

from hypothesis import strategies as st

CHARACTERS = st.characters(exclude_categories=["Cs"])
"""Every character but surrogates: those of `st.text()`, which computes them for seconds in a new checkout."""
