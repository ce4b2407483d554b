"""What the source itself holds to."""
