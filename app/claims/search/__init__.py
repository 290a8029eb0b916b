"""Search of claims: filters, query plans and full text."""
