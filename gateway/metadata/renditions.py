"""Renditions that are listed as objects: what the current version of a key looks like by a preset of its bucket.

A row counts as long as its version is the head and its recipe, which is what the preset says and who carries it out, is
the one in force.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.metadata import attachments, listing
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.listings import ObjectPage

Place = tuple[int, str, bytes]
"""Of a row: bucket, preset, key."""

STALE_PAGE = 2_000
"""Rows that are looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class RenditionRow:
    """A rendition that was made. `etag` is the MD5 of its bytes, `size` in bytes."""

    seq: int
    recipe: str
    derivative_key: bytes
    content_type: str
    size: int
    etag: str
    made_ms: int


COLUMNS = "seq, recipe, derivative_key, content_type, size, etag, made_ms"


async def get(reader: Reader, bucket_id: int, preset: str, key: bytes) -> RenditionRow | None:
    row = await reader.one(
        f"SELECT {COLUMNS} FROM renditions WHERE bucket_id = ? AND preset = ? AND key = ?", (bucket_id, preset, key)
    )
    return None if row is None else _rendition(row)


def _rendition(row: Row) -> RenditionRow:
    return RenditionRow(*row)


async def put(tx: Transaction, bucket_id: int, preset: str, key: bytes, row: RenditionRow) -> None:
    """Note what was made, unless a newer version's is noted. The time of the same bytes stays the one they had first."""
    await tx.run(
        f"INSERT INTO renditions (bucket_id, preset, key, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (bucket_id, preset, key) DO UPDATE SET seq = excluded.seq, recipe = excluded.recipe, "
        "derivative_key = excluded.derivative_key, content_type = excluded.content_type, size = excluded.size, "
        "etag = excluded.etag, made_ms = CASE WHEN renditions.derivative_key = excluded.derivative_key "
        "AND renditions.etag = excluded.etag THEN renditions.made_ms ELSE excluded.made_ms END "
        "WHERE renditions.seq <= excluded.seq",
        (
            bucket_id,
            preset,
            key,
            row.seq,
            row.recipe,
            row.derivative_key,
            row.content_type,
            row.size,
            row.etag,
            row.made_ms,
        ),
    )


async def page(
    reader: Reader,
    bucket_id: int,
    preset: str,
    recipe: str,
    prefix: bytes,
    delimiter: bytes,
    after: bytes | None,
    limit: int,
) -> ObjectPage:
    """A page of at most `limit` keys with a rendition, and common prefixes."""
    return await listing.rendition_objects(reader, (bucket_id, preset, recipe), prefix, delimiter, after, limit)


async def forget_stale(tx: Transaction, after: Place | None) -> Place | None:
    """Delete rows whose version is not the current one, of a page of rows behind `after`; the last one, None at the end."""
    where, values = ("", ()) if after is None else ("WHERE (r.bucket_id, r.preset, r.key) > (?, ?, ?) ", after)
    rows = await tx.all(
        "SELECT r.bucket_id, r.preset, r.key, r.seq, h.seq FROM renditions r "
        f"LEFT JOIN heads h ON h.bucket_id = r.bucket_id AND h.key = r.key {where}"
        "ORDER BY r.bucket_id, r.preset, r.key LIMIT ?",
        (*values, STALE_PAGE),
    )
    await tx.many(
        "DELETE FROM renditions WHERE bucket_id = ? AND preset = ? AND key = ? AND seq = ?",
        [row[:4] for row in rows if row[4] is None or row[4] > row[3]],
    )
    return (rows[-1][0], rows[-1][1], bytes(rows[-1][2])) if len(rows) == STALE_PAGE else None


async def unmade(
    reader: Reader, bucket_id: int, preset: str | None, recipe: str, prefix: bytes, after: bytes, limit: int
) -> list[tuple[bytes, bool]]:
    """Current keys behind `after`, in order, that are images; whether their rendition is noted.

    Of adopted objects that is known only once they were looked at: where the bucket shows some, all keys are given.
    """
    attached = await attachments.all_of(reader, bucket_id)
    rows = await reader.all(
        "SELECT h.key, r.key FROM heads h JOIN versions v ON v.seq = h.seq "
        "LEFT JOIN renditions r ON r.bucket_id = h.bucket_id AND r.preset = ? AND r.key = h.key AND r.seq = h.seq "
        "AND r.recipe = ? WHERE h.bucket_id = ? AND h.key >= ? AND h.key < ? "
        f"{'AND v.content_id IS NOT NULL' if attached else 'AND v.image_id IS NOT NULL'} ORDER BY h.key LIMIT ?",
        (
            preset or "",
            recipe,
            bucket_id,
            max(prefix, after + b"\x00" if after else b""),
            listing.successor(prefix) or listing.END_OF_KEYS,
            limit,
        ),
    )
    return [(bytes(key), made is not None) for key, made in rows]


async def forget_bucket(tx: Transaction, bucket_id: int) -> None:
    """For a bucket that goes."""
    await tx.run("DELETE FROM renditions WHERE bucket_id = ?", (bucket_id,))
