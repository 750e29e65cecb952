"""A body of unknown length, kept aside until it is known: in memory while it is small, else in a file without a name."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from gateway.blobs.port import Bytes
from gateway.errors import DiskFull, StoreUnavailable
from gateway.services.body import Body

MEMORY_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024

T = TypeVar("T")


class Spool:
    """Filled once, then read once as a body. Close it. Its file is in the system's folder for such (`TMPDIR`).

    Raises DiskFull, StoreUnavailable where that takes nothing.
    """

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 -- closed by `close`
        self.size = 0

    async def fill(self, body: Body) -> None:
        """Take a body to its end."""
        gathered: list[Bytes] = []
        amount = 0
        while piece := await body.read():
            gathered.append(piece)
            amount += len(piece)
            if amount >= PIECE_BYTES:
                self.size += amount
                await self._run(partial(self._file.write, b"".join(gathered)))
                gathered, amount = [], 0
        self.size += amount
        await self._run(partial(self._file.write, b"".join(gathered)))
        await self._run(partial(self._file.seek, 0))

    async def read(self) -> bytes:
        return await self._run(partial(self._file.read, PIECE_BYTES))

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("There is no space left to take uploads.") from error
            raise StoreUnavailable(
                "Uploads cannot be taken: the folder for temporary files does not answer."
            ) from error

    def trailer(self, _name: str) -> str | None:
        return None

    def close(self) -> None:
        self._file.close()
