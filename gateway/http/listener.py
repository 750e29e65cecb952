"""Accepting connections from the socket that all workers share, evenly.

asyncio's and libuv's servers take all that wait in the kernel's queue at once, so that of sixteen connections one worker
often gets twelve. Here a worker takes one at a time, and leaves it to others while it has more than they.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from gateway.http.guard import GuardedServer

LOG = logging.getLogger(__name__)
STEP_BACK = 0.002
"""Seconds to leave a waiting connection to the others."""
NO_DESCRIPTORS_PAUSE = 0.2


class Census(Protocol):
    """How many connections each worker has."""

    def set_mine(self, count: int) -> None: ...
    def fewest(self) -> int: ...


class Listener:
    """One worker's end of the shared socket. `tls` gives the context for the next connection, None for plain HTTP."""

    def __init__(
        self,
        listening: socket.socket,
        server: GuardedServer,
        census: Census,
        *,
        max_connections: int,
        handshake_timeout: float,
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._socket = listening
        self._server = server
        self._census = census
        self._max_connections = max_connections
        self._handshake_timeout = handshake_timeout
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._stepped_back = False
        self._pause: asyncio.TimerHandle | None = None
        listening.setblocking(False)

    def start(self) -> None:
        self._pause = None
        if not self._closed:
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Take what the kernel has accepted already, and nothing more. Connections that are there stay."""
        if self._closed:
            return
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._socket.fileno())
        while self._accept():
            pass
        self._socket.close()

    def count(self) -> int:
        return self._server.connection_count + len(self._starting)

    def _readable(self) -> None:
        count = self.count()
        self._census.set_mine(count)
        if count >= self._max_connections:
            self._rest(0.05)
            return
        if count > self._census.fewest() and not self._stepped_back:
            self._stepped_back = True
            self._rest(STEP_BACK)
            return
        self._stepped_back = False
        self._accept()

    def _accept(self) -> bool:
        """Take one connection. Whether there was one."""
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker was faster, or the client has gone
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            LOG.error("cannot accept a connection: %s", error.strerror)
            if not self._closed:
                self._rest(NO_DESCRIPTORS_PAUSE)
            return False
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._welcome(connection))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        self._census.set_mine(self.count())
        return True

    async def _welcome(self, connection: socket.socket) -> None:
        context = self._tls()
        try:
            await self._loop.connect_accepted_socket(
                self._server,
                connection,
                ssl=context,
                ssl_handshake_timeout=None if context is None else self._handshake_timeout,
            )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            LOG.debug("a connection failed at its start: %s", error)
            connection.close()

    def _rest(self, seconds: float) -> None:
        """Stop looking at the socket for a while: it stays readable, and looking would only burn time."""
        self._loop.remove_reader(self._socket.fileno())
        self._pause = self._loop.call_later(seconds, self.start)
