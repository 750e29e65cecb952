"""Renditions that are listed as objects: what the current version of a key looks like by a preset of its bucket."""

from __future__ import annotations

from gateway.metadata.port import Transaction


async def forget_bucket(tx: Transaction, bucket_id: int) -> None:
    """For a bucket that goes."""
    await tx.run("DELETE FROM renditions WHERE bucket_id = ?", (bucket_id,))
