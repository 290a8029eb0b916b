"""Response caching as plain data: stored responses, what they depend on, and their invalidation."""
