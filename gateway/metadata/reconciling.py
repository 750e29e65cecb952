"""Make the rows of an attached bucket say what lies in its store."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.blobs.adopted import NULL_VERSION, adopted_name
from gateway.blobs.source import SourceObject
from gateway.errors import BucketNotFound
from gateway.metadata import jobs, usage, versions
from gateway.metadata.adopted_ledger import KNOWN, NEVER_STOOD, Known, is_same, note, source_version
from gateway.metadata.attachments import Attachment
from gateway.metadata.bucket_images import PURGES
from gateway.metadata.bulk import among_keys, insert_many, reserve
from gateway.metadata.port import Row, Transaction
from gateway.metadata.versions import NONCE_BYTES, dump_pairs
from gateway.model.objects import Headers

UID_BYTES = 16


@dataclass(slots=True)
class Changes:
    """What reconciling did, in objects (or versions). `kept`: left alone, because the gateway itself wrote to the key."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    kept: int = 0

    def add(self, other: Changes) -> None:
        self.new += other.new
        self.changed += other.changed
        self.gone += other.gone
        self.kept += other.kept


class _Standing(NamedTuple):
    """A version that stands for a key now."""

    seq: int
    content_id: int | None
    size: int


@dataclass(slots=True)
class _Plan:
    """What is to be written, for all keys together."""

    removed: list[_Standing] = field(default_factory=list)
    forgotten: list[Known] = field(default_factory=list)
    inserted: list[SourceObject] = field(default_factory=list)
    left: list[SourceObject] = field(default_factory=list)
    headers: list[tuple[int, Headers]] = field(default_factory=list)
    objects: int = 0
    bytes: int = 0


async def reconcile(
    tx: Transaction,
    current: Attachment,
    states: Mapping[bytes, Sequence[SourceObject]],
    *,
    exact: bool = False,
) -> Changes:
    """Make the rows of these keys say what lies in the store: `states` has all versions of each, the oldest first.

    What is new must have its headers. With `exact`, headers replace those of objects that are otherwise unchanged.
    Raises BucketNotFound.
    """
    bucket_id = current.bucket_id
    keys = sorted(states)
    await versions.hold(tx, bucket_id, keys)
    bucket_row = await tx.one("SELECT watched, name FROM buckets WHERE id = ?", (bucket_id,))
    if bucket_row is None:
        raise BucketNotFound("The specified bucket does not exist")
    if tx.engine == "postgresql":
        # A plan that was made while the tables were empty would read them from end to end for ever after.
        await tx.run("SET LOCAL enable_seqscan = off")
    known: dict[bytes, list[Known]] = {}
    standing: dict[bytes, list[_Standing]] = {}
    for among, batch in among_keys(tx, keys):
        for row in await tx.all(
            f"SELECT {KNOWN} FROM adopted WHERE attachment_id = ? AND key {among}", (current.id, *batch)
        ):
            known.setdefault(bytes(row[0]), []).append(Known(*row))
        for key, seq, content_id, size in await tx.all(
            "SELECT v.key, v.seq, v.content_id, coalesce(c.size, 0) FROM versions v "
            f"LEFT JOIN contents c ON c.id = v.content_id WHERE v.bucket_id = ? AND v.key {among} ORDER BY v.seq",
            (bucket_id, *batch),
        ):
            standing.setdefault(bytes(key), []).append(_Standing(seq, content_id, size))
    plan = _Plan()
    changes = Changes()
    bared: list[bytes] = []
    replaced: list[bytes] = []
    tops: list[tuple[bytes, SourceObject]] = []
    for key in keys:
        before = standing.get(key, [])
        removed, inserted = len(plan.removed), len(plan.inserted)
        _decide(plan, changes, known.get(key, []), before, states[key], exact=exact)
        if len(plan.inserted) > inserted:
            tops.append((key, plan.inserted[-1]))
            there = not plan.inserted[-1].delete_marker
        elif len(plan.removed) > removed:
            bared.append(key)
            lost = {one.seq for one in plan.removed[removed:]}
            left = [one for one in before if one.seq not in lost]
            there = bool(left) and left[-1].content_id is not None
        else:
            continue
        was_there = bool(before) and before[-1].content_id is not None
        plan.objects += int(there) - int(was_there)
        if was_there:
            replaced.append(key)
    if bucket_row[0] & PURGES:
        await _purge(tx, (bucket_id, bucket_row[1]), replaced, plan.removed)
    await _remove(tx, current, plan)
    seqs = await _insert(tx, current, plan)
    await note(tx, current, [(one, NEVER_STOOD) for one in plan.left])
    await _set_heads(tx, bucket_id, tops, bared, seqs)
    for seq, headers in plan.headers:
        await tx.run("UPDATE versions SET headers = ? WHERE seq = ?", (dump_pairs(headers), seq))
    await usage.add(tx, bucket_id, plan.objects, plan.bytes)
    return changes


def _decide(
    plan: _Plan,
    changes: Changes,
    known: Sequence[Known],
    standing: Sequence[_Standing],
    state: Sequence[SourceObject],
    *,
    exact: bool,
) -> None:
    """One key: what of the store's state becomes rows, and which rows are over."""
    by_seq = {one.seq: one for one in standing}
    by_version = {one.source_version: one for one in known}
    ours = {one.seq for one in known}
    # The gateway itself wrote to the key, or deleted it.
    kept = any(seq not in ours for seq in by_seq) or (bool(known) and not any(seq in by_seq for seq in ours))
    listed = {source_version(one) for one in state}
    for one in known:
        if one.source_version not in listed:
            plan.forgotten.append(one)
            if (row := by_seq.get(one.seq)) is not None:
                plan.removed.append(row)
                plan.bytes -= row.size
                changes.gone += 1
    for found in state:
        entry = by_version.get(source_version(found))
        row = None if entry is None else by_seq.get(entry.seq)
        if entry is not None and is_same(entry, found):
            if row is not None and exact and found.headers is not None:
                plan.headers.append((row.seq, found.headers))
        elif row is not None:
            plan.removed.append(row)
            plan.inserted.append(found)
            plan.bytes += found.size - row.size
            changes.changed += 1
        elif kept or (entry is not None and entry.seq != NEVER_STOOD):
            changes.kept += 1
            if entry is None:
                plan.left.append(found)
        else:
            plan.inserted.append(found)
            plan.bytes += found.size
            changes.new += 1


async def _purge(
    tx: Transaction, bucket: tuple[int, str], replaced: Sequence[bytes], removed: Sequence[_Standing]
) -> None:
    """Have the CDN told of keys that mean something else, and of images that go. `bucket` is its id and name."""
    now_ms = time.time_ns() // 1_000_000
    keys = set(replaced)
    for one in removed:
        row = await tx.one("SELECT key FROM versions WHERE seq = ? AND image_id IS NOT NULL", (one.seq,))
        if row is not None:
            keys.add(bytes(row[0]))
    for key in sorted(keys):
        await jobs.add(tx, jobs.PURGE, {"bucket": bucket[0], "name": bucket[1], "key": key.hex()}, now_ms)


async def _remove(tx: Transaction, current: Attachment, plan: _Plan) -> None:
    if plan.removed:
        await tx.many("DELETE FROM versions WHERE seq = ?", [(one.seq,) for one in plan.removed])
        await tx.many(
            "INSERT INTO orphans (content_id) VALUES (?)",
            [(one.content_id,) for one in plan.removed if one.content_id is not None],
        )
    if plan.forgotten:
        await tx.many(
            "DELETE FROM adopted WHERE attachment_id = ? AND key = ? AND source_version = ?",
            [(current.id, one.key, one.source_version) for one in plan.forgotten],
        )


async def _insert(tx: Transaction, current: Attachment, plan: _Plan) -> dict[bytes, int]:
    """Insert in order; gives the newest version's seq of each key."""
    new = plan.inserted
    if not new:
        return {}
    seqs = await reserve(tx, "versions", "seq", len(new))
    bytes_of = [at for at, one in enumerate(new) if not one.delete_marker]
    content_of = dict(zip(bytes_of, await reserve(tx, "contents", "id", len(bytes_of)), strict=True))
    blob_of = dict(zip(bytes_of, await reserve(tx, "blobs", "id", len(bytes_of)), strict=True))
    await insert_many(
        tx,
        "contents",
        "id bigint, uid bytea, size bigint, etag text, segment_count bigint",
        [(content_of[at], secrets.token_bytes(UID_BYTES), new[at].size, new[at].etag, 1) for at in bytes_of],
    )
    await insert_many(
        tx,
        "blobs",
        'id bigint, store text, name text, "offset" bigint, length bigint',
        [
            (
                blob_of[at],
                current.store,
                adopted_name(current.id, blob_of[at], current.source, new[at].key, new[at].version_id, new[at].etag),
                0,
                new[at].size,
            )
            for at in bytes_of
        ],
    )
    await insert_many(
        tx,
        "segments",
        "content_id bigint, start bigint, length bigint, blob_id bigint, blob_offset bigint",
        [(content_of[at], 0, new[at].size, blob_of[at], 0) for at in bytes_of],
    )
    await insert_many(
        tx,
        "versions",
        "seq bigint, bucket_id bigint, key bytea, nonce bytea, content_id bigint, modified_ms bigint, headers text, "
        "tags text",
        [
            (
                seq,
                current.bucket_id,
                one.key,
                None if one.version_id in (None, NULL_VERSION) else secrets.token_bytes(NONCE_BYTES),
                content_of.get(at),
                one.modified_ms,
                dump_pairs(one.headers or ()),
                dump_pairs(one.tags) if one.tags else None,
            )
            for at, (seq, one) in enumerate(zip(seqs, new, strict=True))
        ],
    )
    await note(tx, current, list(zip(new, seqs, strict=True)))
    return {one.key: seq for seq, one in zip(seqs, new, strict=True)}


async def _set_heads(
    tx: Transaction,
    bucket_id: int,
    tops: Sequence[tuple[bytes, SourceObject]],
    bared: Collection[bytes],
    seqs: Mapping[bytes, int],
) -> None:
    """`tops` are the newest of keys that got new versions, `bared` are keys that only lost some."""
    heads: list[Row] = [
        (bucket_id, key, seqs[key], one.size, one.etag, one.modified_ms, None, None)
        for key, one in tops
        if not one.delete_marker
    ]
    over = [key for key, one in tops if one.delete_marker]
    for key in bared:
        row = await tx.one(
            "SELECT v.seq, c.size, c.etag, v.modified_ms, c.checksum_algorithm, c.checksum_type FROM versions v "
            "LEFT JOIN contents c ON c.id = v.content_id WHERE v.bucket_id = ? AND v.key = ? "
            "ORDER BY v.seq DESC LIMIT 1",
            (bucket_id, key),
        )
        if row is None or row[1] is None:
            over.append(key)
        else:
            heads.append((bucket_id, key, *row))
    if over:
        await tx.many("DELETE FROM heads WHERE bucket_id = ? AND key = ?", [(bucket_id, key) for key in over])
    await insert_many(
        tx,
        "heads",
        "bucket_id bigint, key bytea, seq bigint, size bigint, etag text, modified_ms bigint, checksum_algorithm text, "
        "checksum_type text",
        heads,
        versions.MOVE_HEAD,
    )
