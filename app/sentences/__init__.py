"""Printable English sentences about claims, as pure functions."""
