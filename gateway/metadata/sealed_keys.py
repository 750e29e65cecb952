"""The wrapped keys of encrypted blobs, and the earlier master keys that some of them still need."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.metadata.port import Reader, Transaction

EARLIER = "master_key_before:"
"""Begins the names of rows of `meta`: the id of an earlier master key follows, its value is sealed by the one in force."""


async def after(reader: Reader, blob_id: int, limit: int) -> list[tuple[int, bytes]]:
    """Blobs that have a wrapped key, (id, key) by id, in pages."""
    rows = await reader.all(
        "SELECT id, sealed_key FROM blobs WHERE id > ? AND sealed_key IS NOT NULL ORDER BY id LIMIT ?", (blob_id, limit)
    )
    return [(int(row[0]), bytes(row[1])) for row in rows]


async def replace(tx: Transaction, keys: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Put a new wrapped key in the place of an old one, for each (id, old, new); what is another by now stays."""
    await tx.many(
        "UPDATE blobs SET sealed_key = ? WHERE id = ? AND sealed_key = ?",
        [(new, identity, old) for identity, old, new in keys],
    )


async def earlier_masters(reader: Reader) -> list[tuple[str, bytes]]:
    """The names and sealed values of earlier master keys that blobs may still need."""
    rows = await reader.all("SELECT name, value FROM meta WHERE name LIKE ?", (EARLIER + "%",))
    return [(str(row[0]), bytes(row[1])) for row in rows]


async def forget_earlier_masters(tx: Transaction, names: Sequence[str]) -> None:
    await tx.many("DELETE FROM meta WHERE name = ?", [(name,) for name in names])
