"""Multipart uploads that apps began for an image: what is to become of them, in the row of the upload."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from gateway.metadata import contents, uploads
from gateway.metadata.listing import load_promise
from gateway.metadata.port import Reader, Transaction
from gateway.model.uploads import Promise

FORGOTTEN = 100
"""Uploads that one transaction ends at most."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An upload of an app. `existing` is the image that was there already and that its completion was answered with."""

    upload_id: str
    bucket_id: int
    key: bytes
    created_ms: int
    completed: bool
    promise: Promise
    existing: str | None = None

    @property
    def image_id(self) -> str:
        """The image that it becomes, or became."""
        return self.existing or self.promise.image_id


async def promise(tx: Transaction, upload_id: str, made: Promise) -> None:
    await tx.run("UPDATE uploads SET app = ? WHERE upload_id = ?", (json.dumps(asdict(made)), upload_id))


async def find(reader: Reader, upload_id: str) -> Begun | None:
    row = await reader.one(
        "SELECT upload_id, bucket_id, key, created_ms, completed_ms, app, result FROM uploads "
        "WHERE upload_id = ? AND app IS NOT NULL",
        (upload_id,),
    )
    if row is None:
        return None
    existing = None if row[6] is None else json.loads(row[6]).get("existing")
    return Begun(row[0], row[1], bytes(row[2]), row[3], row[4] is not None, load_promise(row[5]), existing)


async def answer_with(tx: Transaction, begun: Begun, image_id: str, now_ms: int) -> None:
    """Close an upload of bytes that this image has already, which asking again is answered with. Raises UploadNotFound."""
    found = await uploads.get(tx, begun.bucket_id, begun.key, begun.upload_id)
    if tx.engine != "sqlite":
        await uploads.hold(tx, found)
        await uploads.get(tx, begun.bucket_id, begun.key, begun.upload_id)
    # No list of parts has an empty digest: the S3 door, asked to complete it again, knows no such upload.
    await uploads.finish(tx, found.id, b"", {"existing": image_id}, now_ms)


async def disown(tx: Transaction, upload_row: int) -> None:
    """Have an upload that became no image be none of an app's."""
    await tx.run("UPDATE uploads SET app = NULL WHERE id = ?", (upload_row,))


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
