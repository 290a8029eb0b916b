"""Storage: engines, tables, snapshots, transactions and bulk inserts, on SQLite and PostgreSQL."""
