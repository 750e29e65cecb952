"""How many objects and bytes buckets hold.

SQLite has one writer at a time and counts in one row a bucket. On PostgreSQL such a row would make all writes of a bucket
wait for one another, so each writes what it adds, and a job folds that into the rows. Exact is the sum of both.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.metadata.port import Reader, Transaction

FOLDED = 5_000
"""Delta rows that one transaction folds at most."""


async def begin(tx: Transaction, bucket_id: int) -> None:
    """For a new bucket."""
    await tx.run("INSERT INTO usage (bucket_id) VALUES (?)", (bucket_id,))


async def end(tx: Transaction, bucket_id: int) -> None:
    """For a bucket that goes."""
    await tx.run("DELETE FROM usage WHERE bucket_id = ?", (bucket_id,))
    await tx.run("DELETE FROM usage_deltas WHERE bucket_id = ?", (bucket_id,))


async def add(tx: Transaction, bucket_id: int, objects: int, size: int) -> None:
    """Count a change of a bucket: current objects, and bytes of all versions."""
    if not objects and not size:
        return
    if tx.engine == "sqlite":
        await tx.run(
            "UPDATE usage SET objects = objects + ?, bytes = bytes + ? WHERE bucket_id = ?", (objects, size, bucket_id)
        )
    else:
        await tx.run(
            "INSERT INTO usage_deltas (bucket_id, objects, bytes) VALUES (?, ?, ?)", (bucket_id, objects, size)
        )


async def fold(tx: Transaction) -> int:
    """Add what was counted since the last time to the buckets' rows; gives how many deltas went into them.

    Fewer than `FOLDED` means that it has caught up.
    """
    await tx.lock("usage")
    rows = await tx.all(
        "DELETE FROM usage_deltas WHERE id IN (SELECT id FROM usage_deltas ORDER BY id LIMIT ?) "
        "RETURNING bucket_id, objects, bytes",
        (FOLDED,),
    )
    sums: dict[int, tuple[int, int]] = {}
    for bucket, objects, size in rows:
        before = sums.get(bucket, (0, 0))
        sums[bucket] = (before[0] + objects, before[1] + size)
    await tx.many(
        "UPDATE usage SET objects = objects + ?, bytes = bytes + ? WHERE bucket_id = ?",
        [(objects, size, bucket) for bucket, (objects, size) in sorted(sums.items())],
    )
    return len(rows)


async def recount(tx: Transaction) -> None:
    """Count again what each bucket holds, from its rows."""
    await tx.lock("usage")
    await tx.run(
        "UPDATE usage SET objects = (SELECT count(*) FROM heads h WHERE h.bucket_id = usage.bucket_id) - "
        "(SELECT coalesce(sum(d.objects), 0) FROM usage_deltas d WHERE d.bucket_id = usage.bucket_id), "
        "bytes = (SELECT coalesce(sum(c.size), 0) FROM versions v JOIN contents c ON c.id = v.content_id "
        "WHERE v.bucket_id = usage.bucket_id) - "
        "(SELECT coalesce(sum(d.bytes), 0) FROM usage_deltas d WHERE d.bucket_id = usage.bucket_id)"
    )


SUMS = "SELECT bucket_id, objects, bytes FROM usage UNION ALL SELECT bucket_id, objects, bytes FROM usage_deltas"


async def totals(reader: Reader) -> tuple[int, int]:
    """Current objects and bytes of all versions, over all buckets."""
    row = await reader.one(f"SELECT coalesce(sum(objects), 0), coalesce(sum(bytes), 0) FROM ({SUMS}) u")
    assert row is not None
    return int(row[0]), int(row[1])


async def of_bucket(reader: Reader, bucket_id: int) -> tuple[int, int]:
    """Current objects and bytes of all versions of one bucket."""
    row = await reader.one(
        f"SELECT coalesce(sum(objects), 0), coalesce(sum(bytes), 0) FROM ({SUMS}) u WHERE bucket_id = ?", (bucket_id,)
    )
    assert row is not None
    return int(row[0]), int(row[1])


async def by_bucket(reader: Reader) -> dict[int, tuple[int, int]]:
    """Current objects and bytes of all versions of each bucket, by its id."""
    rows = await reader.all(f"SELECT bucket_id, sum(objects), sum(bytes) FROM ({SUMS}) u GROUP BY bucket_id")
    return {int(bucket): (int(objects), int(size)) for bucket, objects, size in rows}


async def by_account(reader: Reader, account_ids: Sequence[int] | None) -> dict[int, tuple[int, int, int]]:
    """Buckets, current objects, and the bytes of all versions, of these accounts or (None) all, by their ids."""
    if account_ids is not None and not account_ids:
        return {}
    these = "" if account_ids is None else f"WHERE b.account_id IN ({', '.join('?' * len(account_ids))}) "
    rows = await reader.all(
        "SELECT b.account_id, count(DISTINCT b.id), coalesce(sum(u.objects), 0), coalesce(sum(u.bytes), 0) "
        f"FROM buckets b LEFT JOIN ({SUMS}) u ON u.bucket_id = b.id {these}GROUP BY b.account_id",
        tuple(account_ids or ()),
    )
    return {int(account): (int(buckets), int(objects), int(size)) for account, buckets, objects, size in rows}
