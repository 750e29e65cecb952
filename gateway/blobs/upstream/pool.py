"""The connections to one host: kept alive, bounded, given out one exchange at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from gateway.blobs.upstream.connection import Connection
from gateway.blobs.upstream.errors import Broken, Busy, TimedOut

CONNECT_SECONDS = 4.0
IDLE_SECONDS = 10.0
"""A connection that was idle for longer is not used again: the service may be closing it this moment."""
TICK_SECONDS = 0.1


class Pool:
    """At most `limit` connections to `host`:`port`; `tls` None is plain TCP. For one event loop."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, limit: int) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ticking: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def busy(self) -> int:
        return len(self._busy)

    async def take(self, timeout: float, *, fresh: bool = False) -> Connection:
        """A connection of one's own; give it back. `fresh`: one that served nobody yet.

        Raises Broken, and TimedOut or Busy after `timeout` seconds.
        """
        give_up = self._loop.time() + timeout
        while True:
            if not fresh and (connection := self._take_idle()) is not None:
                return connection
            if self._closed:
                raise Broken("the store was closed")
            if len(self._busy) + self._connecting < self._limit:
                if self._idle:
                    self._idle.pop(0).close()
                return await self._connect(min(CONNECT_SECONDS, give_up - self._loop.time()))
            await self._wait_turn(give_up - self._loop.time())

    def _take_idle(self) -> Connection | None:
        now = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.idle_since < IDLE_SECONDS:
                self._lend(connection)
                return connection
            connection.close()
        return None

    def _lend(self, connection: Connection) -> None:
        self._busy.add(connection)
        if self._ticking is None:
            self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)

    async def _connect(self, timeout: float) -> Connection:
        self._connecting += 1
        try:
            async with asyncio.timeout(max(timeout, 0)):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._loop),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls is not None else None,
                )
        except TimeoutError as error:
            self._pass_on()
            raise TimedOut("no connection in time") from error
        except (OSError, ssl.SSLError) as error:
            self._pass_on()
            raise Broken(f"no connection: {error}") from error
        except BaseException:
            self._pass_on()
            raise
        finally:
            self._connecting -= 1
        self._lend(connection)
        return connection

    async def _wait_turn(self, timeout: float) -> None:
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(max(timeout, 0)):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # It was this one's turn, but it does not want it any more.
                self._pass_on()
            if isinstance(error, TimeoutError):
                raise Busy("all connections are in use") from error
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def give_back(self, connection: Connection) -> None:
        """End the exchange on it: kept for the next where the whole answer was read, else closed."""
        if connection not in self._busy:
            return
        self._busy.discard(connection)
        if connection.end() and not self._closed:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            connection.close()
        self._pass_on()

    def _tick(self) -> None:
        self._ticking = None
        now = self._loop.time()
        for connection in tuple(self._busy):
            connection.check_deadline(now)
        if self._busy:
            self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)

    def release_idle(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def close(self) -> None:
        """Drop all of them, also those in use."""
        self._closed = True
        self.release_idle()
        for connection in tuple(self._busy):
            connection.close()
        self._busy.clear()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        while self._waiting:
            self._pass_on()
