"""What is done behind the answers: a few at a time, bounded, and the rest left out."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cache.background import AT_ONCE, Background


async def test_a_few_at_a_time_and_no_more_than_there_is_room_for() -> None:
    background = Background(limit_bytes=100, limit_jobs=20)
    gate = asyncio.Event()
    running = most = done = 0

    async def job() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        done += 1

    taken = [background.submit(10, job) for _ in range(20)]
    assert taken == [True] * 10 + [False] * 10
    await asyncio.sleep(0)
    assert running == AT_ONCE
    gate.set()
    await background.close()
    assert (done, most) == (10, AT_ONCE)
    assert not background.submit(1, job)


async def test_one_that_is_larger_than_the_room_goes_alone() -> None:
    background = Background(limit_bytes=100)
    done: list[int] = []

    async def job() -> None:
        done.append(1)

    assert background.submit(1000, job)
    assert not background.submit(1, job)
    while not done:
        await asyncio.sleep(0)
    assert background.submit(1, job)
    await background.close()
    assert done == [1, 1]


async def test_one_that_fails_costs_itself_alone(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()
    done: list[int] = []

    async def fails() -> None:
        raise RuntimeError("broken")

    async def works() -> None:
        done.append(1)

    for job in [fails, works] * 10:
        assert background.submit(1, job)
    await background.close()
    assert len(done) == 10
    assert caplog.text.count("RuntimeError: broken") == 10


async def test_what_takes_too_long_at_the_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cache.background._CLOSE_SECONDS", 0.05)
    background = Background()
    ended = False

    async def forever() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(60)
        finally:
            ended = True

    background.submit(1, forever)
    await asyncio.sleep(0)
    await background.close()
    assert ended
