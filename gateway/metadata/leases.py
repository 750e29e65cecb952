"""Leases: a process's right to write blobs, and the locks by which processes share out background work."""

from __future__ import annotations

from gateway.errors import LeaseLost
from gateway.metadata.contents import NewBlob
from gateway.metadata.port import Reader, Transaction

RENEW_SECONDS = 10
DEAD_AFTER_MS = 60_000


async def create(tx: Transaction, owner: str, now_ms: int) -> int:
    sql = "INSERT INTO leases (owner, created_ms, renewed_ms) VALUES (?, ?, ?)"
    return await tx.insert(sql, (owner, now_ms, now_ms))


async def check(tx: Transaction, blob: NewBlob | None) -> None:
    """Raise LeaseLost where the sweep may already have taken these bytes: their name says whose they are."""
    if blob is None:
        return
    row = await tx.one("SELECT state FROM leases WHERE id = ?", (int(blob.name.partition("/")[0]),))
    if row is None or row[0] != "live":
        raise LeaseLost("This process was away for too long; try again.")


async def renew(tx: Transaction, lease: int, now_ms: int, oldest_read_ms: int | None) -> None:
    changed = await tx.run(
        "UPDATE leases SET renewed_ms = ?, oldest_read_ms = ? WHERE id = ? AND state = 'live'",
        (now_ms, oldest_read_ms, lease),
    )
    if not changed:
        raise LeaseLost("This process was away for too long; try again.")


async def end(tx: Transaction, lease: int) -> None:
    await tx.run("UPDATE leases SET state = 'dead', oldest_read_ms = NULL WHERE id = ? AND state = 'live'", (lease,))


async def bury(tx: Transaction, now_ms: int) -> None:
    """Declare those dead that did not renew: from now on they cannot commit."""
    await tx.run(
        "UPDATE leases SET state = 'dead', oldest_read_ms = NULL WHERE state = 'live' AND renewed_ms < ?",
        (now_ms - DEAD_AFTER_MS,),
    )


async def dead(reader: Reader) -> list[int]:
    return [int(row[0]) for row in await reader.all("SELECT id FROM leases WHERE state = 'dead' ORDER BY id")]


async def swept(tx: Transaction, lease: int) -> None:
    await tx.run("UPDATE leases SET state = 'swept' WHERE id = ? AND state = 'dead'", (lease,))


async def live(reader: Reader) -> list[int]:
    return [int(row[0]) for row in await reader.all("SELECT id FROM leases WHERE state = 'live' ORDER BY id")]


async def oldest_read(reader: Reader) -> int | None:
    """When the oldest read began that a live process reports, in ms."""
    row = await reader.one("SELECT min(oldest_read_ms) FROM leases WHERE state = 'live'")
    return None if row is None or row[0] is None else int(row[0])


async def take_lock(tx: Transaction, name: str, owner: str, now_ms: int, for_ms: int) -> bool:
    """Take or keep the named lock until `now_ms + for_ms`; whether it is ours."""
    row = await tx.one("SELECT owner, until_ms FROM locks WHERE name = ?", (name,))
    if row is not None and row[0] != owner and row[1] > now_ms:
        return False
    await tx.run(
        "INSERT INTO locks (name, owner, until_ms) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms",
        (name, owner, now_ms + for_ms),
    )
    return True
