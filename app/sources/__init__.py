"""Sources that make or relay claims, and the documents in which claims can be read."""
