"""Records for auditors as files, in parts, so that memory does not grow with what is exported (P23, F55)."""
