"""Multipart uploads: each part is a content of its own, and completion makes one content of their segments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

from gateway.errors import UploadNotFound
from gateway.metadata import contents
from gateway.metadata.contents import NewContent, Reference
from gateway.metadata.listing import UPLOAD_COLUMNS, upload
from gateway.metadata.port import Reader, Transaction
from gateway.metadata.versions import dump_pairs, versioning_of
from gateway.model.uploads import MultipartUpload, Part, PartPage

NO_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed."
)


async def create(tx: Transaction, new: MultipartUpload) -> None:
    """Raises BucketNotFound."""
    await tx.lock("bucket", new.bucket_id, shared=True)
    await versioning_of(tx, new.bucket_id)
    await tx.run(
        "INSERT INTO uploads (upload_id, bucket_id, key, headers, tags, checksum_algorithm, checksum_type, "
        "checksum_asked, initiator, created_ms, encryption, customer_key) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.upload_id,
            new.bucket_id,
            new.key,
            dump_pairs(new.headers),
            dump_pairs(new.tags),
            new.checksum_algorithm.value,
            new.checksum_type.value,
            int(new.checksum_asked),
            new.initiator,
            new.created_ms,
            None if new.encryption is None else new.encryption.value,
            new.customer_key,
        ),
    )


async def get(reader: Reader, bucket_id: int, key: bytes, upload_id: str) -> MultipartUpload:
    """An upload in progress. Raises UploadNotFound."""
    row = await reader.one(
        f"SELECT {UPLOAD_COLUMNS} FROM uploads WHERE upload_id = ? AND bucket_id = ? AND key = ? "
        "AND completed_ms IS NULL",
        (upload_id, bucket_id, key),
    )
    if row is None:
        raise UploadNotFound(NO_UPLOAD)
    return upload(row)


async def hold(tx: Transaction, found: MultipartUpload) -> None:
    """Keep others from adding parts to an upload, completing and aborting it, to the end of the transaction."""
    await tx.lock("bucket", found.bucket_id, shared=True)
    await tx.lock("upload", found.id)


@dataclass(frozen=True, slots=True)
class Completed:
    """An upload that was completed: what was asked for (a digest of it), and what was answered (as JSON)."""

    completion: bytes
    result: dict[str, object]


async def completed(reader: Reader, bucket_id: int, key: bytes, upload_id: str) -> Completed | None:
    row = await reader.one(
        "SELECT completion, result FROM uploads WHERE upload_id = ? AND bucket_id = ? AND key = ? "
        "AND completed_ms IS NOT NULL",
        (upload_id, bucket_id, key),
    )
    return None if row is None else Completed(row[0], json.loads(row[1]))


async def put_part(tx: Transaction, upload_row: int, number: int, new: NewContent, now_ms: int) -> None:
    """Store a part, in place of an earlier one of that number. Raises UploadNotFound."""
    if tx.engine != "sqlite":
        # Parts of one upload come at once, and may not wait for one another.
        row = await tx.one("SELECT bucket_id FROM uploads WHERE id = ?", (upload_row,))
        if row is None:
            raise UploadNotFound(NO_UPLOAD)
        await tx.lock("bucket", row[0], shared=True)
        await tx.lock("upload", upload_row, shared=True)
        await tx.lock("part", upload_row, number)
    if await tx.one("SELECT 1 FROM uploads WHERE id = ? AND completed_ms IS NULL", (upload_row,)) is None:
        raise UploadNotFound(NO_UPLOAD)
    old = await tx.one("SELECT content_id FROM parts WHERE upload = ? AND number = ?", (upload_row, number))
    if old is not None:
        await contents.orphan(tx, old[0])
    content = await contents.insert(tx, new)
    await tx.run(
        "INSERT INTO parts (upload, number, content_id, modified_ms) VALUES (?, ?, ?, ?) ON CONFLICT (upload, number) "
        "DO UPDATE SET content_id = excluded.content_id, modified_ms = excluded.modified_ms",
        (upload_row, number, content, now_ms),
    )


class StoredPart(NamedTuple):
    """A part and its content, as a row: there may be ten thousand of them."""

    number: int
    content_id: int
    size: int
    etag: str
    checksum_algorithm: str | None
    checksum_value: str | None
    segment_count: int = 1


_STORED = "SELECT p.number, p.content_id, c.size, c.etag, c.checksum_algorithm, c.checksum_value, c.segment_count FROM "
PARTS = (
    "SELECT p.number, p.content_id, c.size, c.etag, c.checksum_algorithm, c.checksum_type, c.checksum_value, "
    "c.segment_count, p.modified_ms FROM parts p JOIN contents c ON c.id = p.content_id WHERE p.upload = ?"
)


async def stored_parts(reader: Reader, upload_row: int) -> dict[int, StoredPart]:
    rows = await reader.all(f"{_STORED}{contents.PARTS_OF} JOIN contents c ON c.id = p.content_id", (upload_row,))
    return {row[0]: StoredPart._make(row) for row in rows}


async def stored_part(reader: Reader, upload_row: int, number: int) -> StoredPart | None:
    row = await reader.one(
        f"{_STORED}parts p JOIN contents c ON c.id = p.content_id WHERE p.upload = ? AND p.number = ?",
        (upload_row, number),
    )
    return None if row is None else StoredPart._make(row)


async def part_page(reader: Reader, upload_row: int, after: int, limit: int) -> PartPage:
    rows = await reader.all(PARTS + " AND p.number > ? ORDER BY p.number LIMIT ?", (upload_row, after, limit + 1))
    parts = tuple(
        Part(row[0], row[2], row[3], contents.checksum(row[4], row[5], row[6]), row[8]) for row in rows[:limit]
    )
    truncated = len(rows) > limit
    return PartPage(parts, truncated, parts[-1].number if truncated and parts else None)


async def part_references(reader: Reader, upload_row: int, numbers: list[int]) -> tuple[Reference, ...]:
    """The segments of these parts, one behind the other."""
    rows = await reader.all(
        "SELECT p.number, s.blob_id, s.blob_offset, s.length FROM parts p JOIN segments s "
        "ON s.content_id = p.content_id WHERE p.upload = ? ORDER BY p.number, s.start",
        (upload_row,),
    )
    wanted = set(numbers)
    return tuple(Reference(row[1], row[2], row[3]) for row in rows if row[0] in wanted)


async def finish(tx: Transaction, upload_row: int, completion: bytes, result: dict[str, object], now_ms: int) -> None:
    """Close an upload and keep its answer, so that asking again gives the same one."""
    await contents.orphan_parts(tx, upload_row)
    await tx.run(
        "UPDATE uploads SET completed_ms = ?, completion = ?, result = ? WHERE id = ?",
        (now_ms, completion, json.dumps(result), upload_row),
    )


async def forget_completed(tx: Transaction, before_ms: int) -> None:
    await tx.run("DELETE FROM uploads WHERE completed_ms < ?", (before_ms,))


async def abort(tx: Transaction, bucket_id: int, key: bytes, upload_id: str) -> None:
    """Raises UploadNotFound."""
    found = await get(tx, bucket_id, key, upload_id)
    if tx.engine != "sqlite":
        await hold(tx, found)
        found = await get(tx, bucket_id, key, upload_id)
    await contents.orphan_parts(tx, found.id)
    await tx.run("DELETE FROM uploads WHERE id = ?", (found.id,))
