"""Pods: a group of clients × a group of people × a permission set, with exclusions (P09, P10)."""
