"""How far an operation is, until it is ended (P24)."""

from collections.abc import AsyncGenerator

from models.broadcaster import OPERATION, Watch
from models.operation import UNENDED
from resolvers.error import AccessCode, AccessError
from resolvers.live_reader import RECHECK_SECONDS, LiveReader
from resolvers.operation.record import OperationRecord, operations_by_id


async def operation_progress(live: LiveReader, key: int | None) -> AsyncGenerator[OperationRecord, None]:
    """Returns what an operation is now and after each change, until it is ended; changes that follow close upon each other are one.

    Raises:
        AccessError: NOT_FOUND for what the viewer does not know of (T1), now or at a later event.
    """
    # Before the first look, so that no change falls between the two.
    watch = live.broadcaster.watch((OPERATION, key or 0))
    try:
        return _progress(live, watch, await _present(live, key))
    except BaseException:
        live.broadcaster.release(watch)
        raise


async def _progress(live: LiveReader, watch: Watch, record: OperationRecord) -> AsyncGenerator[OperationRecord, None]:
    try:
        yield record
        while record.state in UNENDED:
            await watch.wait(RECHECK_SECONDS)
            found = await _present(live, record.id)
            if _stand(found) != _stand(record):
                record = found
                yield record
    finally:
        live.broadcaster.release(watch)


async def _present(live: LiveReader, key: int | None) -> OperationRecord:
    reader = await live.renew()

    async def load() -> OperationRecord | None:
        (found,) = await operations_by_id(reader, [key or 0])
        return found

    # All who may know of the same partners see the same, so one of them reads it for all.
    seen_by = reader.viewer.sight
    record = None if key is None else await live.broadcaster.reads.read((OPERATION, key, seen_by), load)
    if record is None:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such operation.")
    return record


def _stand(record: OperationRecord) -> tuple[object, ...]:
    return record.state, record.total, record.applied, record.noop, record.rejected, record.failed
