"""One question for all who ask it at about the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gateway.errors import DatabaseUnavailable

T = TypeVar("T")

PATIENCE_SECONDS = 0.5
"""Whoever came while a question waited longer than this for a database that is away has waited with it, and shares its
failure: a question of their own would keep them for as long again."""


def fails_all(failure: Exception, began: float) -> bool:
    """Whether those who wait for the next question are not to wait for it: `began`, on the monotonic clock, is when the
    one that failed was asked."""
    return isinstance(failure, DatabaseUnavailable) and time.monotonic() - began > PATIENCE_SECONDS


class Coalesced(Generic[T]):
    """Callers share an answer that was asked for after they came: those who come while a question is on its way share
    the next one. A failure that was waited for is everybody's (`fails_all`)."""

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
                began = time.monotonic()
                try:
                    future.set_result(await self._ask())
                except Exception as error:
                    _fail(future, error)
                    self._fail_next(error, began)
                except BaseException:
                    future.cancel()
                    raise
        finally:
            self._running = None

    def _fail_next(self, error: Exception, began: float) -> None:
        if self._next is not None and fails_all(error, began):
            _fail(self._next, error)
            self._next = None


def _fail(future: asyncio.Future[T], error: Exception) -> None:
    future.set_exception(error)
    # Whoever asked may be gone.
    future.exception()
