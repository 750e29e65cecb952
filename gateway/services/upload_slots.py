"""How many uploads a node takes at once, all its workers together, and how many of these one client may have.

A slot is a locked byte of a file: the kernel gives back the slots of a worker that dies. Whoever an upload counts for (an
address, a user) has bytes of its own there, as many as uploads it may have at once; an upload locks one of each, too. So
that holds in all workers, and a client that never ends its uploads leaves some slots to others. Who gets a slot that is
given back is decided by each worker for those that wait with it: who has the fewest there, then the first.

Byte `HUNGRY` is locked, shared, by each worker in which somebody has waited for a while: while somebody else has it, a slot
that is given back is left to them first.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gateway.errors import UploadsBusy

HUNGRY = 1 << 20
CLIENTS = 1 << 32
"""Where the bytes of clients begin."""
CLIENT_BYTES = 1 << 14
"""So far apart are they: more than there may be slots."""
HUNGRY_SECONDS = 0.25
POLL_SECONDS = 0.01
LEAVE_SECONDS = 0.05
"""How long who has not waited leaves the slots to workers that have."""
_FLOCK = struct.Struct("hhqqi4x")
"""`struct flock` of 64-bit Linux: type, whence, start, length, pid."""


@dataclass(slots=True, eq=False)
class _Upload:
    """One that waits, or has the `locked` bytes. `began` is on the monotonic clock."""

    clients: Mapping[str, int]
    began: float
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    locked: list[int] = field(default_factory=list)


class UploadSlots:
    """The slots of the node as one worker sees them. There may be one of these a process and file: locks are a process's."""

    def __init__(self, path: Path, limit: int, wait_seconds: float) -> None:
        """`limit` is the same in all workers. Opens nothing yet."""
        self.limit = limit
        self._path = path
        self._wait_seconds = wait_seconds
        self._fd: int | None = None
        self._locked: set[int] = set()
        self._waiting: list[_Upload] = []
        self._uploads_of: Counter[str] = Counter()
        self._hungry = False

    def active(self) -> int:
        """How many slots are taken on this node now."""
        fd = self._file()
        return sum(slot in self._locked or _locked_by_another(fd, slot) for slot in range(self.limit))

    @contextlib.asynccontextmanager
    async def taken(self, clients: Mapping[str, int], gone: Callable[[], bool] | None = None) -> AsyncIterator[None]:
        """Hold a slot for `clients`, each with how many it may have; the same in all workers. Waits as long as the settings say, then raises UploadsBusy.

        `gone` says whether the client has left, with whom nobody waits any longer: UploadsBusy.
        """
        upload = _Upload(clients, time.monotonic())
        await self._admit(upload, gone)
        try:
            yield
        finally:
            self._give(upload)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._locked.clear()

    async def _admit(self, upload: _Upload, gone: Callable[[], bool] | None) -> None:
        self._waiting.append(upload)
        try:
            self._serve()
            while not upload.locked:
                if time.monotonic() - upload.began >= self._wait_seconds or (gone is not None and gone()):
                    raise UploadsBusy("As many uploads as are taken at once are under way; try again soon.")
                # `wait_for` of Python 3.11 forgets that it was cancelled in the moment in which it ends.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause(upload)):
                        await upload.woken.wait()
                upload.woken.clear()
                if not upload.locked and self._waiting[0] is upload:
                    self._serve()
        except BaseException:
            if upload.locked:
                # It got a slot in the moment in which it was cancelled.
                self._give(upload)
            else:
                self._leave(upload)
            raise

    def _pause(self, upload: _Upload) -> float:
        left = max(self._wait_seconds - (time.monotonic() - upload.began), 0.001)
        # One looks for all: the others are woken when they have a slot or it is their turn to look, and see now and then
        # whether they still wait.
        first = self._waiting[0] is upload
        return min(left, random.uniform(0.5, 1.5) * POLL_SECONDS if first else 1.0)  # noqa: S311 -- no secret

    def _serve(self) -> None:
        """Give the slots that are free to those that wait."""
        now = time.monotonic()
        polite = not self._hungry and self._others_are_hungry()
        full: set[str] = set()
        starving = False
        for upload in sorted(self._waiting, key=self._has):
            if polite and now - upload.began <= LEAVE_SECONDS:
                continue
            locked = self._take_shares(upload.clients, full)
            if locked is None:
                # Its clients have what they may have, and so nothing to ask of other workers.
                continue
            slot = self._lock_one(range(self.limit))
            if slot is None:
                self._unlock(locked)
                starving = any(
                    now - one.began > HUNGRY_SECONDS for one in self._waiting if full.isdisjoint(one.clients)
                )
                break
            upload.locked = [slot, *locked]
            self._uploads_of.update(list(upload.clients))
            self._leave(upload)
            upload.woken.set()
        self._be_hungry(starving)

    def _has(self, upload: _Upload) -> int:
        """How many uploads its clients have under way here."""
        return max((self._uploads_of[client] for client in upload.clients), default=0)

    def _leave(self, upload: _Upload) -> None:
        self._waiting.remove(upload)
        if self._waiting:
            self._waiting[0].woken.set()
        else:
            self._be_hungry(False)

    def _give(self, upload: _Upload) -> None:
        self._unlock(upload.locked)
        upload.locked = []
        self._uploads_of.subtract(list(upload.clients))
        for client in upload.clients:
            if not self._uploads_of[client]:
                del self._uploads_of[client]
        if self._waiting and (self._hungry or not self._others_are_hungry()):
            self._serve()

    def _take_shares(self, clients: Mapping[str, int], full: set[str]) -> list[int] | None:
        """Lock a byte of each; None, and the client in `full`, where one has as many uploads as it may have."""
        locked: list[int] = []
        for client, share in clients.items():
            if share >= self.limit:
                continue
            byte = None if client in full else self._lock_one(_bytes_of(client, share))
            if byte is None:
                full.add(client)
                self._unlock(locked)
                return None
            locked.append(byte)
        return locked

    def _lock_one(self, among: range) -> int | None:
        fd = self._file()
        for byte in among:
            if byte in self._locked:
                continue
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except OSError:
                continue
            self._locked.add(byte)
            return byte
        return None

    def _unlock(self, locked: Collection[int]) -> None:
        self._locked.difference_update(locked)
        if self._fd is not None:
            for byte in locked:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, byte)

    def _be_hungry(self, hungry: bool) -> None:
        if hungry is self._hungry:
            return
        self._hungry = hungry
        if hungry:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file(), fcntl.LOCK_SH | fcntl.LOCK_NB, 1, HUNGRY)
        elif self._fd is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, HUNGRY)

    def _others_are_hungry(self) -> bool:
        return _locked_by_another(self._file(), HUNGRY)

    def _file(self) -> int:
        if self._fd is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._fd


def _bytes_of(client: str, share: int) -> range:
    number = int.from_bytes(sha256(client.encode("utf-8", "surrogatepass")).digest()[:5])
    first = CLIENTS + number * CLIENT_BYTES
    return range(first, first + share)


def _locked_by_another(fd: int, byte: int) -> bool:
    """Whether another process has a lock on that byte."""
    answer = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
