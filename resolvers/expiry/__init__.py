"""The end of access: how long it may last, reminders of it, and what becomes of it then (P04, P05)."""
