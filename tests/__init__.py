"""The tests, in rooms named otherwise than the packages."""
