"""The reader of printed wordings: how each language qualifies a number, and what a wording states."""
