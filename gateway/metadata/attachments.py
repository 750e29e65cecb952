"""Attached buckets of stores: which place is shown in which bucket, and how far the last look at it came."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import BucketNotFound, InvalidValue
from gateway.metadata.port import Reader, Row, Transaction


@dataclass(frozen=True, slots=True)
class Attachment:
    """A bucket of a store's service (`source`), or what lies under a prefix of it, shown in a bucket of the gateway.

    `versions`: the source had versions when it was last looked at. `after` is how far an unfinished run of number `round`
    came; `objects` is what the last finished one found, `finished_ms` when.
    """

    id: int
    bucket_id: int
    store: str
    source: str
    prefix: bytes
    own: bool
    versions: bool
    round: int
    after: bytes | None
    objects: int
    finished_ms: int | None


COLUMNS = "id, bucket_id, store, source, prefix, own, versions, round, after, objects, finished_ms"


def attachment(row: Row) -> Attachment:
    identity, bucket_id, store, source, prefix, own, has_versions, number, after, objects, finished_ms = row
    return Attachment(
        identity, bucket_id, store, source, prefix, bool(own), bool(has_versions), number, after, objects, finished_ms
    )


async def get(reader: Reader, identity: int) -> Attachment | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM attachments WHERE id = ?", (identity,))
    return None if row is None else attachment(row)


async def all_of(reader: Reader, bucket_id: int | None = None) -> list[Attachment]:
    """Those of a bucket, or all."""
    where, values = ("", ()) if bucket_id is None else ("WHERE bucket_id = ?", (bucket_id,))
    return [
        attachment(row) for row in await reader.all(f"SELECT {COLUMNS} FROM attachments {where} ORDER BY id", values)
    ]


async def attach(
    tx: Transaction,
    bucket_id: int,
    store: str,
    source: str,
    prefix: bytes,
    *,
    own: bool | None,
    now_ms: int,
) -> Attachment:
    """The attachment of that place to the bucket, made where there is none. `own` is None to leave that as it is.

    Raises InvalidValue where the bucket holds something else, and where the place is shown elsewhere and one of the two
    would delete there what the other shows.
    """
    await tx.lock("attachments")
    await tx.lock("bucket", bucket_id)
    if await tx.one("SELECT 1 FROM buckets WHERE id = ?", (bucket_id,)) is None:
        raise BucketNotFound("The specified bucket does not exist")
    rows = await tx.all(f"SELECT {COLUMNS} FROM attachments WHERE bucket_id IN (SELECT id FROM buckets) ORDER BY id")
    others = [attachment(row) for row in rows]
    here = [one for one in others if one.bucket_id == bucket_id]
    same = next((one for one in here if (one.store, one.source, one.prefix) == (store, source, prefix)), None)
    overlapping = [
        one
        for one in others
        if one is not same
        and (one.store, one.source) == (store, source)
        and (one.prefix.startswith(prefix) or prefix.startswith(one.prefix))
    ]
    wants = own if own is not None else same is not None and same.own
    if any(wants or one.own for one in overlapping if one.bucket_id != bucket_id):
        raise InvalidValue(
            "another bucket shows the same objects: only one may, where deleting them here deletes them there"
        )
    if same is not None:
        await tx.run("UPDATE attachments SET own = ? WHERE id = ?", (int(wants), same.id))
        identity = same.id
    else:
        for one in here:
            if (one.store, one.source) != (store, source):
                raise InvalidValue(f"the bucket shows {one.source!r} of the store {one.store!r} already")
            if one in overlapping:
                raise InvalidValue(f"the bucket shows the prefix {one.prefix.decode(errors='replace')!r} already")
        if not here and await tx.one("SELECT 1 FROM versions WHERE bucket_id = ? LIMIT 1", (bucket_id,)) is not None:
            raise InvalidValue("the bucket has objects of its own: choose another name with --as")
        identity = await tx.insert(
            "INSERT INTO attachments (bucket_id, store, source, prefix, own, versions, created_ms) "
            "VALUES (?, ?, ?, ?, ?, 0, ?)",
            (bucket_id, store, source, prefix, int(wants), now_ms),
        )
    found = await get(tx, identity)
    assert found is not None
    return found


async def set_versions(tx: Transaction, identity: int, has_versions: bool) -> None:
    await tx.run("UPDATE attachments SET versions = ? WHERE id = ?", (int(has_versions), identity))


async def advance(tx: Transaction, current: Attachment, after: bytes) -> None:
    """Note how far the run came; without effect where another one has finished the round."""
    await tx.run("UPDATE attachments SET after = ? WHERE id = ? AND round = ?", (after, current.id, current.round))


async def finish(tx: Transaction, current: Attachment, objects: int | None, now_ms: int) -> None:
    """End the round. `objects` is what it found, None where it saw a part only."""
    await tx.run(
        "UPDATE attachments SET after = NULL, round = round + 1, objects = coalesce(?, objects), finished_ms = ? "
        "WHERE id = ? AND round = ?",
        (objects, now_ms, current.id, current.round),
    )
