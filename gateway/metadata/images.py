"""What apps know of images, and their tags.

A row counts as long as its version exists; in lists, as long as that version is its key's current one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import ObjectNotFound
from gateway.metadata import meta, versions
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.images import ImageRow, JobStatus, Visibility
from gateway.model.objects import ObjectVersion

COLUMNS = (
    "i.image_id, i.seq, i.bucket_id, i.account_id, i.user_id, i.filename, i.content_type, i.size, i.sha256, i.width, "
    "i.height, i.visibility, i.moderation, i.metadata, i.tags, i.upload_ip, i.delete_hash, i.delete_expires_ms, "
    "i.dominant_color, i.blurhash, i.phash, i.status, i.job_id, i.created_ms, i.updated_ms"
)
NAMES = tuple(name.removeprefix("i.") for name in COLUMNS.split(", "))
CURRENT = (
    "FROM images i JOIN versions v ON v.seq = i.seq "
    "JOIN heads h ON h.bucket_id = v.bucket_id AND h.key = v.key AND h.seq = v.seq"
)
"""Rows whose version is the current one of its key."""
_HEAD = "LEFT JOIN heads h ON h.bucket_id = v.bucket_id AND h.key = v.key AND h.seq = v.seq"
"""Tells whether a version is the current one of its key."""
FOUND = (
    f"SELECT {versions.COLUMNS}, h.seq, i.revision, {COLUMNS} {versions.WITH_CONTENT} {_HEAD} "
    "LEFT JOIN images i ON i.image_id = v.image_id WHERE v.image_id = ?"
)
STANDING = "i.account_id, i.user_id, i.visibility, i.moderation"
BY_IMAGE = (
    f"SELECT {versions.COLUMNS}, h.seq, {STANDING} {versions.WITH_CONTENT} {_HEAD} "
    "LEFT JOIN images i ON i.image_id = v.image_id WHERE v.image_id = ?"
)
STILL = (
    f"SELECT v.seq, h.seq, i.revision FROM versions v {_HEAD} LEFT JOIN images i ON i.image_id = v.image_id "
    "WHERE v.image_id = ?"
)
_VERSION = versions.COLUMNS.count(",") + 1
_INSERT = f"INSERT INTO images ({', '.join(NAMES)}, listed) VALUES ({', '.join('?' * (len(NAMES) + 1))})"
_CHANGED = ", ".join(f"{name} = ?" for name in NAMES if name != "image_id")
_UPDATE = f"UPDATE images SET {_CHANGED}, listed = ?, revision = revision + 1 WHERE image_id = ?"
HIDDEN = "hidden"
"""What `moderation` is of an image that a moderator took away."""
_UNLISTED = frozenset({"pending", HIDDEN})


def listed(row: ImageRow) -> bool:
    """Whether the public gallery shows it: what a moderator has to look at first is not shown meanwhile."""
    return row.visibility is Visibility.PUBLIC and row.moderation not in _UNLISTED


def image(row: Row) -> ImageRow:
    """The image behind the columns COLUMNS."""
    metadata, tags, phash = row[13], row[14], row[20]
    return ImageRow(
        image_id=row[0],
        seq=row[1],
        bucket_id=row[2],
        account_id=row[3],
        user_id=row[4],
        filename=row[5],
        content_type=row[6],
        size=row[7],
        sha256=None if row[8] is None else bytes(row[8]),
        width=row[9],
        height=row[10],
        visibility=Visibility(row[11]),
        moderation=row[12],
        metadata=None if metadata is None else json.loads(metadata),
        tags=() if tags is None else tuple(json.loads(tags)),
        upload_ip=row[15],
        delete_hash=None if row[16] is None else bytes(row[16]),
        delete_expires_ms=row[17],
        dominant_color=row[18],
        blurhash=row[19],
        phash=None if phash is None else int(phash).to_bytes(8, signed=True),
        status=JobStatus(row[21]),
        job_id=row[22],
        created_ms=row[23],
        updated_ms=row[24],
    )


def _values(row: ImageRow) -> tuple[object, ...]:
    return (
        row.image_id,
        row.seq,
        row.bucket_id,
        row.account_id,
        row.user_id,
        row.filename,
        row.content_type,
        row.size,
        row.sha256,
        row.width,
        row.height,
        row.visibility.value,
        row.moderation,
        None if row.metadata is None else json.dumps(row.metadata, separators=(",", ":")),
        json.dumps(row.tags, separators=(",", ":")) if row.tags else None,
        row.upload_ip,
        row.delete_hash,
        row.delete_expires_ms,
        row.dominant_color,
        row.blurhash,
        None if row.phash is None else int.from_bytes(row.phash, signed=True),
        row.status.value,
        row.job_id,
        row.created_ms,
        row.updated_ms,
    )


async def insert(tx: Transaction, row: ImageRow) -> None:
    """Note a new image, in the transaction of its version or later. From then on its visibility counts on every door."""
    shown = int(listed(row))
    await tx.run(_INSERT, (*_values(row), shown))
    if row.tags:
        await _insert_tags(tx, row)
    if await tx.run("UPDATE buckets SET known_images = 1 WHERE id = ? AND known_images = 0", (row.bucket_id,)):
        await meta.bump_generation(tx)


@dataclass(frozen=True, slots=True)
class Found:
    """What an image id names. `row` is None for what came by S3 and was not catalogued."""

    version: ObjectVersion
    row: ImageRow | None
    revision: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a row says of who may see its image."""

    account_id: int
    user_id: int | None
    visibility: Visibility
    hidden: bool


def _standing(row: Row) -> Standing | None:
    account_id, user_id, visibility, moderation = row
    return None if visibility is None else Standing(account_id, user_id, Visibility(visibility), moderation == HIDDEN)


async def standing(reader: Reader, image_id: str) -> Standing | None:
    """None for what has no row."""
    row = await reader.one(f"SELECT {STANDING} FROM images i WHERE i.image_id = ?", (image_id,))
    return None if row is None else _standing(row)


async def by_image(reader: Reader, image_id: str) -> tuple[ObjectVersion, Standing | None]:
    """`versions.by_image`, and in the same look-up who may see it. Raises ObjectNotFound."""
    row = await reader.one(BY_IMAGE, (image_id,))
    if row is None or row[8] is None:
        raise ObjectNotFound
    version = versions.version(row[:_VERSION], is_latest=row[_VERSION] is not None)
    return version, _standing(row[_VERSION + 1 :])


async def find(reader: Reader, image_id: str) -> Found | None:
    """Version and row of an image id, in one look-up; None where no version has that id."""
    row = await reader.one(FOUND, (image_id,))
    # Of an adopted object that is gone, the id may be left.
    if row is None or row[8] is None:
        return None
    head, revision = row[_VERSION], row[_VERSION + 1]
    known = None if revision is None else image(row[_VERSION + 2 :])
    return Found(versions.version(row[:_VERSION], is_latest=head is not None), known, revision)


async def unchanged(reader: Reader, image_id: str, found: Found) -> bool:
    """Whether `find` would say the same again."""
    row = await reader.one(STILL, (image_id,))
    if row is None:
        return False
    seq, head, revision = row
    version = found.version
    return seq == version.seq and (head is not None) == version.is_latest and revision == found.revision


async def get(reader: Reader, image_id: str) -> ImageRow | None:
    """The row, whether or not its version is still there."""
    row = await reader.one(f"SELECT {COLUMNS} FROM images i WHERE i.image_id = ?", (image_id,))
    return None if row is None else image(row)


async def change(
    tx: Transaction, image_id: str, made: Callable[[ImageRow], ImageRow]
) -> tuple[ImageRow, ImageRow] | None:
    """Change a row from what is there now; gives both. None where there is no such row.

    Those who change the same row at the same time do so one after the other.
    """
    await tx.lock("image", image_id)
    before = await get(tx, image_id)
    if before is None:
        return None
    after = made(before)
    if after != before:
        await tx.run(_UPDATE, (*_values(after)[1:], int(listed(after)), image_id))
        if (after.tags, listed(after)) != (before.tags, listed(before)):
            await tx.run("DELETE FROM image_tags WHERE image_id = ?", (image_id,))
            await _insert_tags(tx, after)
    return before, after


async def delete(tx: Transaction, image_id: str) -> ImageRow | None:
    """Forget an image with its tags and shares; gives what was known, None where nothing was."""
    await tx.lock("image", image_id)
    before = await get(tx, image_id)
    await tx.run("DELETE FROM image_tags WHERE image_id = ?", (image_id,))
    await tx.run("DELETE FROM shares WHERE image_id = ?", (image_id,))
    await tx.run("DELETE FROM images WHERE image_id = ?", (image_id,))
    return before


async def _insert_tags(tx: Transaction, row: ImageRow) -> None:
    shown = int(listed(row))
    await tx.many(
        "INSERT INTO image_tags (image_id, tag, account_id, created_ms, size, listed) VALUES (?, ?, ?, ?, ?, ?)",
        [(row.image_id, tag, row.account_id, row.created_ms, row.size, shown) for tag in dict.fromkeys(row.tags)],
    )


async def with_bytes(reader: Reader, account_id: int, sha256: bytes, *, user_id: int | None = None) -> ImageRow | None:
    """The account's oldest image of these bytes that is the current version of its key; of one user where that is given."""
    row = await reader.one(
        f"SELECT {COLUMNS} {CURRENT} WHERE i.account_id = ? AND i.sha256 = ? {'' if user_id is None else 'AND i.user_id = ?'} "
        "ORDER BY i.created_ms, i.image_id LIMIT 1",
        (account_id, sha256, *(() if user_id is None else (user_id,))),
    )
    return None if row is None else image(row)
