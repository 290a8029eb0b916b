"""Counts of claims by dimension, under the filters of `/v1/claims`."""
