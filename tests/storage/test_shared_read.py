"""One read for all who ask at the same time, and never an older one than was asked for."""

import asyncio

import pytest

from models.shared_read import SharedReads


async def test_whoever_asks_gets_what_was_read_after_they_asked() -> None:
    reads, begun, go = SharedReads(), 0, asyncio.Event()

    async def load() -> int:
        nonlocal begun
        begun += 1
        number = begun
        await go.wait()
        return number

    asked = [asyncio.ensure_future(reads.read("key", load)) for _ in range(50)]
    await asyncio.sleep(0.01)
    assert begun == 1
    go.set()
    assert await asyncio.gather(*asked) == [1] + [2] * 49
    assert await reads.read("key", load) == 3
    assert (reads._running, reads._next) == ({}, {})


async def test_other_things_are_read_on_their_own() -> None:
    reads = SharedReads()

    async def load(answer: str) -> str:
        await asyncio.sleep(0)
        return answer

    assert await asyncio.gather(*(reads.read(key, lambda key=key: load(key)) for key in "abc")) == ["a", "b", "c"]  # type: ignore[misc]


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    reads = SharedReads()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    found = await asyncio.gather(*(reads.read("key", fail) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [LookupError] * 3
    with pytest.raises(LookupError):
        await reads.read("key", fail)
    assert (reads._running, reads._next) == ({}, {})


async def test_one_who_goes_away_does_not_end_the_read_of_the_others() -> None:
    reads, go = SharedReads(), asyncio.Event()

    async def load() -> str:
        await go.wait()
        return "answer"

    first, second, third = (asyncio.ensure_future(reads.read("key", load)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await third == "answer"
