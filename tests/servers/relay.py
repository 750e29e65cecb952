"""What the proxies of the tests share: a loopback port in front of another one, served by a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from tests.servers.ports import free_port

LIMIT = 1 << 18


class Hits:
    """How often something has happened; tests wait for it."""

    def __init__(self, *, skip: int = 0, count: int | None = 1) -> None:
        """It is to happen `count` times (None: always), after it was passed over `skip` times."""
        self._skip = skip
        self._left = count
        self._changed = threading.Condition()
        self.hits = 0

    def take(self) -> bool:
        """Whether it happens now."""
        with self._changed:
            if self._skip > 0:
                self._skip -= 1
                return False
            if self._left is not None and self._left <= 0:
                return False
            if self._left is not None:
                self._left -= 1
            self.hits += 1
            self._changed.notify_all()
            return True

    def stop(self) -> None:
        """It happens no more."""
        with self._changed:
            self._left = 0

    def wait(self, seconds: float = 60, hits: int = 1) -> None:
        """Return when it has happened so often; raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits >= hits, seconds):
                raise TimeoutError(f"happened {self.hits} times within {seconds} s, not {hits}")


class Line:
    """One connection of a client, and ours to the server for it."""

    def __init__(self, client: tuple[Any, Any], server: tuple[Any, Any]) -> None:
        self.from_client: asyncio.StreamReader = client[0]
        self.to_client: asyncio.StreamWriter = client[1]
        self.from_server: asyncio.StreamReader = server[0]
        self.to_server: asyncio.StreamWriter = server[1]

    def close(self) -> None:
        """End both in good order: what was written still arrives."""
        self.to_client.close()
        self.to_server.close()

    def cut(self) -> None:
        """End both with a reset; what is on its way may be lost."""
        for writer in (self.to_client, self.to_server):
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Relay(ABC):
    """A proxy on a loopback port of its own; a context manager. Its methods may be called from any thread."""

    def __init__(self, port: int) -> None:
        """In front of that port of 127.0.0.1."""
        self.port = free_port()
        self._target = port
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.accept()

    @abstractmethod
    async def relay(self, line: Line) -> None:
        """Carry what the two say until one of them ends."""

    def refuse(self) -> None:
        """Refuse new connections until `accept`; those that are there stay (`cut` ends them)."""

        async def refuse() -> None:
            if self._server:
                self._server.close()
                self._server = None

        self._call(refuse)

    def accept(self) -> None:
        """Take connections again, on the same port."""

        async def accept() -> None:
            if self._server is None:
                self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=LIMIT)

        self._call(accept)

    def cut(self) -> int:
        """End all connections that are there with a reset: how many."""

        async def cut() -> int:
            lines = list(self._lines)
            for line in lines:
                line.cut()
            return len(lines)

        return int(self._call(cut))

    def aim(self, port: int) -> None:
        """Send new connections to another port of 127.0.0.1."""
        self._target = port

    def close(self) -> None:
        """End it and all its connections."""
        if self._loop.is_closed():
            return
        self.refuse()

        async def end() -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            # Sockets are closed by the loop after this.
            await asyncio.sleep(0.01)

        self._call(end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def __enter__(self) -> Self:
        """As it is; closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, work: Callable[[], Any]) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work(), self._loop)
        return done.result(60)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        line: Line | None = None
        try:
            server = await asyncio.open_connection("127.0.0.1", self._target, limit=LIMIT)
            line = Line((reader, writer), server)
            self._lines.add(line)
            await self.relay(line)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # Who loses one end loses the other: nothing is told that the server did not say.
            if line:
                line.cut()
        finally:
            self._tasks.discard(task)
            if line:
                self._lines.discard(line)
                line.close()
            writer.close()
