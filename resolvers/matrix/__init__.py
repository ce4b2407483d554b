"""The access matrix: an agency's wanted access as a file, exported, planned and applied (P28)."""
