"""Encrypted objects under the services: what lies in the store, what damage looks like, and the exchange of master keys."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.blobs.encryption.chunks import CHUNK_BYTES, SEALED_CHUNK_BYTES, stored_length
from gateway.blobs.encryption.keys import head
from gateway.blobs.port import PACKED_BYTES
from gateway.errors import AccessRefused, BlobDamaged, InvalidValue, StoreUnavailable, Unavailable
from gateway.metadata import sealed_keys
from gateway.model.buckets import Bucket
from gateway.model.contents import Content, Encryption, Sealing, Segment
from gateway.model.objects import Expectations, WriteConditions
from gateway.services import Services
from gateway.services.objects import unlocked
from gateway.services.secrets import MasterKey
from tests.data_folder import MASTER, Pieces, backends_for, folder_of, open_services, put, read

KEY = bytes(range(32))
OTHER_MASTER = MasterKey(bytes([7]) * 32)
THIRD_MASTER = MasterKey(bytes([9]) * 32)
SMALL, LARGE = 1000, 3 * CHUNK_BYTES + 17
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0"


async def seal(services: Services, bucket: Bucket, key: bytes, data: bytes, sealing: Sealing | None = None) -> Content:
    """Store `data` encrypted; gives its content."""
    cut = len(data) // 3
    await services.objects.put(
        bucket,
        key,
        headers=(),
        tags=(),
        expect=Expectations(len(data)),
        conditions=WriteConditions(),
        body=Pieces([data[:cut], data[cut:]]),
        sealing=sealing or Sealing(),
    )
    return await content_of(services, bucket, key)


async def content_of(services: Services, bucket: Bucket, key: bytes) -> Content:
    content = (await services.objects.get(bucket, key)).content
    assert content is not None
    return content


def only(content: Content) -> Segment:
    assert content.first is not None
    return content.first


def file_of(services: Services, segment: Segment) -> Path:
    return folder_of(services).path(segment.name)


@pytest.mark.embedded
@pytest.mark.parametrize("size", [1, SMALL, PACKED_BYTES, PACKED_BYTES + 1, LARGE, 2_500_000])
async def test_what_lies_in_the_store(services: Services, bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    content = await seal(services, bucket, b"k", data)
    assert await read(services, bucket, b"k") == data
    segment = only(content)
    assert segment.sealed is not None
    assert (content.size, segment.length, segment.sealed.length) == (size, size, size)
    lying = file_of(services, segment).read_bytes()[segment.sealed.base :]
    assert len(lying) == stored_length(size)
    assert size < 16 or data[:16] not in lying


async def test_packed_blobs_lie_one_behind_the_other(services: Services, bucket: Bucket) -> None:
    bodies = {b"%d" % number: os.urandom(500 + number) for number in range(20)}
    for number, (key, data) in enumerate(bodies.items()):
        if number % 3:
            await seal(services, bucket, key, data)
        else:
            await put(services, bucket, key, data)
    for key, data in bodies.items():
        assert await read(services, bucket, key) == data


@pytest.mark.embedded
@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_damage_is_seen_and_told(
    services: Services, bucket: Bucket, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    segment = only(await seal(services, bucket, b"k", os.urandom(size)))
    assert segment.sealed is not None
    file = file_of(services, segment)
    lying = bytearray(file.read_bytes())
    lying[segment.sealed.base + size // 2] ^= 1
    file.write_bytes(lying)
    with caplog.at_level(logging.ERROR), pytest.raises(BlobDamaged):
        await read(services, bucket, b"k")
    assert segment.name in caplog.text


@pytest.mark.embedded
async def test_a_range_reads_past_damage_elsewhere(services: Services, bucket: Bucket) -> None:
    data = os.urandom(LARGE)
    content = await seal(services, bucket, b"k", data)
    file = file_of(services, only(content))
    lying = bytearray(file.read_bytes())
    lying[0] ^= 1
    file.write_bytes(lying)
    segments = await services.objects.segments(content, CHUNK_BYTES, CHUNK_BYTES + 5)
    assert await services.stores.read(segments) == data[CHUNK_BYTES : 2 * CHUNK_BYTES + 5]
    with pytest.raises(BlobDamaged):
        await services.stores.read(await services.objects.segments(content, CHUNK_BYTES - 1, 2))


@pytest.mark.embedded
async def test_files_that_change_places_are_seen(services: Services, bucket: Bucket) -> None:
    first = file_of(services, only(await seal(services, bucket, b"a", os.urandom(LARGE))))
    second = file_of(services, only(await seal(services, bucket, b"b", os.urandom(LARGE))))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    for key in (b"a", b"b"):
        with pytest.raises(BlobDamaged):
            await read(services, bucket, key)
    first.write_bytes(one[:SEALED_CHUNK_BYTES] + two[SEALED_CHUNK_BYTES:])
    second.write_bytes(two)
    with pytest.raises(BlobDamaged):
        await read(services, bucket, b"a")


@pytest.mark.embedded
async def test_a_file_that_was_cut_is_seen(folder: Path) -> None:
    async with open_services(folder) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        segment = only(await seal(services, bucket, b"a", os.urandom(2 * CHUNK_BYTES)))
        file = file_of(services, segment)
        # As long as its plaintext, and still too short.
        os.truncate(file, 2 * CHUNK_BYTES)
        services.stores.default.release_idle()
        with pytest.raises((StoreUnavailable, BlobDamaged)):
            await read(services, bucket, b"a")
        report = await services.fsck.run()
        assert any(segment.name in problem for problem in report.problems)


async def test_a_customers_key_opens_and_no_other(services: Services, bucket: Bucket) -> None:
    data = PNG + os.urandom(LARGE)
    content = await seal(services, bucket, b"k", data, Sealing(KEY))
    assert content.encryption is Encryption.SSE_C
    assert (await services.objects.get(bucket, b"k")).image_id is None
    assert content.checksum is None
    segments = await services.objects.segments(content, 0, content.size, KEY)
    assert await services.stores.read(segments) == data
    with pytest.raises(AccessRefused):
        await read(services, bucket, b"k")
    with pytest.raises(BlobDamaged):
        await services.stores.read(unlocked(segments, bytes(32)))


async def test_images_under_the_servers_key_are_images(services: Services, bucket: Bucket) -> None:
    await seal(services, bucket, b"k", PNG)
    assert (await services.objects.get(bucket, b"k")).image_id is not None


async def test_an_empty_object_has_its_encryption(services: Services, bucket: Bucket) -> None:
    content = await seal(services, bucket, b"k", b"", Sealing(KEY))
    assert content.encryption is Encryption.SSE_C
    assert content.customer_key is not None
    assert content.segment_count == 0


async def test_a_bucket_that_encrypts(services: Services, bucket: Bucket) -> None:
    await services.buckets.set_encryption(bucket, Encryption.SSE_S3)
    await services.directory.refresh()
    encrypting = await services.directory.bucket("photos")
    assert encrypting is not None
    result = await put(services, encrypting, b"k", b"data")
    assert result.encryption is Encryption.SSE_S3
    assert (await content_of(services, bucket, b"k")).encryption is Encryption.SSE_S3
    with pytest.raises(InvalidValue):
        await services.buckets.set_encryption(bucket, Encryption.SSE_C)
    await services.buckets.set_encryption(bucket, None)
    await services.directory.refresh()
    assert (await services.directory.bucket("photos")).encryption is None  # type: ignore[union-attr]


async def copied(services: Services, bucket: Bucket, sealing: Sealing | None, source_key: bytes | None) -> Content:
    await services.copying.copy(
        await services.objects.get(bucket, b"k"),
        bucket,
        b"copy",
        headers=None,
        tags=None,
        checksum_algorithm=None,
        conditions=WriteConditions(),
        sealing=sealing,
        source_key=source_key,
    )
    return await content_of(services, bucket, b"copy")


@pytest.mark.parametrize(
    ("stored", "asked", "shared"),
    [
        (Sealing(), None, True),
        (Sealing(), Sealing(), True),
        (Sealing(), Sealing(KEY), False),
        (Sealing(KEY), Sealing(KEY), True),
        (Sealing(KEY), Sealing(bytes(32)), False),
        (Sealing(KEY), None, False),
    ],
)
async def test_bytes_are_shared_where_the_same_key_opens_them(
    services: Services, bucket: Bucket, stored: Sealing, asked: Sealing | None, shared: bool
) -> None:
    data = os.urandom(LARGE)
    content = await seal(services, bucket, b"k", data, stored)
    copy = await copied(services, bucket, asked, stored.customer_key)
    assert (copy.id == content.id) is shared
    assert copy.encryption is (Encryption.SSE_S3 if asked is None else asked.encryption)
    key = None if asked is None else asked.customer_key
    segments = await services.objects.segments(copy, 0, copy.size, key)
    assert await services.stores.read(segments) == data
    if not shared:
        assert only(copy).name != only(content).name


@pytest.mark.embedded
async def test_deleted_ones_are_swept_whole(folder: Path) -> None:
    async with open_services(folder, grace_ms=-1000) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        segment = only(await seal(services, bucket, b"k", os.urandom(40_000)))
        file = file_of(services, segment)
        await services.objects.delete(bucket, b"k")
        services.stores.default.release_idle()
        await services.sweep.run_once()
        # A hole was punched into the pack, which goes on growing: nothing of the blob, its tags too, is left.
        assert file.read_bytes().strip(b"\0") == b""


async def wrappers(services: Services) -> set[bytes]:
    return {head(key).wrapper_id for _, key in await sealed_keys.after(services.database, 0, 1000)}


@pytest.fixture
async def rotating(folder: Path) -> AsyncIterator[Services]:
    """Services with five encrypted objects, whose master key is exchanged while they run."""
    async with open_services(folder) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        for number in range(5):
            await seal(services, bucket, b"%d" % number, b"body %d" % number)
        await seal(services, bucket, b"customer", b"body", Sealing(KEY))
        yield services


async def test_the_master_key_is_exchanged(rotating: Services, folder: Path) -> None:
    bucket = await rotating.directory.bucket("photos")
    assert bucket is not None
    await rotating.keys.rotate_master(OTHER_MASTER)
    # A process that runs still has the old key, and finds the new one where the settings say.
    assert await read(rotating, bucket, b"0") == b"body 0"
    with pytest.raises(Unavailable):
        await seal(rotating, bucket, b"between", b"x")
    rotating.directory.rotated_masters = lambda: [OTHER_MASTER]
    await seal(rotating, bucket, b"late", b"late")
    assert await read(rotating, bucket, b"late") == b"late"
    assert await wrappers(rotating) == {MASTER.wrapping.id, OTHER_MASTER.wrapping.id, bytes(8)}

    # The exchange was cut short here. One that begins now knows only the new key, and reads everything.
    other = await Services.open(backends_for(folder), master=OTHER_MASTER)
    try:
        assert [await read(other, bucket, b"%d" % number) for number in range(5)] == [
            b"body %d" % number for number in range(5)
        ]
        assert await other.keyring.rewrap() == 5
        assert await other.keyring.rewrap() == 0
        assert await wrappers(other) == {OTHER_MASTER.wrapping.id, bytes(8)}
        assert await sealed_keys.earlier_masters(other.database) == []
        assert await read(other, bucket, b"3") == b"body 3"
    finally:
        await other.close()
    assert await read(rotating, bucket, b"3") == b"body 3"
    fresh = await Services.open(backends_for(folder), master=OTHER_MASTER)
    try:
        assert await read(fresh, bucket, b"4") == b"body 4"
        content = await content_of(fresh, bucket, b"customer")
        assert await fresh.stores.read(await fresh.objects.segments(content, 0, 4, KEY)) == b"body"
    finally:
        await fresh.close()


async def test_two_exchanges_before_the_first_is_done(rotating: Services, folder: Path) -> None:
    bucket = await rotating.directory.bucket("photos")
    assert bucket is not None
    await rotating.keys.rotate_master(OTHER_MASTER)
    second = await Services.open(backends_for(folder), master=OTHER_MASTER)
    try:
        await second.keys.rotate_master(THIRD_MASTER)
    finally:
        await second.close()
    third = await Services.open(backends_for(folder), master=THIRD_MASTER)
    try:
        assert await read(third, bucket, b"2") == b"body 2"
        assert await third.keyring.rewrap() == 5
        assert await wrappers(third) == {THIRD_MASTER.wrapping.id, bytes(8)}
    finally:
        await third.close()


async def test_an_exchange_during_the_wrapping_stops_it(rotating: Services, folder: Path) -> None:
    """Else a key could be wrapped by a master key that has been forgotten by then."""
    await rotating.keys.rotate_master(OTHER_MASTER)
    second = await Services.open(backends_for(folder), master=OTHER_MASTER)
    third = None
    try:
        wrap = second.keyring._wrapped_anew
        loop = asyncio.get_running_loop()

        def exchanged_meanwhile(*arguments: Any) -> list[tuple[int, bytes, bytes]]:
            found = wrap(*arguments)
            asyncio.run_coroutine_threadsafe(second.keys.rotate_master(THIRD_MASTER), loop).result(30)
            return found

        second.keyring._wrapped_anew = exchanged_meanwhile  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await second.keyring.rewrap()
        assert await wrappers(second) == {MASTER.wrapping.id, bytes(8)}
        third = await Services.open(backends_for(folder), master=THIRD_MASTER)
        assert await third.keyring.rewrap() == 5
        assert await wrappers(third) == {THIRD_MASTER.wrapping.id, bytes(8)}
    finally:
        await second.close()
        if third is not None:
            await third.close()


async def test_a_key_that_is_nowhere_is_told(rotating: Services, folder: Path) -> None:
    bucket = await rotating.directory.bucket("photos")
    assert bucket is not None
    await rotating.keys.rotate_master(OTHER_MASTER)
    other = await Services.open(backends_for(folder), master=OTHER_MASTER)
    try:
        await other.keyring.rewrap()
    finally:
        await other.close()
    with pytest.raises(StoreUnavailable, match="master key"):
        await read(rotating, bucket, b"1")


async def test_the_audit_finds_keys_that_do_not_open(rotating: Services) -> None:
    assert (await rotating.fsck.run()).problems == []
    (first, wrapped), *_ = await sealed_keys.after(rotating.database, 0, 1)
    damaged = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    await rotating.database.write(lambda tx: sealed_keys.replace(tx, [(first, wrapped, damaged)]))
    (problem,) = (await rotating.fsck.run()).problems
    assert problem == f"1 encrypted blobs whose keys do not open here: {first}"
    await rotating.database.write(lambda tx: tx.run("UPDATE blobs SET sealed_key = NULL WHERE id = ?", (first,)))
    problems = (await rotating.fsck.run()).problems
    assert any("encrypted otherwise than its blobs" in problem for problem in problems)


async def test_a_wrapped_key_of_another_blob_does_not_open_this_one(services: Services, bucket: Bucket) -> None:
    first = only(await seal(services, bucket, b"a", os.urandom(LARGE)))
    second = only(await seal(services, bucket, b"b", os.urandom(LARGE)))
    assert first.sealed is not None
    assert second.sealed is not None
    exchanged = replace(first, sealed=replace(first.sealed, key=second.sealed.key))
    with pytest.raises(BlobDamaged):
        await services.stores.read((exchanged,))
