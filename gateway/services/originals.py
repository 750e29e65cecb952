"""Stored images as a renderer takes them: as open files, and the header of a content, which never changes."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack, closing

from gateway.blobs.port import PACKED_BYTES, BlobReader
from gateway.errors import StoreUnavailable
from gateway.model.contents import Content
from gateway.render.source import Segment, memory_segment
from gateway.services.objects import Objects
from gateway.services.stores import Stores
from transforms.errors import TransformError
from transforms.headers import Header, Source, read_header

MAX_FILES = 32
"""Files that are handed over open; a content of more is read and handed over as one."""
HEAD_BYTES = 128 * 1024
"""What is read of a content to know its header; few need more."""
MAX_HEADERS = 4096


class Originals:
    """Bytes and headers of contents."""

    def __init__(self, objects: Objects, stores: Stores) -> None:
        self._objects = objects
        self._stores = stores
        self._headers: OrderedDict[bytes, Header | None] = OrderedDict()

    def check_room(self) -> None:
        """Raises DiskFull: on a disk that is nearly full nothing is begun that would put more on it."""
        self._stores.default.check_room()

    async def open(self, content: Content) -> list[Segment]:
        """The content as descriptors, which are the receiver's. Raises Unavailable facts."""
        stored = await self._objects.segments(content, 0, content.size)
        # A pack file holds others' objects too: a decoder, which runs on hostile bytes, never gets it.
        apart = len(stored) <= MAX_FILES and all(segment.length > PACKED_BYTES for segment in stored)
        try:
            with ExitStack() as stack:
                readers: list[BlobReader] = []
                for segment in stored if apart else ():
                    readers.append(stack.enter_context(closing(await self._stores.open(segment))))
                    if readers[-1].fd is None:
                        break
                else:
                    if apart:
                        return _duplicate(readers)
                pieces = [piece for reader in readers for piece in await _pieces(reader)]
            for segment in stored[len(readers) :]:
                with closing(await self._stores.open(segment)) as reader:
                    pieces += await _pieces(reader)
            return [await asyncio.to_thread(memory_segment, pieces)]
        except OSError as error:
            raise StoreUnavailable("The stored image cannot be read.") from error

    def known_header(self, content: Content) -> Header | None:
        """`header`, where it has been read before."""
        return self._headers.get(content.uid)

    async def header(self, content: Content) -> Header | None:
        """What the image's header says; None where it is broken, or is not within its first HEAD_BYTES or after them.

        Read once a process and content. Raises Unavailable facts.
        """
        if content.uid in self._headers:
            self._headers.move_to_end(content.uid)
            return self._headers[content.uid]
        data = await self._read(content, min(content.size, HEAD_BYTES))
        header: Header | None
        try:
            header = read_header(Source.of_bytes(data))
        except TransformError:
            # Some keep it at the end; the others are broken, which their render will tell.
            header = None if len(data) == content.size else await self._header_of_all(content)
        self._headers[content.uid] = header
        if len(self._headers) > MAX_HEADERS:
            self._headers.popitem(last=False)
        return header

    async def _header_of_all(self, content: Content) -> Header | None:
        try:
            return read_header(Source.of_bytes(await self._read(content, content.size)))
        except TransformError:
            return None

    async def _read(self, content: Content, length: int) -> bytes:
        try:
            pieces: list[bytes | memoryview] = []
            for segment in await self._objects.segments(content, 0, length):
                with closing(await self._stores.open(segment)) as reader:
                    pieces += await _pieces(reader)
            return b"".join(pieces)
        except OSError as error:
            raise StoreUnavailable("The stored image cannot be read.") from error


async def _pieces(reader: BlobReader) -> list[bytes | memoryview]:
    """All its bytes; a content that may be rendered is small enough for that."""
    pieces: list[bytes | memoryview] = []
    while piece := await reader.read():
        pieces.append(memoryview(piece) if isinstance(piece, bytearray) else piece)
    return pieces


def _duplicate(readers: Sequence[BlobReader]) -> list[Segment]:
    """Descriptors for the receiver to close; these belong to the store."""
    with ExitStack() as stack:
        segments = []
        try:
            for reader in readers:
                assert reader.fd is not None
                fd = os.dup(reader.fd)
                stack.callback(os.close, fd)
                segments.append(Segment(fd, reader.offset, reader.length))
        except OSError as error:
            raise StoreUnavailable("No more files can be opened at the moment.") from error
        stack.pop_all()
        return segments
