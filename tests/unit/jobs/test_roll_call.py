"""Asking which workers live, where Redis answers late, with an error, or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from gateway.cache.port import CacheUnavailable
from gateway.jobs.presence import Roll, Worker
from gateway.jobs.roll_call import RollCall

FOUND = Roll((Worker("one", ("process",), 1, 0.5),), ())
LONG = 3600.0


class Late:
    """Answers each question when it is told to."""

    def __init__(self) -> None:
        self.questions: list[asyncio.Future[Roll]] = []
        self.closed = False

    async def call(self) -> Roll:
        question: asyncio.Future[Roll] = asyncio.get_running_loop().create_future()
        self.questions.append(question)
        return await question

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def called(late: Late, *, wait: float = 0.05, silent: float = LONG) -> AsyncIterator[RollCall]:
    roll_call = RollCall(late, wait=wait, silent=silent)
    try:
        yield roll_call
    finally:
        await roll_call.close()


async def until(good: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not good():
            await asyncio.sleep(0)


def at_once(roll_call: RollCall) -> str:
    """What is told without waiting for anything."""
    coroutine = roll_call.call()
    try:
        with pytest.raises(CacheUnavailable) as told:
            coroutine.send(None)
    finally:
        coroutine.close()
    return str(told.value)


async def test_one_waits_a_moment_and_the_others_not_at_all() -> None:
    late = Late()
    async with called(late) as roll_call:
        with pytest.raises(CacheUnavailable, match=r"does not answer within 50 ms"):
            await roll_call.call()
        assert at_once(roll_call) == "does not answer within 50 ms"
        late.questions[0].set_exception(CacheUnavailable("hangs"))
        await until(lambda: at_once(roll_call) == "hangs")
        assert len(late.questions) == 1, "asked again although it was silent a moment ago"


async def test_it_is_asked_again_after_some_seconds() -> None:
    late = Late()
    async with called(late, silent=0.0) as roll_call:
        with pytest.raises(CacheUnavailable):
            await roll_call.call()
        late.questions[0].set_exception(CacheUnavailable("hangs"))
        await asyncio.wait({cast("asyncio.Task[Roll]", roll_call._asking)})
        with pytest.raises(CacheUnavailable):
            await roll_call.call()
        assert len(late.questions) == 2


async def test_an_answer_that_comes_late_is_made_use_of() -> None:
    late = Late()
    async with called(late) as roll_call:
        with pytest.raises(CacheUnavailable):
            await roll_call.call()
        late.questions[0].set_result(FOUND)
        await until(lambda: roll_call._problem is None)
        # Longer than a process may stand still between a question and its answer.
        roll_call._wait = LONG
        asking = asyncio.create_task(roll_call.call())
        await until(lambda: len(late.questions) == 2)
        late.questions[1].set_result(FOUND)
        assert await asking == FOUND


async def test_who_comes_meanwhile_shares_the_question() -> None:
    late = Late()
    async with called(late, wait=LONG) as roll_call:
        asking = [asyncio.create_task(roll_call.call()) for _ in range(3)]
        await until(lambda: bool(late.questions))
        # One who goes takes the question from nobody.
        asking[0].cancel()
        await asyncio.wait({asking[0]})
        late.questions[0].set_result(FOUND)
        assert await asyncio.gather(*asking[1:]) == [FOUND, FOUND]
        assert len(late.questions) == 1


async def test_what_fails_at_once_is_asked_each_time() -> None:
    late = Late()
    async with called(late, wait=LONG) as roll_call:
        for number in range(2):
            asking = asyncio.create_task(roll_call.call())
            await until(lambda number=number: len(late.questions) == number + 1)  # type: ignore[misc]
            late.questions[number].set_exception(CacheUnavailable("refused"))
            with pytest.raises(CacheUnavailable, match="refused"):
                await asking


async def test_closing_waits_for_nobody() -> None:
    late = Late()
    async with called(late) as roll_call:
        with pytest.raises(CacheUnavailable):
            await roll_call.call()
    assert late.closed
    assert late.questions[0].cancelled()
