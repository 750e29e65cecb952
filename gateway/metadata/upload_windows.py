"""How many images each user uploaded in an hour: the count that holds on all nodes, in the upload's own transaction."""

from __future__ import annotations

from gateway.metadata.port import Reader, Transaction


async def take(tx: Transaction, who: str, window_ms: int, limit: int, count: int = 1) -> int | None:
    """Count `count` more uploads of the window that began at `window_ms`; how many it has now.

    None, and nothing is counted, where that would be more than `limit`.
    """
    changed = 0
    if count <= limit:
        changed = await tx.run(
            "INSERT INTO upload_windows (who, window_ms, count) VALUES (?, ?, ?) "
            "ON CONFLICT (who, window_ms) DO UPDATE SET count = upload_windows.count + excluded.count "
            "WHERE upload_windows.count + excluded.count <= ?",
            (who, window_ms, count, limit),
        )
    return await counted(tx, who, window_ms) if changed else None


async def counted(reader: Reader, who: str, window_ms: int) -> int:
    row = await reader.one("SELECT count FROM upload_windows WHERE who = ? AND window_ms = ?", (who, window_ms))
    return 0 if row is None else int(row[0])


async def near_limit(reader: Reader, window_ms: int, at_least: int, limit: int = 100) -> list[tuple[str, int]]:
    """Who has `at_least` so many in that window, the most first."""
    rows = await reader.all(
        "SELECT who, count FROM upload_windows WHERE window_ms = ? AND count >= ? ORDER BY count DESC, who LIMIT ?",
        (window_ms, at_least, limit),
    )
    return [(str(who), int(count)) for who, count in rows]


async def forget(tx: Transaction, before_ms: int) -> int:
    """Delete windows that began before then; how many."""
    return await tx.run("DELETE FROM upload_windows WHERE window_ms < ?", (before_ms,))
