"""Multipart uploads that apps began for an image: what is to become of them, in the row of the upload."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from gateway.metadata import contents
from gateway.metadata.port import Reader, Transaction

FORGOTTEN = 100
"""Uploads that one transaction ends at most."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The image that an upload is to become, of `size` bytes, and who began it. `user` is None for an access key."""

    image_id: str
    filename: str
    size: int
    account: int
    user: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    upload_id: str
    bucket_id: int
    key: bytes
    created_ms: int
    completed: bool
    promise: Promise


async def promise(tx: Transaction, upload_id: str, made: Promise) -> None:
    await tx.run("UPDATE uploads SET app = ? WHERE upload_id = ?", (json.dumps(asdict(made)), upload_id))


async def find(reader: Reader, upload_id: str) -> Begun | None:
    row = await reader.one(
        "SELECT upload_id, bucket_id, key, created_ms, completed_ms, app FROM uploads "
        "WHERE upload_id = ? AND app IS NOT NULL",
        (upload_id,),
    )
    if row is None:
        return None
    return Begun(row[0], row[1], bytes(row[2]), row[3], row[4] is not None, Promise(**json.loads(row[5])))


async def forget_abandoned(tx: Transaction, before_ms: int) -> int:
    """End uploads of apps that began before then and were not completed; how many. Fewer than FORGOTTEN: no more."""
    rows = await tx.all(
        "SELECT id, bucket_id FROM uploads WHERE app IS NOT NULL AND completed_ms IS NULL AND created_ms < ? "
        "ORDER BY bucket_id, id LIMIT ?",
        (before_ms, FORGOTTEN),
    )
    for bucket_id in sorted({row[1] for row in rows}):
        await tx.lock("bucket", bucket_id, shared=True)
    for identity, _ in sorted(rows):
        await tx.lock("upload", identity)
        if await tx.one("SELECT 1 FROM uploads WHERE id = ? AND completed_ms IS NULL", (identity,)) is not None:
            await contents.orphan_parts(tx, identity)
            await tx.run("DELETE FROM uploads WHERE id = ?", (identity,))
    return len(rows)
