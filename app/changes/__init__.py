"""The change log: pages and a stream of server-sent events."""
