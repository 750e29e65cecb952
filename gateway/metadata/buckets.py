"""Buckets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from gateway.errors import BucketExists, BucketNotEmpty, BucketNotFound, BucketOwnedByYou
from gateway.metadata import accounts, adopted_ledger, bucket_images, contents, jobs, meta, renditions, usage
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket, BucketImages, Versioning
from gateway.model.contents import Encryption

COLUMNS = (
    "b.id, b.name, b.region, b.versioning, b.created_ms, b.images_public, b.ladder, b.store, b.encryption, b.images, "
    "b.known_images, " + accounts.COLUMNS
)
NO_LIMIT = 1 << 62
FROM = "FROM buckets b JOIN accounts a ON a.id = b.account_id"
BY_NAME = f"SELECT {COLUMNS} {FROM} WHERE b.name = ?"
BY_ID = f"SELECT {COLUMNS} {FROM} WHERE b.id = ?"


def bucket(row: Row) -> Bucket:
    identity, name, region, versioning, created_ms, images_public, ladder, store, encryption, images, known, *owner = (
        row
    )
    return Bucket(
        id=identity,
        name=name,
        owner=accounts.account(tuple(owner)),
        region=region,
        versioning=Versioning(versioning),
        created_ms=created_ms,
        images_public=bool(images_public),
        ladder=tuple(int(width) for width in ladder.split(",") if width),
        store=store,
        encryption=None if encryption is None else Encryption(encryption),
        images=bucket_images.load(images),
        known_images=bool(known),
    )


async def create(
    tx: Transaction,
    name: str,
    account: Account,
    region: str,
    now_ms: int,
    views: Sequence[tuple[str, str]] = (),
    server_presets: Collection[str] = (),
) -> Bucket:
    """`views` are the pairs of bucket and preset that the name may be read as, `server_presets` those of every bucket.

    Raises BucketOwnedByYou, BucketExists: also for the name of a view, and for one that may become a view of a bucket
    of somebody else.
    """
    await tx.lock("config")
    row = await tx.one("SELECT account_id FROM buckets WHERE name = ?", (name,))
    if row is not None:
        if row[0] == account.id:
            raise BucketOwnedByYou("Your previous request to create the named bucket succeeded and you already own it.")
        raise BucketExists(
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        )
    if views:
        await _check_views(tx, name, account, views, server_presets)
    identity = await tx.insert(
        "INSERT INTO buckets (name, account_id, region, created_ms) VALUES (?, ?, ?, ?)",
        (name, account.id, region, now_ms),
    )
    await usage.begin(tx, identity)
    await meta.bump_generation(tx)
    return Bucket(identity, name, account, region, Versioning.UNVERSIONED, now_ms)


async def _check_views(
    tx: Transaction,
    name: str,
    account: Account,
    views: Sequence[tuple[str, str]],
    server_presets: Collection[str],
) -> None:
    found = []
    for viewed, preset in views:
        row = await tx.one("SELECT id FROM buckets WHERE name = ?", (viewed,))
        if row is not None:
            found.append((row[0], preset))
    for identity, preset in sorted(found):
        # A preset that is set at this moment is seen, or its setting finds the bucket that is made here.
        await tx.lock("bucket", identity, shared=True)
        row = await tx.one(BY_ID, (identity,))
        if row is None:
            continue
        shown = bucket(row)
        if shown.owner.id != account.id:
            raise BucketExists(f"The name {name} is kept for views of the bucket {shown.name} of another account.")
        if preset in shown.images.presets or preset in server_presets:
            raise BucketExists(f"The name {name} stands for the bucket {shown.name} as its preset {preset} shows it.")


async def delete(tx: Transaction, bucket_id: int) -> None:
    """Delete an empty bucket; uploads in progress go with it."""
    await tx.lock("bucket", bucket_id)
    if await tx.one("SELECT 1 FROM versions WHERE bucket_id = ? LIMIT 1", (bucket_id,)) is not None:
        raise BucketNotEmpty("The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
    for (upload,) in await tx.all("SELECT id FROM uploads WHERE bucket_id = ?", (bucket_id,)):
        await contents.orphan_parts(tx, upload)
        await tx.run("DELETE FROM uploads WHERE id = ?", (upload,))
    await adopted_ledger.forget(tx, bucket_id)
    await renditions.forget_bucket(tx, bucket_id)
    await usage.end(tx, bucket_id)
    if not await tx.run("DELETE FROM buckets WHERE id = ?", (bucket_id,)):
        raise BucketNotFound("The specified bucket does not exist")
    await meta.bump_generation(tx)


async def exists(reader: Reader, bucket_id: int) -> bool:
    return await reader.one("SELECT 1 FROM buckets WHERE id = ?", (bucket_id,)) is not None


async def page(
    reader: Reader, account_id: int | None, prefix: str, after: str, limit: int | None
) -> tuple[Bucket, ...]:
    owner = "" if account_id is None else "AND b.account_id = ?"
    rows = await reader.all(
        f"SELECT {COLUMNS} {FROM} WHERE b.name > ? AND substr(b.name, 1, ?) = ? {owner} ORDER BY b.name LIMIT ?",
        (
            after,
            len(prefix),
            prefix,
            *(() if account_id is None else (account_id,)),
            NO_LIMIT if limit is None else limit,
        ),
    )
    return tuple(bucket(row) for row in rows)


async def set_versioning(tx: Transaction, bucket_id: int, versioning: Versioning) -> None:
    await _set(tx, "versioning", versioning.value, bucket_id)


async def set_images_public(tx: Transaction, bucket_id: int, public: bool, now_ms: int) -> None:
    await _set(tx, "images_public", int(public), bucket_id)
    if not public:
        await _purge(tx, bucket_id, now_ms)


async def set_ladder(tx: Transaction, bucket_id: int, ladder: tuple[int, ...]) -> None:
    await _set(tx, "ladder", ",".join(map(str, ladder)), bucket_id)


async def set_store(tx: Transaction, bucket_id: int, store: str | None) -> None:
    await _set(tx, "store", store, bucket_id)


async def set_encryption(tx: Transaction, bucket_id: int, encryption: Encryption | None) -> None:
    await _set(tx, "encryption", None if encryption is None else encryption.value, bucket_id)


async def change_images(
    tx: Transaction, bucket_id: int, change: Callable[[BucketImages], BucketImages], now_ms: int
) -> tuple[BucketImages, BucketImages]:
    """Change how it treats its images, from what is there now; gives both."""
    await tx.lock("bucket", bucket_id)
    row = await tx.one("SELECT images FROM buckets WHERE id = ?", (bucket_id,))
    if row is None:
        raise BucketNotFound("The specified bucket does not exist")
    before = bucket_images.load(row[0])
    after = change(before)
    if after == before:
        return before, after
    # Before the row says that nobody is told any more.
    await _purge(tx, bucket_id, now_ms)
    await tx.run(
        "UPDATE buckets SET images = ?, watched = ? WHERE id = ?",
        (bucket_images.dump(after), bucket_images.watched(after), bucket_id),
    )
    await meta.bump_generation(tx)
    return before, after


async def _purge(tx: Transaction, bucket_id: int, now_ms: int) -> None:
    """Have the CDN told that all pictures of the bucket may look otherwise, or may not be seen, where it is told at all."""
    row = await tx.one("SELECT name, watched FROM buckets WHERE id = ?", (bucket_id,))
    if row is not None and row[1] & bucket_images.PURGES:
        await jobs.add(tx, jobs.PURGE, {"bucket": bucket_id, "name": row[0]}, now_ms)


async def _set(tx: Transaction, column: str, value: object, bucket_id: int) -> None:
    # `column` is one of the names above, never a client's.
    await tx.lock("bucket", bucket_id)
    if not await tx.run(f"UPDATE buckets SET {column} = ? WHERE id = ?", (value, bucket_id)):
        raise BucketNotFound("The specified bucket does not exist")
    await meta.bump_generation(tx)


async def totals(reader: Reader) -> tuple[int, int]:
    """Current objects and bytes of all versions, over all buckets."""
    return await usage.totals(reader)
