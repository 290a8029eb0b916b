"""The HTTP layer that every feature shares: middleware, parameters, formats, errors, authentication, writes."""
