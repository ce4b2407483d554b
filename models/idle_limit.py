"""How long PostgreSQL waits for us inside a writing transaction: a machine that hangs or is lost would hold its rows for hours.

The setting lasts as long as the transaction, so it goes well with a pooler. What only reads holds nothing, and may be slow: an export
goes at the pace of whoever reads it.
"""

OPTION = "idle_limit"
"""The execution option of a connection whose transactions write."""
MILLISECONDS = 60_000
"""Between two statements; the largest request takes a few seconds there. Chunks have a limit of their own (``delivery.lend``)."""

SETTING = f"set_config('idle_in_transaction_session_timeout', '{MILLISECONDS}', true)"
