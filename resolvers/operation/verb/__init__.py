"""The verbs of the write pipeline: each is one pure function that decides a single cell, without reading or writing anything."""
