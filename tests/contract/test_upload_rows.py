"""Uploads in parts on both engines: parts are joined as they are, and there is one completion."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from gateway.errors import UploadNotFound
from gateway.metadata import contents, sweep, uploads, versions
from gateway.metadata.contents import Joined, NewContent, NewPart
from gateway.metadata.port import Database, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from tests.contract.metadata_rows import blob, new_bucket
from tests.contract.writes import NO_CONDITIONS, Opened, assert_sound, new_upload, outcome


@pytest.mark.parametrize("checksums", [True, False])
async def test_joined_parts_are_what_references_to_all_of_them_are(database: Database, checksums: bool) -> None:
    bucket, lease = await new_bucket(database)
    upload = new_upload(bucket)
    crc = Checksum(ChecksumAlgorithm.CRC32, ChecksumType.FULL_OBJECT, "AAAAAA==")

    async def begin(tx: Transaction) -> None:
        await uploads.create(tx, upload)
        found = await uploads.get(tx, bucket, b"key", upload.upload_id)
        first = await contents.insert(tx, NewContent(secrets.token_bytes(16), 4, "blob", blob=blob(lease)))
        runs = await contents.references(tx, first, 0, 4)
        # Of one blob, of two runs, of nothing, and larger than a float of 32 bits counts.
        await uploads.put_part(tx, found.id, 7, NewContent(secrets.token_bytes(16), 4, "seven", crc, blob(lease)), 1)
        two = NewContent(secrets.token_bytes(16), 8, "three", crc, references=runs * 2)
        await uploads.put_part(tx, found.id, 3, two, 1)
        await uploads.put_part(tx, found.id, 5, NewContent(secrets.token_bytes(16), 0, "five", crc), 1)
        size = 5 * 2**30 + 1
        large = NewContent(secrets.token_bytes(16), size, "one", crc, blob(lease, size))
        await uploads.put_part(tx, found.id, 1, large, 1)

    await database.write(begin)
    found = await uploads.get(database, bucket, b"key", upload.upload_id)

    async def make(tx: Transaction) -> tuple[int, int]:
        stored = await uploads.stored_parts(tx, found.id)
        assert await uploads.stored_part(tx, found.id, 3) == stored[3]
        assert await uploads.stored_part(tx, found.id, 4) is None
        numbers, start, table = sorted(stored), 0, []
        for number in numbers:
            part = stored[number]
            value = part.checksum_value if checksums else None
            table.append(NewPart(number, start, part.size, part.etag, value))
            start += part.size
        references = await uploads.part_references(tx, found.id, numbers)
        listed = NewContent(secrets.token_bytes(16), start, "e-4", references=references, parts=tuple(table))
        segments = sum(part.segment_count for part in stored.values())
        joined = Joined(found.id, segments, len(stored), checksums)
        whole = NewContent(secrets.token_bytes(16), start, "e-4", joined=joined)
        return await contents.insert(tx, listed), await contents.insert(tx, whole)

    listed, joined = await database.write(make)
    for rows in (
        "SELECT start, length, blob_id, blob_offset FROM segments WHERE content_id = ? ORDER BY start",
        "SELECT number, start, size, etag, checksum FROM content_parts WHERE content_id = ? ORDER BY number",
        "SELECT size, part_count, segment_count FROM contents WHERE id = ?",
    ):
        expected = [tuple(row) for row in await database.all(rows, (listed,))]
        assert [tuple(row) for row in await database.all(rows, (joined,))] == expected
        assert expected


async def test_parts_of_one_upload_from_many_and_one_completion(database: Database, opened: Opened) -> None:
    databases = [database, opened(), opened()]
    bucket, lease = await new_bucket(database)
    upload = new_upload(bucket)
    await database.write(lambda tx: uploads.create(tx, upload))
    found = await uploads.get(database, bucket, b"key", upload.upload_id)

    async def part(each: Database, number: int) -> None:
        new = NewContent(secrets.token_bytes(16), 4, f"part-{number}", blob=blob(lease))
        await each.write(lambda tx: uploads.put_part(tx, found.id, number, new, 1))

    await asyncio.gather(*(part(each, number) for number in (1, 2, 3) for each in databases))
    assert sorted(await uploads.stored_parts(database, found.id)) == [1, 2, 3]
    rows = await database.one("SELECT count(*) FROM orphans")
    assert rows == (6,), "of three puts of a part two are in nobody's way"

    async def complete(tx: Transaction) -> bool:
        await uploads.hold(tx, found)
        if await uploads.completed(tx, bucket, b"key", upload.upload_id) is not None:
            return False
        await uploads.get(tx, bucket, b"key", upload.upload_id)
        numbers = sorted(await uploads.stored_parts(tx, found.id))
        references = await uploads.part_references(tx, found.id, numbers)
        content = NewContent(secrets.token_bytes(16), 4 * len(references), "whole-3", references=references)
        await versions.put(tx, NewVersion(bucket, b"key", content, (), (), None, 1), NO_CONDITIONS)
        await uploads.finish(tx, found.id, b"digest", {}, 1)
        return True

    results = await asyncio.gather(
        *(outcome(each.write(complete)) for each in databases),
        outcome(opened().write(lambda tx: uploads.abort(tx, bucket, b"key", upload.upload_id))),
        outcome(part(databases[0], 2)),
    )
    won = results[:3].count(True)
    aborted = results[3] is None
    assert won + aborted == 1
    assert results[4] in (None, UploadNotFound)
    await assert_sound(database)
    while await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200), heavy=True):
        pass
    await assert_sound(database)
    assert await database.one("SELECT count(*) FROM blobs WHERE state = 'live'") == (3 if won else 0,)
