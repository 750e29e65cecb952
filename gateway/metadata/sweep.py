"""What the sweep and fsck ask and tell the database. Only the sweep condemns, and only what no row refers to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gateway.blobs.encryption.chunks import stored_length
from gateway.metadata import pins, usage
from gateway.metadata.lists import batches
from gateway.metadata.port import Reader, Transaction

MAX_SEGMENTS_A_BATCH = 2_000
"""Bounds how long one transaction of the sweep keeps others from writing."""


BLOB_COLUMNS = 'id, store, name, "offset", length, state, sealed_key IS NOT NULL'


@dataclass(frozen=True, slots=True)
class BlobRow:
    id: int
    store: str
    name: str
    offset: int
    length: int
    state: str
    encrypted: bool

    @property
    def stored_length(self) -> int:
        """Bytes that it takes in its store."""
        return stored_length(self.length) if self.encrypted else self.length


async def collect_orphans(tx: Transaction, now_ms: int, limit: int) -> int:
    """Drop contents that nothing refers to any more, and condemn the blobs that only they used.

    Works off at most `limit` entries of the queue, and fewer where they have many segments; gives how many.
    """
    rows = await tx.all(
        "SELECT o.id, o.content_id, coalesce(c.segment_count, 0) FROM orphans o "
        "LEFT JOIN contents c ON c.id = o.content_id ORDER BY o.id LIMIT ?",
        (limit,),
    )
    work = 0
    entries: list[int] = []
    contents: set[int] = set()
    for identity, content, segments in rows:
        work += segments
        if entries and work > MAX_SEGMENTS_A_BATCH:
            break
        entries.append(identity)
        contents.add(content)
    for content in sorted(contents):
        await tx.lock("content", content)
    for marks, batch in batches(entries):
        await tx.run(f"DELETE FROM orphans WHERE id IN ({marks})", batch)
    for table in ("versions", "parts"):
        for marks, batch in batches(sorted(contents)):
            rows = await tx.all(f"SELECT DISTINCT content_id FROM {table} WHERE content_id IN ({marks})", batch)
            contents -= {row[0] for row in rows}
    blobs: set[int] = set()
    for marks, batch in batches(sorted(contents)):
        rows = await tx.all(f"SELECT DISTINCT blob_id FROM segments WHERE content_id IN ({marks})", batch)
        blobs.update(row[0] for row in rows)
        await tx.run(f"DELETE FROM segments WHERE content_id IN ({marks})", batch)
        await tx.run(f"DELETE FROM content_parts WHERE content_id IN ({marks})", batch)
        await tx.run(f"DELETE FROM same_bytes WHERE content_id IN ({marks})", batch)
        await tx.run(f"DELETE FROM contents WHERE id IN ({marks})", batch)
    await pins.release(tx, sorted(contents))
    for marks, batch in batches(sorted(blobs)):
        await tx.run(
            f"UPDATE blobs SET state = 'condemned', condemned_ms = ? WHERE id IN ({marks}) AND state = 'live' "
            "AND NOT EXISTS (SELECT 1 FROM segments WHERE segments.blob_id = blobs.id)",
            (now_ms, *batch),
        )
    return len(entries)


async def condemned(reader: Reader, store: str, before_ms: int, limit: int) -> list[BlobRow]:
    """Blobs of a store that were condemned before then, the oldest first."""
    rows = await reader.all(
        f"SELECT {BLOB_COLUMNS} FROM blobs WHERE state = 'condemned' AND condemned_ms < ? "
        "AND store = ? ORDER BY condemned_ms LIMIT ?",
        (before_ms, store, limit),
    )
    return [BlobRow(*row) for row in rows]


async def forget(tx: Transaction, blob_ids: list[int]) -> None:
    """Drop the rows of blobs whose bytes are gone."""
    await tx.many("DELETE FROM blobs WHERE id = ? AND state = 'condemned'", [(blob,) for blob in blob_ids])


async def names_in_use(reader: Reader, store: str, names: Sequence[str], besides: Collection[int] = ()) -> set[str]:
    """Those of these names that the row of any blob in this store has, the blobs `besides` left out."""
    left_out = frozenset(besides)
    found: set[str] = set()
    for marks, batch in batches(names):
        rows = await reader.all(f"SELECT id, name FROM blobs WHERE store = ? AND name IN ({marks})", (store, *batch))
        found.update(name for identity, name in rows if identity not in left_out)
    return found


async def blobs_after(reader: Reader, after: int, limit: int) -> list[BlobRow]:
    """All blobs, by id, in pages."""
    rows = await reader.all(f"SELECT {BLOB_COLUMNS} FROM blobs WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [BlobRow(*row) for row in rows]


async def blobs_by_place(reader: Reader, store: str, after: tuple[str, int], limit: int) -> list[BlobRow]:
    """The blobs of a store in the order of their names and offsets, in pages."""
    rows = await reader.all(
        f'SELECT {BLOB_COLUMNS} FROM blobs WHERE (name, "offset") > (?, ?) AND store = ? '
        'ORDER BY name, "offset" LIMIT ?',
        (*after, store, limit),
    )
    return [BlobRow(*row) for row in rows]


async def blobs_by_store(reader: Reader) -> dict[str, int]:
    """How many blobs each store has."""
    return {
        str(name): int(count) for name, count in await reader.all("SELECT store, count(*) FROM blobs GROUP BY store")
    }


async def is_live(reader: Reader, blob_id: int) -> bool:
    return await reader.one("SELECT 1 FROM blobs WHERE id = ? AND state = 'live'", (blob_id,)) is not None


async def used(reader: Reader, store: str) -> bool:
    """Whether any blob lies in this store."""
    return await reader.one("SELECT 1 FROM blobs WHERE store = ? LIMIT 1", (store,)) is not None


async def keys_of(reader: Reader, blob_id: int, limit: int) -> list[tuple[str, bytes]]:
    """Some of the objects that need a blob: bucket and key."""
    rows = await reader.all(
        "SELECT DISTINCT b.name, v.key FROM segments s JOIN versions v ON v.content_id = s.content_id "
        "JOIN buckets b ON b.id = v.bucket_id WHERE s.blob_id = ? LIMIT ?",
        (blob_id, limit),
    )
    return [(name, bytes(key)) for name, key in rows]


INCONSISTENCIES = {
    "a version without its content": (
        "SELECT count(*) FROM versions v LEFT JOIN contents c ON c.id = v.content_id "
        "WHERE v.content_id IS NOT NULL AND c.id IS NULL"
    ),
    "a head without its version": (
        "SELECT count(*) FROM heads h LEFT JOIN versions v ON v.seq = h.seq AND v.bucket_id = h.bucket_id "
        "AND v.key = h.key WHERE v.seq IS NULL OR v.content_id IS NULL"
    ),
    "a head that is not the newest version": (
        "SELECT count(*) FROM heads h WHERE h.seq != "
        "(SELECT max(v.seq) FROM versions v WHERE v.bucket_id = h.bucket_id AND v.key = h.key)"
    ),
    "a head that tells something else than its version": (
        "SELECT count(*) FROM heads h JOIN versions v ON v.seq = h.seq JOIN contents c ON c.id = v.content_id "
        "WHERE h.size != c.size OR h.etag != c.etag OR h.modified_ms != v.modified_ms "
        "OR coalesce(h.checksum_algorithm, '') != coalesce(c.checksum_algorithm, '') "
        "OR coalesce(h.checksum_type, '') != coalesce(c.checksum_type, '')"
    ),
    "a key whose newest version has no head": (
        "SELECT count(*) FROM (SELECT bucket_id, key, max(seq) AS seq FROM versions GROUP BY bucket_id, key) n "
        "JOIN versions v ON v.seq = n.seq LEFT JOIN heads h ON h.bucket_id = n.bucket_id AND h.key = n.key "
        "WHERE v.content_id IS NOT NULL AND h.seq IS NULL"
    ),
    "a part without its content": (
        "SELECT count(*) FROM parts p LEFT JOIN contents c ON c.id = p.content_id WHERE c.id IS NULL"
    ),
    "a segment without its blob": (
        "SELECT count(*) FROM segments s LEFT JOIN blobs b ON b.id = s.blob_id WHERE b.id IS NULL OR b.state != 'live' "
        "OR s.blob_offset + s.length > b.length"
    ),
    "a content that is encrypted otherwise than its blobs": (
        "SELECT count(*) FROM contents c JOIN segments s ON s.content_id = c.id JOIN blobs b ON b.id = s.blob_id "
        "WHERE (c.encryption IS NULL) <> (b.sealed_key IS NULL)"
    ),
    "a content whose segments are not its size": (
        "SELECT count(*) FROM contents c WHERE c.size != "
        "(SELECT coalesce(sum(s.length), 0) FROM segments s WHERE s.content_id = c.id)"
    ),
    "a bucket whose count of objects or bytes is wrong": (
        f"SELECT count(*) FROM (SELECT bucket_id, sum(objects) AS objects, sum(bytes) AS bytes FROM ({usage.SUMS}) s "
        "GROUP BY bucket_id) u "
        "WHERE u.objects != (SELECT count(*) FROM heads h WHERE h.bucket_id = u.bucket_id) OR u.bytes != "
        "(SELECT coalesce(sum(c.size), 0) FROM versions v JOIN contents c ON c.id = v.content_id "
        "WHERE v.bucket_id = u.bucket_id)"
    ),
}


async def inconsistencies(reader: Reader) -> dict[str, int]:
    """What must never be, and how often it is."""
    found = {}
    for name, sql in INCONSISTENCIES.items():
        row = await reader.one(sql)
        if row is not None and row[0]:
            found[name] = int(row[0])
    return found


async def lost_contents(tx: Transaction) -> int:
    """Queue contents that nothing refers to and that the queue does not know."""
    return await tx.run(
        "INSERT INTO orphans (content_id) SELECT c.id FROM contents c "
        "WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.content_id = c.id) "
        "AND NOT EXISTS (SELECT 1 FROM parts p WHERE p.content_id = c.id) "
        "AND NOT EXISTS (SELECT 1 FROM orphans o WHERE o.content_id = c.id)"
    )
