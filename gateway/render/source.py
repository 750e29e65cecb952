"""What a rendition is made from: parts of files, and the descriptors under which the broker gets them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.render import wire
from gateway.render.task import Original
from transforms.limits import Limits

_MAX_SEGMENTS = 512


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stored image: `length` bytes from `offset` of a file, given as a path or an open descriptor.

    A descriptor belongs to the client from the moment it sees the segment, and it closes it, whatever happens.
    """

    file: str | Path | int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The bytes of a render: the stored image in order, and each image that is laid over it."""

    segments: Sequence[Segment]
    overlays: Sequence[Sequence[Segment]] = ()
    original: Original | None = None
    """Where the segments are a mezzanine: of what."""

    @property
    def all_segments(self) -> list[Segment]:
        """The segments of all images."""
        return [*self.segments, *(segment for overlay in self.overlays for segment in overlay)]


@dataclass(frozen=True, slots=True)
class Reduced:
    """The mezzanine that a rendition is made from: its key, and of what it is one."""

    key: bytes
    original: Original


SourceOpener = Callable[[], Awaitable[Opened]]


def memory_segment(pieces: Iterable[bytes | memoryview]) -> Segment:
    """A segment with these bytes, for sources that are not plain files (decrypted, or from a distant store)."""
    fd, length = wire.memfd(pieces)
    return Segment(fd, 0, length)


_Piece = tuple[int, int, int]
"""Number of the descriptor, offset, length."""


class SourceDescriptors:
    """A request's source as descriptors, opened once and closed at the end."""

    def __init__(self, source: Sequence[Segment] | SourceOpener, limits: Limits) -> None:
        self._opener = source if callable(source) else None
        self._limits = limits
        self._given = Opened(()) if callable(source) else Opened(source)
        self._head: dict[str, Any] | None = None
        self._fds: list[int] = []

    async def open(self) -> tuple[dict[str, Any], list[int]]:
        """The fields of a "source" message, and the descriptors, which stay owned here."""
        if self._head is None:
            if self._opener is not None:
                opener, self._opener = self._opener, None
                self._given = await opener()
            given = self._given
            for image in (given.segments, *given.overlays):
                self._limits.check_bytes(sum(segment.length for segment in image))
            segments = given.all_segments
            if len({segment.file for segment in segments}) > wire.MAX_FDS or len(segments) > _MAX_SEGMENTS:
                images = await asyncio.to_thread(self._gather, given)
            else:
                numbers: dict[str | Path | int, int] = {}
                images = [self._open_each(image, numbers) for image in (given.segments, *given.overlays)]
            original = None if given.original is None else given.original.as_list()
            self._head = {"segments": images[0], "overlays": images[1:], "original": original}
        return self._head, self._fds

    def close(self) -> None:
        """Closes all descriptors, those of segments that were never needed too."""
        given = {segment.file for segment in self._given.all_segments if isinstance(segment.file, int)}
        for fd in given.union(self._fds):
            os.close(fd)
        self._given, self._fds, self._head, self._opener = Opened(()), [], None, None

    def _open_each(self, image: Sequence[Segment], numbers: dict[str | Path | int, int]) -> list[_Piece]:
        pieces = []
        for segment in image:
            if segment.file not in numbers:
                numbers[segment.file] = len(self._fds)
                self._fds.append(_open(segment.file))
            pieces.append((numbers[segment.file], segment.offset, segment.length))
        return pieces

    def _gather(self, given: Opened) -> list[list[_Piece]]:
        images = []
        for image in (given.segments, *given.overlays):
            fd, length = wire.memfd(_read(segment) for segment in image)
            images.append([(len(self._fds), 0, length)])
            self._fds.append(fd)
        return images


def _open(file: str | Path | int) -> int:
    return file if isinstance(file, int) else os.open(file, os.O_RDONLY | os.O_CLOEXEC)


def _read(segment: Segment) -> bytes:
    fd = _open(segment.file)
    try:
        return wire.read_exactly(fd, segment.offset, segment.length)
    finally:
        if fd != segment.file:
            os.close(fd)
