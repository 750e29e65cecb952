"""Versions and heads: what a key points at, and how a write moves it.

A head is one row a key that exists. Every write looks at its head inside the transaction that changes it, so that of
several conditional writers exactly one wins.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from gateway.errors import (
    BucketNotFound,
    InvalidVersionId,
    IsDeleteMarker,
    ObjectNotFound,
    PreconditionFailed,
    VersionNotFound,
)
from gateway.metadata import contents, jobs, leases, usage
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.buckets import Versioning
from gateway.model.objects import NULL_VERSION, DeleteResult, Headers, ObjectVersion, Tags, WriteConditions

NONCE_BYTES = 8


def public_version_id(seq: int, nonce: bytes | None) -> str:
    """What clients call a version: 32 hex digits, or `null`."""
    return NULL_VERSION if nonce is None else f"{seq:016x}{nonce.hex()}"


def parse_version_id(text: str) -> tuple[int, bytes | None]:
    """The inverse: (seq, nonce), with (0, None) for `null`. Raises InvalidVersionId."""
    if text == NULL_VERSION:
        return 0, None
    try:
        if len(text) != 32 or text != text.lower():
            raise ValueError
        raw = bytes.fromhex(text)
    except ValueError:
        raise InvalidVersionId("Invalid version id specified") from None
    seq = int.from_bytes(raw[:8])
    if seq >= 1 << 63:
        raise InvalidVersionId("Invalid version id specified")
    return seq, raw[8:]


COLUMNS = (
    "v.bucket_id, v.key, v.seq, v.nonce, v.modified_ms, v.headers, v.tags, v.image_id, v.content_id, "
    + contents.CONTENT_COLUMNS
)
CURRENT = (
    f"SELECT {COLUMNS} FROM heads h JOIN versions v ON v.seq = h.seq JOIN contents c ON c.id = v.content_id "
    f"{contents.CONTENT_JOINS} WHERE h.bucket_id = ? AND h.key = ?"
)
WITH_CONTENT = f"FROM versions v LEFT JOIN contents c ON c.id = v.content_id {contents.CONTENT_JOINS}"
BY_SEQ = f"SELECT {COLUMNS} {WITH_CONTENT} WHERE v.seq = ? AND v.bucket_id = ? AND v.key = ? AND v.nonce = ?"
NULL = f"SELECT {COLUMNS} {WITH_CONTENT} WHERE v.bucket_id = ? AND v.key = ? AND v.nonce IS NULL"
BY_IMAGE = f"SELECT {COLUMNS} {WITH_CONTENT} WHERE v.image_id = ?"
LATEST = "SELECT seq, nonce, content_id FROM versions WHERE bucket_id = ? AND key = ? ORDER BY seq DESC LIMIT 1"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump_pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return _encode(pairs) if pairs else "[]"


def load_pairs(text: str) -> tuple[tuple[str, str], ...]:
    return () if text == "[]" else tuple((name, value) for name, value in json.loads(text))


def version(row: Row, *, is_latest: bool) -> ObjectVersion:
    bucket_id, key, seq, nonce, modified_ms, headers, tags, image_id, content_id = row[:9]
    return ObjectVersion(
        bucket_id,
        key,
        seq,
        NULL_VERSION if nonce is None else public_version_id(seq, nonce),
        is_latest,
        content_id is None,
        modified_ms,
        load_pairs(headers),
        0 if tags is None else len(json.loads(tags)),
        image_id,
        None if content_id is None else contents.content(row[9:]),
    )


async def current(reader: Reader, bucket_id: int, key: bytes) -> ObjectVersion:
    """The current version. Raises ObjectNotFound, which says whether a delete marker is why."""
    return await current_of(reader, bucket_id, key, await reader.one(CURRENT, (bucket_id, key)))


async def current_of(reader: Reader, bucket_id: int, key: bytes, row: Row | None) -> ObjectVersion:
    """`current` from the row that `Database.current` gave."""
    if row is not None:
        return version(row, is_latest=True)
    latest = await reader.one(LATEST, (bucket_id, key))
    if latest is not None and latest[2] is None:
        raise ObjectNotFound(delete_marker_version=public_version_id(latest[0], latest[1]))
    raise ObjectNotFound


async def named(reader: Reader, bucket_id: int, key: bytes, version_id: str) -> ObjectVersion:
    """The version of that id, a delete marker too. Raises VersionNotFound, InvalidVersionId."""
    seq, nonce = parse_version_id(version_id)
    if nonce is None:
        row = await reader.one(NULL, (bucket_id, key))
    else:
        row = await reader.one(BY_SEQ, (seq, bucket_id, key, nonce))
    if row is None:
        raise VersionNotFound("The specified version does not exist.")
    latest = await reader.one(LATEST, (bucket_id, key))
    return version(row, is_latest=latest is not None and latest[0] == row[2])


async def readable(reader: Reader, bucket_id: int, key: bytes, version_id: str | None) -> ObjectVersion:
    """The version that a read means. Raises ObjectNotFound, VersionNotFound, InvalidVersionId, IsDeleteMarker."""
    if version_id is None:
        return await current(reader, bucket_id, key)
    return await named_readable(reader, bucket_id, key, version_id)


async def named_readable(reader: Reader, bucket_id: int, key: bytes, version_id: str) -> ObjectVersion:
    """The version of that id. Raises VersionNotFound, InvalidVersionId, IsDeleteMarker."""
    found = await named(reader, bucket_id, key, version_id)
    if found.delete_marker:
        raise IsDeleteMarker(found.version_id, found.modified_ms)
    return found


async def by_image(reader: Reader, image_id: str) -> ObjectVersion:
    row = await reader.one(BY_IMAGE, (image_id,))
    if row is None or row[8] is None:
        raise ObjectNotFound
    return version(row, is_latest=False)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be. `content` is new, or the id of one that another version has."""

    bucket_id: int
    key: bytes
    content: NewContent | int
    headers: Headers
    tags: Tags
    image_id: str | None
    modified_ms: int
    noted: bool = False
    """Whether the same transaction makes the image known to apps, with its job."""


@dataclass(frozen=True, slots=True)
class Written:
    """`version_id` is None in a bucket that never had versioning; `seq` is the version's row."""

    version_id: str | None
    content_id: int
    seq: int


async def versioning_of(reader: Reader, bucket_id: int) -> Versioning:
    row = await reader.one("SELECT versioning FROM buckets WHERE id = ?", (bucket_id,))
    if row is None:
        raise BucketNotFound("The specified bucket does not exist")
    return Versioning(row[0])


def check_conditions(conditions: WriteConditions, etag: str | None) -> None:
    """Hold a write's conditions against the current ETag (None: no such key)."""
    if conditions.if_none_match and etag is not None:
        raise PreconditionFailed("If-None-Match")
    if conditions.if_match is not None:
        if etag is None:
            raise ObjectNotFound
        if conditions.if_match not in ("*", etag):
            raise PreconditionFailed("If-Match")


async def expect_conditions(reader: Reader, bucket_id: int, key: bytes, conditions: WriteConditions) -> None:
    """Hold a write's conditions against what is there now. Raises PreconditionFailed, ObjectNotFound."""
    row = await reader.one("SELECT etag FROM heads WHERE bucket_id = ? AND key = ?", (bucket_id, key))
    check_conditions(conditions, None if row is None else row[0])


async def hold(tx: Transaction, bucket_id: int, keys: Collection[bytes]) -> None:
    """Keep others from changing these keys, and from deleting their bucket, to the end of the transaction.

    Each write does so for its key; whoever writes several in one transaction does so for all of them first.
    """
    await tx.lock("bucket", bucket_id, shared=True)
    for key in sorted(keys) if len(keys) > 1 else keys:
        await tx.lock("key", bucket_id, key)


async def put(tx: Transaction, new: NewVersion, conditions: WriteConditions) -> Written:
    """Make the key point at a new version.

    Raises BucketNotFound, PreconditionFailed, ObjectNotFound (an If-Match without a key, or a shared content that is
    gone meanwhile).
    """
    bucket_id, key = new.bucket_id, new.key
    await hold(tx, bucket_id, (key,))
    row = await tx.one(
        "SELECT b.versioning, b.watched, b.name, h.seq, h.etag FROM buckets b "
        "LEFT JOIN heads h ON h.bucket_id = b.id AND h.key = ? WHERE b.id = ?",
        (key, bucket_id),
    )
    if row is None:
        raise BucketNotFound("The specified bucket does not exist")
    versioning, watched, bucket_name, head_seq, head_etag = row
    check_conditions(conditions, head_etag)

    if isinstance(new.content, int):
        await tx.lock("content", new.content, shared=True)
        shared = await tx.one(
            "SELECT size, etag, checksum_algorithm, checksum_type FROM contents WHERE id = ?", (new.content,)
        )
        if shared is None:
            raise ObjectNotFound
        content_id = new.content
        size, etag, algorithm, kind = shared
    else:
        content_id = await contents.insert(tx, new.content)
        size, etag = new.content.size, new.content.etag
        checksum = new.content.checksum
        algorithm = None if checksum is None else checksum.algorithm.value
        kind = None if checksum is None else checksum.type.value

    freed = 0
    image_gone = False
    if versioning == "Enabled":
        nonce = secrets.token_bytes(NONCE_BYTES)
    else:
        nonce = None
        if versioning == "Suspended" or head_seq is not None:
            if watched:
                image_gone = await _null_is_image(tx, bucket_id, key)
            freed = await _remove_null(tx, bucket_id, key)
    seq = await tx.insert(
        "INSERT INTO versions (bucket_id, key, nonce, content_id, modified_ms, headers, tags, image_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            bucket_id,
            key,
            nonce,
            content_id,
            new.modified_ms,
            dump_pairs(new.headers),
            dump_pairs(new.tags) if new.tags else None,
            new.image_id,
        ),
    )
    await _set_head(tx, bucket_id, key, (seq, size, etag, new.modified_ms, algorithm, kind))
    await usage.add(tx, bucket_id, 0 if head_seq is not None else 1, size - freed)
    if watched:
        await jobs.caused_by_change(
            tx,
            watched,
            (bucket_id, bucket_name),
            key,
            new.modified_ms,
            written=(seq, new.image_id),
            replaced=head_seq is not None,
            image_gone=image_gone,
            noted=new.noted,
        )
    return Written(None if versioning == "Unversioned" else public_version_id(seq, nonce), content_id, seq)


async def put_new(tx: Transaction, new: NewVersion, conditions: WriteConditions) -> Written:
    """`put` of new bytes whose lease must still live. Raises LeaseLost besides."""
    assert isinstance(new.content, NewContent)
    await leases.check(tx, new.content.blob)
    return await put(tx, new, conditions)


MOVE_HEAD = (
    "ON CONFLICT (bucket_id, key) DO UPDATE SET seq = excluded.seq, "
    "size = excluded.size, etag = excluded.etag, modified_ms = excluded.modified_ms, "
    "checksum_algorithm = excluded.checksum_algorithm, checksum_type = excluded.checksum_type"
)
SET_HEAD = (
    "INSERT INTO heads (bucket_id, key, seq, size, etag, modified_ms, checksum_algorithm, checksum_type) "
    f"VALUES (?, ?, ?, ?, ?, ?, ?, ?) {MOVE_HEAD}"
)


async def _set_head(tx: Transaction, bucket_id: int, key: bytes, head: Row) -> None:
    await tx.run(SET_HEAD, (bucket_id, key, *head))


async def _remove(tx: Transaction, seq: int, content_id: int | None) -> int:
    """Delete a version's row; gives the bytes that it held."""
    await tx.run("DELETE FROM versions WHERE seq = ?", (seq,))
    if content_id is None:
        return 0
    await contents.orphan(tx, content_id)
    row = await tx.one("SELECT size FROM contents WHERE id = ?", (content_id,))
    return 0 if row is None else int(row[0])


async def _remove_null(tx: Transaction, bucket_id: int, key: bytes) -> int:
    row = await tx.one(
        "SELECT seq, content_id FROM versions WHERE bucket_id = ? AND key = ? AND nonce IS NULL", (bucket_id, key)
    )
    return 0 if row is None else await _remove(tx, row[0], row[1])


async def _null_is_image(tx: Transaction, bucket_id: int, key: bytes) -> bool:
    """Whether the `null` version is an image."""
    row = await tx.one(
        "SELECT 1 FROM versions WHERE bucket_id = ? AND key = ? AND nonce IS NULL AND image_id IS NOT NULL",
        (bucket_id, key),
    )
    return row is not None


async def delete(
    tx: Transaction, bucket_id: int, key: bytes, version_id: str | None, if_match: str | None, now_ms: int
) -> DeleteResult:
    """Delete a key, or one version of it. What is not there is deleted already.

    Raises BucketNotFound, InvalidVersionId, PreconditionFailed, ObjectNotFound (an If-Match without a key).
    """
    await hold(tx, bucket_id, (key,))
    row = await tx.one("SELECT versioning, watched, name FROM buckets WHERE id = ?", (bucket_id,))
    if row is None:
        raise BucketNotFound("The specified bucket does not exist")
    versioning, watched, bucket_name = Versioning(row[0]), row[1], row[2]

    async def caused(replaced: bool, image_gone: bool) -> None:
        of = (bucket_id, bucket_name)
        await jobs.caused_by_change(
            tx, watched, of, key, now_ms, written=None, replaced=replaced, image_gone=image_gone
        )

    head = await tx.one("SELECT seq, etag FROM heads WHERE bucket_id = ? AND key = ?", (bucket_id, key))
    if version_id is not None:
        result, changed, image_gone = await _delete_version(tx, bucket_id, key, version_id, if_match, head)
        if watched:
            await caused(changed, image_gone)
        return result
    if if_match is not None:
        check_conditions(WriteConditions(if_match=if_match), None if head is None else head[1])
    if versioning is Versioning.UNVERSIONED and head is None:
        return DeleteResult(False, None)
    freed = 0
    image_gone = False
    if versioning is not Versioning.ENABLED:
        if watched:
            image_gone = await _null_is_image(tx, bucket_id, key)
        freed = await _remove_null(tx, bucket_id, key)
    marker = None
    if versioning is not Versioning.UNVERSIONED:
        nonce = secrets.token_bytes(NONCE_BYTES) if versioning is Versioning.ENABLED else None
        seq = await tx.insert(
            "INSERT INTO versions (bucket_id, key, nonce, modified_ms, headers) VALUES (?, ?, ?, ?, '[]')",
            (bucket_id, key, nonce, now_ms),
        )
        marker = public_version_id(seq, nonce)
    if head is not None:
        await tx.run("DELETE FROM heads WHERE bucket_id = ? AND key = ?", (bucket_id, key))
    await usage.add(tx, bucket_id, 0 if head is None else -1, -freed)
    if watched:
        await caused(head is not None, image_gone)
    return DeleteResult(marker is not None, marker)


async def _delete_version(
    tx: Transaction, bucket_id: int, key: bytes, version_id: str, if_match: str | None, head: Row | None
) -> tuple[DeleteResult, bool, bool]:
    """Also whether the key means something else now, and whether an image is gone."""
    seq, nonce = parse_version_id(version_id)
    if nonce is None:
        row = await tx.one(
            "SELECT v.seq, v.content_id, v.image_id, c.etag FROM versions v "
            "LEFT JOIN contents c ON c.id = v.content_id "
            "WHERE v.bucket_id = ? AND v.key = ? AND v.nonce IS NULL",
            (bucket_id, key),
        )
    else:
        row = await tx.one(
            "SELECT v.seq, v.content_id, v.image_id, c.etag FROM versions v "
            "LEFT JOIN contents c ON c.id = v.content_id "
            "WHERE v.seq = ? AND v.bucket_id = ? AND v.key = ? AND v.nonce = ?",
            (seq, bucket_id, key, nonce),
        )
    if if_match is not None:
        check_conditions(WriteConditions(if_match=if_match), None if row is None else row[3])
    if row is None:
        return DeleteResult(False, version_id), False, False
    found, content_id, image_id, _ = row
    freed = await _remove(tx, found, content_id)
    objects = 0
    changed = False
    latest = await tx.one(
        "SELECT v.seq, c.size, c.etag, v.modified_ms, c.checksum_algorithm, c.checksum_type FROM versions v "
        "LEFT JOIN contents c ON c.id = v.content_id WHERE v.bucket_id = ? AND v.key = ? ORDER BY v.seq DESC LIMIT 1",
        (bucket_id, key),
    )
    if latest is None or latest[1] is None:
        if head is not None:
            await tx.run("DELETE FROM heads WHERE bucket_id = ? AND key = ?", (bucket_id, key))
            objects = -1
            changed = True
    elif head is None or head[0] != latest[0]:
        await _set_head(tx, bucket_id, key, latest)
        objects = 1 if head is None else 0
        changed = head is not None
    await usage.add(tx, bucket_id, objects, -freed)
    return DeleteResult(content_id is None, version_id), changed, image_id is not None


async def get_tags(reader: Reader, found: ObjectVersion) -> Tags:
    row = await reader.one("SELECT tags FROM versions WHERE seq = ?", (found.seq,))
    return () if row is None or row[0] is None else load_pairs(row[0])


async def set_tags(tx: Transaction, bucket_id: int, key: bytes, version_id: str | None, tags: Tags) -> str:
    """Replace the tags of a version; gives its id."""
    await hold(tx, bucket_id, (key,))
    await versioning_of(tx, bucket_id)
    found = await readable(tx, bucket_id, key, version_id)
    await tx.run("UPDATE versions SET tags = ? WHERE seq = ?", (dump_pairs(tags) if tags else None, found.seq))
    return found.version_id
