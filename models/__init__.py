"""What is stored, and the permission rule: tables, permission catalogue and arithmetic, database, migrations."""
