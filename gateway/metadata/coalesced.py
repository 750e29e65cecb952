"""One question for all who ask it at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Coalesced(Generic[T]):
    """Callers share an answer that was asked for after they came: those who come while a question is on its way share
    the next one."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._next: asyncio.Future[T] | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def asked(self) -> bool:
        """Whether somebody waits for the next answer."""
        return self._next is not None

    async def __call__(self) -> T:
        loop = asyncio.get_running_loop()
        future = self._next
        if future is None:
            future = self._next = loop.create_future()
            if self._running is None:
                self._running = loop.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._next is not None:
                future, self._next = self._next, None
                try:
                    future.set_result(await self._ask())
                except Exception as error:
                    future.set_exception(error)
                    # Whoever asked may be gone.
                    future.exception()
                except BaseException:
                    future.cancel()
                    raise
        finally:
            self._running = None
