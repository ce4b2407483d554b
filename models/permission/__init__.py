"""Permissions: the catalogue, the arithmetic of states, the bounded rule, seat and tier mask, built-in sets (spec.md section 2)."""
