"""Multipart uploads. A part is a content; completion joins segments and reads no byte."""

from __future__ import annotations

import binascii
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from gateway.blobs.encryption.keys import is_customer_key, salted
from gateway.errors import (
    AccessRefused,
    ChecksumMismatch,
    InvalidCompletion,
    InvalidPart,
    InvalidPartOrder,
    InvalidValue,
    ObjectNotFound,
    ObjectTooLarge,
    PartTooSmall,
    UploadNotFound,
)
from gateway.metadata import contents, leases, resumable, uploads, versions
from gateway.metadata.contents import Joined, NewContent, NewPart
from gateway.metadata.port import Database, Reader, Transaction
from gateway.metadata.uploads import StoredPart
from gateway.metadata.versions import NewVersion
from gateway.model import (
    MAX_OBJECT_BYTES,
    MAX_PARTS,
    MAX_PUT_BYTES,
    MAX_SEGMENTS,
    MIN_PART_BYTES,
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    Content,
    Encryption,
    Expectations,
    Headers,
    MultipartUpload,
    ObjectVersion,
    Part,
    PartPage,
    Promise,
    PutResult,
    Sealing,
    Segment,
    Tags,
    WriteConditions,
)
from gateway.services import checksums, quotas
from gateway.services.body import Body, HeldBody
from gateway.services.clock import now_ms
from gateway.services.directory import Directory
from gateway.services.images import new_image_id
from gateway.services.ingest import SNIFF_BYTES, Ingested, StoredBody, digest_stored, ingest
from gateway.services.keyring import same_encryption, sealing_of
from gateway.services.lease import Lease
from gateway.services.objects import check_key, new_content, new_content_uid, new_etag, unlocked
from gateway.services.stores import Stores
from transforms.sniff import sniff

FULL_OBJECT_ALGORITHMS = (ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME)
NOT_FOUND = (
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)


class Multipart:
    def __init__(
        self, database: Database, stores: Stores, directory: Directory, lease: Lease, executor: ThreadPoolExecutor
    ) -> None:
        self._database = database
        self._directory = directory
        self._stores = stores
        self._lease = lease
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
        completion = _digest_of(parts)
        try:
            upload = await self.get(bucket, key, upload_id)
        except UploadNotFound:
            done = await uploads.completed(self._database, bucket.id, key, upload_id)
            if done is None:
                raise
            return _again(done, completion)
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
                return _again(finished, completion)
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
                parts=() if joined is not None else _part_table(chosen, checksum),
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
            await uploads.finish(tx, current.id, completion, _to_json(result), now)
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


def check_parts(
    parts: Sequence[CompletedPart], stored: dict[int, StoredPart], upload: MultipartUpload
) -> list[StoredPart]:
    """The stored parts behind a completion's list. Raises InvalidPart, PartTooSmall."""
    chosen = []
    for index, part in enumerate(parts):
        found = stored.get(part.number)
        if found is None or found.etag != part.etag:
            raise InvalidPart(NOT_FOUND)
        # Of an SSE-C part no checksum is kept: it was checked on the way in, and its ETag is like no other.
        for algorithm, value in () if upload.encryption is Encryption.SSE_C else part.checksums:
            if found.checksum_algorithm != algorithm or found.checksum_value != value:
                raise InvalidPart(NOT_FOUND)
        if upload.checksum_asked and upload.checksum_type is ChecksumType.COMPOSITE and not part.checksums:
            raise InvalidCompletion(
                f"The upload was created using a {upload.checksum_algorithm.lower()} checksum. The complete request "
                f"must include the checksum for each part. It was missing for part {part.number} in the request."
            )
        if found.size < MIN_PART_BYTES and index < len(parts) - 1:
            raise PartTooSmall(found.number, found.size, found.etag)
        chosen.append(found)
    return chosen


def multipart_etag(parts: Sequence[StoredPart]) -> str:
    """The MD5 of the parts' MD5s, and their number behind a dash."""
    hasher = hashlib.md5(usedforsecurity=False)
    for part in parts:
        hasher.update(bytes.fromhex(part.etag))
    return f"{hasher.hexdigest()}-{len(parts)}"


def whole_checksum(upload: MultipartUpload, parts: Sequence[StoredPart]) -> Checksum | None:
    """The checksum of the whole from those of the parts; None where a part carries another."""
    algorithm = upload.checksum_algorithm
    digests = []
    for part in parts:
        if part.checksum_algorithm != algorithm or part.checksum_value is None:
            return None
        digests.append((binascii.a2b_base64(part.checksum_value), part.size))
    if upload.checksum_type is ChecksumType.FULL_OBJECT:
        return Checksum(algorithm, upload.checksum_type, checksums.encode(checksums.combine(algorithm, digests)))
    return Checksum(algorithm, upload.checksum_type, checksums.composite(algorithm, [digest for digest, _ in digests]))


def check_whole(
    upload: MultipartUpload,
    checksum: Checksum | None,
    value: tuple[ChecksumAlgorithm, str] | None,
    kind: ChecksumType | None,
) -> None:
    """Hold what a completion says of the whole object against what it is. Raises InvalidCompletion, ChecksumMismatch."""
    if kind is not None and upload.checksum_asked and kind is not upload.checksum_type:
        raise InvalidCompletion(
            f"The upload was created using the {upload.checksum_type} checksum mode. The complete request must use the "
            "same checksum mode."
        )
    if value is None:
        return
    algorithm, expected = value
    if checksum is None or checksum.algorithm is not algorithm:
        raise InvalidCompletion(
            f"The upload was created using the {upload.checksum_algorithm.lower()} checksum algorithm. "
            "The complete request must use the same one."
        )
    found = checksum.value
    if checksum.type is ChecksumType.COMPOSITE and "-" not in expected:
        found = found.partition("-")[0]
    if found != expected:
        raise ChecksumMismatch(algorithm.value)


def _part_table(parts: Sequence[StoredPart], checksum: Checksum | None) -> tuple[NewPart, ...]:
    table = []
    start = 0
    for part in parts:
        value = None if checksum is None else part.checksum_value
        table.append(NewPart(part.number, start, part.size, part.etag, value))
        start += part.size
    return tuple(table)


def _digest_of(parts: Sequence[CompletedPart]) -> bytes:
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(f"{part.number}:{part.etag}\n".encode())
    return hasher.digest()


def _again(done: uploads.Completed, completion: bytes) -> PutResult:
    if done.completion != completion:
        raise UploadNotFound(uploads.NO_UPLOAD)
    return _from_json(done.result)


def _to_json(result: PutResult) -> dict[str, object]:
    checksum = result.checksum
    return {
        "etag": result.etag,
        "version_id": result.version_id,
        "checksum": None if checksum is None else [checksum.algorithm.value, checksum.type.value, checksum.value],
        "size": result.size,
        "image_id": result.image_id,
        "encryption": result.encryption,
    }


def _from_json(data: dict[str, object]) -> PutResult:
    stored = data["checksum"]
    checksum = None
    if isinstance(stored, list):
        checksum = Checksum(ChecksumAlgorithm(stored[0]), ChecksumType(stored[1]), stored[2])
    version_id, image_id, size = data["version_id"], data["image_id"], data["size"]
    encryption = data.get("encryption")
    assert isinstance(size, int)
    return PutResult(
        str(data["etag"]),
        None if version_id is None else str(version_id),
        checksum,
        size,
        None if image_id is None else str(image_id),
        None if encryption is None else Encryption(str(encryption)),
    )
