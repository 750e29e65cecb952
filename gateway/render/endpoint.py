"""One end of a render socket on an event loop: messages in by a callback, messages out without ever waiting."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from gateway.render import wire

_MAX_BACKLOG = 10_000
"""Messages kept for a peer that does not read; beyond this it is cut off."""


class Endpoint:
    """Sends and receives whole messages on a connected SOCK_SEQPACKET socket, which it owns.

    `on_message` takes each message and its descriptors; `on_close` is called once, when the peer has gone, broke the
    format or `close` was called. Descriptors given to `send` stay the caller's.
    """

    def __init__(
        self, sock: socket.socket, on_message: Callable[[wire.Message], None], on_close: Callable[[], None]
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._on_close = on_close
        self._backlog: deque[tuple[dict[str, Any], bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._fd = sock.fileno()
        self.closed = False
        self._loop.add_reader(self._fd, self._readable)

    def send(self, head: dict[str, Any], payload: bytes = b"", fds: Sequence[int] = ()) -> None:
        """Sends now, or as soon as the peer reads. On a closed endpoint it does nothing: `on_close` has told."""
        if self.closed:
            return
        if not self._backlog:
            try:
                wire.send(self._sock, head, payload, fds)
                return
            except BlockingIOError:
                self._loop.add_writer(self._fd, self._writable)
            except OSError:
                self.close()
                return
        if len(self._backlog) >= _MAX_BACKLOG:
            self.close()
            return
        # What the caller may close before the message can leave is duplicated.
        self._backlog.append((head, payload, [os.dup(fd) for fd in fds]))

    def close(self) -> None:
        """Closes the socket; safe to call again."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._sock.close()
        for _, _, fds in self._backlog:
            for fd in fds:
                os.close(fd)
        self._backlog.clear()
        self._on_close()

    def _readable(self) -> None:
        # A few at a time, so that one busy peer does not keep the others waiting.
        for _ in range(16):
            if self.closed:
                return
            try:
                message = wire.receive(self._sock)
            except (BlockingIOError, InterruptedError):
                return
            except (OSError, ValueError):
                self.close()
                return
            if message is None:
                self.close()
                return
            self._on_message(message)

    def _writable(self) -> None:
        while self._backlog:
            head, payload, fds = self._backlog[0]
            try:
                wire.send(self._sock, head, payload, fds)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.close()
                return
            self._backlog.popleft()
            for fd in fds:
                os.close(fd)
        self._loop.remove_writer(self._fd)
