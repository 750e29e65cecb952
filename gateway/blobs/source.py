"""What adoption needs of a store's service: what lies in its other buckets. All of it belongs to one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.model.buckets import Versioning
from gateway.model.objects import Headers, Tags


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object of a service, or one version of it. `etag` has no quotes, times are in ms since the epoch.

    `version_id` is None where the bucket has no versions. `headers` and `tags` are None where a listing did not tell them.
    """

    key: bytes
    size: int
    etag: str
    modified_ms: int
    version_id: str | None = None
    delete_marker: bool = False
    headers: Headers | None = None
    tags: Tags | None = None
    unreadable: bool = False
    """The service does not let us read it; perhaps only a key that it does not keep opens it."""


@runtime_checkable
class Tells(Protocol):
    """A reader that knows what the service said of the object, header names in lower case."""

    headers: dict[str, str]


class Claims(Protocol):
    async def of(self, key: bytes) -> bytes | None:
        """The key of the mark whose deployment, this or another one, keeps this object for itself; None: nobody does.

        Raises StoreUnavailable.
        """


class Source(Protocol):
    """The buckets of a service. Raises StoreUnavailable."""

    async def versioning(self, bucket: str) -> Versioning:
        """Raises BucketNotFound."""

    def pages(
        self, bucket: str, prefix: bytes, after: bytes | None, *, versions: bool, metadata: bool
    ) -> AsyncIterator[list[SourceObject]]:
        """What lies behind the key `after`, keys in byte order and the newest version of a key first.

        `metadata`: with headers and tags, where the service has listings that tell them.
        """

    async def head(self, bucket: str, key: bytes, version_id: str | None = None) -> SourceObject | None:
        """One object with all that is known of it; None where there is none, or a delete marker."""

    async def versions_of(self, bucket: str, key: bytes) -> list[SourceObject]:
        """All versions and delete markers of one key, the newest first."""

    def claims(self, bucket: str) -> Claims:
        """What Pixgate itself keeps in the bucket, for one run through it."""

    async def remove(self, name: str, modified_ms: int | None) -> bool:
        """Delete the object behind an adopted name, if it still is what the name says; whether it is gone.

        `modified_ms` is when it was written, where that is known: an object written later with the same bytes stays.
        """
