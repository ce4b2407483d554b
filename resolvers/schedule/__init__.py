"""What is asked for ahead of its time: operations, and people's leaving (P14)."""
