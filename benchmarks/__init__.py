"""Repeatable measurements, against peers and against the limit; each module prints its own table.

``make bench`` runs all of them: ``bulk`` (grants in bulk, beside the ORM and the bare statement) and ``page`` (a page of clients,
beside hand-written SQL). What they are measured against is in ``peer``.
"""
