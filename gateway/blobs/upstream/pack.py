"""Small bodies share an upload: those that come while others are on their way wait, and go up together in one object.

A body that comes alone leaves at once. Under load one request to the service carries many bodies, as one fdatasync does
for the folder (docs/adr/0004, docs/adr/0022).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.errors import StoreUnavailable

PACK_BYTES = 1024 * 1024
"""Bytes of a pack at most: it is freed when all in it are gone."""
UPLOADS = 2
"""Packs on their way at once."""

Send = Callable[[bytes, bool], Awaitable[str]]
"""Stores an object that is shared or not; gives its name."""
Waiting = tuple[bytes, "asyncio.Future[tuple[str, int]]"]


class Packer:
    """For one event loop."""

    def __init__(self, send: Send, *, uploads: int = UPLOADS, pack_bytes: int = PACK_BYTES) -> None:
        self._send = send
        self._uploads = uploads
        self._pack_bytes = pack_bytes
        self._waiting: deque[Waiting] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._working = 0

    async def add(self, data: bytes) -> tuple[str, int]:
        """Store a body; gives the object's name and the offset in it. Raises what `send` raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[str, int]] = loop.create_future()
        self._waiting.append((data, done))
        if self._working < self._uploads:
            # The task takes what waits when it runs: bodies of the same turn of the loop go together.
            self._working += 1
            task = loop.create_task(self._work())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await done

    def _gather(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= self._pack_bytes):
            one = self._waiting.popleft()
            # Whoever gave up needs nothing stored.
            if not one[1].done():
                batch.append(one)
                size += len(one[0])
        return batch

    async def _work(self) -> None:
        try:
            while batch := self._gather():
                await self._store(batch)
        finally:
            # In the same turn in which nothing waited: what comes from now on begins anew.
            self._working -= 1

    async def _store(self, batch: list[Waiting]) -> None:
        data = batch[0][0] if len(batch) == 1 else b"".join([one[0] for one in batch])
        try:
            name = await self._send(data, len(batch) > 1)
        except BaseException as error:
            fact = error if isinstance(error, Exception) else StoreUnavailable("The store was closed.")
            for _, done in batch:
                if not done.done():
                    done.set_exception(fact)
            if isinstance(error, Exception):
                return
            raise
        offset = 0
        for body, done in batch:
            if not done.done():
                done.set_result((name, offset))
            offset += len(body)

    async def close(self) -> None:
        """Wait for what is on its way; what still waits when that is cancelled is refused."""
        try:
            while self._running:
                await asyncio.gather(*self._running, return_exceptions=True)
        finally:
            while self._waiting:
                _, done = self._waiting.popleft()
                if not done.done():
                    done.set_exception(StoreUnavailable("The store was closed."))
