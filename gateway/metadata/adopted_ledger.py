"""The ledger of what was adopted from attached buckets of stores.

It has a row for each object (or version) that was ever seen there, and names the version that stands for it here.
Where that version is gone the row is the marker that keeps a later run from bringing it back. Whether the gateway itself
wrote to a key is read from the rows, not remembered: it did where a version stands that the ledger does not know, or where
the ledger knows the key and none of its versions stands any more. What a run left alone that it had not seen before has
the row, too, so that the key stays away when it is deleted here later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.blobs.adopted import AdoptedName
from gateway.blobs.source import SourceObject
from gateway.metadata.attachments import Attachment
from gateway.metadata.bulk import insert_many
from gateway.metadata.listing import END_OF_KEYS, successor
from gateway.metadata.port import Reader, Transaction

NEVER_STOOD = 0
"""In the ledger: no version ever stood for it here. No version has this number."""


async def forget(tx: Transaction, bucket_id: int) -> None:
    """For a bucket that goes. The attachments stay: the sweep asks them whether it may delete what was adopted."""
    await tx.run(
        "DELETE FROM adopted WHERE attachment_id IN (SELECT id FROM attachments WHERE bucket_id = ?)", (bucket_id,)
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


async def note(tx: Transaction, current: Attachment, seen: Sequence[tuple[SourceObject, int]]) -> None:
    """Write what was seen into the ledger, with the versions that stand for it."""
    await insert_many(
        tx,
        "adopted",
        "attachment_id bigint, key bytea, source_version text, etag text, modified_ms bigint, seq bigint",
        [(current.id, one.key, source_version(one), one.etag, one.modified_ms, seq) for one, seq in seen],
        "ON CONFLICT (attachment_id, key, source_version) DO UPDATE SET etag = excluded.etag, "
        "modified_ms = excluded.modified_ms, seq = excluded.seq",
    )


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
