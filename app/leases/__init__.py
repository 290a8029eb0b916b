"""Leases of mirrors and other caches over HTTP, for which takedowns wait."""
