"""The write hand-over: which process may write to the SQLite file next, first come, first served.

SQLite's own busy handler polls, so one of two busy writers can wait for most of a second. Here every process asks over
a Unix socket and waits its turn. The lock ends with its connection, so a killed process takes nothing with it. It is a
courtesy: correctness rests on SQLite's lock alone, and a process that finds no server writes without it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections import deque
from pathlib import Path

ACQUIRE = b"A"
GRANT = b"G"
RELEASE = b"R"
PATIENCE = 3.0
"""Seconds to wait for a turn before writing without one: the server or the holder may be stopped."""
SULK = 30.0
"""Seconds to go without turns after that."""


class HandoverServer:
    """Serves the hand-over in the supervisor's selector loop: `for key, _ in selector.select(): key.data()`."""

    def __init__(self, path: Path, selector: selectors.BaseSelector) -> None:
        self._path = path
        self._selector = selector
        self._waiting: deque[socket.socket] = deque()
        self._holder: socket.socket | None = None
        self._clients: set[socket.socket] = set()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bind_unix(self._listener, path)
        os.chmod(path, 0o600)
        self._listener.listen(64)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        for client in tuple(self._clients):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def close_in_child(self) -> None:
        """Forget the sockets after a fork, leaving the parent's selector and socket file alone."""
        for client in self._clients:
            client.close()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ, lambda: self._receive(client))

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(64)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        for code in data:
            if code == ACQUIRE[0]:
                self._waiting.append(client)
            elif code == RELEASE[0]:
                if self._holder is client:
                    self._holder = None
                else:
                    # It gave up waiting: its place in the queue goes.
                    with contextlib.suppress(ValueError):
                        self._waiting.remove(client)
        self._grant()

    def _grant(self) -> None:
        while self._holder is None and self._waiting:
            client = self._waiting.popleft()
            self._holder = client
            try:
                client.send(GRANT)
            except OSError:
                self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        if client not in self._clients:
            return
        self._clients.discard(client)
        self._selector.unregister(client)
        client.close()
        self._waiting = deque(waiting for waiting in self._waiting if waiting is not client)
        if self._holder is client:
            self._holder = None
        self._grant()


class Handover:
    """A process's side. Blocking: called from the thread that commits."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._socket: socket.socket | None = None
        self._not_before = 0.0

    def ask(self) -> None:
        """Take a place in the queue; `wait` returns when its turn has come. What is done in between costs nothing."""
        if self._socket is not None:
            try:
                self._socket.sendall(ACQUIRE)
                return
            except OSError:
                # The server went, and may have come back.
                self.close()
        if self.path is None or time.monotonic() < self._not_before:
            return
        connection = self._connect(self.path)
        if connection is None:
            return
        try:
            connection.sendall(ACQUIRE)
        except OSError:
            connection.close()
            return
        self._socket = connection

    def wait(self) -> None:
        """Return when the turn has come, or when it is no use to wait for it."""
        if self._socket is None:
            return
        try:
            if self._socket.recv(1) == GRANT:
                return
        except TimeoutError:
            # Server or holder is stopped. Whoever asked anew at each commit would wait anew at each commit.
            self._not_before = time.monotonic() + SULK
        except OSError:
            pass
        # Closing gives the place back.
        self.close()

    def release(self) -> None:
        """Let the next one write. Without a turn it does nothing."""
        if self._socket is None:
            return
        try:
            self._socket.sendall(RELEASE)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _connect(path: Path) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        try:
            connect_unix(connection, path)
        except OSError:
            connection.close()
            return None
        return connection


def bind_unix(listener: socket.socket, path: Path) -> None:
    """Bind to `path`, however long it is: socket addresses end at 107 bytes, a descriptor of the folder does not."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def connect_unix(connection: socket.socket, path: Path) -> None:
    """Connect to `path`, however long it is."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
