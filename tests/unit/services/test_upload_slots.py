"""The upload slots of a node: shared by its workers, given back by those that die, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.errors import UploadsBusy
from gateway.services.upload_slots import UploadSlots

OTHER = """
import asyncio, sys
from pathlib import Path
from gateway.services.upload_slots import UploadSlots

async def main():
    slots = UploadSlots(Path(sys.argv[1]), int(sys.argv[2]), 60)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(int(sys.argv[3])):
            await stack.enter_async_context(slots.taken({sys.argv[5]: int(sys.argv[4])}))
            print("taken", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print("given", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

import contextlib
asyncio.run(main())
"""


@pytest.fixture
async def slots(tmp_path: Path) -> AsyncIterator[UploadSlots]:
    found = UploadSlots(tmp_path / "slots", 3, 0.2)
    yield found
    found.close()


@contextlib.contextmanager
def another_worker(
    path: Path, limit: int, takes: int, *, each: int | None = None, client: str = "somebody"
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path), str(limit), str(takes), str(each or limit), client],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def hears(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == word


async def test_as_many_as_there_are_and_no_more(slots: UploadSlots) -> None:
    assert slots.active() == 0
    async with slots.taken({}), slots.taken({}), slots.taken({}):
        assert slots.active() == 3
        with pytest.raises(UploadsBusy) as refused:
            async with slots.taken({}):
                pass
        assert refused.value.retry_after > 0
    assert slots.active() == 0


async def test_what_fails_gives_its_slot_back(slots: UploadSlots) -> None:
    for _ in range(5):
        with pytest.raises(LookupError):
            async with slots.taken({}):
                raise LookupError
    assert slots.active() == 0


async def test_who_waits_gets_the_next_slot_the_first_first(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 1, 60)
    order: list[int] = []

    async def upload(number: int) -> None:
        async with slots.taken({}):
            order.append(number)
            await asyncio.sleep(0)

    async with slots.taken({}):
        waiting = []
        for number in range(8):
            waiting.append(asyncio.create_task(upload(number)))
            await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(*waiting)
    assert order == list(range(8))
    slots.close()


async def test_who_is_cancelled_while_waiting_holds_up_nobody(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 1, 60)

    async def upload() -> None:
        async with slots.taken({}):
            pass

    async with slots.taken({}):
        first, second = asyncio.create_task(upload()), asyncio.create_task(upload())
        await asyncio.sleep(0.3)
        first.cancel()
        await asyncio.sleep(0)
    await asyncio.wait_for(second, 30)
    assert first.cancelled()
    assert slots.active() == 0
    slots.close()


@pytest.mark.parametrize("ticks", range(8))
async def test_all_who_wait_can_be_cancelled(tmp_path: Path, ticks: int) -> None:
    slots = UploadSlots(tmp_path / "slots", 1, 60)

    async def upload() -> None:
        async with slots.taken({}):
            await asyncio.sleep(60)

    waiting = [asyncio.create_task(upload()) for _ in range(8)]
    await asyncio.sleep(0.05)
    for one in waiting:
        one.cancel()
        # The one behind it is woken in the meantime.
        for _ in range(ticks):
            await asyncio.sleep(0)
    done, _ = await asyncio.wait(waiting, timeout=60)
    assert [one.cancelled() for one in waiting] == [True] * 8
    assert (len(done), slots.active()) == (8, 0)
    slots.close()


async def test_nobody_waits_with_a_client_that_has_left(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 1, 3600)
    async with slots.taken({}):
        with pytest.raises(UploadsBusy):
            async with slots.taken({}, gone=lambda: True):
                pass
    slots.close()


async def test_the_workers_of_a_node_share_the_slots(slots: UploadSlots, tmp_path: Path) -> None:
    with another_worker(tmp_path / "slots", 3, 2) as other:
        assert other.stdin is not None
        for _ in range(2):
            await asyncio.to_thread(hears, other, "taken")
        assert slots.active() == 2
        async with slots.taken({}):
            assert slots.active() == 3
            with pytest.raises(UploadsBusy):
                async with slots.taken({}):
                    pass
        other.stdin.write("\n")
        other.stdin.flush()
        await asyncio.to_thread(hears, other, "given")
        assert slots.active() == 0


async def test_a_worker_that_is_killed_gives_its_slots_back(slots: UploadSlots, tmp_path: Path) -> None:
    with another_worker(tmp_path / "slots", 3, 3) as other:
        for _ in range(3):
            await asyncio.to_thread(hears, other, "taken")
        assert slots.active() == 3
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert slots.active() == 0
        async with slots.taken({}):
            assert slots.active() == 1


async def test_a_busy_worker_leaves_slots_to_one_that_waits(tmp_path: Path) -> None:
    # This worker always has somebody waiting, and hands its only slot on and on.
    slots = UploadSlots(tmp_path / "slots", 1, 60)
    stop = time.monotonic() + 60
    got = asyncio.Event()

    async def uploads() -> None:
        while not got.is_set() and time.monotonic() < stop:
            async with slots.taken({}):
                await asyncio.sleep(0.002)

    busy = [asyncio.create_task(uploads()) for _ in range(4)]
    await asyncio.sleep(0.01)
    with another_worker(tmp_path / "slots", 1, 1) as other:
        assert other.stdin is not None
        await asyncio.to_thread(hears, other, "taken")
        got.set()
        assert time.monotonic() < stop
        other.stdin.write("\n")
        other.stdin.flush()
        await asyncio.gather(*busy)
    slots.close()


async def refused(slots: UploadSlots, *clients: str) -> bool:
    """Whether these get no slot."""
    try:
        async with slots.taken(dict.fromkeys(clients, 2)):
            return False
    except UploadsBusy:
        return True


async def test_a_client_has_its_share_and_others_the_rest(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 4, 0.2)
    async with slots.taken({"user": 2, "address": 2}), slots.taken({"user": 2, "another address": 2}):
        assert slots.active() == 2
        assert await refused(slots, "user", "a third address")
        # Who is refused for the one has taken nothing of the other.
        async with slots.taken({"a third address": 2}), slots.taken({"a third address": 2, "address": 2}):
            assert slots.active() == 4
        async with slots.taken({"address": 2, "somebody": 2}):
            assert await refused(slots, "somebody else", "address")
    assert not await refused(slots, "user", "address")
    for _ in range(5):
        with pytest.raises(LookupError):
            async with slots.taken({"user": 2}):
                raise LookupError
    assert slots.active() == 0
    slots.close()


async def test_who_waits_for_a_share_holds_up_nobody(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 4, 60)
    async with slots.taken({"a": 2}):
        async with slots.taken({"a": 2}):
            waiting = asyncio.create_task(refused(slots, "a"))
            await asyncio.sleep(0.3)
            async with asyncio.timeout(30):
                assert not await refused(slots, "b")
            assert not waiting.done()
        assert not await asyncio.wait_for(waiting, 30)
    slots.close()


async def test_a_share_is_that_of_all_workers_and_comes_back_with_a_dead_one(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 4, 0.2)
    with another_worker(tmp_path / "slots", 4, 2, each=2, client="a") as other:
        for _ in range(2):
            await asyncio.to_thread(hears, other, "taken")
        assert await refused(slots, "a")
        assert not await refused(slots, "b")
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert not await refused(slots, "a")
    slots.close()


async def test_who_has_the_fewest_goes_first(tmp_path: Path) -> None:
    slots = UploadSlots(tmp_path / "slots", 3, 60)
    order: list[str] = []
    ends = asyncio.Event()

    async def upload(client: str) -> None:
        async with slots.taken({client: 3}):
            order.append(client)
            await ends.wait()

    async with slots.taken({"a": 3}):
        async with slots.taken({"b": 3}), slots.taken({"a": 3}):
            waiting = []
            for client in ("a", "b", "c", "c"):
                waiting.append(asyncio.create_task(upload(client)))
                await asyncio.sleep(0)
            assert order == []
        # Two slots came back: a's, then b's.
        while len(order) < 2:
            await asyncio.sleep(0.01)
        assert order == ["c", "b"]
        ends.set()
    await asyncio.gather(*waiting)
    assert sorted(order[2:]) == ["a", "c"]
    slots.close()
