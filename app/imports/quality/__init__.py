"""Data-quality warnings about imported rows."""
