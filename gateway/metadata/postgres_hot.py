"""What nearly every request asks or tells the database, many requests in one round trip.

Requests that come while a question is on its way share the next one, so each answer is of a moment after it was asked for.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from gateway.errors import BucketNotFound, GatewayError, LeaseLost, ObjectNotFound, PreconditionFailed
from gateway.metadata import contents
from gateway.metadata.coalesced import fails_all
from gateway.metadata.contents import NewContent
from gateway.metadata.leases import lease_of
from gateway.metadata.postgres_sql import lock_number
from gateway.metadata.versions import COLUMNS, NONCE_BYTES, NewVersion, Written, dump_pairs, public_version_id
from gateway.model.objects import WriteConditions

A = TypeVar("A")
R = TypeVar("R")

AT_ONCE = 64
"""Requests in one round trip at most: bounds how long its locks are held."""

_FOUND = f"heads h JOIN versions v ON v.seq = h.seq JOIN contents c ON c.id = v.content_id {contents.CONTENT_JOINS}"
CURRENT = f"SELECT g.generation, 1, {COLUMNS} FROM config g LEFT JOIN ({_FOUND}) ON h.bucket_id = $1 AND h.key = $2"
CURRENTS = (
    f"SELECT g.generation, q.n, {COLUMNS} FROM config g "
    "CROSS JOIN unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS q (bucket_id, key, n) "
    f"LEFT JOIN ({_FOUND}) ON h.bucket_id = q.bucket_id AND h.key = q.key ORDER BY q.n"
)
PUT = f"SELECT outcome, versioned, new_seq, new_content FROM pixgate_put_1({', '.join(f'${n}' for n in range(1, 22))})"


class Batches(Generic[A, R]):
    """Gathers what callers ask while earlier batches are on their way, `flights` of them at a time.

    `ask` gives an answer or an error for each, in order; what it raises is everybody's, and if it was waited for
    (`fails_all`) also that of those whose batch has not been sent.
    """

    def __init__(self, ask: Callable[[Sequence[A]], Awaitable[Sequence[R | GatewayError]]], flights: int) -> None:
        self._ask = ask
        self._room = flights
        self._pending: list[tuple[A, asyncio.Future[R]]] = []
        self.running: set[asyncio.Task[None]] = set()

    async def __call__(self, asked: A) -> R:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._pending.append((asked, future))
        if self._room:
            self._room -= 1
            task = loop.create_task(self._run())
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:AT_ONCE], self._pending[AT_ONCE:]
                await self._answer(batch)
        finally:
            self._room += 1

    async def _answer(self, batch: list[tuple[A, asyncio.Future[R]]]) -> None:
        began = time.monotonic()
        try:
            answers = await self._ask([asked for asked, _ in batch])
        except Exception as error:
            answers = None
            failure = error
            if self._pending and fails_all(error, began):
                batch, self._pending = batch + self._pending, []
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for number, (_, future) in enumerate(batch):
            if future.done():
                continue
            answer = failure if answers is None else answers[number]
            if isinstance(answer, Exception):
                future.set_exception(answer)
                # Whoever asked may be gone.
                future.exception()
            else:
                future.set_result(answer)


class Put:
    """A new version with a content of new bytes: one blob without a key of its own, or none."""

    __slots__ = ("conditions", "content", "key_lock", "lease", "new", "nonce")

    def __init__(self, new: NewVersion, conditions: WriteConditions) -> None:
        assert isinstance(new.content, NewContent)
        self.new = new
        self.content = new.content
        self.conditions = conditions
        self.lease = None if self.content.blob is None else lease_of(self.content.blob.name)
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self.key_lock = lock_number("key", new.bucket_id, new.key)

    def written(self, outcome: str, versioning: str, seq: int, content: int) -> Written | GatewayError:
        """What `versions.put` gives or raises."""
        match outcome:
            case "Written":
                nonce = self.nonce if versioning == "Enabled" else None
                return Written(None if versioning == "Unversioned" else public_version_id(seq, nonce), content, seq)
            case "LeaseLost":
                return LeaseLost("This process was away for too long; try again.")
            case "BucketNotFound":
                return BucketNotFound("The specified bucket does not exist")
            case "ObjectNotFound":
                return ObjectNotFound()
            case _:
                return PreconditionFailed(outcome)


def is_plain(new: NewVersion) -> bool:
    """Whether the function of the database can write it."""
    content = new.content
    return (
        isinstance(content, NewContent)
        and not content.references
        and not content.parts
        and content.joined is None
        and content.encryption is None
        and (content.blob is None or (content.blob.sealed_key is None and content.blob.length == content.size))
    )


def arguments(puts: Sequence[Put]) -> list[object]:
    """Of the function: the locks in the order in which everybody takes them, then a list each column."""
    leases = sorted({put.lease for put in puts if put.lease is not None})
    buckets = sorted({put.new.bucket_id for put in puts})
    shared = [lock_number("lease", lease) for lease in leases] + [lock_number("bucket", bucket) for bucket in buckets]
    ordered = sorted(puts, key=lambda put: (put.new.bucket_id, put.new.key)) if len(puts) > 1 else puts
    blobs = [put.content.blob for put in puts]
    checksums = [put.content.checksum for put in puts]
    return [
        shared,
        [put.key_lock for put in ordered],
        [put.lease for put in puts],
        [put.new.bucket_id for put in puts],
        [put.new.key for put in puts],
        [put.nonce for put in puts],
        [put.content.uid for put in puts],
        [put.content.size for put in puts],
        [put.content.etag for put in puts],
        [None if checksum is None else checksum.algorithm.value for checksum in checksums],
        [None if checksum is None else checksum.type.value for checksum in checksums],
        [None if checksum is None else checksum.value for checksum in checksums],
        [None if blob is None else blob.store for blob in blobs],
        [None if blob is None else blob.name for blob in blobs],
        [None if blob is None else blob.offset for blob in blobs],
        [put.new.modified_ms for put in puts],
        [dump_pairs(put.new.headers) for put in puts],
        [dump_pairs(put.new.tags) if put.new.tags else None for put in puts],
        [put.new.image_id for put in puts],
        [put.conditions.if_none_match for put in puts],
        [put.conditions.if_match for put in puts],
    ]
