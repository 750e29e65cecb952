"""How tests write blobs to a store and read them."""

from __future__ import annotations

import asyncio
from hashlib import md5

from gateway.blobs.port import Placed, Store
from gateway.model.contents import Segment

MEBIBYTE = 1024 * 1024


def segment(placed: Placed, start: int = 0, length: int | None = None) -> Segment:
    return Segment(
        placed.store, placed.name, placed.offset + start, 0, placed.length - start if length is None else length
    )


async def read(store: Store, wanted: Segment) -> bytes:
    reader = await store.open(wanted)
    pieces = []
    try:
        assert reader.length == wanted.length
        while piece := await reader.read():
            assert len(piece) <= MEBIBYTE
            pieces.append(bytes(piece))
        assert await reader.read() == b""
    finally:
        reader.close()
    return b"".join(pieces)


async def write(store: Store, data: bytes, piece: int = MEBIBYTE) -> Placed:
    writer = await store.create(len(data))
    for start in range(0, len(data), piece):
        part = data[start : start + piece]
        await writer.write([part[: piece // 3], memoryview(part)[piece // 3 :]])
    placed = await writer.finish()
    if placed.durable is not None:
        await asyncio.to_thread(placed.durable.sync)
    if writer.gives_md5:
        assert placed.md5 == md5(data).digest()
    return placed


async def names(store: Store, lease: int) -> dict[str, int]:
    return {entry.name: entry.size async for page in store.entries(lease) for entry in page}
