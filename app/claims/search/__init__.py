"""Finding claims: filters, query plans and full text."""
