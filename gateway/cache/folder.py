"""Cached objects as files of a folder. Nothing is synced: what a crash of the machine leaves half-written does not open."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.blobs.port import Entry
from gateway.cache.port import CacheFull, CacheUnavailable

_NEW = ".new-"
_PROBE = "probe-"
_FIRST = re.compile(r"[0-9a-f]{2}")
_ABANDONED_SECONDS = 3600
"""Age of an unfinished file, or of one that was only a try, whose writer cannot be alive any more."""

T = TypeVar("T")


class FolderObjects:
    """Files under `root`, which is made when it is needed. Below `min_free` bytes of free space nothing is written."""

    def __init__(self, root: Path, *, min_free: int = 0) -> None:
        self._root = root
        self._min_free = min_free
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="renditions")

    async def get(self, name: str) -> bytes | None:
        return await self._run(lambda: _read(self._root / name))

    async def put(self, name: str, data: bytes) -> None:
        await self._writing(lambda: self._write(name, data))

    async def _writing(self, action: Callable[[], None]) -> None:
        try:
            await self._run(action)
        except CacheFull:
            raise
        except CacheUnavailable as error:
            # What is there can be read, or cannot: that is for `get` to find out.
            raise CacheFull(f"cannot be written: {error}") from error

    async def remove(self, names: Sequence[str]) -> None:
        await self._run(lambda: _remove([self._root / name for name in names]))

    async def entries(self) -> AsyncIterator[list[Entry]]:
        for first in await self._run(lambda: _firsts(self._root)):
            page = await self._run(lambda first=first: _list(self._root, first))  # type: ignore[misc]
            if page:
                yield page

    async def probe(self) -> None:
        # In one action: nobody who gives up waiting for it comes between the two.
        await self._writing(self._write_and_remove)

    async def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _write_and_remove(self) -> None:
        name = f"00/{_PROBE}{secrets.token_hex(8)}"
        self._write(name, b"1")
        _remove([self._root / name])

    def _write(self, name: str, data: bytes) -> None:
        path = self._root / name
        new = path.with_name(_NEW + secrets.token_hex(8))
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            _make_private(path.parent)
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                space = os.fstatvfs(fd)
                if space.f_bavail * space.f_frsize - len(data) < self._min_free:
                    raise CacheFull("has less free space than is to be left")
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
            finally:
                os.close(fd)
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    async def _run(self, action: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, action)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise CacheFull(error.strerror) from error
            raise CacheUnavailable(error.strerror or type(error).__name__) from error


def _make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, all for their owner alone: `parents` would not give them the mode."""
    if not folder.parent.exists():
        _make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _firsts(root: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(root) if _FIRST.fullmatch(name))
    except FileNotFoundError:
        return []


def _list(root: Path, first: str) -> list[Entry]:
    """The files of one folder; unfinished ones and tries that nobody writes any more are removed on the way."""
    found = []
    try:
        with os.scandir(root / first) as files:
            for file in files:
                try:
                    status = file.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not file.name.startswith((_NEW, _PROBE)):
                    found.append(Entry(f"{first}/{file.name}", status.st_size, status.st_mtime_ns // 1_000_000))
                elif time.time() - status.st_mtime > _ABANDONED_SECONDS:
                    _remove([Path(file.path)])
    except FileNotFoundError:
        pass
    return found
