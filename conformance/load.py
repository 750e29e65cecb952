"""A small load generator for HTTP/1.1 over loopback: a fixed number of requests over a fixed number of connections.

It speaks only what a benchmark needs (keep-alive, Content-Length), so that it takes as little as possible of the
processor that it shares with the server. Requests are made before the clock starts.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

RECEIVE = 1 << 20
Request = bytes | Sequence[bytes]
"""A request in one piece or in several, which may be shared among many."""


class LoadError(Exception):
    """The server answered something else than was expected; the text holds the beginning of it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`seconds` for all, `latencies` of each in seconds (sorted), `received` body bytes."""

    requests: int
    seconds: float
    latencies: tuple[float, ...]
    received: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def percentile(self, percent: float) -> float:
        """A latency in seconds."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


class _Connection:
    __slots__ = ("began", "buffer", "expected", "pieces", "position", "request", "sock")

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.request: memoryview = memoryview(b"")
        self.pieces: Iterator[bytes] = iter(())
        self.position = 0
        self.buffer = b""
        self.expected = -1
        self.began = 0.0

    def begin(self, request: Request) -> None:
        self.pieces = iter((request,) if isinstance(request, bytes) else request)
        self.request = memoryview(next(self.pieces))
        self.position = 0
        self.buffer = b""
        self.expected = -1
        self.began = time.perf_counter()

    def send(self) -> bool:
        """Send what the socket takes; whether all is sent."""
        try:
            while True:
                while self.position < len(self.request):
                    self.position += self.sock.send(self.request[self.position : self.position + RECEIVE])
                piece = next(self.pieces, None)
                if piece is None:
                    return True
                self.request = memoryview(piece)
                self.position = 0
        except BlockingIOError:
            return False


def run(
    address: tuple[str, int],
    requests: Sequence[Request],
    *,
    connections: int = 16,
    status: bytes = b"200",
    bodyless: bool = False,
    check: Callable[[bytes], bool] | None = None,
) -> Figures:
    """Send every request once and wait for every answer.

    `bodyless`: answers have no body whatever their Content-Length says (HEAD). Raises LoadError at the first answer
    with another status, or whose head (`check`) is not as it should be.
    """
    poll = select.epoll()
    by_fd: dict[int, _Connection] = {}
    for _ in range(min(connections, len(requests))):
        connection = _Connection(address)
        by_fd[connection.sock.fileno()] = connection
    waiting = iter(requests)
    latencies: list[float] = []
    received = 0
    started = time.perf_counter()
    for fd, connection in by_fd.items():
        connection.begin(next(waiting))
        poll.register(fd, select.EPOLLIN if connection.send() else select.EPOLLIN | select.EPOLLOUT)
    try:
        while len(latencies) < len(requests):
            for fd, event in poll.poll(30):
                connection = by_fd[fd]
                if event & select.EPOLLOUT and connection.send():
                    poll.modify(fd, select.EPOLLIN)
                if not event & ~select.EPOLLOUT:
                    continue
                data = connection.sock.recv(RECEIVE)
                if not data:
                    raise LoadError("the connection was closed " + connection.buffer[:500].decode("latin-1"))
                if connection.expected < 0:
                    head = connection.buffer + data
                    end = head.find(b"\r\n\r\n")
                    if end < 0:
                        connection.buffer = head
                        continue
                    if head[9:12] != status:
                        raise LoadError(head[:1500].decode("latin-1"))
                    if check is not None and not check(head[:end]):
                        raise LoadError(head[:end].decode("latin-1"))
                    length = 0 if bodyless else _content_length(head[:end])
                    connection.expected = length - (len(head) - end - 4)
                    received += length
                else:
                    connection.expected -= len(data)
                if connection.expected == 0:
                    latencies.append(time.perf_counter() - connection.began)
                    request = next(waiting, None)
                    if request is not None:
                        connection.begin(request)
                        if not connection.send():
                            poll.modify(fd, select.EPOLLIN | select.EPOLLOUT)
    finally:
        seconds = time.perf_counter() - started
        poll.close()
        for connection in by_fd.values():
            connection.sock.close()
    latencies.sort()
    return Figures(len(requests), seconds, tuple(latencies), received)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at + 2)
    return int(head[at + 17 : end if end >= 0 else None])
