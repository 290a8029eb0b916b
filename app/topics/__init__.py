"""The questions that people ask, and the answers side by side."""
