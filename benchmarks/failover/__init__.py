"""Three servers of PostgreSQL with Patroni, of which one fails after the other, under load."""
