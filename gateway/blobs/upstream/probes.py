"""Small objects that a store is tried with: each is written, read and deleted, whoever waits for it or does not any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.listing import Listed, list_objects
from gateway.blobs.upstream.names import is_probe, new_probe
from gateway.blobs.upstream.removal import remove_objects

T = TypeVar("T")


class Probes:
    """Those below one `root` (empty, or with a slash at its end).

    A probe goes on when its caller is cancelled: a health check that took too long, a process that ends. Else the object
    that was just being written would stay. `settle` waits for them; those of a process that was killed are found by
    `remove_old`.
    """

    def __init__(self, client: Client, bucket: str, root: bytes) -> None:
        self._client = client
        self._bucket = bucket
        self._root = root
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, probe: Callable[[bytes], Coroutine[Any, Any, T]]) -> T:
        """Give the outcome of `probe`, which is handed a key and deletes what it wrote there."""
        task = asyncio.get_running_loop().create_task(probe(new_probe(self._root)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for those that are on their way."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def cancel(self) -> None:
        for task in self._running:
            task.cancel()

    async def remove_old(self, before_ms: int) -> int:
        """Delete those that were written before, in ms since the epoch on the service's clock; gives how many.

        Raises UpstreamError.
        """
        removed = 0
        async for page in list_objects(self._client, self._bucket, self._root + b"probe-"):
            removed += await self.remove_old_of(page, before_ms)
        return removed

    async def remove_old_of(self, page: Sequence[Listed], before_ms: int) -> int:
        """The same, of what was listed already."""
        keys = [one.key for one in page if is_probe(one.key, self._root) and one.modified_ms < before_ms]
        await remove_objects(self._client, self._bucket, keys)
        return len(keys)
