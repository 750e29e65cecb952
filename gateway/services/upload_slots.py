"""How many uploads a node takes at once, all its workers together.

A slot is a locked byte of a file: the kernel gives back the slots of a worker that dies. Byte `HUNGRY` is locked, shared,
by each worker that has waited for a while: while somebody else has it, a slot that is given back is left to them first.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from gateway.errors import UploadsBusy

HUNGRY = 1 << 20
HUNGRY_SECONDS = 0.25
POLL_SECONDS = 0.01
LEAVE_SECONDS = 0.05
"""How long who has not waited leaves the slots to workers that have."""
_FLOCK = struct.Struct("hhqqi4x")
"""`struct flock` of 64-bit Linux: type, whence, start, length, pid."""


class UploadSlots:
    """The slots of the node as one worker sees them. There may be one of these a process and file: locks are a process's."""

    def __init__(self, path: Path, limit: int, wait_seconds: float) -> None:
        """`limit` is the same in all workers. Opens nothing yet."""
        self.limit = limit
        self._path = path
        self._wait_seconds = wait_seconds
        self._fd: int | None = None
        self._held: set[int] = set()
        self._waiting: deque[asyncio.Event] = deque()
        self._hungry = 0

    def active(self) -> int:
        """How many slots are taken on this node now."""
        fd = self._file()
        return len(self._held) + sum(
            1 for slot in range(self.limit) if slot not in self._held and _held_by_another(fd, slot)
        )

    @contextlib.asynccontextmanager
    async def taken(self, gone: Callable[[], bool] | None = None) -> AsyncIterator[None]:
        """Hold a slot. Waits, the first first, as long as the settings say, then raises UploadsBusy.

        `gone` says whether the client has left, with whom nobody waits any longer: UploadsBusy.
        """
        slot = None if self._waiting or self._others_are_hungry() else self._take()
        if slot is None:
            slot = await self._wait(gone)
        try:
            yield
        finally:
            self._give(slot)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._held.clear()

    async def _wait(self, gone: Callable[[], bool] | None) -> int:
        began = time.monotonic()
        mine = asyncio.Event()
        self._waiting.append(mine)
        hungry = False
        try:
            while (waited := time.monotonic() - began) < self._wait_seconds and not (gone is not None and gone()):
                if self._waiting[0] is mine:
                    if not hungry and waited > HUNGRY_SECONDS:
                        hungry = True
                        self._be_hungry()
                    if (hungry or waited > LEAVE_SECONDS or not self._others_are_hungry()) and (
                        slot := self._take()
                    ) is not None:
                        return slot
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(mine.wait(), self._pause(began, first=self._waiting[0] is mine))
                mine.clear()
            raise UploadsBusy("As many uploads as the node takes at once are under way; try again soon.")
        finally:
            self._waiting.remove(mine)
            if hungry:
                self._be_sated()
            if self._waiting:
                self._waiting[0].set()

    def _pause(self, began: float, *, first: bool) -> float:
        left = max(self._wait_seconds - (time.monotonic() - began), 0.001)
        # Those behind the first are woken when it is their turn, and look now and then whether they still wait.
        return min(left, random.uniform(0.5, 1.5) * POLL_SECONDS if first else 1.0)  # noqa: S311 -- no secret

    def _take(self) -> int | None:
        fd = self._file()
        for slot in range(self.limit):
            if slot in self._held:
                continue
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            self._held.add(slot)
            return slot
        return None

    def _give(self, slot: int) -> None:
        self._held.discard(slot)
        if self._fd is None:
            return
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, slot)
        if self._waiting and (self._hungry or not self._others_are_hungry()):
            self._waiting[0].set()

    def _be_hungry(self) -> None:
        self._hungry += 1
        if self._hungry == 1:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file(), fcntl.LOCK_SH | fcntl.LOCK_NB, 1, HUNGRY)

    def _be_sated(self) -> None:
        self._hungry -= 1
        if self._hungry == 0 and self._fd is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, HUNGRY)

    def _others_are_hungry(self) -> bool:
        return _held_by_another(self._file(), HUNGRY)

    def _file(self) -> int:
        if self._fd is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._fd


def _held_by_another(fd: int, byte: int) -> bool:
    """Whether another process has a lock on that byte."""
    answer = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
