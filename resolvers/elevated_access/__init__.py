"""Who held partner admin, super admin or a sensitive permission, from when to when (P23)."""
