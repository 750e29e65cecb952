"""Parts of multipart uploads, sent or copied. A part is a content."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from gateway.blobs.encryption.keys import is_customer_key
from gateway.errors import AccessRefused, InvalidValue, ObjectNotFound, ObjectTooLarge, UploadNotFound
from gateway.metadata import contents, leases, uploads
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database, Transaction
from gateway.model.buckets import Bucket
from gateway.model.checksums import Checksum, ChecksumAlgorithm
from gateway.model.contents import Content, Encryption, Sealing
from gateway.model.objects import MAX_PUT_BYTES, Expectations, ObjectVersion, PutResult
from gateway.model.uploads import MAX_PARTS, MultipartUpload, Part
from gateway.services import quotas
from gateway.services.body import Body, HeldBody
from gateway.services.clock import now_ms
from gateway.services.directory import Directory
from gateway.services.ingest import Ingested, StoredBody, digest_stored, ingest
from gateway.services.keyring import same_encryption
from gateway.services.lease import Lease
from gateway.services.objects import new_content, new_content_uid, new_etag, unlocked
from gateway.services.stores import Stores


class UploadParts:
    def __init__(
        self, database: Database, stores: Stores, directory: Directory, lease: Lease, executor: ThreadPoolExecutor
    ) -> None:
        self._database = database
        self._directory = directory
        self._stores = stores
        self._lease = lease
        self._executor = executor

    async def put_part(
        self,
        upload: MultipartUpload,
        number: int,
        *,
        expect: Expectations,
        body: Body,
        customer_key: bytes | None = None,
    ) -> PutResult:
        """Store a part, in place of an earlier one of that number. It always carries the upload's checksum.

        `customer_key` is the upload's, where that is SSE-C: no checksum is kept then, and the ETag is random.

        Raises InvalidValue for a part with another checksum than the upload's, BodyMismatch facts, UploadNotFound.
        """
        check_part_number(number)
        if expect.length > MAX_PUT_BYTES:
            raise ObjectTooLarge("Your proposed upload exceeds the maximum allowed size.")
        asked = expect.checksum_algorithm
        algorithm = upload.checksum_algorithm
        if asked is not None and asked is not algorithm and upload.checksum_asked:
            raise InvalidValue(
                f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, "
                f"actual checksum Type: {asked.lower()}"
            )
        bucket = await self._bucket(upload)
        await quotas.expect_part(self._database, bucket, upload.id, number, expect.length)
        with self._lease.writing(expect.length):
            new, taken, _ = await self._store_part(upload, bucket, number, expect, body, customer_key)
        return PutResult(new.etag, None, taken.checksum, taken.size, None, new.encryption)

    async def _bucket(self, upload: MultipartUpload) -> Bucket:
        bucket = await self._directory.bucket_by_id(upload.bucket_id)
        if bucket is None:
            raise UploadNotFound(uploads.NO_UPLOAD)
        return bucket

    async def _store_part(
        self,
        upload: MultipartUpload,
        bucket: Bucket,
        number: int,
        expect: Expectations,
        body: Body,
        customer_key: bytes | None,
    ) -> tuple[NewContent, Ingested, int]:
        """Take a part's bytes and commit it; gives also when, in ms."""
        sealing = part_sealing(upload, customer_key)
        key = self._stores.keyring.new_key(sealing)
        store = self._stores.placing(bucket)
        keep = upload.checksum_algorithm if customer_key is None else None
        taken = await ingest(store, self._executor, expect, body, keep=keep, key=key)
        now = now_ms()
        new = new_content(taken, sealing)

        async def operation(tx: Transaction) -> None:
            await leases.check(tx, taken.blob)
            await quotas.hold(tx, bucket.owner)
            await uploads.put_part(tx, upload.id, number, await self._stores.keyring.settle(tx, new), now)
            await quotas.verify(tx, bucket)

        await self._database.write(operation, durable=taken.durable)
        return new, taken, now

    async def copy_part(
        self,
        upload: MultipartUpload,
        number: int,
        source: ObjectVersion,
        start: int,
        length: int,
        *,
        customer_key: bytes | None = None,
        source_key: bytes | None = None,
    ) -> Part:
        """Make a part of `length` bytes from `start` of an object, by reference.

        The bytes are read only where their MD5 or the upload's checksum is not known from the source's rows, and written
        anew only where the upload is encrypted otherwise than the source. `customer_key` is the upload's, `source_key`
        the source's, where they are SSE-C. Raises InvalidValue for a range that the source does not have,
        ObjectNotFound, ObjectTooLarge, UploadNotFound.
        """
        check_part_number(number)
        content = source.content
        if content is None:
            raise ObjectNotFound
        if length > MAX_PUT_BYTES:
            raise ObjectTooLarge("The specified copy source is larger than the maximum allowable size: 5368709120")
        if start < 0 or length < 0 or start + length > content.size:
            raise InvalidValue("The specified copy range is not within the source object.")
        sealing = part_sealing(upload, customer_key)
        if content.adopted or not same_encryption(content, sealing, source_key):
            return await self._rewrite_part(upload, number, content, start, length, customer_key, source_key)
        algorithm = upload.checksum_algorithm
        if customer_key is None:
            known = await self._known_digests(source, start, length, algorithm)
            if known is None:
                segments = await contents.segments(self._database, content.id, start, length) if length else ()
                known = await digest_stored(self._stores, self._executor, segments, algorithm)
        else:
            known = new_etag(), None
        etag, checksum = known
        now = now_ms()
        bucket = await self._bucket(upload)

        async def operation(tx: Transaction) -> None:
            await quotas.hold(tx, bucket.owner)
            if not await contents.exists(tx, content.id):
                raise ObjectNotFound
            references = await contents.references(tx, content.id, start, length) if length else ()
            new = NewContent(
                new_content_uid(),
                length,
                etag,
                checksum,
                references=references,
                encryption=upload.encryption,
                customer_key=upload.customer_key,
            )
            await uploads.put_part(tx, upload.id, number, new, now)
            await quotas.verify(tx, bucket)

        await self._database.write(operation, heavy=content.segment_count > 100)
        return Part(number, length, etag, checksum, now)

    async def _rewrite_part(
        self,
        upload: MultipartUpload,
        number: int,
        content: Content,
        start: int,
        length: int,
        customer_key: bytes | None,
        source_key: bytes | None,
    ) -> Part:
        reading = self._stores.begin_read()
        try:
            segments = await contents.segments(self._database, content.id, start, length) if length else ()
            body = StoredBody(self._stores, segments if source_key is None else unlocked(segments, source_key))
            try:
                return await self._write_part(upload, number, body, length, customer_key)
            finally:
                body.close()
        finally:
            self._stores.end_read(reading)

    async def copy_made(
        self, upload: MultipartUpload, number: int, data: bytes | memoryview, *, customer_key: bytes | None = None
    ) -> Part:
        """Make a part of what was made of an object, such as a rendition. Raises as `put_part` does."""
        check_part_number(number)
        return await self._write_part(upload, number, HeldBody(data), len(data), customer_key)

    async def _write_part(
        self, upload: MultipartUpload, number: int, body: Body, length: int, customer_key: bytes | None
    ) -> Part:
        bucket = await self._bucket(upload)
        with self._lease.writing(length):
            new, _, now = await self._store_part(upload, bucket, number, Expectations(length), body, customer_key)
        return Part(number, length, new.etag, new.checksum, now)

    async def _known_digests(
        self, source: ObjectVersion, start: int, length: int, algorithm: ChecksumAlgorithm
    ) -> tuple[str, Checksum | None] | None:
        content = source.content
        assert content is not None
        if content.checksum is None or content.checksum.algorithm is not algorithm:
            return None
        if not content.part_count:
            return (content.etag, content.checksum) if (start, length) == (0, content.size) else None
        position = 0
        for part in await contents.parts(self._database, content, source.modified_ms):
            if (position, part.size) == (start, length) and part.checksum is not None:
                return part.etag, part.checksum
            position += part.size
            if position > start:
                return None
        return None


def part_sealing(upload: MultipartUpload, customer_key: bytes | None) -> Sealing | None:
    """How a part of this upload is encrypted. Raises AccessRefused where `customer_key` is not the upload's."""
    if upload.encryption is None:
        return None
    if upload.encryption is Encryption.SSE_C and (
        customer_key is None or not is_customer_key(upload.customer_key or b"", customer_key)
    ):
        raise AccessRefused("The parts of this upload are encrypted with the key that it was begun with.")
    return Sealing(customer_key)


def check_part_number(number: int) -> None:
    if not 1 <= number <= MAX_PARTS:
        raise InvalidValue(f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive")
