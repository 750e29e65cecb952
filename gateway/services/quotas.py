"""Quotas of accounts in bytes and images. Who owns the bucket pays, whoever writes.

An account without a quota is known from memory and pays nothing. The writes of an account with one wait for one another,
so that of two that fit only alone one is refused. Bytes are those of all versions and of the parts of uploads that go on.
Images are the rows that apps see. Others get theirs from a job after the write; where images are limited it is written with the
version, or what comes before the job has run would pass.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import QuotaExceeded
from gateway.metadata import quotas, versions
from gateway.metadata.port import Reader, Transaction
from gateway.metadata.versions import NewVersion, Written
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket
from gateway.model.objects import WriteConditions
from gateway.services.s3_images import note_image


async def check(tx: Transaction, account: Account, size: int, images: int) -> None:
    """Hold what is about to be added, in bytes and images, against the account's quotas; before the first write.

    Raises QuotaExceeded.
    """
    if account.limited:
        await quotas.hold(tx, account.id)
        await _compare(tx, account, size, images)


async def expect(reader: Reader, bucket: Bucket, key: bytes, size: int, images: int | None = None) -> None:
    """Refuse a write of `size` bytes that cannot fit, before its body is taken.

    `images` is how many it surely makes. It is decided later, in the transaction. Raises QuotaExceeded.
    """
    owner = bucket.owner
    if owner.limited:
        freed = await quotas.replaced_bytes(reader, bucket.id, key)
        await _compare(reader, owner, size - freed, images)


async def expect_part(reader: Reader, bucket: Bucket, upload_row: int, number: int, size: int) -> None:
    """The same for a part of an upload, which takes the place of the one of its number. Raises QuotaExceeded."""
    owner = bucket.owner
    if owner.limited:
        freed = await quotas.part_bytes(reader, upload_row, number)
        await _compare(reader, owner, size - freed, None)


async def hold(tx: Transaction, owner: Account) -> None:
    """Belongs before the locks of what is written, in a transaction that asks `verify` after it wrote."""
    if owner.limited:
        await quotas.hold(tx, owner.id)


async def verify(tx: Transaction, bucket: Bucket, *, made_image: bool = False) -> None:
    """Refuse what was written if it is too much: so what it freed has made room. Raises QuotaExceeded.

    `made_image`: the transaction wrote the row of an image, which counts already.
    """
    if bucket.owner.limited:
        await _compare(tx, bucket.owner, 0, 0 if made_image else None)


async def verify_images(tx: Transaction, owner: Account) -> None:
    """The same for the row of an image alone, whose bytes were there before. Raises QuotaExceeded."""
    if owner.limited:
        _, most = await quotas.limits(tx, owner.id)
        await _compare_images(tx, owner, most, 0)


async def put(tx: Transaction, bucket: Bucket, new: NewVersion, conditions: WriteConditions) -> Written:
    """`versions.put` within the quota of the bucket's owner. Raises QuotaExceeded besides."""
    await hold(tx, bucket.owner)
    made_image = counts_at_once(bucket, new.image_id)
    written = await versions.put(tx, replace(new, noted=True) if made_image else new, conditions)
    if made_image:
        await count(tx, bucket, new.image_id)
    await verify(tx, bucket, made_image=made_image)
    return written


def counts_at_once(bucket: Bucket, image_id: str | None) -> bool:
    """Whether an image that comes by S3 has its row from the transaction that writes it, and not from the job behind it."""
    return image_id is not None and bucket.images.catalogue and bucket.owner.quota_images is not None


async def count(tx: Transaction, bucket: Bucket, image_id: str | None, user_id: int | None = None) -> None:
    """Write the row of an image that `counts_at_once` or was promised to an app, after its version; `user_id` has it."""
    assert image_id is not None
    await note_image(tx, bucket, await versions.by_image(tx, image_id), user_id)


async def _compare(reader: Reader, account: Account, size: int, images: int | None) -> None:
    """Whether so much more is too much; with None, images are not looked at."""
    most_bytes, most_images = await quotas.limits(reader, account.id)
    if most_bytes is not None and await quotas.held_bytes(reader, account.id) + size > most_bytes:
        raise QuotaExceeded(f"The account {account.name} may store {most_bytes} bytes.")
    if images is not None:
        await _compare_images(reader, account, most_images, images)


async def _compare_images(reader: Reader, account: Account, most: int | None, more: int) -> None:
    if most is not None and more + await quotas.held_images(reader, account.id, max(0, most - more) + 1) > most:
        raise QuotaExceeded(f"The account {account.name} may store {most} images.")
