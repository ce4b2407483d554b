"""Whether the database agrees with itself: what `cam verify` checks. Nothing is written."""
