"""Attached buckets of stores, and the ledger of what was adopted from them.

The ledger has a row for each object (or version) that was ever seen there, and names the version that stands for it here.
Where that version is gone the row is the marker that keeps a later run from bringing it back. Whether the gateway itself
wrote to a key is read from the rows, not remembered: it did where a version stands that the ledger does not know, or where
the ledger knows the key and none of its versions stands any more. What a run left alone that it had not seen before has
the row, too, so that the key stays away when it is deleted here later.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.blobs.adopted import NULL_VERSION, AdoptedName, adopted_name
from gateway.blobs.source import SourceObject
from gateway.errors import BucketNotFound, InvalidValue
from gateway.metadata import jobs, usage, versions
from gateway.metadata.bucket_images import PURGES
from gateway.metadata.bulk import among_keys, insert_many
from gateway.metadata.listing import END_OF_KEYS, successor
from gateway.metadata.port import Reader, Row, Transaction
from gateway.metadata.versions import NONCE_BYTES, dump_pairs
from gateway.model import Headers

UID_BYTES = 16
NEVER_STOOD = 0
"""In the ledger: no version ever stood for it here. No version has this number."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A bucket of a store's service (`source`), or what lies under a prefix of it, shown in a bucket of the gateway.

    `versions`: the source had versions when it was last looked at. `after` is how far an unfinished run of number `round`
    came; `objects` is what the last finished one found, `finished_ms` when.
    """

    id: int
    bucket_id: int
    store: str
    source: str
    prefix: bytes
    own: bool
    versions: bool
    round: int
    after: bytes | None
    objects: int
    finished_ms: int | None


COLUMNS = "id, bucket_id, store, source, prefix, own, versions, round, after, objects, finished_ms"


def attachment(row: Row) -> Attachment:
    identity, bucket_id, store, source, prefix, own, has_versions, number, after, objects, finished_ms = row
    return Attachment(
        identity, bucket_id, store, source, prefix, bool(own), bool(has_versions), number, after, objects, finished_ms
    )


async def get(reader: Reader, identity: int) -> Attachment | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM attachments WHERE id = ?", (identity,))
    return None if row is None else attachment(row)


async def all_of(reader: Reader, bucket_id: int | None = None) -> list[Attachment]:
    """Those of a bucket, or all."""
    where, values = ("", ()) if bucket_id is None else ("WHERE bucket_id = ?", (bucket_id,))
    return [
        attachment(row) for row in await reader.all(f"SELECT {COLUMNS} FROM attachments {where} ORDER BY id", values)
    ]


async def attach(
    tx: Transaction,
    bucket_id: int,
    store: str,
    source: str,
    prefix: bytes,
    *,
    own: bool | None,
    now_ms: int,
) -> Attachment:
    """The attachment of that place to the bucket, made where there is none. `own` is None to leave that as it is.

    Raises InvalidValue where the bucket holds something else, and where the place is shown elsewhere and one of the two
    would delete there what the other shows.
    """
    await tx.lock("attachments")
    await tx.lock("bucket", bucket_id)
    if await tx.one("SELECT 1 FROM buckets WHERE id = ?", (bucket_id,)) is None:
        raise BucketNotFound("The specified bucket does not exist")
    rows = await tx.all(f"SELECT {COLUMNS} FROM attachments WHERE bucket_id IN (SELECT id FROM buckets) ORDER BY id")
    others = [attachment(row) for row in rows]
    here = [one for one in others if one.bucket_id == bucket_id]
    same = next((one for one in here if (one.store, one.source, one.prefix) == (store, source, prefix)), None)
    overlapping = [
        one
        for one in others
        if one is not same
        and (one.store, one.source) == (store, source)
        and (one.prefix.startswith(prefix) or prefix.startswith(one.prefix))
    ]
    wants = own if own is not None else same is not None and same.own
    if any(wants or one.own for one in overlapping if one.bucket_id != bucket_id):
        raise InvalidValue(
            "another bucket shows the same objects: only one may, where deleting them here deletes them there"
        )
    if same is not None:
        await tx.run("UPDATE attachments SET own = ? WHERE id = ?", (int(wants), same.id))
        identity = same.id
    else:
        for one in here:
            if (one.store, one.source) != (store, source):
                raise InvalidValue(f"the bucket shows {one.source!r} of the store {one.store!r} already")
            if one in overlapping:
                raise InvalidValue(f"the bucket shows the prefix {one.prefix.decode(errors='replace')!r} already")
        if not here and await tx.one("SELECT 1 FROM versions WHERE bucket_id = ? LIMIT 1", (bucket_id,)) is not None:
            raise InvalidValue("the bucket has objects of its own: choose another name with --as")
        identity = await tx.insert(
            "INSERT INTO attachments (bucket_id, store, source, prefix, own, versions, created_ms) "
            "VALUES (?, ?, ?, ?, ?, 0, ?)",
            (bucket_id, store, source, prefix, int(wants), now_ms),
        )
    found = await get(tx, identity)
    assert found is not None
    return found


async def set_versions(tx: Transaction, identity: int, has_versions: bool) -> None:
    await tx.run("UPDATE attachments SET versions = ? WHERE id = ?", (int(has_versions), identity))


async def forget_ledger(tx: Transaction, bucket_id: int) -> None:
    """For a bucket that goes. The attachments stay: the sweep asks them whether it may delete what was adopted."""
    await tx.run(
        "DELETE FROM adopted WHERE attachment_id IN (SELECT id FROM attachments WHERE bucket_id = ?)", (bucket_id,)
    )


async def advance(tx: Transaction, current: Attachment, after: bytes) -> None:
    """Note how far the run came; without effect where another one has finished the round."""
    await tx.run("UPDATE attachments SET after = ? WHERE id = ? AND round = ?", (after, current.id, current.round))


async def finish(tx: Transaction, current: Attachment, objects: int | None, now_ms: int) -> None:
    """End the round. `objects` is what it found, None where it saw a part only."""
    await tx.run(
        "UPDATE attachments SET after = NULL, round = round + 1, objects = coalesce(?, objects), finished_ms = ? "
        "WHERE id = ? AND round = ?",
        (objects, now_ms, current.id, current.round),
    )


class Known(NamedTuple):
    """A row of the ledger. `source_version` is empty where the source has no versions; `etag` is for delete markers.

    `seq` is NEVER_STOOD for what was left alone since it was first seen.
    """

    key: bytes
    source_version: str
    etag: str
    modified_ms: int
    seq: int


KNOWN = "key, source_version, etag, modified_ms, seq"


async def known_between(reader: Reader, current: Attachment, after: bytes | None, last: bytes | None) -> list[Known]:
    """The ledger behind the key `after` up to and with `last` (None: to its end), in order of keys."""
    end = (successor(current.prefix) or END_OF_KEYS) if last is None else last + b"\x00"
    rows = await reader.all(
        f"SELECT {KNOWN} FROM adopted WHERE attachment_id = ? AND key > ? AND key < ? ORDER BY key",
        (current.id, after or b"", end),
    )
    return [Known(*row) for row in rows]


async def known_of(reader: Reader, current: Attachment, key: bytes) -> list[Known]:
    """The ledger of one key."""
    rows = await reader.all(f"SELECT {KNOWN} FROM adopted WHERE attachment_id = ? AND key = ?", (current.id, key))
    return [Known(*row) for row in rows]


def source_version(listed: SourceObject) -> str:
    """What the ledger calls a version."""
    return listed.version_id or ""


def is_same(known: Known, listed: SourceObject) -> bool:
    """Whether the ledger has it so, and nothing is to be decided. Times of a HEAD are whole seconds."""
    if known.seq == NEVER_STOOD or known.etag != listed.etag:
        return False
    if known.modified_ms % 1000 and listed.modified_ms % 1000:
        return known.modified_ms == listed.modified_ms
    return known.modified_ms // 1000 == listed.modified_ms // 1000


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
    await _note(tx, current, [(one, NEVER_STOOD) for one in plan.left])
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
    await _note(tx, current, list(zip(new, seqs, strict=True)))
    return {one.key: seq for seq, one in zip(seqs, new, strict=True)}


async def _note(tx: Transaction, current: Attachment, seen: Sequence[tuple[SourceObject, int]]) -> None:
    """Write what was seen into the ledger, with the versions that stand for it."""
    await insert_many(
        tx,
        "adopted",
        "attachment_id bigint, key bytea, source_version text, etag text, modified_ms bigint, seq bigint",
        [(current.id, one.key, source_version(one), one.etag, one.modified_ms, seq) for one, seq in seen],
        "ON CONFLICT (attachment_id, key, source_version) DO UPDATE SET etag = excluded.etag, "
        "modified_ms = excluded.modified_ms, seq = excluded.seq",
    )


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


async def reserve(tx: Transaction, table: str, column: str, count: int) -> Sequence[int]:
    """Ids for so many rows to be inserted in this transaction, ascending."""
    if tx.engine == "sqlite":
        # There is one writer at a time, and SQLite counts on from the highest id that it was given.
        row = await tx.one("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        first = 1 if row is None else int(row[0]) + 1
        return range(first, first + count)
    rows = await tx.all(
        f"SELECT nextval(pg_get_serial_sequence('{table}', '{column}')) FROM generate_series(1, ?)", (count,)
    )
    return sorted(int(row[0]) for row in rows)


async def set_image(tx: Transaction, seq: int, image_id: str) -> str | None:
    """Give a version its image id, if it has none yet; gives the one it has. None where there is no such version."""
    await tx.run("UPDATE versions SET image_id = ? WHERE seq = ? AND image_id IS NULL", (image_id, seq))
    row = await tx.one("SELECT image_id FROM versions WHERE seq = ?", (seq,))
    return None if row is None else str(row[0])


class Released(NamedTuple):
    """Whether the sweep may delete an adopted object. `modified_ms` is when it was written, where that is known."""

    allowed: bool
    modified_ms: int | None


async def released(reader: Reader, name: AdoptedName) -> Released:
    """What is to become of an object in its store once no row needs it here: it stays, unless it was attached as ours."""
    row = await reader.one(
        "SELECT t.own, b.id FROM attachments t LEFT JOIN buckets b ON b.id = t.bucket_id WHERE t.id = ?",
        (name.attachment,),
    )
    if row is None or not row[0]:
        return Released(False, None)
    entry = await reader.one(
        "SELECT a.etag, a.modified_ms, a.seq, v.seq FROM adopted a LEFT JOIN versions v ON v.seq = a.seq "
        "WHERE a.attachment_id = ? AND a.key = ? AND a.source_version = ?",
        (name.attachment, name.key, name.version_id or ""),
    )
    if entry is None:
        # The ledger goes with its bucket; as long as that is there, no entry says that no object was.
        return Released(row[1] is None, None)
    etag, modified_ms, stood, seq = entry
    if stood == NEVER_STOOD:
        # Written there after what the name means was gone, perhaps with the same bytes.
        return Released(False, None)
    if name.etag is not None and etag != name.etag:
        # Another object lies there now, and is known.
        return Released(False, None)
    # It may have been adopted once more, when it changed and changed back.
    return Released(seq is None, int(modified_ms))
