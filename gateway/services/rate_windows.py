"""Where moving windows are kept, as the `limits` library wants it: in Redis for all nodes, or in a file of the node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.storage.redis.bridge import RedisBridge

from gateway.metadata.rate_windows import RateWindowFile

if TYPE_CHECKING:
    from gateway.cache.redis import RedisServer

T = TypeVar("T")

_ACQUIRE = RedisBridge.SCRIPT_ACQUIRE_MOVING_WINDOW.decode()
_WINDOW = RedisBridge.SCRIPT_MOVING_WINDOW.decode()


class _Windows(Storage, MovingWindowSupport):
    """What a storage of moving windows does not have: the counters of the library's other strategies."""

    STORAGE_SCHEME = None

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    async def get(self, key: str) -> int:
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        raise NotImplementedError

    async def check(self) -> bool:
        raise NotImplementedError

    async def reset(self) -> int | None:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what it stands on."""
        raise NotImplementedError


class RedisWindows(_Windows):
    """Windows in Redis by the library's own scripts, over a connection with a budget and a breaker.

    Every method raises CacheUnavailable.
    """

    def __init__(self, server: RedisServer) -> None:
        super().__init__()
        self._server = server

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return bool(await self._server.script(_ACQUIRE, self._place(key), time.time(), limit, expiry, amount))

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = time.time()
        window = await self._server.script(_WINDOW, self._place(key), now - expiry, limit)
        return (float(window[0]), int(window[1])) if window else (now, 0)

    async def clear(self, key: str) -> None:
        await self._server.write("DEL", self._place(key))

    async def close(self) -> None:
        await self._server.close()

    def _place(self, key: str) -> str:
        return f"{self._server.prefix}w:{key}"


class FileWindows(_Windows):
    """Windows in a file of the node, asked in a thread. Every method raises RateWindowsUnavailable."""

    def __init__(self, file: RateWindowFile) -> None:
        super().__init__()
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="limits")

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return await self._run(lambda: self._file.take(key, limit, expiry, amount, time.time()))

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 -- the library's signature
        return await self._run(lambda: self._file.window(key, expiry, time.time()))

    async def clear(self, key: str) -> None:
        await self._run(lambda: self._file.forget(key))

    async def close(self) -> None:
        await self._run(self._file.close)
        self._thread.shutdown()

    async def _run(self, operation: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, operation)
