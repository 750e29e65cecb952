"""Named locks with an end, for renders across nodes where no Redis has them. One statement decides, so that on any engine
exactly one gets a lock. Time is the caller's: nodes whose clocks differ share less well, and nothing else.
"""

from __future__ import annotations

from gateway.metadata.port import Reader, Transaction

PREFIX = "render/"
_AFTER = "render0"


async def take(tx: Transaction, name: str, owner: str, now_ms: int, for_ms: int) -> bool:
    """Take the lock until `now_ms + for_ms` if it is free, over, or ours; whether it is ours now."""
    changed = await tx.run(
        "INSERT INTO locks (name, owner, until_ms) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms "
        "WHERE locks.owner = excluded.owner OR locks.until_ms <= ?",
        (PREFIX + name, owner, now_ms + for_ms, now_ms),
    )
    return changed == 1


async def holder(reader: Reader, name: str, now_ms: int) -> str | None:
    """Whose it is now."""
    row = await reader.one("SELECT owner FROM locks WHERE name = ? AND until_ms > ?", (PREFIX + name, now_ms))
    return None if row is None else str(row[0])


async def renew(tx: Transaction, name: str, owner: str, now_ms: int, for_ms: int) -> None:
    await tx.run("UPDATE locks SET until_ms = ? WHERE name = ? AND owner = ?", (now_ms + for_ms, PREFIX + name, owner))


async def give(tx: Transaction, name: str, owner: str) -> None:
    await tx.run("DELETE FROM locks WHERE name = ? AND owner = ?", (PREFIX + name, owner))


async def hand(tx: Transaction, name: str, owner: str, to: str, now_ms: int, for_ms: int) -> None:
    """Make it another's, until `now_ms + for_ms`."""
    await tx.run(
        "UPDATE locks SET owner = ?, until_ms = ? WHERE name = ? AND owner = ?",
        (to, now_ms + for_ms, PREFIX + name, owner),
    )


async def forget(tx: Transaction, before_ms: int) -> int:
    """Remove the rows of locks that were over by then; how many."""
    return await tx.run("DELETE FROM locks WHERE name > ? AND name < ? AND until_ms < ?", (PREFIX, _AFTER, before_ms))
