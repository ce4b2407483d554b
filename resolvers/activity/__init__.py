"""Activity: what people did in client accounts, told by other tools, counted as it is written (F52, P25, N09)."""
