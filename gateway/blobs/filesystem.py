"""A folder as a store: what blocks runs in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from gateway.blobs.blob_file import FileReader, FileWriter
from gateway.blobs.folder import Folder
from gateway.blobs.port import Bytes, Entry, Placed
from gateway.model.contents import Segment

PAGE = 1000


class FilesystemWriter:
    """A blob that is a file of its own."""

    gives_md5 = False

    def __init__(self, file: FileWriter, executor: Executor) -> None:
        self._file = file
        self._executor = executor

    async def write(self, pieces: Sequence[Bytes]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, self._file.write, pieces)

    async def finish(self) -> Placed:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._file.finish)

    def abandon(self) -> None:
        # In a thread: it waits for one that still writes, so that the descriptor's number is not used again before.
        self._executor.submit(self._file.abandon)


class FilesystemStore:
    """A store in a folder (see `gateway.blobs.folder`). `executor` runs what blocks on the disk."""

    kind = "folder"
    source = None

    def __init__(
        self, root: Path, deployment: str, executor: Executor, *, name: str = "local", min_free: int = 0
    ) -> None:
        self.name = name
        self.folder = Folder(root, deployment, name=name, min_free=min_free)
        self._executor = executor

    async def append(self, data: bytes) -> Placed:
        return self.folder.append(data)

    async def create(self, length: int) -> FilesystemWriter:  # noqa: ARG002 -- a file need not know
        loop = asyncio.get_running_loop()
        return FilesystemWriter(await loop.run_in_executor(self._executor, self.folder.create), self._executor)

    async def open(self, segment: Segment) -> FileReader:
        return self.folder.open(segment)

    def check_room(self) -> None:
        self.folder.check_room()

    async def claim(self, *, used: bool) -> None:
        await asyncio.to_thread(self.folder.claim, used=used)

    async def begin_lease(self, lease: int) -> None:
        # Quick, and no thread of ours may be writing to the pack that it closes.
        self.folder.begin_lease(lease)

    def oldest_read_ms(self) -> int | None:
        return self.folder.oldest_read_ms()

    def release_idle(self) -> None:
        self.folder.release_idle()

    async def entries(self, lease: int) -> AsyncIterator[list[Entry]]:
        entries = await asyncio.to_thread(self.folder.entries, lease)
        for start in range(0, len(entries), PAGE):
            yield entries[start : start + PAGE]

    async def leases(self) -> list[int]:
        return await asyncio.to_thread(self.folder.leases)

    async def remove(self, names: Sequence[str]) -> None:
        def work() -> None:
            for name in names:
                self.folder.remove(name)

        await asyncio.to_thread(work)

    async def strays(self) -> AsyncIterator[list[Entry]]:
        entries = await asyncio.to_thread(self.folder.strays)
        for start in range(0, len(entries), PAGE):
            yield entries[start : start + PAGE]

    async def remove_strays(self, names: Sequence[str]) -> list[str]:
        return await asyncio.to_thread(lambda: [name for name in names if self.folder.remove_stray(name)])

    async def remove_lease(self, lease: int) -> None:
        await asyncio.to_thread(self.folder.remove_lease, lease)

    async def punch(self, name: str, offset: int, length: int) -> None:
        await asyncio.to_thread(self.folder.punch, name, offset, length)

    def may_grow(self, name: str) -> bool:
        return self.folder.may_grow(name)

    async def size(self, name: str) -> int | None:
        return await asyncio.to_thread(self.folder.size, name)

    async def probe(self) -> None:
        await asyncio.to_thread(self.folder.probe)

    async def remove_old_probes(self, before_ms: int) -> int:
        return await asyncio.to_thread(self.folder.remove_old_probes, before_ms)

    async def close(self) -> None:
        self.folder.close()
