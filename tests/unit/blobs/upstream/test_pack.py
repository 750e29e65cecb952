"""Small bodies that share an upload."""

from __future__ import annotations

import asyncio

import pytest

from gateway.blobs.upstream.pack import Packer
from gateway.errors import StoreUnavailable


class Service:
    """Takes objects, one when it is told to."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.shared: list[bool] = []
        self.gate = asyncio.Semaphore(0)
        self.failures = 0
        self.waiting = 0

    async def send(self, data: bytes, shared: bool) -> str:
        self.waiting += 1
        await self.gate.acquire()
        self.waiting -= 1
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("no")
        name = f"n{len(self.objects)}"
        self.objects[name] = data
        self.shared.append(shared)
        return name


async def turns() -> None:
    """As many turns of the loop as everybody needs who waits for nothing else."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_one_alone_leaves_at_once_and_those_that_come_meanwhile_go_together() -> None:
    service = Service()
    packer = Packer(service.send, uploads=1)
    first = asyncio.ensure_future(packer.add(b"first"))
    await turns()
    assert service.waiting == 1
    others = [asyncio.ensure_future(packer.add(b"%d" % number * 3)) for number in range(5)]
    await turns()
    service.gate.release()
    assert await first == ("n0", 0)
    service.gate.release()
    assert await asyncio.gather(*others) == [("n1", 3 * number) for number in range(5)]
    assert service.objects == {"n0": b"first", "n1": b"000111222333444"}
    assert service.shared == [False, True]


async def test_one_after_the_other_each_leaves_at_once() -> None:
    service = Service()
    packer = Packer(service.send, uploads=1)
    for number in range(50):
        service.gate.release()
        assert await asyncio.wait_for(packer.add(b"x"), 30) == (f"n{number}", 0)


async def test_a_pack_has_a_size() -> None:
    service = Service()
    for _ in range(9):
        service.gate.release()
    packer = Packer(service.send, uploads=1, pack_bytes=10)
    placed = await asyncio.gather(*(packer.add(bytes([number]) * 4) for number in range(5)), packer.add(b"x" * 50))
    assert [len(data) for data in service.objects.values()] == [8, 8, 4, 50]
    for number, (name, offset) in enumerate(placed[:5]):
        assert service.objects[name][offset : offset + 4] == bytes([number]) * 4


async def test_a_failed_pack_fails_those_in_it_and_no_others() -> None:
    service = Service()
    service.failures = 1
    packer = Packer(service.send, uploads=1)
    doomed = asyncio.gather(*(packer.add(b"x") for _ in range(3)), return_exceptions=True)
    await turns()
    lucky = asyncio.ensure_future(packer.add(b"y"))
    await asyncio.sleep(0)
    service.gate.release()
    service.gate.release()
    assert all(isinstance(one, StoreUnavailable) for one in await doomed)
    assert await lucky == ("n0", 0)


async def test_who_gives_up_hurts_nobody() -> None:
    service = Service()
    packer = Packer(service.send, uploads=1)
    kept, gone = asyncio.ensure_future(packer.add(b"kept")), asyncio.ensure_future(packer.add(b"gone"))
    await turns()
    late = asyncio.ensure_future(packer.add(b"late"))
    await asyncio.sleep(0)
    gone.cancel()
    late.cancel()
    service.gate.release()
    assert await kept == ("n0", 0)
    with pytest.raises(asyncio.CancelledError):
        await gone
    await packer.close()
    assert list(service.objects.values()) == [b"keptgone"], "what nobody waits for is not stored"


async def test_closing_waits_and_leaves_nobody_waiting_for_ever() -> None:
    service = Service()
    packer = Packer(service.send, uploads=1)
    under_way = asyncio.ensure_future(packer.add(b"under way"))
    await turns()
    waiting = asyncio.ensure_future(packer.add(b"waiting"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(packer.close(), 0.05)
    for one in (under_way, waiting):
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(one, 30)
