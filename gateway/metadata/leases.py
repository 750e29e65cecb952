"""Leases: a process's right to write blobs, and the locks by which processes share out background work."""

from __future__ import annotations

import time

from gateway.errors import LeaseLost
from gateway.metadata.contents import NewBlob
from gateway.metadata.port import Reader, Transaction

RENEW_SECONDS = 10
DEAD_AFTER_MS = 60_000


async def _clock(tx: Transaction, now_ms: int) -> int:
    """`now_ms` of this node by the clock that all nodes share: the database's, where there may be several."""
    if tx.engine == "sqlite":
        return now_ms
    row = await tx.one("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")
    assert row is not None
    return now_ms + int(row[0]) - time.time_ns() // 1_000_000


async def create(tx: Transaction, owner: str, now_ms: int) -> int:
    now_ms = await _clock(tx, now_ms)
    sql = "INSERT INTO leases (owner, created_ms, renewed_ms) VALUES (?, ?, ?)"
    return await tx.insert(sql, (owner, now_ms, now_ms))


def lease_of(name: str) -> int | None:
    """The lease under which a blob's bytes were written; None for bytes that were there before us."""
    return None if name.startswith("@") else int(name.partition("/")[0])


async def check(tx: Transaction, *blobs: NewBlob | None) -> None:
    """Raise LeaseLost where the sweep may already have taken these bytes: their names say whose they are.

    Leases that are checked stay as they are to the end of the transaction.
    """
    for lease in sorted({lease for blob in blobs if blob is not None and (lease := lease_of(blob.name)) is not None}):
        await tx.lock("lease", lease, shared=True)
        row = await tx.one("SELECT state FROM leases WHERE id = ?", (lease,))
        if row is None or row[0] != "live":
            raise LeaseLost("This process was away for too long; try again.")


async def renew(tx: Transaction, lease: int, now_ms: int, oldest_read_ms: int | None) -> None:
    changed = await tx.run(
        "UPDATE leases SET renewed_ms = ?, oldest_read_ms = ? WHERE id = ? AND state = 'live'",
        (await _clock(tx, now_ms), oldest_read_ms, lease),
    )
    if not changed:
        raise LeaseLost("This process was away for too long; try again.")


async def end(tx: Transaction, lease: int) -> None:
    """Give a lease back, when the commits that name its blobs are through."""
    await tx.lock("lease", lease)
    await tx.run("UPDATE leases SET state = 'dead', oldest_read_ms = NULL WHERE id = ? AND state = 'live'", (lease,))


async def bury(tx: Transaction, now_ms: int) -> None:
    """Declare those dead that did not renew: from now on they cannot commit."""
    before = await _clock(tx, now_ms) - DEAD_AFTER_MS
    late = await tx.all("SELECT id FROM leases WHERE state = 'live' AND renewed_ms < ? ORDER BY id", (before,))
    for (lease,) in late:
        await tx.lock("lease", lease)
        await tx.run(
            "UPDATE leases SET state = 'dead', oldest_read_ms = NULL WHERE id = ? AND state = 'live' AND renewed_ms < ?",
            (lease, before),
        )


async def dead(reader: Reader) -> list[int]:
    return [int(row[0]) for row in await reader.all("SELECT id FROM leases WHERE state = 'dead' ORDER BY id")]


async def used_until(reader: Reader, lease: int) -> int:
    """When a lease was last said to be in use, in ms; what `swept` wants to know from before the sweep."""
    row = await reader.one("SELECT renewed_ms FROM leases WHERE id = ?", (lease,))
    return 0 if row is None else int(row[0])


async def swept(tx: Transaction, lease: int, used_ms: int) -> None:
    """Nothing is left under a dead lease, unless it was used since (`used_ms` from `used_until`)."""
    await tx.run(
        "UPDATE leases SET state = 'swept' WHERE id = ? AND state = 'dead' AND renewed_ms = ?", (lease, used_ms)
    )


async def sweep_again(tx: Transaction, lease: int, now_ms: int) -> None:
    """A process that did not know yet that its lease was dead wrote under it: what it wrote is to be swept, too."""
    await tx.run(
        "UPDATE leases SET state = 'dead', renewed_ms = ? WHERE id = ? AND state IN ('dead', 'swept')",
        (await _clock(tx, now_ms), lease),
    )


async def live(reader: Reader) -> list[int]:
    return [int(row[0]) for row in await reader.all("SELECT id FROM leases WHERE state = 'live' ORDER BY id")]


async def oldest_read(reader: Reader) -> int | None:
    """When the oldest read began that a live process reports, in ms."""
    row = await reader.one("SELECT min(oldest_read_ms) FROM leases WHERE state = 'live'")
    return None if row is None or row[0] is None else int(row[0])


async def take_lock(tx: Transaction, name: str, owner: str, now_ms: int, for_ms: int) -> bool:
    """Take or keep the named lock until `now_ms + for_ms`; whether it is ours."""
    now_ms = await _clock(tx, now_ms)
    taken = await tx.run(
        "INSERT INTO locks (name, owner, until_ms) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms "
        "WHERE locks.owner = excluded.owner OR locks.until_ms <= ?",
        (name, owner, now_ms + for_ms, now_ms),
    )
    return taken > 0


async def give_lock(tx: Transaction, name: str, owner: str) -> None:
    """Give the named lock back, if it is ours."""
    await tx.run("DELETE FROM locks WHERE name = ? AND owner = ?", (name, owner))


async def renewed_since(reader: Reader, moment_ms: int) -> bool:
    """Whether any process has renewed its lease since then."""
    row = await reader.one("SELECT 1 FROM leases WHERE state = 'live' AND renewed_ms > ? LIMIT 1", (moment_ms,))
    return row is not None
