"""A fictitious ecosystem of any size, the same each time, to look around in and to measure with."""
