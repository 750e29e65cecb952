"""Contents, their segments and parts, and the blobs that they point at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.metadata.bulk import insert_many
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.contents import Content, Encryption, Sealed, Segment
from gateway.model.uploads import Part


@dataclass(frozen=True, slots=True)
class NewBlob:
    """Bytes that lie in a store already and have no row yet.

    With a `sealed_key` what lies there is encrypted, and `length` is that of the plaintext.
    """

    store: str
    name: str
    offset: int
    length: int
    sealed_key: bytes | None = field(default=None, repr=False)


class Reference(NamedTuple):
    """A run of a blob that has a row."""

    blob_id: int
    blob_offset: int
    length: int


class NewPart(NamedTuple):
    """A row of a part table to be."""

    number: int
    start: int
    size: int
    etag: str
    checksum: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """All parts of an upload, one behind the other, as the database has them: so many segments and parts.

    The part table has their checksums only where `checksums` says so.
    """

    upload: int
    segments: int
    parts: int
    checksums: bool


@dataclass(frozen=True, slots=True)
class NewContent:
    """A content to be: new bytes (`blob`; None for none), runs of known blobs (`references`), or an upload (`joined`)."""

    uid: bytes
    size: int
    etag: str
    checksum: Checksum | None = None
    blob: NewBlob | None = None
    references: tuple[Reference, ...] = ()
    parts: tuple[NewPart, ...] = field(default=())
    joined: Joined | None = None
    encryption: Encryption | None = None
    customer_key: bytes | None = field(default=None, repr=False)


async def insert(tx: Transaction, new: NewContent) -> int:
    """Insert a content with its blob, segments and part table; gives its id."""
    checksum, joined = new.checksum, new.joined
    count = 1 if new.blob is not None else len(new.references) if joined is None else joined.segments
    content = await tx.insert(
        "INSERT INTO contents (uid, size, etag, checksum_algorithm, checksum_type, checksum_value, part_count, "
        "segment_count, encryption, customer_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.uid,
            new.size,
            new.etag,
            None if checksum is None else checksum.algorithm.value,
            None if checksum is None else checksum.type.value,
            None if checksum is None else checksum.value,
            len(new.parts) if joined is None else joined.parts,
            count,
            None if new.encryption is None else new.encryption.value,
            new.customer_key,
        ),
    )
    if new.blob is not None:
        blob = new.blob
        identity = await tx.insert(
            'INSERT INTO blobs (store, name, "offset", length, sealed_key) VALUES (?, ?, ?, ?, ?)',
            (blob.store, blob.name, blob.offset, blob.length, blob.sealed_key),
        )
        await tx.run(
            "INSERT INTO segments (content_id, start, length, blob_id, blob_offset) VALUES (?, 0, ?, ?, 0)",
            (content, blob.length, identity),
        )
    elif new.references:
        rows = []
        start = 0
        for reference in new.references:
            rows.append((content, start, reference.length, reference.blob_id, reference.blob_offset))
            start += reference.length
        await insert_many(
            tx, "segments", "content_id bigint, start bigint, length bigint, blob_id bigint, blob_offset bigint", rows
        )
    if joined is not None:
        await _join(tx, content, joined)
    if new.parts:
        await insert_many(
            tx,
            "content_parts",
            "content_id bigint, number bigint, start bigint, size bigint, etag text, checksum text",
            [(content, part.number, part.start, part.size, part.etag, part.checksum) for part in new.parts],
        )
    return content


PARTS_OF = "(SELECT number, content_id FROM parts WHERE upload = ? ORDER BY number LIMIT 10000) p"
"""All parts of an upload. The limit is what a planner is told of their number: it guesses too many otherwise, from uploads of
other sizes."""


async def _join(tx: Transaction, content: int, joined: Joined) -> None:
    """Write segments and part table from the parts' own rows: thousands of them need not leave the database."""
    # Sums of float are exact up to 2**53, and take PostgreSQL a fifth of the time that its sums of bigint take.
    before = "CAST(sum(CAST({0} AS DOUBLE PRECISION)) OVER (ORDER BY {1}) AS BIGINT) - {0}"
    await tx.run(
        "INSERT INTO segments (content_id, start, length, blob_id, blob_offset) "
        f"SELECT CAST(? AS BIGINT), {before.format('s.length', 'p.number, s.start')}, s.length, s.blob_id, s.blob_offset "
        f"FROM {PARTS_OF} JOIN segments s ON s.content_id = p.content_id",
        (content, joined.upload),
    )
    await tx.run(
        "INSERT INTO content_parts (content_id, number, start, size, etag, checksum) "
        f"SELECT CAST(? AS BIGINT), p.number, {before.format('c.size', 'p.number')}, c.size, c.etag, "
        f"{'c.checksum_value' if joined.checksums else 'NULL'} FROM {PARTS_OF} JOIN contents c ON c.id = p.content_id",
        (content, joined.upload),
    )


async def orphan(tx: Transaction, content_id: int) -> None:
    """Tell the sweep that a content lost a reference."""
    await tx.run("INSERT INTO orphans (content_id) VALUES (?)", (content_id,))


async def orphan_parts(tx: Transaction, upload: int) -> None:
    """Forget the parts of an upload."""
    await tx.run("INSERT INTO orphans (content_id) SELECT content_id FROM parts WHERE upload = ?", (upload,))
    await tx.run("DELETE FROM parts WHERE upload = ?", (upload,))


async def exists(tx: Transaction, content_id: int) -> bool:
    """Whether a content is there, and then stays to the end of the transaction, so that rows may refer to it."""
    await tx.lock("content", content_id, shared=True)
    return await tx.one("SELECT 1 FROM contents WHERE id = ?", (content_id,)) is not None


async def segments(reader: Reader, content_id: int, start: int, length: int) -> tuple[Segment, ...]:
    """The segments that hold `length` bytes from `start`, cut to them; all of these bytes must exist."""
    rows = await reader.all(
        "SELECT b.store, b.name, b.offset + s.blob_offset, s.start, s.length, b.sealed_key, b.offset, b.length "
        "FROM segments s "
        "JOIN blobs b ON b.id = s.blob_id WHERE s.content_id = ? AND s.start >= coalesce("
        "(SELECT max(f.start) FROM segments f WHERE f.content_id = ? AND f.start <= ?), 0) "
        "AND s.start < ? ORDER BY s.start",
        (content_id, content_id, start, start + length),
    )
    return tuple(
        cut(Segment(store, name, offset, begin, size, sealed(*encrypted)), start, length)
        for store, name, offset, begin, size, *encrypted in rows
    )


def sealed(key: bytes | None, base: int, length: int) -> Sealed | None:
    return None if key is None else Sealed(key, base, length)


def cut(segment: Segment, start: int, length: int) -> Segment:
    """The part of `segment` that lies within `length` bytes from `start` of its content."""
    first = max(start, segment.start)
    last = min(start + length, segment.start + segment.length)
    return Segment(
        segment.store, segment.name, segment.offset + first - segment.start, first, last - first, segment.sealed
    )


async def references(reader: Reader, content_id: int, start: int, length: int) -> tuple[Reference, ...]:
    """Like `segments`, as references for a content that shares these bytes."""
    rows = await reader.all(
        "SELECT blob_id, blob_offset, start, length FROM segments WHERE content_id = ? AND start < ? "
        "AND start + length > ? ORDER BY start",
        (content_id, start + length, start),
    )
    found = []
    for blob_id, blob_offset, begin, size in rows:
        first, last = max(start, begin), min(start + length, begin + size)
        found.append(Reference(blob_id, blob_offset + first - begin, last - first))
    return tuple(found)


def checksum(algorithm: str | None, kind: str | None, value: str | None) -> Checksum | None:
    if algorithm is None or kind is None or value is None:
        return None
    return Checksum(ChecksumAlgorithm(algorithm), ChecksumType(kind), value)


CONTENT_COLUMNS = (
    "c.id, c.uid, c.size, c.etag, c.checksum_algorithm, c.checksum_type, c.checksum_value, c.part_count, "
    "c.segment_count, c.encryption, c.customer_key, s.length, b.store, b.name, b.offset + s.blob_offset, b.sealed_key, "
    "b.offset, b.length"
)
CONTENT_JOINS = "LEFT JOIN segments s ON s.content_id = c.id AND s.start = 0 LEFT JOIN blobs b ON b.id = s.blob_id"


def content(row: Row) -> Content:
    """The content behind CONTENT_COLUMNS."""
    identity, uid, size, etag, algorithm, kind, value, part_count, segment_count, encryption, customer_key, *first = row
    segment = None
    if segment_count == 1:
        length, store, name, offset, sealed_key, base, whole = first
        segment = Segment(store, name, offset, 0, length, sealed(sealed_key, base, whole))
    return Content(
        identity,
        uid,
        size,
        etag,
        None if algorithm is None else checksum(algorithm, kind, value),
        part_count,
        segment_count,
        segment,
        None if encryption is None else Encryption(encryption),
        customer_key,
    )


async def parts(
    reader: Reader, content: Content, modified_ms: int, after: int = 0, limit: int = 10_000
) -> tuple[Part, ...]:
    """The part table of a content that was a multipart upload, from the part after number `after`."""
    rows = await reader.all(
        "SELECT number, size, etag, checksum FROM content_parts WHERE content_id = ? AND number > ? "
        "ORDER BY number LIMIT ?",
        (content.id, after, limit),
    )
    whole = content.checksum
    return tuple(
        Part(
            number,
            size,
            etag,
            None if whole is None or value is None else Checksum(whole.algorithm, ChecksumType.FULL_OBJECT, value),
            modified_ms,
        )
        for number, size, etag, value in rows
    )


async def part_range(reader: Reader, content_id: int, number: int) -> tuple[int, int] | None:
    """Start and length of the `number`th part in order (parts may be numbered with gaps)."""
    row = await reader.one(
        "SELECT start, size FROM content_parts WHERE content_id = ? ORDER BY number LIMIT 1 OFFSET ?",
        (content_id, number - 1),
    )
    return None if row is None else (int(row[0]), int(row[1]))
