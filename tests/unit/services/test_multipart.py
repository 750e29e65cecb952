"""Multipart uploads: what completion makes of parts, and who wins where two want different things."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import zlib
from collections.abc import Callable

import pytest
from awscrt import checksums as crt

from gateway.errors import (
    BucketNotFound,
    ChecksumMismatch,
    InvalidCompletion,
    InvalidPart,
    InvalidPartOrder,
    InvalidValue,
    LengthMismatch,
    ObjectNotFound,
    PartTooSmall,
    PreconditionFailed,
    UploadNotFound,
)
from gateway.metadata import versions
from gateway.model.buckets import Bucket
from gateway.model.checksums import ChecksumAlgorithm, ChecksumType
from gateway.model.objects import Expectations, PutResult, WriteConditions
from gateway.model.uploads import MIN_PART_BYTES, CompletedPart, MultipartUpload
from gateway.services import Services
from tests.data_folder import Pieces, put, read

BIG = os.urandom(MIN_PART_BYTES + 3)
NEXT = os.urandom(MIN_PART_BYTES)
SMALL = b"the rest"
PARTS = [BIG, NEXT, SMALL]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0"

DIGESTS: dict[ChecksumAlgorithm, Callable[[bytes], bytes]] = {
    ChecksumAlgorithm.CRC32: lambda data: zlib.crc32(data).to_bytes(4),
    ChecksumAlgorithm.CRC32C: lambda data: crt.crc32c(data).to_bytes(4),
    ChecksumAlgorithm.CRC64NVME: lambda data: crt.crc64nvme(data).to_bytes(8),
    ChecksumAlgorithm.SHA1: lambda data: hashlib.sha1(data).digest(),
    ChecksumAlgorithm.SHA256: lambda data: hashlib.sha256(data).digest(),
}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def begin(
    services: Services,
    bucket: Bucket,
    key: bytes = b"key",
    algorithm: ChecksumAlgorithm | None = None,
    kind: ChecksumType | None = None,
) -> MultipartUpload:
    return await services.uploads.create(
        bucket,
        key,
        headers=(("content-type", "image/png"),),
        tags=(("t", "v"),),
        algorithm=algorithm,
        type=kind,
        initiator="me",
    )


async def send(services: Services, upload: MultipartUpload, number: int, data: bytes) -> PutResult:
    half = len(data) // 2
    return await services.upload_parts.put_part(
        upload, number, expect=Expectations(len(data)), body=Pieces([data[:half], data[half:]])
    )


async def finish(
    services: Services,
    bucket: Bucket,
    upload: MultipartUpload,
    parts: list[CompletedPart],
    conditions: WriteConditions | None = None,
    **rest: object,
) -> PutResult:
    return await services.uploads.complete(
        bucket,
        upload.key,
        upload.upload_id,
        parts,
        conditions=conditions or WriteConditions(),
        **rest,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        (None, None),
        (ChecksumAlgorithm.CRC32, None),
        (ChecksumAlgorithm.CRC32, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.CRC32C, ChecksumType.COMPOSITE),
        (ChecksumAlgorithm.CRC32C, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.CRC64NVME, None),
        (ChecksumAlgorithm.SHA1, None),
        (ChecksumAlgorithm.SHA256, ChecksumType.COMPOSITE),
    ],
)
async def test_etag_and_checksum_of_the_whole(
    services: Services, bucket: Bucket, algorithm: ChecksumAlgorithm | None, kind: ChecksumType | None
) -> None:
    upload = await begin(services, bucket, algorithm=algorithm, kind=kind)
    used = algorithm or ChecksumAlgorithm.CRC64NVME
    digest = DIGESTS[used]
    completed = []
    for number, data in zip((2, 5, 9), PARTS, strict=True):
        result = await send(services, upload, number, data)
        assert result.etag == hashlib.md5(data).hexdigest()
        assert result.checksum is not None
        assert (result.checksum.algorithm, result.checksum.value) == (used, b64(digest(data)))
        completed.append(CompletedPart(number, result.etag, ((used, result.checksum.value),)))
    done = await finish(services, bucket, upload, completed)

    whole = b"".join(PARTS)
    md5s = b"".join(hashlib.md5(data).digest() for data in PARTS)
    assert done.etag == f"{hashlib.md5(md5s).hexdigest()}-3"
    assert done.checksum is not None
    if kind is ChecksumType.FULL_OBJECT or used is ChecksumAlgorithm.CRC64NVME:
        assert done.checksum.type is ChecksumType.FULL_OBJECT
        assert done.checksum.value == b64(digest(whole))
    else:
        assert done.checksum.type is ChecksumType.COMPOSITE
        assert done.checksum.value == b64(digest(b"".join(digest(data) for data in PARTS))) + "-3"
    assert await read(services, bucket, b"key") == whole

    version = await services.objects.get(bucket, b"key")
    assert version.content is not None
    assert version.headers == (("content-type", "image/png"),)
    assert (version.tag_count, version.content.part_count) == (1, 3)
    assert version.content.checksum == done.checksum
    page = await services.objects.part_page(version, 2, 1)
    assert [(part.number, part.size, part.checksum.value) for part in page.parts if part.checksum] == [
        (5, len(NEXT), b64(digest(NEXT)))
    ]
    assert (page.truncated, page.next_number) == (True, 5)
    assert await services.objects.part_range(version.content, 2) == (len(BIG), len(NEXT))
    assert await services.objects.part_range(version.content, 4) is None
    for start, length in ((0, 1), (len(BIG) - 1, 2), (len(BIG), len(NEXT)), (10, len(whole) - 10), (len(whole) - 1, 1)):
        segments = await services.objects.segments(version.content, start, length)
        assert await services.stores.read(segments) == whole[start : start + length]


async def test_completing_again_gives_the_same_answer_and_other_parts_none(
    services: Services, versioned: Bucket
) -> None:
    upload = await begin(services, versioned)
    one = await send(services, upload, 1, SMALL)
    parts = [CompletedPart(1, one.etag)]
    first = await finish(services, versioned, upload, parts, WriteConditions(if_none_match=True))
    assert await finish(services, versioned, upload, parts, WriteConditions(if_none_match=True)) == first
    with pytest.raises(UploadNotFound):
        await finish(services, versioned, upload, [CompletedPart(2, one.etag)])
    with pytest.raises(UploadNotFound):
        await send(services, upload, 2, SMALL)
    with pytest.raises(UploadNotFound):
        await services.uploads.abort(versioned, b"key", upload.upload_id)
    page = await services.listing.versions(versioned, limit=10)
    assert len(page.versions) == 1


async def test_two_completions_at_once_make_one_version(services: Services, versioned: Bucket) -> None:
    upload = await begin(services, versioned)
    one = await send(services, upload, 1, SMALL)
    parts = [CompletedPart(1, one.etag)]
    results = await asyncio.gather(*(finish(services, versioned, upload, parts) for _ in range(8)))
    assert len(set(results)) == 1
    assert len((await services.listing.versions(versioned, limit=10)).versions) == 1


async def test_completion_and_abort_at_once_have_one_winner(services: Services, bucket: Bucket) -> None:
    for number in range(10):
        key = b"key%d" % number
        upload = await begin(services, bucket, key)
        one = await send(services, upload, 1, SMALL)
        work = [
            finish(services, bucket, upload, [CompletedPart(1, one.etag)]),
            services.uploads.abort(bucket, key, upload.upload_id),
        ]
        if number % 2:
            work.reverse()
        results = await asyncio.gather(*work, return_exceptions=True)
        lost = [result for result in results if isinstance(result, BaseException)]
        assert [type(error) for error in lost] == [UploadNotFound]
        if any(isinstance(result, PutResult) for result in results):
            assert await read(services, bucket, key) == SMALL
        else:
            with pytest.raises(ObjectNotFound):
                await services.objects.get(bucket, key)


async def test_a_part_is_replaced_by_a_later_one_of_its_number(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket)
    first = await send(services, upload, 1, b"first")
    second = await send(services, upload, 1, b"second")
    with pytest.raises(InvalidPart):
        await finish(services, bucket, upload, [CompletedPart(1, first.etag)])
    page = await services.uploads.parts(upload, 0, 10)
    assert [(part.number, part.size, part.etag) for part in page.parts] == [(1, 6, second.etag)]
    await finish(services, bucket, upload, [CompletedPart(1, second.etag)])
    assert await read(services, bucket, b"key") == b"second"


async def test_parts_that_completion_leaves_out_are_swept(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket)
    kept = await send(services, upload, 1, BIG)
    await send(services, upload, 2, NEXT)
    await finish(services, bucket, upload, [CompletedPart(1, kept.etag)])
    await services.sweep.run_once()
    report = await services.fsck.run()
    assert (report.problems, report.blobs, report.bytes) == ([], 1, len(BIG))
    assert await read(services, bucket, b"key") == BIG


async def test_lists_that_cannot_be_completed(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket)
    small = await send(services, upload, 1, SMALL)
    big = await send(services, upload, 2, BIG)
    refused = [
        ([], InvalidPart),
        ([CompletedPart(3, small.etag)], InvalidPart),
        ([CompletedPart(1, big.etag)], InvalidPart),
        ([CompletedPart(2, big.etag), CompletedPart(1, small.etag)], InvalidPartOrder),
        ([CompletedPart(1, small.etag), CompletedPart(1, small.etag)], InvalidPartOrder),
        ([CompletedPart(1, small.etag), CompletedPart(2, big.etag)], PartTooSmall),
        ([CompletedPart(2, big.etag, ((ChecksumAlgorithm.CRC64NVME, "AAAAAAAAAAA="),))], InvalidPart),
        ([CompletedPart(2, big.etag, ((ChecksumAlgorithm.CRC32, "AAAAAA=="),))], InvalidPart),
    ]
    for parts, error in refused:
        with pytest.raises(error):
            await finish(services, bucket, upload, parts)
    with pytest.raises(UploadNotFound):
        await services.uploads.complete(
            bucket, b"other key", upload.upload_id, [CompletedPart(2, big.etag)], conditions=WriteConditions()
        )
    with pytest.raises(ObjectNotFound):
        await services.objects.get(bucket, b"key")
    # None of that did it any harm.
    await finish(services, bucket, upload, [CompletedPart(2, big.etag)])


async def test_what_a_completion_says_of_the_whole_must_be_so(services: Services, bucket: Bucket) -> None:
    crc = ChecksumAlgorithm.CRC32
    upload = await begin(services, bucket, algorithm=crc, kind=ChecksumType.FULL_OBJECT)
    one = await send(services, upload, 1, SMALL)
    parts = [CompletedPart(1, one.etag)]
    right = b64(DIGESTS[crc](SMALL))
    for wrong in (
        {"size": len(SMALL) + 1},
        {"checksum_value": (ChecksumAlgorithm.SHA1, right)},
        {"checksum_type": ChecksumType.COMPOSITE},
    ):
        with pytest.raises(InvalidCompletion):
            await finish(services, bucket, upload, parts, **wrong)
    with pytest.raises(ChecksumMismatch):
        await finish(services, bucket, upload, parts, checksum_value=(crc, "AAAAAA=="))
    done = await finish(
        services,
        bucket,
        upload,
        parts,
        size=len(SMALL),
        checksum_value=(crc, right),
        checksum_type=ChecksumType.FULL_OBJECT,
    )
    assert done.checksum is not None
    assert done.checksum.value == right


async def test_a_composite_completion_names_each_checksum(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket, algorithm=ChecksumAlgorithm.SHA256)
    one = await send(services, upload, 1, SMALL)
    with pytest.raises(InvalidCompletion, match="missing for part 1"):
        await finish(services, bucket, upload, [CompletedPart(1, one.etag)])


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        (ChecksumAlgorithm.SHA256, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.SHA1, ChecksumType.FULL_OBJECT),
        (ChecksumAlgorithm.CRC64NVME, ChecksumType.COMPOSITE),
        (None, ChecksumType.COMPOSITE),
    ],
)
async def test_algorithms_and_types_that_do_not_go_together(
    services: Services, bucket: Bucket, algorithm: ChecksumAlgorithm | None, kind: ChecksumType
) -> None:
    with pytest.raises(InvalidValue):
        await begin(services, bucket, algorithm=algorithm, kind=kind)


async def test_a_part_with_another_checksum_than_the_uploads(services: Services, bucket: Bucket) -> None:
    asked = await begin(services, bucket, algorithm=ChecksumAlgorithm.CRC32)
    expect = Expectations(
        len(SMALL),
        checksum_algorithm=ChecksumAlgorithm.SHA1,
        checksum_value=DIGESTS[ChecksumAlgorithm.SHA1](SMALL),
    )
    with pytest.raises(InvalidValue):
        await services.upload_parts.put_part(asked, 1, expect=expect, body=Pieces([SMALL]))
    # Where none was asked for, it is checked, and what is kept is the upload's.
    plain = await begin(services, bucket, b"plain")
    kept = await services.upload_parts.put_part(plain, 1, expect=expect, body=Pieces([SMALL]))
    assert kept.checksum is not None
    assert kept.checksum.value == b64(DIGESTS[ChecksumAlgorithm.CRC64NVME](SMALL))
    with pytest.raises(ChecksumMismatch):
        await services.upload_parts.put_part(plain, 1, expect=expect, body=Pieces([b"THE REST"]))
    with pytest.raises(LengthMismatch):
        await services.upload_parts.put_part(plain, 1, expect=expect, body=Pieces([SMALL, b"more"]))
    page = await services.uploads.parts(plain, 0, 10)
    assert [part.size for part in page.parts] == [len(SMALL)]


@pytest.mark.parametrize("number", [0, -1, 10_001])
async def test_part_numbers_end_somewhere(services: Services, bucket: Bucket, number: int) -> None:
    upload = await begin(services, bucket)
    with pytest.raises(InvalidValue):
        await send(services, upload, number, SMALL)


async def test_completion_under_conditions(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"key", b"there")
    upload = await begin(services, bucket)
    one = await send(services, upload, 1, SMALL)
    parts = [CompletedPart(1, one.etag)]
    with pytest.raises(PreconditionFailed):
        await finish(services, bucket, upload, parts, WriteConditions(if_none_match=True))
    assert await read(services, bucket, b"key") == b"there"
    etag = hashlib.md5(b"there").hexdigest()
    await finish(services, bucket, upload, parts, WriteConditions(if_match=etag))
    assert await read(services, bucket, b"key") == SMALL


async def test_copied_parts_share_bytes(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket, b"source")
    completed = []
    for number, data in enumerate(PARTS, 1):
        result = await send(services, upload, number, data)
        completed.append(CompletedPart(number, result.etag))
    await finish(services, bucket, upload, completed)
    source = await services.objects.get(bucket, b"source")
    whole = b"".join(PARTS)
    before = await services.fsck.run()

    ranges = [(len(BIG) - 3000, MIN_PART_BYTES + 2000), (0, len(BIG)), (len(whole) - 3, 3)]
    target = await begin(services, bucket, b"target")
    numbered = []
    for number, (start, length) in enumerate(ranges, 1):
        part = await services.upload_parts.copy_part(target, number, source, start, length)
        piece = whole[start : start + length]
        assert part.etag == hashlib.md5(piece).hexdigest()
        assert part.checksum is not None
        assert part.checksum.value == b64(DIGESTS[ChecksumAlgorithm.CRC64NVME](piece))
        numbered.append(CompletedPart(number, part.etag))
    done = await finish(services, bucket, target, numbered)
    expected = b"".join(whole[start : start + length] for start, length in ranges)
    assert await read(services, bucket, b"target") == expected
    assert done.checksum is not None
    assert done.checksum.value == b64(DIGESTS[ChecksumAlgorithm.CRC64NVME](expected))
    after = await services.fsck.run()
    assert (after.blobs, after.bytes) == (before.blobs, before.bytes)
    # The source goes; what the copy shares stays.
    await services.objects.delete(bucket, b"source")
    await services.sweep.run_once()
    assert await read(services, bucket, b"target") == expected


@pytest.mark.parametrize(("start", "length"), [(0, 9), (8, 1), (-1, 2), (3, -1), (9, 0)])
async def test_a_copied_range_lies_within_its_source(
    services: Services, bucket: Bucket, start: int, length: int
) -> None:
    await put(services, bucket, b"source", SMALL)
    source = await services.objects.get(bucket, b"source")
    upload = await begin(services, bucket)
    with pytest.raises(InvalidValue):
        await services.upload_parts.copy_part(upload, 1, source, start, length)


async def test_a_part_of_nothing(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket)
    empty = await send(services, upload, 1, b"")
    done = await finish(services, bucket, upload, [CompletedPart(1, empty.etag)])
    assert done.size == 0
    assert await read(services, bucket, b"key") == b""


async def test_an_upload_whose_first_part_is_an_image_has_an_image_id(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket)
    one = await send(services, upload, 3, PNG + bytes(100))
    done = await finish(services, bucket, upload, [CompletedPart(3, one.etag)])
    assert done.image_id is not None
    found_bucket, found = await services.objects.get_by_image_id(done.image_id)
    assert (found_bucket.id, found.key, found.image_id) == (bucket.id, b"key", done.image_id)


async def test_a_bucket_that_goes_takes_its_uploads_along(services: Services, bucket: Bucket) -> None:
    upload = await begin(services, bucket)
    one = await send(services, upload, 1, SMALL)
    await services.buckets.delete(bucket)
    with pytest.raises(UploadNotFound):
        await finish(services, bucket, upload, [CompletedPart(1, one.etag)])
    with pytest.raises(UploadNotFound):
        await send(services, upload, 1, SMALL)
    with pytest.raises(BucketNotFound):
        await begin(services, bucket)
    await services.sweep.run_once()
    report = await services.fsck.run()
    assert report.blobs == 0


async def test_the_answer_is_kept_for_a_day_only(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await begin(services, bucket)
    one = await send(services, upload, 1, SMALL)
    parts = [CompletedPart(1, one.etag)]
    await finish(services, bucket, upload, parts)
    await services.sweep.run_once()
    await finish(services, bucket, upload, parts)
    monkeypatch.setattr("gateway.services.sweep.COMPLETED_KEPT_MS", -1000)
    await services.sweep.run_once()
    with pytest.raises(UploadNotFound):
        await finish(services, bucket, upload, parts)
    assert await read(services, bucket, b"key") == SMALL


async def test_a_failed_completion_leaves_the_upload_as_it_was(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await begin(services, bucket)
    one = await send(services, upload, 1, SMALL)

    async def fail(*_: object) -> None:
        raise BucketNotFound("gone")

    with monkeypatch.context() as patch:
        patch.setattr(versions, "put", fail)
        with pytest.raises(BucketNotFound):
            await finish(services, bucket, upload, [CompletedPart(1, one.etag)])
    await finish(services, bucket, upload, [CompletedPart(1, one.etag)])
