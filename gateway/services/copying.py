"""CopyObject: a row, not bytes.

Bytes are read only where a digest is asked for that is not stored, and written anew where the encryption differs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.errors import ObjectNotFound, ObjectTooLarge
from gateway.metadata import contents, leases, versions
from gateway.metadata.contents import NewContent, NewPart
from gateway.metadata.port import Database, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Bucket
from gateway.model.checksums import Checksum, ChecksumAlgorithm
from gateway.model.contents import Content, Encryption, Sealing, Segment
from gateway.model.objects import MAX_PUT_BYTES, Expectations, Headers, ObjectVersion, Tags, WriteConditions
from gateway.services import quotas
from gateway.services.body import Body, HeldBody
from gateway.services.clock import now_ms
from gateway.services.images import new_image_id
from gateway.services.ingest import SNIFF_BYTES, StoredBody, digest_stored, ingest
from gateway.services.keyring import copy_sealing, same_encryption
from gateway.services.lease import Lease
from gateway.services.objects import NO_CONDITIONS, check_key, new_content, new_content_uid, unlocked
from gateway.services.stores import Stores


@dataclass(frozen=True, slots=True)
class CopyResult:
    etag: str
    modified_ms: int
    checksum: Checksum | None
    version_id: str | None
    image_id: str | None
    encryption: Encryption | None = None


class Copying:
    def __init__(self, database: Database, stores: Stores, lease: Lease, executor: ThreadPoolExecutor) -> None:
        self._lease = lease
        self._database = database
        self._stores = stores
        self._executor = executor

    async def copy(
        self,
        source: ObjectVersion,
        bucket: Bucket,
        key: bytes,
        *,
        headers: Headers | None,
        tags: Tags | None,
        checksum_algorithm: ChecksumAlgorithm | None,
        conditions: WriteConditions,
        sealing: Sealing | None = None,
        source_key: bytes | None = None,
    ) -> CopyResult:
        """Make `key` point at what `source` holds; None for headers or tags keeps the source's.

        Where the copy is encrypted otherwise than the source (`sealing`, else the bucket's default, else as the source),
        the bytes are written anew. `source_key` opens a source that is SSE-C. Raises ObjectNotFound where the source is gone meanwhile, ObjectTooLarge over 5 GiB, and what a write raises.
        """
        check_key(key)
        content = source.content
        if content is None:
            raise ObjectNotFound
        if content.size > MAX_PUT_BYTES:
            raise ObjectTooLarge("The specified copy source is larger than the maximum allowable size: 5368709120")
        if tags is None:
            tags = await versions.get_tags(self._database, source) if source.tag_count else ()
        sealing = copy_sealing(bucket, sealing, content)
        # What others may change or delete would take the copy with it: its bytes are copied.
        if content.adopted or not same_encryption(content, sealing, source_key):
            return await self._rewrite(
                source, content, bucket, key, headers, tags, checksum_algorithm, conditions, sealing, source_key
            )
        stored = content.checksum
        what: NewContent | int = content.id
        checksum = stored
        if (
            checksum_algorithm is not None
            and content.encryption is not Encryption.SSE_C
            and (stored is None or stored.algorithm is not checksum_algorithm)
        ):
            what = await self._with_checksum(content, source.modified_ms, checksum_algorithm)
            checksum = what.checksum
        new = NewVersion(
            bucket.id,
            key,
            what,
            source.headers if headers is None else headers,
            tags,
            None if source.image_id is None else new_image_id(await self._first_bytes(content)),
            now_ms(),
        )

        async def operation(tx: Transaction) -> versions.Written:
            # The source's content cannot be swept while this row is seen: only the sweep removes it, in a transaction.
            if not await contents.exists(tx, content.id):
                raise ObjectNotFound
            return await quotas.put(tx, bucket, new, conditions)

        written = await self._database.write(operation, heavy=not isinstance(what, int))
        return CopyResult(content.etag, new.modified_ms, checksum, written.version_id, new.image_id, content.encryption)

    async def _rewrite(
        self,
        source: ObjectVersion,
        content: Content,
        bucket: Bucket,
        key: bytes,
        headers: Headers | None,
        tags: Tags,
        checksum_algorithm: ChecksumAlgorithm | None,
        conditions: WriteConditions,
        sealing: Sealing | None,
        source_key: bytes | None,
    ) -> CopyResult:
        """Copy by reading and writing: the result is one run of bytes, with an ETag and a checksum of its own."""
        if checksum_algorithm is None and content.checksum is not None:
            checksum_algorithm = content.checksum.algorithm
        kept = source.headers if headers is None else headers
        reading = self._stores.begin_read()
        try:
            segments = await self._segments(content)
            body = StoredBody(self._stores, segments if source_key is None else unlocked(segments, source_key))
            try:
                return await self._write(
                    body, content.size, bucket, key, kept, tags, checksum_algorithm, conditions, sealing
                )
            finally:
                body.close()
        finally:
            self._stores.end_read(reading)

    async def copy_made(
        self,
        data: bytes,
        source: Content,
        bucket: Bucket,
        key: bytes,
        *,
        headers: Headers,
        tags: Tags,
        checksum_algorithm: ChecksumAlgorithm | None,
        conditions: WriteConditions,
        sealing: Sealing | None = None,
    ) -> CopyResult:
        """Store what was made of `source`, such as a rendition, as if it were copied: encrypted where that is.

        Raises what a write raises.
        """
        check_key(key)
        sealing = copy_sealing(bucket, sealing, source)
        return await self._write(
            HeldBody(data), len(data), bucket, key, headers, tags, checksum_algorithm, conditions, sealing
        )

    async def _write(
        self,
        body: Body,
        size: int,
        bucket: Bucket,
        key: bytes,
        headers: Headers,
        tags: Tags,
        checksum_algorithm: ChecksumAlgorithm | None,
        conditions: WriteConditions,
        sealing: Sealing | None,
    ) -> CopyResult:
        if conditions != NO_CONDITIONS:
            await versions.expect_conditions(self._database, bucket.id, key, conditions)
        await quotas.expect(self._database, bucket, key, size)
        keyring = self._stores.keyring
        with self._lease.writing(size):
            taken = await ingest(
                self._stores.placing(bucket),
                self._executor,
                Expectations(size),
                body,
                keep=checksum_algorithm,
                key=keyring.new_key(sealing),
            )
            new = new_content(taken, sealing)
            image_id = None if new.encryption is Encryption.SSE_C else new_image_id(taken.first)
            now = now_ms()

            async def operation(tx: Transaction) -> versions.Written:
                await leases.check(tx, taken.blob)
                settled = await keyring.settle(tx, new)
                made = NewVersion(bucket.id, key, settled, headers, tags, image_id, now)
                return await quotas.put(tx, bucket, made, conditions)

            written = await self._database.write(operation, durable=taken.durable)
        return CopyResult(new.etag, now, taken.checksum, written.version_id, image_id, new.encryption)

    async def _with_checksum(self, content: Content, modified_ms: int, algorithm: ChecksumAlgorithm) -> NewContent:
        segments = await self._segments(content)
        _, checksum = await digest_stored(self._stores, self._executor, segments, algorithm)
        start = 0
        parts = []
        if content.part_count:
            for part in await contents.parts(self._database, content, modified_ms):
                # Parts lose their checksums: those are of another algorithm.
                parts.append(NewPart(part.number, start, part.size, part.etag, None))
                start += part.size
        references = await contents.references(self._database, content.id, 0, content.size)
        return NewContent(
            new_content_uid(),
            content.size,
            content.etag,
            checksum,
            references=references,
            parts=tuple(parts),
            encryption=content.encryption,
        )

    async def _segments(self, content: Content) -> tuple[Segment, ...]:
        if content.first is not None:
            return (content.first,)
        if not content.size:
            return ()
        return await contents.segments(self._database, content.id, 0, content.size)

    async def _first_bytes(self, content: Content) -> bytes:
        length = min(SNIFF_BYTES, content.size)
        if content.first is not None:
            return await self._stores.read((contents.cut(content.first, 0, length),))
        return await self._stores.read(await contents.segments(self._database, content.id, 0, length))
