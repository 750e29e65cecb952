"""What a completion of a multipart upload says, held against the parts that are stored; and its answer, kept as JSON."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence

from gateway.errors import ChecksumMismatch, InvalidCompletion, InvalidPart, PartTooSmall, UploadNotFound
from gateway.metadata import uploads
from gateway.metadata.contents import NewPart
from gateway.metadata.uploads import StoredPart
from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.contents import Encryption
from gateway.model.objects import PutResult
from gateway.model.uploads import MIN_PART_BYTES, CompletedPart, MultipartUpload
from gateway.services import checksums

NOT_FOUND = (
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)


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


def part_table(parts: Sequence[StoredPart], checksum: Checksum | None) -> tuple[NewPart, ...]:
    table = []
    start = 0
    for part in parts:
        value = None if checksum is None else part.checksum_value
        table.append(NewPart(part.number, start, part.size, part.etag, value))
        start += part.size
    return tuple(table)


def digest_of(parts: Sequence[CompletedPart]) -> bytes:
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(f"{part.number}:{part.etag}\n".encode())
    return hasher.digest()


def again(done: uploads.Completed, completion: bytes) -> PutResult:
    if done.completion != completion:
        raise UploadNotFound(uploads.NO_UPLOAD)
    return from_json(done.result)


def to_json(result: PutResult) -> dict[str, object]:
    checksum = result.checksum
    return {
        "etag": result.etag,
        "version_id": result.version_id,
        "checksum": None if checksum is None else [checksum.algorithm.value, checksum.type.value, checksum.value],
        "size": result.size,
        "image_id": result.image_id,
        "encryption": result.encryption,
    }


def from_json(data: dict[str, object]) -> PutResult:
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
