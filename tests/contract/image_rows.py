"""Rows of images for tests: with the version that they tell of."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from typing import Any

from gateway.metadata import images, versions
from gateway.metadata.port import Database, Transaction
from gateway.model.images import ImageRow, Visibility
from tests.contract.metadata_rows import plain


def new_id() -> str:
    return "I" + base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")


async def account_of(database: Database, bucket: int) -> int:
    row = await database.one("SELECT account_id FROM buckets WHERE id = ?", (bucket,))
    assert row is not None
    return int(row[0])


def image_row(image_id: str, seq: int, bucket: int, account: int, **fields: Any) -> ImageRow:
    """A public image of which nothing is known beyond what its upload tells."""
    row = ImageRow(
        image_id=image_id,
        seq=seq,
        bucket_id=bucket,
        account_id=account,
        filename="photo.jpg",
        content_type="image/jpeg",
        size=4,
        visibility=Visibility.PUBLIC,
        created_ms=1,
        updated_ms=1,
    )
    return replace(row, **fields)


async def put_image(database: Database, bucket: int, lease: int, key: bytes | None = None, **fields: Any) -> ImageRow:
    """A version that is an image, and its row, in one transaction."""
    account = await account_of(database, bucket)
    image_id = new_id()
    new, conditions = plain(bucket, key or image_id.encode(), lease)

    async def operation(tx: Transaction) -> ImageRow:
        await versions.put(tx, replace(new, image_id=image_id), conditions)
        found = await tx.one("SELECT seq FROM versions WHERE image_id = ?", (image_id,))
        assert found is not None
        row = image_row(image_id, found[0], bucket, account, **fields)
        await images.insert(tx, row)
        return row

    return await database.write(operation)
