"""The timeline proves that it was not altered: its writing and its checking (N07)."""
