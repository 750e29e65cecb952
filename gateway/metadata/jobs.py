"""Work that is done later: rows that are written in the transaction of what causes the work.

A row is claimed for a time, renewed while somebody is at it, and deleted when the work is done; who is killed at it leaves
a row that is due again when that time is over. What failed for good stays until somebody deletes it or tries again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gateway.metadata.bucket_images import PURGES, RENDITIONS
from gateway.metadata.port import Reader, Row, Transaction

RENDITION = "rendition"
"""Payload: `bucket` (its id), `key` (hexadecimal), `seq`: make the bucket's renditions of that version."""
PURGE = "purge"
"""Payload: `bucket` (its id), `name`, `key` (hexadecimal): tell the CDN. Without a `key`: all of the bucket."""


@dataclass(frozen=True, slots=True)
class Job:
    """A row. `run_at_ms` is None for what failed for good; `attempts` counts those that were begun."""

    id: int
    kind: str
    payload: dict[str, Any]
    created_ms: int
    run_at_ms: int | None
    attempts: int
    claim: str | None
    error: str | None


COLUMNS = "id, kind, payload, created_ms, run_at_ms, attempts, claim, error"


def job(row: Row) -> Job:
    identity, kind, payload, created_ms, run_at_ms, attempts, claim, error = row
    return Job(identity, kind, json.loads(payload), created_ms, run_at_ms, attempts, claim, error)


async def add(tx: Transaction, kind: str, payload: dict[str, Any], now_ms: int, *, run_at_ms: int | None = None) -> int:
    """A job that is due at once, or then; gives its id."""
    return await tx.insert(
        "INSERT INTO jobs (kind, payload, created_ms, run_at_ms) VALUES (?, ?, ?, ?)",
        (kind, json.dumps(payload), now_ms, now_ms if run_at_ms is None else run_at_ms),
    )


async def caused_by_change(
    tx: Transaction,
    watched: int,
    bucket: tuple[int, str],
    key: bytes,
    now_ms: int,
    *,
    written: tuple[int, str | None] | None,
    replaced: bool,
    image_gone: bool,
) -> None:
    """What a bucket that watches its objects wants done: `bucket` is its id and name.

    `written` is the new version and its image id, `replaced` says that the key meant something before, `image_gone` that
    a version with an image id was removed. The function `pixgate_put_1` of the PostgreSQL schema does the same.
    """
    identity, name = bucket
    if watched & RENDITIONS and written is not None and written[1] is not None:
        await add(tx, RENDITION, {"bucket": identity, "key": key.hex(), "seq": written[0]}, now_ms)
    if watched & PURGES and (replaced or image_gone):
        await add(tx, PURGE, {"bucket": identity, "name": name, "key": key.hex()}, now_ms)


async def backlog(reader: Reader) -> dict[str, tuple[int, int]]:
    """How many wait or are worked at, and how many failed for good, by kind."""
    rows = await reader.all("SELECT kind, count(run_at_ms), count(*) - count(run_at_ms) FROM jobs GROUP BY kind")
    return {kind: (int(waiting), int(failed)) for kind, waiting, failed in rows}
