"""One server as a tree of processes that can be stopped in its tracks, killed, and that never outlives its keeper."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: the child between fork and exec must not import.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: the environment is all that it gets; `user` is whom to become (root only), None for nobody else."""

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: int = signal.SIGTERM

    def run(self, cwd: Path) -> str:
        """Run it to its end: what it printed; raises CalledProcessError."""
        done = subprocess.run(
            self.arguments,
            env=self.environment,
            cwd=cwd,
            **_as_user(self.user),
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, self.arguments, done.stdout, done.stderr)
        return done.stdout


def wait_until_still(pids: Iterable[int], seconds: float = 30) -> None:
    """Return when every thread of these processes has stopped: on a busy machine one may answer for a while yet."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        while any(state not in "TtZXx" for state in _states(pid)) and time.monotonic() < deadline:
            time.sleep(0.001)


def _states(pid: int) -> Iterator[str]:
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        # It may end meanwhile.
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace").rpartition(")")[2].split()[0]


def _as_user(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    import pwd

    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A running server. Start it in the main thread: Linux ends it with the thread that forked it."""

    def __init__(self, command: Command, folder: Path, log: Path) -> None:
        self._command = command
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                command.arguments,
                env=command.environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **_as_user(command.user),
            )

    @property
    def pid(self) -> int:
        """Of the process that was started, the parent of all."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether that process is there; one that is paused is."""
        return self._popen.poll() is None

    def pause(self) -> None:
        """Stop every process of the tree where it stands (SIGSTOP); connections stay open, nothing answers."""
        _signal(self.pid, signal.SIGSTOP)
        stopped: set[int] = set()
        # The parent stands still by now, but one of its children may have been forking.
        while fresh := {child.pid for child in self._children()} - stopped:
            for pid in fresh:
                _signal(pid, signal.SIGSTOP)
            stopped |= fresh
        wait_until_still({self.pid, *stopped})

    def resume(self) -> None:
        """Let the whole tree go on; harmless where it was not paused."""
        for child in self._children():
            _signal(child.pid, signal.SIGCONT)
        _signal(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End every process of the tree at once (SIGKILL), and wait for that."""
        if not self.running:
            return
        self.pause()
        tree = self._children()
        _signal(self.pid, signal.SIGKILL)
        for child in tree:
            _signal(child.pid, signal.SIGKILL)
        self._popen.wait(60)
        deadline = time.monotonic() + 60
        while any(map(_there, tree)) and time.monotonic() < deadline:
            time.sleep(0.005)

    def stop(self, seconds: float = 20) -> None:
        """Ask it to end in good order, and wait; kill it where it does not within `seconds`."""
        self.resume()
        _signal(self.pid, self._command.stop_signal)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def _there(process: psutil.Process) -> bool:
    # What is left of the dead until somebody reaps them holds nothing.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
