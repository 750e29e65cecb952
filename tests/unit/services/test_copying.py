"""CopyObject: rows, not bytes."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from gateway.errors import BucketNotFound, ObjectNotFound, ObjectTooLarge, PreconditionFailed
from gateway.model.buckets import Bucket
from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.objects import Expectations, WriteConditions
from gateway.model.uploads import MIN_PART_BYTES, CompletedPart
from gateway.services import Services
from gateway.services.copying import CopyResult
from tests.data_folder import Pieces, put, read

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0"


async def copy(services: Services, bucket: Bucket, source: bytes, target: bytes, **options: object) -> CopyResult:
    found = await services.objects.get(bucket, source)
    arguments: dict[str, object] = {
        "headers": None,
        "tags": None,
        "checksum_algorithm": None,
        "conditions": WriteConditions(),
    }
    return await services.copying.copy(found, bucket, target, **(arguments | options))  # type: ignore[arg-type]


async def test_headers_and_tags_are_kept_or_replaced(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"a", b"x", headers=(("content-type", "t/1"),), tags=(("k", "v"),))
    await copy(services, bucket, b"a", b"kept")
    await copy(services, bucket, b"a", b"new", headers=(("content-type", "t/2"),), tags=())
    kept, new = await services.objects.get(bucket, b"kept"), await services.objects.get(bucket, b"new")
    assert (kept.headers, kept.tag_count) == ((("content-type", "t/1"),), 1)
    assert (new.headers, new.tag_count) == ((("content-type", "t/2"),), 0)
    assert kept.content == new.content
    assert await services.objects.get_tags(bucket, b"kept") == ("null", (("k", "v"),))


async def test_a_copy_shares_its_bytes_and_content(services: Services, bucket: Bucket) -> None:
    data = os.urandom(200_000)
    await put(services, bucket, b"a", data)
    result = await copy(services, bucket, b"a", b"b")
    assert result.etag == hashlib.md5(data).hexdigest()
    assert await read(services, bucket, b"b") == data
    assert (await services.fsck.run()).bytes == len(data)
    assert await services.buckets.totals() == (2, 2 * len(data))


async def test_a_checksum_that_is_not_stored_is_computed(services: Services, bucket: Bucket) -> None:
    data = os.urandom(100_000)
    await put(services, bucket, b"a", data)
    result = await copy(services, bucket, b"a", b"b", checksum_algorithm=ChecksumAlgorithm.SHA256)
    assert result.checksum is not None
    assert result.checksum.value == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert (await services.objects.get(bucket, b"a")).content.checksum is None  # type: ignore[union-attr]
    assert await read(services, bucket, b"b") == data
    assert (await services.fsck.run()).bytes == len(data)
    again = await copy(services, bucket, b"b", b"c", checksum_algorithm=ChecksumAlgorithm.SHA256)
    assert again.checksum == result.checksum
    b, c = await services.objects.get(bucket, b"b"), await services.objects.get(bucket, b"c")
    assert b.content == c.content


async def test_a_copy_of_a_multipart_object_keeps_etag_and_parts(services: Services, bucket: Bucket) -> None:
    upload = await services.uploads.create(bucket, b"a", headers=(), tags=(), algorithm=None, type=None, initiator="me")
    bodies = [os.urandom(MIN_PART_BYTES), b"tail"]
    parts = []
    for number, body in enumerate(bodies, 1):
        result = await services.upload_parts.put_part(
            upload, number, expect=Expectations(len(body)), body=Pieces([body])
        )
        parts.append(CompletedPart(number, result.etag))
    done = await services.uploads.complete(bucket, b"a", upload.upload_id, parts, conditions=WriteConditions())
    for algorithm in (None, ChecksumAlgorithm.CRC32):
        copied = await copy(services, bucket, b"a", b"b", checksum_algorithm=algorithm)
        assert copied.etag == done.etag
        found = await services.objects.get(bucket, b"b")
        assert [(part.number, part.size) for part in await services.objects.parts(found)] == [
            (1, MIN_PART_BYTES),
            (2, 4),
        ]
        assert await read(services, bucket, b"b") == b"".join(bodies)


async def test_a_copy_of_an_image_has_an_image_id_of_its_own(services: Services, bucket: Bucket) -> None:
    stored = await put(services, bucket, b"a", PNG)
    copied = await copy(services, bucket, b"a", b"b")
    assert copied.image_id
    assert copied.image_id != stored.image_id
    _, found = await services.objects.get_by_image_id(copied.image_id)
    assert found.key == b"b"


async def test_a_copy_under_conditions(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"a", b"x")
    await copy(services, bucket, b"a", b"b", conditions=WriteConditions(if_none_match=True))
    with pytest.raises(PreconditionFailed):
        await copy(services, bucket, b"a", b"b", conditions=WriteConditions(if_none_match=True))


async def test_a_copy_of_what_is_gone(services: Services, bucket: Bucket, versioned: Bucket) -> None:
    await put(services, bucket, b"a", b"x")
    source = await services.objects.get(bucket, b"a")
    await services.objects.delete(bucket, b"a")
    await services.sweep.run_once()
    arguments = {"headers": None, "tags": None, "checksum_algorithm": None, "conditions": WriteConditions()}
    with pytest.raises(ObjectNotFound):
        await services.copying.copy(source, versioned, b"b", **arguments)  # type: ignore[arg-type]
    await put(services, versioned, b"a", b"x")
    source = await services.objects.get(versioned, b"a")
    await services.buckets.delete(bucket)
    with pytest.raises(BucketNotFound):
        await services.copying.copy(source, bucket, b"b", **arguments)  # type: ignore[arg-type]


async def test_more_than_5_gib_is_copied_by_parts_only(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.services.copying.MAX_PUT_BYTES", 10)
    await put(services, bucket, b"a", b"x" * 11)
    with pytest.raises(ObjectTooLarge):
        await copy(services, bucket, b"a", b"b")
