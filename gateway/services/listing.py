"""Listings, off the event loop."""

from __future__ import annotations

from gateway.metadata import listing
from gateway.metadata.port import Database
from gateway.model.buckets import Bucket
from gateway.model.listings import ObjectPage, VersionPage
from gateway.model.uploads import UploadPage


class Listing:
    """Pages hold at most `limit` keys and common prefixes together; an empty delimiter is none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def objects(
        self, bucket: Bucket, *, prefix: bytes = b"", delimiter: bytes = b"", after: bytes | None = None, limit: int
    ) -> ObjectPage:
        """The keys behind `after`; where `after` is a common prefix, behind everything below it."""
        return await self._database.read(
            lambda reader: listing.objects(reader, bucket.id, prefix, delimiter, after, limit)
        )

    async def versions(
        self,
        bucket: Bucket,
        *,
        prefix: bytes = b"",
        delimiter: bytes = b"",
        key_marker: bytes | None = None,
        version_id_marker: str | None = None,
        limit: int,
    ) -> VersionPage:
        """Versions, newest first within a key. Raises InvalidVersionId."""
        return await self._database.read(
            lambda reader: listing.versions(reader, bucket.id, prefix, delimiter, key_marker, version_id_marker, limit)
        )

    async def uploads(
        self,
        bucket: Bucket,
        *,
        prefix: bytes = b"",
        delimiter: bytes = b"",
        key_marker: bytes | None = None,
        upload_id_marker: str | None = None,
        limit: int,
    ) -> UploadPage:
        return await self._database.read(
            lambda reader: listing.uploads(reader, bucket.id, prefix, delimiter, key_marker, upload_id_marker, limit)
        )
