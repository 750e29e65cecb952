"""Answers that are begun and not read to their end: how soon they begin, and what many of them at once take."""

from __future__ import annotations

import select
import socket
import time

RECEIVE = 1 << 20


def first_byte(address: tuple[str, int], request: bytes) -> float:
    """Seconds from sending a request to the first byte of its answer's body. Raises RuntimeError where it is no 200."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        connection.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0 or len(data) == end + 4:
            piece = connection.recv(RECEIVE)
            if not piece:
                raise RuntimeError("the connection was closed")
            data += piece
        seconds = time.perf_counter() - began
    if data[9:12] != b"200":
        raise RuntimeError(data[:1000].decode("latin-1"))
    return seconds


def read_for(address: tuple[str, int], request: bytes, connections: int, seconds: float, *, read: bool) -> int:
    """Ask for one answer on each of many connections and take what comes for a while; gives the bytes.

    Without `read` nothing is taken: whoever sends has to hold back.
    """
    poll = select.epoll()
    opened: dict[int, socket.socket] = {}
    received = 0
    buffer = bytearray(RECEIVE)
    try:
        for _ in range(connections):
            connection = socket.create_connection(address, timeout=30)
            opened[connection.fileno()] = connection
            connection.sendall(request)
            poll.register(connection.fileno(), select.EPOLLIN)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not read:
                time.sleep(left)
                continue
            for fd, _ in poll.poll(left):
                count = opened[fd].recv_into(buffer)
                if not count:
                    poll.unregister(fd)
                received += count
    finally:
        poll.close()
        for connection in opened.values():
            connection.close()
    return received
