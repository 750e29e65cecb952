"""What is kept aside comes back as it was, small or large."""

from __future__ import annotations

import asyncio
import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import DiskFull, StoreUnavailable
from gateway.services.spool import MEMORY_BYTES, Spool


class Pieces:
    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def trailer(self, _name: str) -> str | None:
        return None


async def through(*pieces: bytes) -> tuple[int, bytes]:
    with ThreadPoolExecutor(1) as executor:
        spool = Spool(executor)
        try:
            await spool.fill(Pieces(*pieces))
            found = b""
            while piece := await spool.read():
                found += piece
            return spool.size, found
        finally:
            spool.close()


@pytest.mark.parametrize("pieces", [(), (b"a", b"b"), (os.urandom(300_000),) * 9])
def test_what_goes_in_comes_out(pieces: tuple[bytes, ...]) -> None:
    whole = b"".join(pieces)
    assert asyncio.run(through(*pieces)) == (len(whole), whole)


@pytest.mark.parametrize(("number", "fact"), [(errno.ENOSPC, DiskFull), (errno.EIO, StoreUnavailable)])
def test_a_disk_that_takes_nothing_is_a_fact(
    number: int, fact: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, _data: bytes) -> int:
            raise OSError(number, "no")

        def close(self) -> None: ...

    monkeypatch.setattr("tempfile.SpooledTemporaryFile", lambda _size: Full())
    with pytest.raises(fact):
        asyncio.run(through(bytes(2 * MEMORY_BYTES)))
