"""Why somebody has a permission in a client, or has it not (P11)."""
