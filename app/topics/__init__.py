"""Topics: questions that people ask, and the side-by-sides of their claims."""
