"""What the services need of a store. All of it belongs to one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.blobs.source import Source
from gateway.metadata.port import Durable
from gateway.model.contents import Segment

PACKED_BYTES = 64 * 1024
"""Blobs up to this size may share a pack (docs/adr/0004)."""

PROBES_KEPT_MS = 3600 * 1000
"""Longer than any probe of a store takes, and than its clock may be away from ours: it would refuse our signatures."""

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Placed:
    """Where bytes ended up. `durable` must be synced before a row names them; None: they are durable already.

    `md5` is the digest of the whole blob where its writer `gives_md5`.
    """

    store: str
    name: str
    offset: int
    length: int
    durable: Durable | None
    md5: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that lies in a store: its name as rows have it, its length in bytes, when it was written."""

    name: str
    size: int
    modified_ms: int


class BlobWriter(Protocol):
    """A new blob, written in order by one task."""

    @property
    def gives_md5(self) -> bool:
        """Whether `Placed.md5` will be there: a service computed it, and compared another checksum of ours besides."""

    async def write(self, pieces: Sequence[Bytes]) -> None:
        """Take these bytes; returns when there is room for more. They stay the writer's until `finish` or `abandon`."""

    async def finish(self) -> Placed:
        """Make the blob durable, its name too."""

    def abandon(self) -> None:
        """Let it be as it is, without waiting. No blob is deleted: the sweep does that."""


class BlobReader(Protocol):
    """A run of `length` bytes, open for reading. Close it when done.

    Where `fd` is a descriptor, the run lies at `offset` of that file and may be sent from there; else there is only
    `read`.
    """

    @property
    def fd(self) -> int | None: ...

    @property
    def offset(self) -> int: ...

    @property
    def length(self) -> int: ...

    async def read(self) -> Bytes:
        """The next piece, at most a mebibyte; empty at the end.

        Raises StoreUnavailable where the store has fewer bytes than it should, or gives up half-way.
        """

    def close(self) -> None:
        """Give it back, at once."""


class Store(Protocol):
    """A place for blobs. Raises StoreUnavailable, DiskFull.

    `name` is what the configuration and the rows call it, `kind` is `folder` or `s3`. Blobs are named `<lease>/<n>`, or
    `<lease>/p<n>` where small ones share a pack; both lie under the deployment's id.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def source(self) -> Source | None:
        """What else lies in the same service, to be adopted; None where there is no service."""

    async def append(self, data: bytes) -> Placed:
        """Store a small blob; others may share its pack. It is durable after `durable.sync()`."""

    async def create(self, length: int) -> BlobWriter:
        """Begin a blob of its own, of `length` bytes."""

    async def open(self, segment: Segment) -> BlobReader:
        """Raises AdoptedChanged where an adopted object is no longer what its row says."""

    def check_room(self) -> None:
        """Raise DiskFull where less than the free space that was asked for is left."""

    async def claim(self, *, used: bool) -> None:
        """Mark the store as this deployment's.

        Raises InvalidValue where it is another's, or has no mark although the database names blobs in it (`used`).
        """

    async def begin_lease(self, lease: int) -> None:
        """Write under this lease from now on."""

    def oldest_read_ms(self) -> int | None:
        """When the oldest read began that still goes on, in ms since the epoch."""

    def release_idle(self) -> None:
        """Let go of what is only kept for the next reader, so that what the sweep removed is really freed."""

    def entries(self, lease: int) -> AsyncIterator[list[Entry]]:
        """What lies under a lease, in pages."""

    async def leases(self) -> list[int]:
        """The leases under which something lies, in order."""

    async def remove(self, names: Sequence[str]) -> None:
        """Delete; what is not there is deleted already."""

    def strays(self) -> AsyncIterator[list[Entry]]:
        """What lies under the deployment's id without being named as a blob is, in pages; named from there."""

    async def remove_strays(self, names: Sequence[str]) -> list[str]:
        """Delete such; gives those that are gone. Spared is what could be another thing behind the same name.

        Raises ValueError for a blob's name.
        """

    async def remove_lease(self, lease: int) -> None:
        """Remove what is left of a lease under which no blob lies."""

    async def punch(self, name: str, offset: int, length: int) -> None:
        """Free a run inside a pack, where the store can."""

    def may_grow(self, name: str) -> bool:
        """Whether its process may still append to it, as long as it lives."""

    async def size(self, name: str) -> int | None:
        """The length in bytes; None where there is none."""

    async def probe(self) -> None:
        """Write, read and delete something small."""

    async def remove_old_probes(self, before_ms: int) -> int:
        """Delete what such a try left behind that was cut short, where it was written before, in ms since the epoch.

        Gives how many.
        """

    async def close(self) -> None: ...
