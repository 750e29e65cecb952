"""Rows for tests of the metadata: a bucket with a lease to write under, and versions to put into it."""

from __future__ import annotations

import itertools
import secrets
import time

from gateway.metadata import accounts, buckets, leases
from gateway.metadata.contents import NewBlob, NewContent
from gateway.metadata.port import Database, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Versioning
from gateway.model.objects import WriteConditions

_numbers = itertools.count()


async def new_bucket(database: Database, versioning: Versioning = Versioning.UNVERSIONED) -> tuple[int, int]:
    """A bucket of a new account and a live lease: their ids."""

    async def operation(tx: Transaction) -> tuple[int, int]:
        name = f"bucket-{secrets.token_hex(4)}"
        account = await accounts.create(tx, name, secrets.token_hex(16), 1)
        bucket = await buckets.create(tx, name, account, "us-east-1", 1)
        if versioning is not Versioning.UNVERSIONED:
            await buckets.set_versioning(tx, bucket.id, versioning)
        return bucket.id, await leases.create(tx, "test", int(time.time() * 1000))

    return await database.write(operation)


def blob(lease: int, length: int = 4, *, store: str = "local") -> NewBlob:
    return NewBlob(store, f"{lease}/{next(_numbers)}", 0, length)


def plain(
    bucket: int,
    key: bytes,
    lease: int,
    *,
    size: int = 4,
    etag: str | None = None,
    if_none_match: bool = False,
    if_match: str | None = None,
) -> tuple[NewVersion, WriteConditions]:
    """Arguments of `Database.put` for `size` new bytes; without any where it is 0."""
    content = NewContent(
        secrets.token_bytes(16), size, etag or secrets.token_hex(16), blob=blob(lease, size) if size else None
    )
    return NewVersion(bucket, key, content, (("content-type", "text/plain"),), (), None, 1), WriteConditions(
        if_none_match, if_match
    )
