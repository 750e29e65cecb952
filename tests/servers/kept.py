"""A server as tests see it: where it is, and what can be done to it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.servers.keeper import Launch
from tests.servers.programs import ROOT
from tests.servers.run_folder import ending, locked, run_folder

_ANSWER_SECONDS = 120.0


class ServerFailed(Exception):
    """It did not start, or could not do what was asked for."""


class KeeperGone(ServerFailed):
    """Nobody keeps it any more, so it has ended."""


class Kept(ABC):
    """A server of ours, or one that runs already (`external`) and can only be used."""

    kind: ClassVar[str]
    # Names a server of this kind that runs already.
    variable: ClassVar[str] = ""

    def __init__(self, run: str | None) -> None:
        """Begin to start the server of the run of this name, or join it where it is there: `wait` before any use."""
        self.details: dict[str, str] = {}
        self.pid = 0
        self._connection: socket.socket | None = None
        self._alone = False
        if run is not None:
            self.folder = run_folder(run) / self.kind
            self._join()

    @classmethod
    def own(cls) -> Self:
        """One that nobody else uses: pause and kill it as you like. It ends with `close`, or with this process."""
        server = cls(uuid.uuid4().hex[:12])
        server._alone = True
        return server.wait()

    @classmethod
    def external(cls) -> Self | None:
        """The one that the environment names; None where it names none."""
        url = os.environ.get(cls.variable, "")
        if not url:
            return None
        server = cls(None)
        server.details = cls.read_url(url)
        return server

    @classmethod
    def read_url(cls, url: str) -> dict[str, str]:
        """The details of a server that runs already."""
        return {"url": url}

    @staticmethod
    @abstractmethod
    def prepare(folder: Path) -> Launch:
        """Make what the server needs in its folder (called in the keeper). Raises ProgramMissing, OSError."""

    def wait(self) -> Self:
        """Return when it answers; raises ServerFailed with its log where it does not start."""
        for last in (False, False, True):
            if self._connection is None or self.details:
                break
            try:
                self.details = self._read()["details"]
            except KeeperGone:
                self.close()
                if last:
                    raise
                # It was about to end when we joined, as its last user had gone.
                self._join()
            except ServerFailed:
                self.close()
                raise
        return self

    def pause(self) -> None:
        """SIGSTOP for all its processes: connections stay, new ones are taken by the kernel, nothing answers."""
        self._order("pause")

    def resume(self) -> None:
        """Go on after `pause`."""
        self._order("resume")

    def kill(self) -> None:
        """SIGKILL for all its processes; returns when they are gone. `start` begins it again on what is on disk."""
        self._order("kill")

    def stop(self) -> None:
        """End it in good order; its port and its folder stay."""
        self._order("stop")

    def start(self) -> None:
        """Start it again after `kill` or `stop`, on the same port and data; returns when it answers."""
        self._order("start")

    def restart(self) -> None:
        """Stop and start."""
        self._order("restart")

    def close(self) -> None:
        """Use it no more: the last one out ends it, and its folder is removed. One's own is gone on return."""
        if self._connection is None:
            return
        if self._alone:
            with suppress(BrokenPipeError):
                self._connection.sendall(b"end\n")
        self._lines.close()
        self._connection.close()
        self._connection = None
        deadline = time.monotonic() + 60
        while self._alone and self.folder.exists() and time.monotonic() < deadline:
            time.sleep(0.01)

    def __enter__(self) -> Self:
        """As it is; closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> str:
        """The end of what the server wrote."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def _join(self) -> None:
        while self._connection is None:
            with locked(self.folder.parent):
                self._connection = _connect(self.folder / "socket")
                if self._connection is None and not ending(self.folder):
                    shutil.rmtree(self.folder, ignore_errors=True)
                    self._connection = _keep(self.kind, self.folder)
            time.sleep(0 if self._connection else 0.02)
        self._lines = self._connection.makefile("r", encoding="utf-8")

    def _order(self, order: str) -> None:
        if self._connection is None:
            raise ServerFailed(f"{self.kind}: not ours, so there is no {order}")
        # What a dead keeper cannot take is told by its answer, which does not come.
        with suppress(BrokenPipeError):
            self._connection.sendall(order.encode() + b"\n")
        self._read()

    def _read(self) -> Any:
        try:
            line = self._lines.readline()
        except ConnectionError:
            line = ""
        if not line:
            raise KeeperGone(f"the keeper of {self.kind} is gone")
        answer = json.loads(line)
        if "error" in answer:
            raise ServerFailed(answer["error"])
        self.pid = int(answer["pid"])
        return answer


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def _keep(kind: str, folder: Path) -> socket.socket:
    folder.mkdir(mode=0o711)
    path = folder / "socket"
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(64)
        # Neither measured nor steered by whatever steers the tests.
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("COVERAGE_", "COV_CORE_", "PYTEST_"))}
        subprocess.run(
            [sys.executable, "-m", "tests.servers.keeper", kind, str(folder), str(listener.fileno())],
            pass_fds=[listener.fileno()],
            cwd=ROOT,
            env=environment,
            # Nor does it hold a pipe open to whose end somebody reads.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
    finally:
        listener.close()
    connection = _connect(path)
    assert connection is not None
    return connection
