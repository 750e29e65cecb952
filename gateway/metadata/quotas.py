"""What an account holds, for quotas: the bytes of all versions in its buckets and of parts of uploads, and its images."""

from __future__ import annotations

from gateway.metadata.port import Reader, Transaction

_OWN = "(SELECT id FROM buckets WHERE account_id = ?)"
# One sum a table: over a union of them SQLite would read the usage of all buckets there are.
HELD = (
    f"SELECT (SELECT coalesce(sum(bytes), 0) FROM usage WHERE bucket_id IN {_OWN}) "
    f"+ (SELECT coalesce(sum(bytes), 0) FROM usage_deltas WHERE bucket_id IN {_OWN}) "
    "+ (SELECT coalesce(sum(c.size), 0) FROM uploads u JOIN parts p ON p.upload = u.id "
    f"JOIN contents c ON c.id = p.content_id WHERE u.bucket_id IN {_OWN} AND u.completed_ms IS NULL)"
)


async def hold(tx: Transaction, account_id: int) -> None:
    """Let no other write of this account that looks at its quota run beside this one, to the end of the transaction."""
    await tx.lock("quota", account_id)


async def limits(reader: Reader, account_id: int) -> tuple[int | None, int | None]:
    """The quotas in bytes and images as they are now; None for none."""
    row = await reader.one("SELECT quota_bytes, quota_images FROM accounts WHERE id = ?", (account_id,))
    return (None, None) if row is None else (row[0], row[1])


async def held_bytes(reader: Reader, account_id: int) -> int:
    """The bytes of all versions in the account's buckets, and of the parts of uploads that go on there."""
    row = await reader.one(HELD, (account_id, account_id, account_id))
    assert row is not None
    return int(row[0])


async def held_images(reader: Reader, account_id: int, most: int) -> int:
    """The account's images that exist, counted up to `most`; fewer than that may be too many by some that are gone."""
    row = await reader.one(
        "SELECT count(*) FROM (SELECT 1 FROM images WHERE account_id = ? LIMIT ?) n", (account_id, most)
    )
    assert row is not None
    if row[0] < most:
        return int(row[0])
    # What is gone has its row until it is swept: where it matters, each is looked at.
    row = await reader.one(
        "SELECT count(*) FROM (SELECT 1 FROM images i JOIN versions v ON v.seq = i.seq WHERE i.account_id = ? LIMIT ?) n",
        (account_id, most),
    )
    assert row is not None
    return int(row[0])


async def part_bytes(reader: Reader, upload_row: int, number: int) -> int:
    """The bytes of the part that another of its number takes the place of; 0 where there is none."""
    row = await reader.one(
        "SELECT c.size FROM parts p JOIN contents c ON c.id = p.content_id WHERE p.upload = ? AND p.number = ?",
        (upload_row, number),
    )
    return 0 if row is None else int(row[0])


async def replaced_bytes(reader: Reader, bucket_id: int, key: bytes) -> int:
    """The bytes that a write of a key frees in a bucket without versions; 0 in others."""
    row = await reader.one(
        "SELECT h.size FROM heads h JOIN buckets b ON b.id = h.bucket_id "
        "WHERE h.bucket_id = ? AND h.key = ? AND b.versioning = 'Unversioned'",
        (bucket_id, key),
    )
    return 0 if row is None else int(row[0])
