"""The register itself: its id, title, terms and counts."""
