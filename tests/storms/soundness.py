"""What must hold after a storm, whatever was killed in it."""

from models.database import Database
from resolvers.consistency.ledger import findings
from resolvers.timeline_chain.window import seal_everything
from tests.api.counters import assert_counters_are_true


async def assert_sound(database: Database) -> None:
    """``cam verify`` finds nothing, and the counters are those of a recount that shares no code with it."""
    # What the tests' factory wrote; the service has sealed what it did.
    await seal_everything(database)
    faults = {found.check.key: found.told async for found in findings(database) if found.faults}
    assert faults == {}
    await assert_counters_are_true(database)
