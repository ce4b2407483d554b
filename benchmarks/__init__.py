"""Repeatable measurements, against peers and against the limit; each module prints its own table.

``make bench`` runs all of them: ``bulk`` (grants in bulk, beside the ORM and the bare statement), ``durable`` (a large operation
through GraphQL, beside the bare statement and with readers), ``page`` (a page of clients, beside hand-written SQL) and ``scale``
(ecosystems of several sizes beside each other). What they are measured against is in ``peer``.
"""
