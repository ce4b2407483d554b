"""What the databases hold to: migrations, constraints, transactions and column types, on SQLite and on PostgreSQL."""
