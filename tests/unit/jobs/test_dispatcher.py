"""The dispatcher over a real database: what is due is sent once, by one process, and again where it got lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from gateway.jobs import dispatcher as dispatcher_module
from gateway.jobs.dispatcher import Dispatcher, QueueUnavailable
from gateway.metadata import jobs
from gateway.metadata.port import Transaction
from gateway.metadata.sqlite import SqliteDatabase
from tests.data_folder import new_data_folder


class Memory:
    """A queue in memory, which may be away."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.lying = 0
        self.away = False

    async def send(self, kind: str, identities: Sequence[int]) -> None:
        if self.away:
            raise QueueUnavailable("away")
        self.sent += [(kind, identity) for identity in identities]

    async def waiting(self, kind: str) -> int:
        if self.away:
            raise QueueUnavailable("away")
        return self.lying

    async def close(self) -> None:
        pass


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(new_data_folder(tmp_path / "data") / "pixgate.sqlite")
    yield opened
    await opened.close()


async def add(database: SqliteDatabase, count: int, *, kind: str = "k", run_at_ms: int = 0) -> list[int]:
    async def work(tx: Transaction) -> list[int]:
        return [await jobs.add(tx, kind, {}, 0, run_at_ms=run_at_ms) for _ in range(count)]

    return await database.write(work)


async def wait_for(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not state():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_what_is_due_is_sent_once(database: SqliteDatabase) -> None:
    queue = Memory()
    dispatcher = Dispatcher(database, ("k", "other"), queue, resend_seconds=60)
    ids = await add(database, 3)
    others = await add(database, 1, kind="other")
    await add(database, 1, kind="unknown")
    await add(database, 1, run_at_ms=2**50)
    assert await dispatcher.dispatch(again=True) == 4
    assert queue.sent == [*(("k", identity) for identity in ids), ("other", others[0])]
    assert await dispatcher.dispatch(again=True) == 0
    assert await dispatcher.dispatch(again=False) == 0


async def test_what_nobody_began_is_sent_again_once_the_queue_is_empty(database: SqliteDatabase) -> None:
    queue = Memory()
    dispatcher = Dispatcher(database, ("k",), queue, resend_seconds=60)
    ids = await add(database, 2)
    await dispatcher.dispatch(again=True)
    await database.write(lambda tx: tx.run("UPDATE jobs SET sent_ms = sent_ms - 100000"))
    queue.lying = 2
    assert await dispatcher.dispatch(again=True) == 0, "they wait for a worker"
    queue.lying = 0
    assert await dispatcher.dispatch(again=False) == 0, "that is for one process to say"
    assert await dispatcher.dispatch(again=True) == 2
    assert [identity for _, identity in queue.sent] == ids * 2


async def test_the_rest_waits_in_the_database(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher_module, "WINDOW", 5)
    monkeypatch.setattr(dispatcher_module, "AT_ONCE", 2)
    queue = Memory()
    dispatcher = Dispatcher(database, ("k",), queue, resend_seconds=60)
    await add(database, 9)
    assert await dispatcher.dispatch(again=True) == 5
    queue.lying = 5
    assert await dispatcher.dispatch(again=True) == 0
    queue.lying = 3
    assert await dispatcher.dispatch(again=True) == 2


async def test_what_the_queue_did_not_take_is_sent_later(database: SqliteDatabase) -> None:
    queue = Memory()
    dispatcher = Dispatcher(database, ("k",), queue, resend_seconds=60)
    ids = await add(database, 2)
    queue.away = True
    with pytest.raises(QueueUnavailable):
        await dispatcher.dispatch(again=False)
    queue.away = False
    assert await dispatcher.dispatch(again=False) == 2
    assert [identity for _, identity in queue.sent] == ids


async def test_who_adds_a_job_sends_it_although_another_leads(database: SqliteDatabase) -> None:
    queues = [Memory(), Memory()]
    dispatchers = [Dispatcher(database, ("k",), queue, resend_seconds=60) for queue in queues]
    for dispatcher in dispatchers:
        dispatcher.start()
    try:
        await add(database, 1)
        await wait_for(lambda: sum(len(queue.sent) for queue in queues) == 1)
        leads = 0 if queues[0].sent else 1
        follows = 1 - leads
        await asyncio.sleep(0)
        ids = await add(database, 1)
        dispatchers[follows].wake()
        await wait_for(lambda: sum(len(queue.sent) for queue in queues) == 2)
        assert ("k", ids[0]) in queues[0].sent + queues[1].sent
        queues[leads].away = True
        await add(database, 1)
        await wait_for(lambda: dispatchers[leads].problem is not None)
        queues[leads].away = False
        await wait_for(lambda: dispatchers[leads].problem is None)
        await wait_for(lambda: sum(len(queue.sent) for queue in queues) == 3)
    finally:
        for dispatcher in dispatchers:
            await dispatcher.close()
