"""Histories of all verbs."""

from tests.histories.in_manager import InManager
from tests.histories.with_client import WithClient


class Everything(InManager, WithClient):
    """Agencies and clients act."""
