"""Multipart uploads, from their beginning to their end. Completion joins segments and reads no byte."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from gateway.blobs.encryption.keys import salted
from gateway.errors import (
    InvalidCompletion,
    InvalidPart,
    InvalidPartOrder,
    InvalidValue,
    ObjectTooLarge,
    UploadNotFound,
)
from gateway.metadata import contents, resumable, uploads, versions
from gateway.metadata.contents import Joined, NewContent
from gateway.metadata.port import Database, Reader, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Bucket
from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.contents import MAX_SEGMENTS, Encryption, Sealing, Segment
from gateway.model.objects import MAX_OBJECT_BYTES, Headers, PutResult, Tags, WriteConditions
from gateway.model.uploads import MAX_PARTS, CompletedPart, MultipartUpload, PartPage, Promise
from gateway.services import quotas
from gateway.services.clock import now_ms
from gateway.services.completion import (
    NOT_FOUND,
    again,
    check_parts,
    check_whole,
    digest_of,
    multipart_etag,
    part_table,
    to_json,
    whole_checksum,
)
from gateway.services.images import new_image_id
from gateway.services.ingest import SNIFF_BYTES, digest_stored
from gateway.services.keyring import sealing_of
from gateway.services.objects import check_key, new_content_uid, unlocked
from gateway.services.stores import Stores
from transforms.sniff import sniff

FULL_OBJECT_ALGORITHMS = (ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME)


class Multipart:
    def __init__(self, database: Database, stores: Stores, executor: ThreadPoolExecutor) -> None:
        self._database = database
        self._stores = stores
        self._executor = executor

    async def create(
        self,
        bucket: Bucket,
        key: bytes,
        *,
        headers: Headers,
        tags: Tags,
        algorithm: ChecksumAlgorithm | None,
        type: ChecksumType | None,
        initiator: str,
        sealing: Sealing | None = None,
        promised: Promise | None = None,
    ) -> MultipartUpload:
        """Begin an upload. Without an algorithm its parts are checked with CRC64NVME.

        Without `sealing` the bucket says how the parts are encrypted; it holds for all of them. `promised` is the image that
        an app makes of it.

        Raises InvalidValue for an algorithm and a type that do not go together (AWS: Checking object integrity).
        """
        check_key(key)
        if algorithm is None and type is not None:
            raise InvalidValue(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        used = algorithm or ChecksumAlgorithm.CRC64NVME
        kind = type
        if kind is None:
            kind = ChecksumType.FULL_OBJECT if used is ChecksumAlgorithm.CRC64NVME else ChecksumType.COMPOSITE
        if kind is ChecksumType.FULL_OBJECT and used not in FULL_OBJECT_ALGORITHMS:
            raise InvalidValue(
                f"The FULL_OBJECT checksum type cannot be used with the {used.lower()} checksum algorithm."
            )
        if kind is ChecksumType.COMPOSITE and used is ChecksumAlgorithm.CRC64NVME:
            raise InvalidValue("The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.")
        sealing = sealing_of(bucket, sealing)
        customer_key = None if sealing is None else sealing.customer_key
        new = MultipartUpload(
            id=0,
            upload_id=secrets.token_urlsafe(32),
            bucket_id=bucket.id,
            key=key,
            headers=headers,
            tags=tags,
            checksum_algorithm=used,
            checksum_type=kind,
            checksum_asked=algorithm is not None,
            initiator=initiator,
            created_ms=now_ms(),
            encryption=None if sealing is None else sealing.encryption,
            customer_key=None if customer_key is None else salted(customer_key),
        )

        async def operation(tx: Transaction) -> None:
            await versions.versioning_of(tx, bucket.id)
            await uploads.create(tx, new)
            if promised is not None:
                # In the same transaction: what is left of an upload that no promise tells of would never be ended.
                await resumable.promise(tx, new.upload_id, promised)

        await self._database.write(operation)
        return await self.get(bucket, key, new.upload_id)

    async def get(self, bucket: Bucket, key: bytes, upload_id: str) -> MultipartUpload:
        """An upload in progress. Raises UploadNotFound."""
        return await uploads.get(self._database, bucket.id, key, upload_id)

    async def parts(self, upload: MultipartUpload, after: int, limit: int) -> PartPage:
        """At most `limit` parts with numbers above `after`."""
        return await uploads.part_page(self._database, upload.id, after, limit)

    async def abort(self, bucket: Bucket, key: bytes, upload_id: str) -> None:
        """Raises UploadNotFound."""
        await self._database.write(lambda tx: uploads.abort(tx, bucket.id, key, upload_id), heavy=True)

    async def complete(
        self,
        bucket: Bucket,
        key: bytes,
        upload_id: str,
        parts: Sequence[CompletedPart],
        *,
        conditions: WriteConditions,
        checksum_value: tuple[ChecksumAlgorithm, str] | None = None,
        checksum_type: ChecksumType | None = None,
        size: int | None = None,
        customer_key: bytes | None = None,
        as_image: AsImage | None = None,
    ) -> PutResult:
        """Make an object of the named parts. Asking again with the same parts gives the same answer for 24 hours.

        `as_image` makes it an image that apps know, in the same transaction. Without it, what an app began becomes the
        image that was promised, as if the bytes had been put there; where they are none, the app's upload is gone.

        `checksum_value` is base64 and `size` in bytes, of the whole object, where the client gives them. Of an SSE-C
        upload no checksum is stored: `customer_key` is needed to hold the bytes against `checksum_value`. Raises
        UploadNotFound, InvalidPart, InvalidPartOrder, PartTooSmall, ObjectTooLarge, InvalidCompletion, ChecksumMismatch,
        PreconditionFailed.
        """
        if not parts:
            raise InvalidPart("You must specify at least one part")
        if len(parts) > MAX_PARTS:
            raise InvalidPart(NOT_FOUND)
        numbers = [part.number for part in parts]
        if any(second <= first for first, second in pairwise(numbers)):
            raise InvalidPartOrder(
                "The list of parts was not in ascending order. The parts list must be specified in order by part "
                "number."
            )
        completion = digest_of(parts)
        try:
            upload = await self.get(bucket, key, upload_id)
        except UploadNotFound:
            done = await uploads.completed(self._database, bucket.id, key, upload_id)
            if done is None:
                raise
            return again(done, completion)
        first = None
        read: _Read | None = None
        if upload.encryption is not Encryption.SSE_C:
            first = await self._first_bytes(upload, parts[0].number)
        elif checksum_value is not None:
            read = await self._read_checksum(upload, parts, customer_key)
        image_id = None if first is None else new_image_id(first)
        promised = upload.promised if as_image is None else None
        kind = None if promised is None or first is None else sniff(first)
        if as_image is not None:
            image_id = as_image.image_id
        elif promised is not None and kind is not None:
            image_id = promised.image_id
        now = now_ms()

        async def operation(tx: Transaction) -> PutResult:
            await quotas.hold(tx, bucket.owner)
            await uploads.hold(tx, upload)
            try:
                current = await uploads.get(tx, bucket.id, key, upload_id)
            except UploadNotFound:
                # Twice at once: the second finds what the first did.
                finished = await uploads.completed(tx, bucket.id, key, upload_id)
                if finished is None:
                    raise
                return again(finished, completion)
            stored = await uploads.stored_parts(tx, current.id)
            chosen = check_parts(parts, stored, current)
            total = sum(part.size for part in chosen)
            if total > MAX_OBJECT_BYTES:
                raise ObjectTooLarge("Your proposed upload exceeds the maximum allowed object size.")
            if size is not None and size != total:
                raise InvalidCompletion("The provided 'x-amz-mp-object-size' header does not match what was computed.")
            checksum = whole_checksum(current, chosen)
            if read is None:
                check_whole(current, checksum, checksum_value, checksum_type)
            else:
                if read.content_ids != tuple(part.content_id for part in chosen):
                    raise InvalidPart(NOT_FOUND)
                check_whole(current, read.checksum, checksum_value, checksum_type)
            etag = multipart_etag(chosen)
            runs = sum(part.segment_count for part in chosen)
            if runs > MAX_SEGMENTS:
                raise InvalidPart(
                    f"The parts consist of more than {MAX_SEGMENTS} runs of bytes; copy them with fewer, larger parts."
                )
            joined = None
            if len(chosen) == len(stored):
                joined = Joined(current.id, runs, len(chosen), checksum is not None)
            content: NewContent | int = NewContent(
                new_content_uid(),
                total,
                etag,
                checksum,
                joined=joined,
                references=() if joined is not None else await uploads.part_references(tx, current.id, numbers),
                parts=() if joined is not None else part_table(chosen, checksum),
                encryption=current.encryption,
                customer_key=current.customer_key,
            )
            headers = current.headers if kind is None else (("content-type", kind.media_type),)
            if as_image is not None:
                assert isinstance(content, NewContent)
                if as_image.content_ids != tuple(part.content_id for part in chosen):
                    raise InvalidPart(NOT_FOUND)
                content = await as_image.share(tx, content)
                headers = as_image.headers
            counted = kind is not None or (as_image is None and quotas.counts_at_once(bucket, image_id))
            noted = counted or as_image is not None
            new = NewVersion(bucket.id, key, content, headers, current.tags, image_id, now, noted=noted)
            written = await versions.put(tx, new, conditions)
            if as_image is not None:
                await as_image.note(tx, written.seq)
            elif counted:
                await quotas.count(tx, bucket, image_id, None if promised is None else promised.user)
            result = PutResult(etag, written.version_id, checksum, total, image_id, current.encryption)
            await uploads.finish(tx, current.id, completion, to_json(result), now)
            if promised is not None and kind is None:
                await resumable.disown(tx, current.id)
            await quotas.verify(tx, bucket, made_image=noted)
            return result

        return await self._database.write(operation, heavy=len(parts) > 10)

    async def _read_checksum(
        self, upload: MultipartUpload, parts: Sequence[CompletedPart], customer_key: bytes | None
    ) -> _Read:
        """The checksum of the whole from the bytes themselves."""
        if customer_key is None:
            raise InvalidCompletion(
                "The customer's key must be given with a checksum: the parts' are not kept with the upload."
            )
        stored = await self._database.read(lambda reader: uploads.stored_parts(reader, upload.id))
        chosen = check_parts(parts, stored, upload)
        algorithm = upload.checksum_algorithm
        found = []
        reading = self._stores.begin_read()
        try:
            for part in chosen:
                segments = await contents.segments(self._database, part.content_id, 0, part.size) if part.size else ()
                unsealed = unlocked(segments, customer_key)
                _, checksum = await digest_stored(self._stores, self._executor, unsealed, algorithm, md5=False)
                assert checksum is not None
                found.append(part._replace(checksum_algorithm=algorithm.value, checksum_value=checksum.value))
        finally:
            self._stores.end_read(reading)
        return _Read(whole_checksum(upload, found), tuple(part.content_id for part in chosen))

    async def _first_bytes(self, upload: MultipartUpload, number: int) -> bytes | None:
        async def find(reader: Reader) -> tuple[Segment, ...]:
            stored = await uploads.stored_part(reader, upload.id, number)
            if stored is None or not stored.size:
                return ()
            return await contents.segments(reader, stored.content_id, 0, min(SNIFF_BYTES, stored.size))

        segments = await self._database.read(find)
        return await self._stores.read(segments) if segments else None


@dataclass(frozen=True, slots=True)
class AsImage:
    """What makes a completed upload an image that apps know. `content_ids` are those of the parts that were looked at.

    `share` gives what the version is to refer to instead of the new content; `note` is told the version's row.
    """

    image_id: str
    headers: Headers
    content_ids: tuple[int, ...]
    share: Callable[[Transaction, NewContent], Awaitable[NewContent | int]]
    note: Callable[[Transaction, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Read:
    """The checksum of parts that were read, and the contents that they were."""

    checksum: Checksum | None
    content_ids: tuple[int, ...]
