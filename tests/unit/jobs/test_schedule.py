"""The schedule over a real database: each task has one row, which comes again whatever becomes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.jobs.carrier import Carrier
from gateway.jobs.schedule import Schedule, Scheduled
from gateway.metadata import jobs
from gateway.metadata.sqlite import SqliteDatabase
from tests.data_folder import new_data_folder


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(new_data_folder(tmp_path / "data") / "pixgate.sqlite")
    yield opened
    await opened.close()


async def make_due(database: SqliteDatabase) -> None:
    await database.write(lambda tx: tx.run("UPDATE jobs SET run_at_ms = 0"))


async def test_a_task_is_done_once_and_comes_again(database: SqliteDatabase) -> None:
    done: list[str] = []

    async def sweep() -> int:
        done.append("sweep")
        return 3

    async def fail() -> None:
        done.append("fail")
        raise ValueError("odd")

    schedules = [Schedule(database, [Scheduled("sweep", 3600, sweep), Scheduled("fail", 3600, fail)]) for _ in range(2)]
    await asyncio.gather(*(schedule.begin() for schedule in schedules))
    assert len(await jobs.scheduled(database)) == 2, "several processes have one schedule"
    await make_due(database)
    carriers = [Carrier(database), Carrier(database)]
    while any(
        await asyncio.gather(
            *(carrier.run_once(schedule.kind) for carrier, schedule in zip(carriers, schedules, strict=True))
        )
    ):
        pass
    assert sorted(done) == ["fail", "sweep"]
    failing, swept = await jobs.scheduled(database)
    now = time.time() * 1000
    assert swept.payload == {"task": "sweep"}
    assert swept.run_at_ms is not None
    assert now + 2_000_000 < swept.run_at_ms < now + 5_000_000
    assert (swept.attempts, swept.error) == (0, None)
    assert failing.run_at_ms is not None
    assert failing.run_at_ms < now + 60_000, "what failed comes again soon"
    assert failing.error == "ValueError: odd"
    for _ in range(30):
        await make_due(database)
        await Carrier(database).run_once(schedules[0].kind)
        await Carrier(database).run_once(schedules[0].kind)
    assert all(job.run_at_ms is not None for job in await jobs.scheduled(database)), "there is no last attempt"
    await schedules[0].begin()
    assert len(await jobs.scheduled(database)) == 2
    assert (await jobs.page(database, failed=False, after=0, limit=9), await jobs.backlog(database)) == ([], {})


async def test_what_a_newer_version_does_is_left_to_it(database: SqliteDatabase) -> None:
    async def nothing() -> None:
        raise AssertionError

    await Schedule(database, [Scheduled("new", 60, nothing)]).begin()
    await make_due(database)
    assert await Carrier(database).run_once(Schedule(database, []).kind) == 1
    (job,) = await jobs.scheduled(database)
    assert (job.payload, job.attempts) == ({"task": "new"}, 0)
    assert job.run_at_ms is not None
    assert job.run_at_ms > time.time() * 1000
