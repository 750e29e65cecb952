"""The runner over a real database: what is due is done once, failures come again, stops lose nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.jobs import carrier as carrier_module
from gateway.jobs.kind import Effect, Hopeless, Kind, Postponed, delay_seconds
from gateway.jobs.purge import Purger, PurgeRefused
from gateway.jobs.runner import JobRunner
from gateway.metadata import jobs
from gateway.metadata.jobs import Job
from gateway.metadata.port import Transaction
from gateway.metadata.sqlite import SqliteDatabase
from gateway.services.cache_tags import CacheTags
from tests.data_folder import new_data_folder

Work = Callable[[Sequence[Job]], Awaitable[Effect | None]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(new_data_folder(tmp_path / "data") / "pixgate.sqlite")
    yield opened
    await opened.close()


async def add(database: SqliteDatabase, *payloads: dict[str, Any], kind: str = "k") -> None:
    async def work(tx: Transaction) -> None:
        for payload in payloads:
            await jobs.add(tx, kind, payload, 1)

    await database.write(work)


async def wait_for(state: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 60
    while not await state():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def rows(database: SqliteDatabase) -> list[Job]:
    found = await database.all(f"SELECT {jobs.COLUMNS} FROM jobs ORDER BY id")
    return [jobs.job(row) for row in found]


async def test_jobs_are_done_and_gone_with_their_effect(database: SqliteDatabase) -> None:
    done: list[int] = []

    async def work(claimed: Sequence[Job]) -> Effect:
        done.extend(job.payload["n"] for job in claimed)

        async def note(tx: Transaction) -> None:
            await jobs.add(tx, "other", {"of": [job.id for job in claimed]}, 1)

        return note

    await add(database, *({"n": number} for number in range(5)))
    runner = JobRunner(database, [Kind("k", work, at_once=2)])
    runner.start()

    async def over() -> bool:
        return await jobs.next_due(database, "k") is None

    await wait_for(over)
    await add(database, {"n": 5})
    await wait_for(over)
    await runner.close()
    assert sorted(done) == list(range(6))
    assert sorted(identity for job in await rows(database) for identity in job.payload["of"]) == [1, 2, 3, 4, 5, 9]


@pytest.mark.parametrize(
    ("error", "attempts", "failed"),
    [(ValueError("odd"), 1, False), (Postponed("busy", 30), 0, False), (Hopeless("never"), 1, True)],
)
async def test_what_fails_comes_again(database: SqliteDatabase, error: Exception, attempts: int, failed: bool) -> None:
    async def work(claimed: Sequence[Job]) -> Effect | None:
        raise error

    await add(database, {"n": 1})
    before = time.time_ns() // 1_000_000
    assert await JobRunner(database, []).run_once(Kind("k", work)) == 1
    (job,) = await rows(database)
    assert (job.attempts, job.claim) == (attempts, None)
    assert str(error) in (job.error or "")
    assert (job.run_at_ms is None) is failed
    if job.run_at_ms is not None:
        assert job.run_at_ms > before + 1000


async def test_after_the_last_attempt_it_has_failed_for_good(database: SqliteDatabase) -> None:
    async def work(claimed: Sequence[Job]) -> Effect | None:
        raise ValueError("always")

    await add(database, {"n": 1})
    runner = JobRunner(database, [])
    for _ in range(3):
        await database.write(lambda tx: tx.run("UPDATE jobs SET run_at_ms = 0"))
        assert await runner.run_once(Kind("k", work, attempts=3)) == 1
    (job,) = await rows(database)
    assert (job.attempts, job.run_at_ms, job.error) == (3, None, "ValueError: always")


async def test_a_runner_that_stops_gives_back_what_it_began(database: SqliteDatabase) -> None:
    begun = asyncio.Event()

    async def work(claimed: Sequence[Job]) -> Effect | None:
        begun.set()
        await asyncio.Event().wait()
        return None

    await add(database, {"n": 1})
    runner = JobRunner(database, [Kind("k", work)])
    runner.start()
    await asyncio.wait_for(begun.wait(), 60)
    await runner.close()
    (job,) = await rows(database)
    assert (job.claim, job.attempts) == (None, 0)
    assert job.run_at_ms is not None
    assert job.run_at_ms <= time.time_ns() // 1_000_000


async def test_a_long_job_is_renewed_and_one_that_was_lost_has_no_effect(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_module, "RENEW_SECONDS", 0.05)
    going = asyncio.Event()

    async def work(claimed: Sequence[Job]) -> Effect:
        await going.wait()

        async def note(tx: Transaction) -> None:
            await jobs.add(tx, "other", {}, 1)

        return note

    await add(database, {"n": 1}, {"n": 2})
    runner = JobRunner(database, [])
    first = asyncio.create_task(runner.run_once(Kind("k", work)))

    async def renewed() -> bool:
        (until,) = await database.one("SELECT max(run_at_ms) FROM jobs") or (0,)
        return int(until) > seen

    seen = 0
    await wait_for(renewed)
    (seen,) = await database.one("SELECT max(run_at_ms) FROM jobs") or (0,)
    await wait_for(renewed)
    await database.write(lambda tx: tx.run("UPDATE jobs SET claim = 'another' WHERE claim IS NOT NULL"))
    await asyncio.wait_for(first, 60)
    going.set()
    assert await runner.run_once(Kind("k", work)) == 1
    assert [job.kind for job in await rows(database)] == ["k", "other"]


def test_delays_grow_and_have_an_end() -> None:
    assert 1.5 <= delay_seconds(1) <= 2.5
    assert 6 <= delay_seconds(3) <= 10
    assert delay_seconds(60) <= 375


async def test_a_purger_tells_each_url_at_most_once_more(database: SqliteDatabase) -> None:
    told: list[tuple[str, str]] = []
    refuse = True

    async def answer(request: web.Request) -> web.Response:
        told.append((request.path, request.headers["X-Key-Purge"]))
        return web.Response(status=503 if refuse and request.path == "/b" else 200)

    async def moved(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/a"})

    application = web.Application()
    application.router.add_route("PURGE", "/a", answer)
    application.router.add_route("PURGE", "/b", answer)
    application.router.add_route("PURGE", "/moved", moved)
    server = web.AppRunner(application)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{server.addresses[0][1]}"
    try:
        tags = CacheTags(b"k")
        purger = Purger((f"{url}/a", f"{url}/b"), "xkey", None, tags, again_seconds=10)
        change = {"bucket": 7, "name": "photos", "key": b"a".hex()}
        await add(database, change, change, {"bucket": 7, "name": "photos"}, kind=jobs.PURGE)
        runner = JobRunner(database, [])
        assert await runner.run_once(purger.kind) == 3
        assert [job.attempts for job in await rows(database)] == [1, 1, 1]
        assert {job.error for job in await rows(database)} == {"PurgeRefused: PURGE was answered 503"}
        refuse = False
        told.clear()
        await database.write(lambda tx: tx.run("UPDATE jobs SET run_at_ms = 0"))
        assert await runner.run_once(purger.kind) == 3
        both = f"{tags.of_object(7, b'a')} {tags.of_bucket(7)}"
        assert sorted(told) == [("/a", both), ("/b", both)], "one tag twice is told once"
        again = await rows(database)
        assert [job.payload.get("again") for job in again] == [True] * 3
        assert all(job.run_at_ms is not None and job.run_at_ms > time.time() * 1000 for job in again)
        await database.write(lambda tx: tx.run("UPDATE jobs SET run_at_ms = 0"))
        assert await runner.run_once(purger.kind) == 3
        assert (len(told), await rows(database)) == (4, [])
        elsewhere = Purger((f"{url}/moved",), "xkey", None, tags, again_seconds=0)
        with pytest.raises(PurgeRefused, match="302"):
            await elsewhere.send([change])
    finally:
        await server.cleanup()
    with pytest.raises(PurgeRefused) as raised:
        await Purger((f"{url}/?token=geheimnis",), "xkey", None, CacheTags(b"k"), again_seconds=0).send([change])
    assert "geheimnis" not in str(raised.value)


async def test_a_job_that_takes_too_long_is_given_up_and_comes_again(database: SqliteDatabase) -> None:
    ended: list[str] = []

    async def work(claimed: Sequence[Job]) -> Effect | None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return None

    await add(database, {"n": 1})
    assert await JobRunner(database, []).run_once(Kind("k", work, seconds=0.05)) == 1
    (job,) = await rows(database)
    assert (job.attempts, job.claim, job.error) == (1, None, "TookTooLong: it took more than 0.05 s")
    assert ended == ["cancelled"]


async def test_several_are_worked_at_and_none_waits_for_a_poll(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.runner.POLL_SECONDS", 3600.0)
    together = 0
    most = 0
    go = asyncio.Event()

    async def work(claimed: Sequence[Job]) -> Effect | None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await go.wait()
        together -= 1
        return None

    runner = JobRunner(database, [Kind("k", work, parallel=3)])
    runner.start()
    try:
        await asyncio.sleep(0.05)
        await add(database, *({"n": number} for number in range(5)))
        runner.wake()

        async def busy() -> bool:
            return together == 3

        await wait_for(busy)
        go.set()

        async def over() -> bool:
            return await rows(database) == []

        await wait_for(over)
        assert most == 3
    finally:
        await runner.close()


def test_the_first_delay_of_a_kind_is_its_own() -> None:
    for number, wanted in ((1, 60), (2, 120), (3, 240)):
        assert 0.75 * wanted <= delay_seconds(number, 60.0, 3600.0) <= 1.25 * wanted
    assert delay_seconds(400, 60.0, 3600.0) <= 1.25 * 3600
    assert delay_seconds(1, 7200.0, 3600.0) >= 0.75 * 7200
