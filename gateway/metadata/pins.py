"""Pins: derivatives whose bytes lie where no cache forgets them, as long as their content lives.

A row is written once the bytes are there. The sweep of contents marks what belongs to a content that is gone; whoever
removes the bytes drops the rows after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.metadata.lists import batches
from gateway.metadata.port import Reader, Row, Transaction

GONE_PAGE = 500
"""Rows that are swept at a time."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A variant that is kept: `key` is its derivative's, `name` the variant's; width and height in pixels, size in bytes."""

    key: bytes
    content_id: int
    name: str
    media_type: str
    width: int
    height: int
    size: int
    made_ms: int


COLUMNS = "derivative_key, content_id, name, media_type, width, height, size, made_ms"


async def note(tx: Transaction, pins: Sequence[Pin]) -> bool:
    """Announce what lies where it is kept; all of one content. False where that is gone: nothing is noted then."""
    if not pins:
        return False
    content_id = pins[0].content_id
    await tx.lock("content", content_id, shared=True)
    if await tx.one("SELECT 1 FROM contents WHERE id = ?", (content_id,)) is None:
        return False
    await tx.many(
        f"INSERT INTO pins ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (derivative_key) DO UPDATE "
        "SET made_ms = excluded.made_ms, gone = 0",
        [
            (pin.key, pin.content_id, pin.name, pin.media_type, pin.width, pin.height, pin.size, pin.made_ms)
            for pin in pins
        ],
    )
    return True


async def get(reader: Reader, key: bytes) -> Pin | None:
    """The pin of a derivative."""
    row = await reader.one(f"SELECT {COLUMNS} FROM pins WHERE derivative_key = ? AND gone = 0", (key,))
    return None if row is None else _pin(row)


async def of_content(reader: Reader, content_id: int) -> list[Pin]:
    """All of a content, the newest last: one variant may have several, of other codecs or settings."""
    rows = await reader.all(
        f"SELECT {COLUMNS} FROM pins WHERE content_id = ? AND gone = 0 ORDER BY made_ms, derivative_key", (content_id,)
    )
    return [_pin(row) for row in rows]


async def release(tx: Transaction, content_ids: Sequence[int]) -> int:
    """Mark what belongs to contents that go, in the transaction in which they do; how many there were."""
    marked = 0
    for marks, batch in batches(content_ids):
        marked += await tx.run(f"UPDATE pins SET gone = 1 WHERE content_id IN ({marks}) AND gone = 0", batch)
    return marked


async def release_unused(tx: Transaction, content_id: int) -> int:
    """The same at once, for a content that no version has any more although its own row is still there."""
    await tx.lock("content", content_id)
    if await tx.one("SELECT 1 FROM versions WHERE content_id = ? LIMIT 1", (content_id,)) is not None:
        return 0
    return await release(tx, [content_id])


async def release_superseded(tx: Transaction, older_ms: int) -> int:
    """Mark what was replaced: variants of which a pin of the same content and name was made so much later."""
    return await tx.run(
        "UPDATE pins SET gone = 1 WHERE gone = 0 AND EXISTS (SELECT 1 FROM pins newer WHERE "
        "newer.content_id = pins.content_id AND newer.name = pins.name AND newer.gone = 0 "
        "AND newer.made_ms > pins.made_ms + ?)",
        (older_ms,),
    )


async def gone(reader: Reader, after: bytes = b"", limit: int = GONE_PAGE) -> list[bytes]:
    """Keys of what was marked, in order, behind `after`."""
    rows = await reader.all(
        "SELECT derivative_key FROM pins WHERE gone = 1 AND derivative_key > ? ORDER BY derivative_key LIMIT ?",
        (after, limit),
    )
    return [bytes(row[0]) for row in rows]


async def gone_of(reader: Reader, content_id: int) -> list[bytes]:
    """Keys of what was marked and belongs to a content."""
    rows = await reader.all("SELECT derivative_key FROM pins WHERE content_id = ? AND gone = 1", (content_id,))
    return [bytes(row[0]) for row in rows]


async def forget(tx: Transaction, keys: Sequence[bytes]) -> None:
    """Drop the rows of what was marked and whose bytes are removed."""
    await tx.many("DELETE FROM pins WHERE derivative_key = ? AND gone = 1", [(key,) for key in keys])


async def unnoted(reader: Reader, keys: Sequence[bytes]) -> set[bytes]:
    """Those of these keys that have no row."""
    missing = set(keys)
    for marks, batch in batches(keys):
        rows = await reader.all(f"SELECT derivative_key FROM pins WHERE derivative_key IN ({marks})", batch)
        missing -= {bytes(row[0]) for row in rows}
    return missing


def _pin(row: Row) -> Pin:
    return Pin(bytes(row[0]), *row[1:])
