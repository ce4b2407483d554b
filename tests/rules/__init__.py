"""The permission rule: worked cases, properties, exhaustive proofs."""
