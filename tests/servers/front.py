"""A cache in front of a gateway: a process with a port."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tests.servers.kept import ServerFailed
from tests.servers.process import Command, Process

READY_SECONDS = 60.0


class Front:
    """Started by `running`, which waits until it answers."""

    program: ClassVar[str]

    def __init__(self, command: Command, folder: Path, port: int) -> None:
        self._command = command
        self._folder = folder
        self.port = port
        self._log = folder / "log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Started, and ended with the block."""
        process = Process(self._command, self._folder, self._log)
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not self._answers():
                if not process.running or time.monotonic() > deadline:
                    raise ServerFailed(f"{self.program} did not start:\n{self._log.read_text()[-3000:]}")
                time.sleep(0.05)
            yield
        finally:
            process.kill()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().read() is not None
        except OSError:
            return False
        finally:
            connection.close()
