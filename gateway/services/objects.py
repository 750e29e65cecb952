"""Objects: read, written, deleted, tagged."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from gateway.blobs.encryption.keys import salted
from gateway.errors import GatewayError, InvalidKey, ObjectNotFound, ObjectTooLarge
from gateway.metadata import contents, images, leases, versions
from gateway.metadata.contents import NewContent
from gateway.metadata.images import Standing
from gateway.metadata.port import Database, Row, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Bucket
from gateway.model.contents import Content, Encryption, Sealing, Segment
from gateway.model.objects import (
    MAX_KEY_BYTES,
    MAX_PUT_BYTES,
    DeleteResult,
    Expectations,
    Headers,
    ObjectVersion,
    PutResult,
    Tags,
    WriteConditions,
)
from gateway.model.uploads import Part, PartPage
from gateway.services import quotas
from gateway.services.body import Body
from gateway.services.clock import now_ms
from gateway.services.directory import Directory
from gateway.services.images import new_image_id
from gateway.services.ingest import Ingested, ingest
from gateway.services.keyring import sealing_of
from gateway.services.lease import Lease
from gateway.services.stores import Stores

CONTENT_UID_BYTES = 16
NO_CONDITIONS = WriteConditions()
REMEMBERED = 4096
"""Current versions kept in memory until the next commit."""


def new_content_uid() -> bytes:
    return secrets.token_bytes(CONTENT_UID_BYTES)


def check_key(key: bytes) -> None:
    """Raises InvalidKey."""
    if not key or len(key) > MAX_KEY_BYTES:
        raise InvalidKey("Your key is too long" if key else "The key is empty.")


def new_content(taken: Ingested, sealing: Sealing | None) -> NewContent:
    """The content of bytes that were just taken.

    What only a customer's key opens tells nothing of its plaintext: its ETag is random, its checksum is not kept.
    """
    uid = new_content_uid()
    if sealing is None:
        return NewContent(uid, taken.size, taken.md5, taken.checksum, taken.blob)
    if sealing.customer_key is None:
        return NewContent(uid, taken.size, taken.md5, taken.checksum, taken.blob, encryption=Encryption.SSE_S3)
    return NewContent(
        uid,
        taken.size,
        new_etag(),
        None,
        taken.blob,
        encryption=Encryption.SSE_C,
        customer_key=salted(sealing.customer_key),
    )


def new_etag() -> str:
    """An ETag that tells nothing: 32 hex digits."""
    return secrets.token_hex(16)


def unlocked(segments: Sequence[Segment], customer_key: bytes) -> tuple[Segment, ...]:
    """The segments with the key that opens them."""
    return tuple(
        segment
        if segment.sealed is None
        else replace(segment, sealed=replace(segment.sealed, customer_key=customer_key))
        for segment in segments
    )


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a key meant when the request began: the row of its current version, None where it has none."""

    bucket_id: int
    key: bytes
    row: Row | None


class Objects:
    def __init__(
        self, database: Database, stores: Stores, directory: Directory, lease: Lease, executor: ThreadPoolExecutor
    ) -> None:
        self._database = database
        self._stores = stores
        self._directory = directory
        self._lease = lease
        self._executor = executor
        self._snapshot = b""
        self._current: dict[tuple[int, bytes], ObjectVersion] = {}

    async def refresh(self, bucket_name: str | None, key: bytes | None) -> Ahead | None:
        """Refresh the directory for a request that most likely reads this key.

        Where asking the database costs a round trip, the same one also looks the key up: pass the answer on to `get`.
        """
        bucket = None
        if bucket_name is not None and key is not None and self._database.snapshot() is None:
            bucket = self._directory.remembered_bucket(bucket_name)
        if bucket is None or key is None:
            await self._directory.refresh()
            return None
        generation, row = await self._database.current(bucket.id, key)
        # What was changed meanwhile may have been this very bucket.
        return Ahead(bucket.id, key, row) if self._directory.notice(generation) else None

    async def get(
        self, bucket: Bucket, key: bytes, version_id: str | None = None, *, ahead: Ahead | None = None
    ) -> ObjectVersion:
        """The version to read. Raises ObjectNotFound, VersionNotFound, InvalidVersionId, IsDeleteMarker.

        Where the database can tell for nothing that nobody has committed since, what was looked up is remembered.
        """
        if version_id is not None:
            return await versions.named_readable(self._database, bucket.id, key, version_id)
        if ahead is not None and ahead.bucket_id == bucket.id and ahead.key == key:
            return await versions.current_of(self._database, bucket.id, key, ahead.row)
        snapshot = self._database.snapshot()
        if snapshot is None:
            return await versions.current(self._database, bucket.id, key)
        if snapshot != self._snapshot or len(self._current) >= REMEMBERED:
            self._current.clear()
            self._snapshot = snapshot
        place = (bucket.id, key)
        found = self._current.get(place)
        if found is None:
            # A commit between the two lines only makes what is remembered newer than the version it is kept under.
            found = self._current[place] = await versions.current(self._database, bucket.id, key)
        return found

    async def image(self, image_id: str) -> tuple[Bucket, ObjectVersion, Standing | None]:
        """The version that an image id names, its bucket, and what its row says of who may see it. Raises ObjectNotFound."""
        found, standing = await images.by_image(self._database, image_id)
        bucket = await self._directory.bucket_by_id(found.bucket_id)
        if bucket is None:
            raise ObjectNotFound
        return bucket, found, standing

    async def standing(self, version: ObjectVersion) -> Standing | None:
        """What the row of a version says of who may see it; None for what has none."""
        return None if version.image_id is None else await images.standing(self._database, version.image_id)

    async def is_hidden(self, bucket: Bucket, version: ObjectVersion) -> bool:
        """Whether a moderator keeps it from all but its owner. Buckets without catalogued images cost no look-up."""
        standing = await self.standing(version) if bucket.known_images else None
        return standing is not None and standing.hidden

    async def get_by_image_id(self, image_id: str) -> tuple[Bucket, ObjectVersion]:
        """The version that an image id names, and its bucket. Raises ObjectNotFound."""
        found = await versions.by_image(self._database, image_id)
        bucket = await self._directory.bucket_by_id(found.bucket_id)
        if bucket is None:
            raise ObjectNotFound
        return bucket, found

    async def parts(self, version: ObjectVersion) -> tuple[Part, ...]:
        """The part table; empty for what was not a multipart upload."""
        content = version.content
        if content is None or not content.part_count:
            return ()
        return await contents.parts(self._database, content, version.modified_ms)

    async def part_page(self, version: ObjectVersion, after: int, limit: int) -> PartPage:
        """At most `limit` parts with numbers above `after`."""
        content = version.content
        if content is None or not content.part_count:
            return PartPage((), False, None)
        found = await contents.parts(self._database, content, version.modified_ms, after, limit + 1)
        page = found[:limit]
        truncated = len(found) > limit
        return PartPage(page, truncated, page[-1].number if truncated and page else None)

    async def part_range(self, content: Content, number: int) -> tuple[int, int] | None:
        """Start and length in bytes of part `number` (1 is the first); None where there is none."""
        if not content.part_count:
            return (0, content.size) if number == 1 else None
        return await contents.part_range(self._database, content.id, number)

    async def segments(
        self, content: Content, start: int, length: int, customer_key: bytes | None = None
    ) -> tuple[Segment, ...]:
        """Where `length` bytes from `start` lie. `customer_key` opens what is encrypted with one."""
        if length <= 0:
            return ()
        if content.first is not None:
            found: tuple[Segment, ...] = (contents.cut(content.first, start, length),)
        else:
            found = await contents.segments(self._database, content.id, start, length)
        return found if customer_key is None else unlocked(found, customer_key)

    async def put(
        self,
        bucket: Bucket,
        key: bytes,
        *,
        headers: Headers,
        tags: Tags,
        expect: Expectations,
        conditions: WriteConditions,
        body: Body,
        sealing: Sealing | None = None,
    ) -> PutResult:
        """Store a body under a key; durable once this returns. Without `sealing` the bucket says how it is encrypted.

        Raises BodyMismatch facts, PreconditionFailed, BucketNotFound, InvalidKey, ObjectTooLarge, QuotaExceeded,
        Unavailable facts.
        """
        check_key(key)
        if expect.length > MAX_PUT_BYTES:
            raise ObjectTooLarge("Your proposed upload exceeds the maximum allowed object size.")
        if conditions != NO_CONDITIONS:
            # Decided in the transaction, below; asked here so that what must fail does not cost a body first.
            await versions.expect_conditions(self._database, bucket.id, key, conditions)
        await quotas.expect(self._database, bucket, key, expect.length)
        with self._lease.writing(expect.length):
            sealing = sealing_of(bucket, sealing)
            blob_key = self._stores.keyring.new_key(sealing)
            taken = await ingest(self._stores.placing(bucket), self._executor, expect, body, key=blob_key)
            content = new_content(taken, sealing)
            image_id = None if content.encryption is Encryption.SSE_C else new_image_id(taken.first)
            new = NewVersion(
                bucket.id,
                key,
                content,
                headers,
                tags,
                image_id,
                now_ms(),
            )

            async def operation(tx: Transaction) -> versions.Written:
                await leases.check(tx, taken.blob)
                settled = await self._stores.keyring.settle(tx, content)
                return await quotas.put(
                    tx, bucket, new if settled is content else replace(new, content=settled), conditions
                )

            if (content.blob is None or content.blob.sealed_key is None) and not bucket.owner.limited:
                written = await self._database.put(new, conditions, durable=taken.durable)
            else:
                written = await self._database.write(operation, durable=taken.durable)
        return PutResult(content.etag, written.version_id, taken.checksum, taken.size, image_id, content.encryption)

    async def delete(
        self, bucket: Bucket, key: bytes, version_id: str | None = None, *, if_match: str | None = None
    ) -> DeleteResult:
        """Delete a key or a version; what is not there is deleted already.

        Raises BucketNotFound, InvalidVersionId, PreconditionFailed, ObjectNotFound (an If-Match without a key).
        """
        check_key(key)
        return await self._database.write(
            lambda tx: versions.delete(tx, bucket.id, key, version_id, if_match, now_ms())
        )

    async def delete_many(
        self, bucket: Bucket, entries: Sequence[tuple[bytes, str | None]]
    ) -> list[DeleteResult | GatewayError]:
        """Delete each; what fails for one is its entry in the answer."""

        async def operation(
            tx: Transaction, entries: Sequence[tuple[bytes, str | None]]
        ) -> list[DeleteResult | GatewayError]:
            await versions.hold(tx, bucket.id, {key for key, _ in entries})
            results: list[DeleteResult | GatewayError] = []
            for key, version_id in entries:
                try:
                    check_key(key)
                    results.append(await versions.delete(tx, bucket.id, key, version_id, None, now_ms()))
                except GatewayError as error:
                    # Every check of a deletion comes before its first write, so nothing of it has to be undone.
                    results.append(error)
            return results

        results: list[DeleteResult | GatewayError] = []
        at_once = self._database.keys_at_once
        for start in range(0, len(entries), at_once):
            some = entries[start : start + at_once]
            results += await self._database.write(partial(operation, entries=some), heavy=len(some) > 10)
        return results

    async def get_tags(self, bucket: Bucket, key: bytes, version_id: str | None = None) -> tuple[str, Tags]:
        """The version's id and its tags. Raises as `get` does."""
        found = await self.get(bucket, key, version_id)
        return found.version_id, await versions.get_tags(self._database, found)

    async def set_tags(self, bucket: Bucket, key: bytes, version_id: str | None, tags: Tags) -> str:
        """Replace the tags; gives the version's id. Raises as `get` does."""
        return await self._database.write(lambda tx: versions.set_tags(tx, bucket.id, key, version_id, tags))

    async def delete_tags(self, bucket: Bucket, key: bytes, version_id: str | None = None) -> str:
        return await self.set_tags(bucket, key, version_id, ())
