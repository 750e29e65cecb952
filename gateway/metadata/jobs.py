"""Work that is done later: rows that are written in the transaction of what causes the work.

A row is claimed for a time, renewed while somebody is at it, and deleted when the work is done; who is killed at it leaves
a row that is due again when that time is over. What failed for good stays until somebody deletes it or tries again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.metadata.bucket_images import CATALOGUE_ONLY, PURGES, RENDITIONS
from gateway.metadata.port import Reader, Row, Transaction

RENDITION = "rendition"
"""Payload: `bucket` (its id), `key` (hexadecimal), `seq`: make the bucket's renditions of that version.

`renditions`, where it is there, are made instead of those that the bucket wants."""
PURGE = "purge"
"""Payload: `bucket` (its id), `name`, `key` (hexadecimal): tell the CDN. Without a `key`: all of the bucket."""
PROCESS = "process"
"""Payload: `job` (the id in `image_jobs`), `image` (its image id): facts and variants of an uploaded image."""
SCHEDULED = "scheduled"
"""Payload: `task`, the name of what is done now and then; the row has that name, too."""
KINDS = (PROCESS, RENDITION, PURGE, SCHEDULED)


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
    noted: bool = False,
) -> None:
    """What a bucket that watches its objects wants done: `bucket` is its id and name.

    `written` is the new version and its image id, `replaced` says that the key meant something before, `image_gone` that
    a version with an image id was removed, `noted` that the same transaction makes the image known. The function `pixgate_put_1` of the PostgreSQL schema does the same.
    """
    identity, name = bucket
    wanted = watched & RENDITIONS and not (noted and watched & CATALOGUE_ONLY)
    if wanted and written is not None and written[1] is not None:
        await add(tx, RENDITION, {"bucket": identity, "key": key.hex(), "seq": written[0]}, now_ms)
    if watched & PURGES and (replaced or image_gone):
        await add(tx, PURGE, {"bucket": identity, "name": name, "key": key.hex()}, now_ms)


async def next_due(reader: Reader, kind: str) -> int | None:
    """When the first job of a kind is due, in ms; None where there is none."""
    row = await reader.one("SELECT min(run_at_ms) FROM jobs WHERE kind = ? AND run_at_ms IS NOT NULL", (kind,))
    return None if row is None or row[0] is None else int(row[0])


async def longest_waiting(reader: Reader, kinds: Sequence[str], now_ms: int) -> dict[str, int]:
    """For how many ms the job of each kind has been due that has been so for longest; kinds without one are left out."""
    found = {kind: await next_due(reader, kind) for kind in kinds}
    return {kind: now_ms - due for kind, due in found.items() if due is not None and due <= now_ms}


async def add_named(
    tx: Transaction, kind: str, name: str, payload: dict[str, Any], now_ms: int, run_at_ms: int
) -> bool:
    """A job of which there is one at a time; whether there was none of that name."""
    return bool(
        await tx.run(
            "INSERT INTO jobs (kind, payload, created_ms, run_at_ms, name) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (kind, json.dumps(payload), now_ms, run_at_ms, name),
        )
    )


async def claim(tx: Transaction, kind: str, name: str, now_ms: int, until_ms: int, limit: int) -> list[Job]:
    """Take jobs that are due, those first that were due first, for `name` until then."""
    rows = await tx.all(
        f"SELECT {COLUMNS} FROM jobs WHERE kind = ? AND run_at_ms <= ? ORDER BY run_at_ms, id LIMIT ?{_skipping(tx)}",
        (kind, now_ms, limit),
    )
    return await _taken(tx, rows, name, until_ms)


async def claim_one(tx: Transaction, identity: int, kind: str, name: str, now_ms: int, until_ms: int) -> list[Job]:
    """Take this one, if it is due; nothing where it is done, waits for its time, or others have it."""
    rows = await tx.all(
        f"SELECT {COLUMNS} FROM jobs WHERE id = ? AND kind = ? AND run_at_ms <= ?{_skipping(tx)}",
        (identity, kind, now_ms),
    )
    return await _taken(tx, rows, name, until_ms)


def _skipping(tx: Transaction) -> str:
    return "" if tx.engine == "sqlite" else " FOR UPDATE SKIP LOCKED"


async def _taken(tx: Transaction, rows: Sequence[Row], name: str, until_ms: int) -> list[Job]:
    await tx.many(
        "UPDATE jobs SET claim = ?, run_at_ms = ?, sent_ms = NULL, attempts = attempts + 1 WHERE id = ?",
        [(name, until_ms, row[0]) for row in rows],
    )
    return [replace(job(row), claim=name, run_at_ms=until_ms, attempts=row[5] + 1) for row in rows]


async def renew(tx: Transaction, jobs: Sequence[Job], until_ms: int) -> bool:
    """Keep them; whether all are still ours."""
    ours = 0
    for one in jobs:
        ours += await tx.run(
            "UPDATE jobs SET run_at_ms = ? WHERE id = ? AND claim = ? AND run_at_ms IS NOT NULL",
            (until_ms, one.id, one.claim),
        )
    return ours == len(jobs)


async def finish(tx: Transaction, jobs: Sequence[Job]) -> bool:
    """They are done; whether all were still ours. What others took over meanwhile is theirs to finish."""
    ours = 0
    for one in jobs:
        ours += await tx.run("DELETE FROM jobs WHERE id = ? AND claim = ?", (one.id, one.claim))
    return ours == len(jobs)


async def give_back(
    tx: Transaction, jobs: Sequence[Job], run_at_ms: int | None, error: str | None, *, counted: bool = True
) -> list[Job]:
    """They are to be done again then; None: not before somebody says so. `counted`: as an attempt.

    Gives those that were still ours, as they are now.
    """
    ours = []
    for one in jobs:
        attempts = one.attempts - (0 if counted else 1)
        if await tx.run(
            "UPDATE jobs SET run_at_ms = ?, claim = NULL, sent_ms = NULL, error = ?, attempts = ? WHERE id = ? AND claim = ?",
            (run_at_ms, error, attempts, one.id, one.claim),
        ):
            ours.append(replace(one, run_at_ms=run_at_ms, claim=None, error=error, attempts=attempts))
    return ours


async def to_send(
    tx: Transaction, kind: str, now_ms: int, limit: int, *, again_before_ms: int | None = None
) -> list[int]:
    """Jobs that are due and go to a queue now, by id: those never sent, or sent before that time and not begun since."""
    again = "" if again_before_ms is None else " OR sent_ms < ?"
    rows = await tx.all(
        f"SELECT id FROM jobs WHERE kind = ? AND run_at_ms <= ? AND (sent_ms IS NULL{again}) ORDER BY run_at_ms, id LIMIT ?"
        + _skipping(tx),
        (kind, now_ms, *(() if again_before_ms is None else (again_before_ms,)), limit),
    )
    await tx.many("UPDATE jobs SET sent_ms = ? WHERE id = ?", [(now_ms, row[0]) for row in rows])
    return [int(row[0]) for row in rows]


async def not_sent(tx: Transaction, identities: Sequence[int]) -> None:
    """They did not get into the queue."""
    await tx.many("UPDATE jobs SET sent_ms = NULL WHERE id = ?", [(identity,) for identity in identities])


async def find(reader: Reader, identity: int) -> Job | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (identity,))
    return None if row is None else job(row)


async def page(reader: Reader, *, failed: bool, after: int, limit: int) -> list[Job]:
    """Jobs by id behind `after`: those that failed for good, or those that wait or are worked at. What is done now and
    then is not among them."""
    rows = await reader.all(
        f"SELECT {COLUMNS} FROM jobs WHERE run_at_ms IS {'' if failed else 'NOT '}NULL AND name IS NULL AND id > ? "
        "ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [job(row) for row in rows]


async def scheduled(reader: Reader) -> list[Job]:
    """What is done now and then, what is due first before the others."""
    rows = await reader.all(f"SELECT {COLUMNS} FROM jobs WHERE name IS NOT NULL ORDER BY run_at_ms, id")
    return [job(row) for row in rows]


async def newest_failed(reader: Reader, limit: int) -> list[Job]:
    """What failed for good, the newest first."""
    rows = await reader.all(f"SELECT {COLUMNS} FROM jobs WHERE run_at_ms IS NULL ORDER BY id DESC LIMIT ?", (limit,))
    return [job(row) for row in rows]


async def retry(tx: Transaction, identity: int | None, now_ms: int) -> int:
    """Try one that failed for good again, or all of them, from the first attempt; how many."""
    one, values = ("", ()) if identity is None else (" AND id = ?", (identity,))
    return await tx.run(
        f"UPDATE jobs SET run_at_ms = ?, attempts = 0, claim = NULL, sent_ms = NULL WHERE run_at_ms IS NULL{one}",
        (now_ms, *values),
    )


async def delete_failed(tx: Transaction, identity: int | None) -> int:
    """Delete one that failed for good, or all of them; how many."""
    one, values = ("", ()) if identity is None else (" AND id = ?", (identity,))
    return await tx.run(f"DELETE FROM jobs WHERE run_at_ms IS NULL{one}", values)


async def forget_failed(tx: Transaction, before_ms: int, kept: int) -> int:
    """Delete what failed for good and was caused before then, and all but the newest `kept`; how many."""
    return await tx.run(
        "DELETE FROM jobs WHERE run_at_ms IS NULL AND (created_ms < ? OR id IN "
        "(SELECT id FROM jobs WHERE run_at_ms IS NULL ORDER BY id DESC LIMIT ? OFFSET ?))",
        (before_ms, 1_000_000, kept),
    )


async def backlog(reader: Reader) -> dict[str, tuple[int, int]]:
    """How many wait or are worked at, and how many failed for good, by kind; without what is done now and then."""
    rows = await reader.all(
        "SELECT kind, count(run_at_ms), count(*) - count(run_at_ms) FROM jobs WHERE name IS NULL GROUP BY kind"
    )
    return {kind: (int(waiting), int(failed)) for kind, waiting, failed in rows}
