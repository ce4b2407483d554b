"""What a subscription reads with: who asks is found out anew for each event."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from models.broadcaster import Broadcaster
from resolvers.reader import Reader

RECHECK_SECONDS = 30.0
"""How long a subscription without news goes without asking whether its reader may still read, and looking again."""


@dataclass(frozen=True, slots=True)
class LiveReader:
    """The news, and a way to a fresh reader."""

    broadcaster: Broadcaster
    renew: Callable[[], Awaitable[Reader]]
    """Signs in again with the token of the subscription; raises what a new request would be told."""
