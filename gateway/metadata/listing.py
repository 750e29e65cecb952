"""Listings, keys in byte order. Listings of objects read heads only, so delete markers cost them nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.metadata.dialects import PLAIN_RENDITIONS, WALK, WALK_RENDITIONS
from gateway.metadata.port import Reader, Row
from gateway.metadata.versions import load_pairs, parse_version_id, public_version_id
from gateway.model.checksums import ChecksumAlgorithm, ChecksumType
from gateway.model.contents import Encryption
from gateway.model.listings import ListedObject, ListedVersion, ObjectPage, VersionPage
from gateway.model.uploads import MultipartUpload, Promise, UploadPage


def successor(prefix: bytes) -> bytes | None:
    """The first byte string behind all that begin with `prefix`; None where there is no end."""
    stripped = prefix.rstrip(b"\xff")
    return None if not stripped else stripped[:-1] + bytes([stripped[-1] + 1])


def common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """What `key` rolls up into: everything up to and with the first delimiter behind the prefix."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def resume(prefix: bytes, delimiter: bytes, after: bytes | None) -> bytes:
    """The first byte string a page may begin with: behind `after`, behind all below it where it is a common prefix."""
    if after is None or after < prefix:
        return prefix
    if common_prefix(after, prefix, delimiter) == after and after.startswith(prefix):
        # A common prefix that was listed: everything below it is done.
        return successor(after) or after + b"\x00"
    return after + b"\x00"


OBJECT_COLUMNS = "h.key, h.size, h.etag, h.modified_ms, h.checksum_algorithm, h.checksum_type"

PLAIN = (
    f"SELECT {OBJECT_COLUMNS} FROM heads h WHERE h.bucket_id = ? AND h.key >= ? AND h.key < ? ORDER BY h.key LIMIT ?"
)

END_OF_KEYS = b"\xff" * 4
"""Behind every key: keys are UTF-8, which has no such byte."""


def _object(row: Row) -> ListedObject:
    key, size, etag, modified_ms, algorithm, kind = row
    return ListedObject(
        key,
        size,
        etag,
        modified_ms,
        None if algorithm is None else ChecksumAlgorithm(algorithm),
        None if kind is None else ChecksumType(kind),
    )


async def objects(
    reader: Reader, bucket_id: int, prefix: bytes, delimiter: bytes, after: bytes | None, limit: int
) -> ObjectPage:
    """A page of at most `limit` keys and common prefixes together."""
    return await _page(reader, (PLAIN, WALK), (bucket_id,), prefix, delimiter, after, limit)


async def rendition_objects(
    reader: Reader, of: tuple[int, str, str], prefix: bytes, delimiter: bytes, after: bytes | None, limit: int
) -> ObjectPage:
    """The same for the renditions of a bucket by a preset and its recipe."""
    return await _page(reader, (PLAIN_RENDITIONS, WALK_RENDITIONS), of, prefix, delimiter, after, limit)


async def _page(
    reader: Reader,
    statements: tuple[str, Mapping[str, str]],
    of: tuple[int | str, ...],
    prefix: bytes,
    delimiter: bytes,
    after: bytes | None,
    limit: int,
) -> ObjectPage:
    """`of` is the bucket, and what else picks the rows. `statements`: without a delimiter, and with one by engine."""
    if limit <= 0:
        return ObjectPage((), (), False, None)
    start = resume(prefix, delimiter, after)
    end = successor(prefix) or END_OF_KEYS
    if start >= end:
        return ObjectPage((), (), False, None)
    if delimiter:
        rows = await reader.all(
            statements[1][reader.engine],
            (
                start,
                len(prefix) + 1,
                delimiter,
                len(prefix) + len(delimiter) - 2,
                bytes([delimiter[-1] + 1]),
                of[0],
                end,
                limit + 1,
                *of[1:],
            ),
        )
    else:
        rows = await reader.all(statements[0], (*of, start, end, limit + 1))
    truncated = len(rows) > limit
    listed: list[ListedObject] = []
    prefixes: list[bytes] = []
    last: bytes | None = None
    for row in rows[:limit]:
        rolled = common_prefix(row[0], prefix, delimiter)
        if rolled is None:
            listed.append(_object(row))
            last = row[0]
        else:
            prefixes.append(rolled)
            last = rolled
    return ObjectPage(tuple(listed), tuple(prefixes), truncated, last if truncated else None)


VERSION_PAGE = """
SELECT v.key, v.seq, v.nonce, v.modified_ms, v.content_id, c.size, c.etag, c.checksum_algorithm, c.checksum_type
FROM versions v LEFT JOIN contents c ON c.id = v.content_id
WHERE v.bucket_id = ? AND v.key >= ? AND v.key < ? AND v.seq < ?
ORDER BY v.key, v.seq DESC LIMIT ?
"""
CHUNK = 1000
NO_SEQ = 1 << 62


async def versions(
    reader: Reader,
    bucket_id: int,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes | None,
    version_id_marker: str | None,
    limit: int,
) -> VersionPage:
    """A page of versions, newest first within a key. Raises InvalidVersionId for a marker that is none."""
    if limit <= 0:
        return VersionPage((), (), False, None, None)
    start = resume(prefix, delimiter, key_marker)
    end = successor(prefix) or END_OF_KEYS
    below = NO_SEQ
    if key_marker is not None and version_id_marker and key_marker >= prefix:
        below = await _marker_seq(reader, bucket_id, key_marker, version_id_marker)
        start = key_marker
    # Whether the next row is its key's newest: true unless the page resumes inside a key.
    previous = start if below != NO_SEQ else None
    found: list[ListedVersion] = []
    prefixes: list[bytes] = []
    last: tuple[bytes, str | None] = (b"", None)
    while start < end:
        want = min(CHUNK, limit + 1 - len(found) - len(prefixes))
        begin = start
        rows: list[Row] = []
        if below != NO_SEQ:
            begin = start + b"\x00"
            rows = await reader.all(VERSION_PAGE, (bucket_id, start, begin, below, want))
        if len(rows) < want:
            rows += await reader.all(VERSION_PAGE, (bucket_id, begin, end, NO_SEQ, want - len(rows)))
        skip = None
        for key, seq, nonce, modified_ms, content_id, size, etag, algorithm, kind in rows:
            if len(found) + len(prefixes) == limit:
                return VersionPage(tuple(found), tuple(prefixes), True, last[0], last[1])
            rolled = common_prefix(key, prefix, delimiter)
            if rolled is not None:
                prefixes.append(rolled)
                last = (rolled, None)
                skip = successor(rolled)
                break
            version_id = public_version_id(seq, nonce)
            found.append(
                ListedVersion(
                    key,
                    version_id,
                    key != previous,
                    content_id is None,
                    modified_ms,
                    size or 0,
                    etag or "",
                    None if algorithm is None else ChecksumAlgorithm(algorithm),
                    None if kind is None else ChecksumType(kind),
                )
            )
            previous = key
            last = (key, version_id)
            start, below = key, seq
        if skip is not None:
            start, below = skip, NO_SEQ
        elif len(rows) < want:
            break
    return VersionPage(tuple(found), tuple(prefixes), False, None, None)


async def _marker_seq(reader: Reader, bucket_id: int, key: bytes, version_id: str) -> int:
    seq, nonce = parse_version_id(version_id)
    if nonce is not None:
        return seq
    row = await reader.one(
        "SELECT seq FROM versions WHERE bucket_id = ? AND key = ? AND nonce IS NULL", (bucket_id, key)
    )
    return 0 if row is None else int(row[0])


UPLOAD_COLUMNS = (
    "id, upload_id, bucket_id, key, headers, tags, checksum_algorithm, checksum_type, checksum_asked, initiator, "
    "created_ms, encryption, customer_key, app"
)
UPLOAD_PAGE = (
    f"SELECT {UPLOAD_COLUMNS} FROM uploads WHERE completed_ms IS NULL AND bucket_id = ? AND key >= ? AND key < ? "
    "AND (key > ? OR upload_id > ?) ORDER BY key, upload_id LIMIT ?"
)


def load_promise(text: str) -> Promise:
    return Promise(**json.loads(text))


def upload(row: Row) -> MultipartUpload:
    identity, upload_id, bucket_id, key, headers, tags, algorithm, kind, asked, initiator, created_ms, *more = row
    encryption, customer_key, app = more
    return MultipartUpload(
        identity,
        upload_id,
        bucket_id,
        key,
        load_pairs(headers),
        load_pairs(tags),
        ChecksumAlgorithm(algorithm),
        ChecksumType(kind),
        bool(asked),
        initiator,
        created_ms,
        None if encryption is None else Encryption(encryption),
        customer_key,
        None if app is None else load_promise(app),
    )


async def uploads(
    reader: Reader,
    bucket_id: int,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes | None,
    upload_id_marker: str | None,
    limit: int,
) -> UploadPage:
    """A page of uploads in progress, by key and then by upload id."""
    if limit <= 0:
        return UploadPage((), (), False, None, None)
    start = resume(prefix, delimiter, key_marker)
    end = successor(prefix) or END_OF_KEYS
    above = ""
    if key_marker is not None and upload_id_marker and key_marker >= prefix:
        start, above = key_marker, upload_id_marker
    found: list[MultipartUpload] = []
    prefixes: list[bytes] = []
    last: tuple[bytes, str | None] = (b"", None)
    while start < end:
        want = min(CHUNK, limit + 1 - len(found) - len(prefixes))
        rows = await reader.all(UPLOAD_PAGE, (bucket_id, start, end, start, above, want))
        skip = None
        for row in rows:
            if len(found) + len(prefixes) == limit:
                return UploadPage(tuple(found), tuple(prefixes), True, last[0], last[1])
            entry = upload(row)
            rolled = common_prefix(entry.key, prefix, delimiter)
            if rolled is not None:
                prefixes.append(rolled)
                last = (rolled, None)
                skip = successor(rolled)
                break
            found.append(entry)
            last = (entry.key, entry.upload_id)
            start, above = entry.key, entry.upload_id
        if skip is not None:
            start, above = skip, ""
        elif len(rows) < want:
            break
    return UploadPage(tuple(found), tuple(prefixes), False, None, None)
