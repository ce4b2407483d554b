"""The transport, tested with a toy schema: nothing here needs a table."""
