"""Reading what is stored, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gateway.blobs.port import BlobReader, Store
from gateway.errors import StoreUnavailable
from gateway.model import Segment
from gateway.services.lease import Lease


class Stores:
    def __init__(self, stores: Sequence[Store], lease: Lease) -> None:
        self._stores = {store.name: store for store in stores}
        self._lease = lease

    def begin_read(self) -> int:
        """Say that a read begins that may last, of versions looked up just now; `end_read` takes the ticket back."""
        return self._lease.begin_read()

    def end_read(self, ticket: int) -> None:
        self._lease.end_read(ticket)

    def open(self, segment: Segment) -> BlobReader:
        """Open a segment for reading; the caller closes it. Raises StoreUnavailable."""
        store = self._stores.get(segment.store)
        if store is None:
            raise StoreUnavailable(f"The store {segment.store!r} is not configured.")
        return store.open(segment)

    def read(self, segments: Sequence[Segment]) -> bytes:
        """All bytes of a few small segments. Blocks."""
        return b"".join(self._read_one(segment) for segment in segments)

    def _read_one(self, segment: Segment) -> bytes:
        reader = self.open(segment)
        try:
            data = os.pread(reader.fd, reader.length, reader.offset)
        except OSError as error:
            raise StoreUnavailable("The store does not answer.") from error
        finally:
            reader.close()
        if len(data) != segment.length:
            raise StoreUnavailable("The store holds fewer bytes than it should.")
        return data
