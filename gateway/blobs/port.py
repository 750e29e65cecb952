"""What the services need of a store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.metadata.port import Durable
from gateway.model import Segment


@dataclass(frozen=True, slots=True)
class Placed:
    """Where bytes ended up. `durable` must be synced before a row names them; None: they are durable already."""

    store: str
    name: str
    offset: int
    length: int
    durable: Durable | None


class BlobWriter(Protocol):
    """A new blob. Its methods block: they are called from a thread, one at a time."""

    def write(self, pieces: Iterable[bytes | memoryview]) -> None: ...

    def finish(self) -> Placed:
        """Make the blob durable, its name too."""

    def abandon(self) -> None:
        """Close it as it is. Nothing is deleted: the sweep does that."""


class BlobReader(Protocol):
    """A run of bytes, open for reading: `length` bytes from `offset` of the file `fd`. Close it when done."""

    fd: int
    offset: int
    length: int

    def close(self) -> None: ...


class Store(Protocol):
    """Raises StoreUnavailable, DiskFull."""

    name: str

    def append(self, data: bytes) -> Placed:
        """Put a small blob into the pack of this process; it is durable after `durable.sync()`."""

    def create(self) -> BlobWriter:
        """Begin a blob of its own. Blocks for a moment."""

    def open(self, segment: Segment) -> BlobReader: ...

    def check_room(self) -> None:
        """Raise DiskFull where less than the free space that was asked for is left."""
