"""The breaker: what is dead costs nothing, what is full can be read, and both are used again when they are well."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.cache import breaker as module
from gateway.cache.breaker import FAILURES, Breaker
from gateway.cache.port import CacheFull, CacheUnavailable


class Patient:
    """Something that can be away, slow or full."""

    def __init__(self) -> None:
        self.state = "well"
        self.calls = 0
        self.probes = 0

    async def work(self) -> str:
        self.calls += 1
        return await self._answer()

    async def probe(self) -> None:
        self.probes += 1
        await self._answer()

    async def _answer(self) -> str:
        if self.state == "slow":
            await asyncio.sleep(60)
        if self.state == "away":
            raise CacheUnavailable("connection refused")
        if self.state == "full":
            raise CacheFull("out of memory")
        return "answer"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(module, "PROBE_BUDGET", 0.02)


async def until_healthy(breaker: Breaker) -> None:
    async with asyncio.timeout(60):
        while breaker.health()["status"] != "healthy":
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("state", ["away", "slow"])
async def test_after_some_failures_nothing_is_asked_until_it_is_back(state: str) -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=0.03)
    assert await breaker.call(patient.work) == "answer"
    patient.state = state
    for _ in range(FAILURES):
        assert not breaker.is_open
        with pytest.raises(CacheUnavailable):
            await breaker.call(patient.work)
    calls = patient.calls
    for _ in range(100):
        with pytest.raises(CacheUnavailable, match="within 30 ms" if state == "slow" else "refused"):
            await breaker.call(patient.work)
    assert patient.calls == calls
    assert breaker.health()["status"] == "degraded"
    patient.state = "well"
    await until_healthy(breaker)
    assert await breaker.call(patient.work) == "answer"
    await breaker.close()


async def test_failures_count_only_in_a_row() -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=1)
    for _ in range(FAILURES * 3):
        patient.state = "away"
        with pytest.raises(CacheUnavailable):
            await breaker.call(patient.work)
        patient.state = "well"
        await breaker.call(patient.work)
    assert breaker.health() == {"status": "healthy"}
    assert patient.probes == 0


async def test_full_is_for_writes_alone() -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=1)
    patient.state = "full"
    with pytest.raises(CacheFull):
        await breaker.write(patient.work)
    calls = patient.calls
    with pytest.raises(CacheFull, match="out of memory"):
        await breaker.write(patient.work)
    assert patient.calls == calls
    assert breaker.health()["detail"] == "out of memory"
    assert not breaker.is_open
    patient.state = "well"
    assert await breaker.call(patient.work) == "answer"
    await until_healthy(breaker)
    assert await breaker.write(patient.work) == "answer"
    await breaker.close()


async def test_what_can_be_read_but_not_written_counts_as_full() -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=1)
    for _ in range(FAILURES):
        patient.state = "away"
        with pytest.raises(CacheUnavailable):
            await breaker.write(patient.work)
        patient.state = "well"
        assert await breaker.call(patient.work) == "answer"
    patient.state = "away"
    with pytest.raises(CacheFull, match="refused"):
        await breaker.write(patient.work)
    async with asyncio.timeout(60):
        while patient.probes < 3:
            await asyncio.sleep(0.005)
    # Probes write too: that they fail says nothing about reading.
    assert not breaker.is_open
    assert breaker.health()["status"] == "degraded"
    patient.state = "well"
    await until_healthy(breaker)
    assert await breaker.write(patient.work) == "answer"
    await breaker.close()


async def test_away_and_full_when_it_comes_back() -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=1)
    patient.state = "away"
    breaker.begin()
    async with asyncio.timeout(60):
        while breaker.health()["status"] == "healthy":
            await asyncio.sleep(0.005)
        patient.state = "full"
        while breaker.is_open:
            await asyncio.sleep(0.005)
    with pytest.raises(CacheFull):
        await breaker.write(patient.work)
    patient.state = "well"
    await until_healthy(breaker)
    assert await breaker.write(patient.work) == "answer"
    await breaker.close()


async def test_a_process_that_was_busy_itself_blames_nobody() -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=0.1)

    async def answers_in_time() -> str:
        await asyncio.sleep(0.05)
        return "answer"

    for _ in range(FAILURES):
        call = asyncio.create_task(breaker.call(answers_in_time))
        await asyncio.sleep(0)
        time.sleep(0.3)
        assert await call == "answer"


async def test_a_cancelled_call_is_no_failure_of_it() -> None:
    patient = Patient()
    breaker = Breaker("it", patient.probe, budget=60)
    patient.state = "slow"
    for _ in range(FAILURES):
        task = asyncio.create_task(breaker.call(patient.work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not breaker.is_open
