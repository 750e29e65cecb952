"""Images that apps upload: their bytes taken as they stream, then everything that is known of them in one transaction."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from gateway.blobs.port import PACKED_BYTES, Bytes
from gateway.errors import DuplicateImage, ObjectTooLarge
from gateway.metadata import contents, images, jobs, leases, versions
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Durable, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.accounts import Duplicates
from gateway.model.buckets import Bucket
from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.contents import Sealed, Segment
from gateway.model.images import ImageRow, Visibility
from gateway.model.objects import Expectations
from gateway.policy.principal import Principal
from gateway.services import image_jobs, quotas
from gateway.services.audit import Action, Actor, Event, note
from gateway.services.body import Body
from gateway.services.clock import now_ms
from gateway.services.dedup import Dedup
from gateway.services.image_header import HeaderWatch
from gateway.services.images import random_image_id
from gateway.services.ingest import Ingested, StoredBody, ingest, ingest_unmeasured, takes_any_length
from gateway.services.keyring import sealing_of
from gateway.services.limits import Allowance, Limits
from gateway.services.objects import NO_CONDITIONS, new_content
from gateway.services.spool import Spool
from gateway.settings.uploads import UploadSettings
from transforms.headers import Header

if TYPE_CHECKING:
    from gateway.services.services import Services

DELETE_TOKEN_BYTES = 32
SHA256 = ChecksumAlgorithm.SHA256


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who uploads: `who` is whose hour it counts in."""

    principal: Principal
    who: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is said of an image. `renditions` are compact options, or `p:<preset>`, to be made at once."""

    filename: str
    visibility: Visibility
    metadata: Mapping[str, object] | None = None
    renditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What bytes turned out to be. `size` in bytes."""

    size: int
    sha256: bytes
    header: Header

    @property
    def media_type(self) -> str:
        return self.header.format.media_type


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes of an image that lie in the store of `bucket` and that no row names yet."""

    bucket: Bucket
    content: NewContent
    durable: Durable | None
    looked: Looked


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An image that is there now; with `existing` it was there before. The token is told this once."""

    row: ImageRow
    allowance: Allowance
    existing: bool = False
    delete_token: str | None = field(default=None, repr=False)
    bucket: Bucket | None = None
    """Where it was put just now, so that nothing need be asked for telling of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upload's transaction writes. The row has no `seq` and no job yet."""

    row: ImageRow
    key: bytes
    event: Event
    renditions: tuple[str, ...]
    delete_token: str | None = field(repr=False)


class AlreadyThere(Exception):
    """The account has an image of these bytes, and wants that instead of another."""

    def __init__(self, row: ImageRow) -> None:
        super().__init__()
        self.row = row


class Uploading:
    def __init__(self, services: Services, settings: UploadSettings, limits: Limits) -> None:
        self._services = services
        self._database = services.database
        self._stores = services.stores
        self._settings = settings
        self._limits = limits
        self._dedup = Dedup(services.master)

    @asynccontextmanager
    async def taking(self, bucket: Bucket, body: Body) -> AsyncIterator[Taken]:
        """Take an image's bytes; within, `commit` makes it one. What ends in an exception is left to the sweep.

        Raises SourceError facts for what is no image that is taken here, ObjectTooLarge, Unavailable facts, and what
        reading the body raises.
        """
        watched = _Watched(
            body, HeaderWatch(self._settings.formats_taken, self._settings.pixels_taken), self._settings.bytes_taken
        )
        store = self._stores.placing(bucket)
        store.check_room()
        # Before anything is stored it is clear in most cases whether it is an image.
        small = await watched.gather(PACKED_BYTES)
        sealing = sealing_of(bucket, None)
        measured: Spool | _Watched = watched
        spool = None
        if small:
            await watched.header.finish(watched.size)
        elif not takes_any_length(store, sealed=sealing is not None):
            measured = spool = Spool(self._services.executor)
        try:
            if spool is not None:
                await spool.fill(watched)
            known = watched.size if small or spool is not None else None
            with self._services.lease.writing(self._settings.bytes_taken if known is None else known):
                taken = await self._ingest(bucket, measured, known)
                content = new_content(taken, sealing)
                header = await watched.header.finish(taken.size, partial(self._stored, content))
                yield Taken(bucket, content, taken.durable, Looked(taken.size, _sha256(taken), header))
        finally:
            if spool is not None:
                spool.close()

    async def _ingest(self, bucket: Bucket, body: Body, size: int | None) -> Ingested:
        store, executor = self._stores.placing(bucket), self._services.executor
        key = self._stores.keyring.new_key(sealing_of(bucket, None))
        if size is None:
            return await ingest_unmeasured(store, executor, self._settings.bytes_taken, body, keep=SHA256)
        return await ingest(store, executor, Expectations(size), body, keep=SHA256, key=key)

    async def _stored(self, content: NewContent, offset: int, length: int) -> bytes:
        """A piece of bytes that no row names yet."""
        segment = contents.cut(_segment(content), offset, length)
        return await self._stores.read([segment]) if segment.length > 0 else b""

    async def _in_place(self, taken: Taken, bucket: Bucket) -> Taken:
        """The same where the bucket wants its bytes: written anew where it was named too late."""
        placing = self._stores.placing
        if placing(taken.bucket) is placing(bucket) and taken.bucket.encryption == bucket.encryption:
            return replace(taken, bucket=bucket)
        self._services.lease.abandon(taken.looked.size)
        body = StoredBody(self._stores, [_segment(taken.content)])
        try:
            again = await self._ingest(bucket, body, taken.looked.size)
        finally:
            body.close()
        return replace(
            taken, bucket=bucket, content=new_content(again, sealing_of(bucket, None)), durable=again.durable
        )

    async def commit(self, uploader: Uploader, bucket: Bucket, taken: Taken, wanted: Wanted, image_id: str) -> Uploaded:
        """Make the image: its version, what is known of it, its job, its place in the limits and the audit log, at once.

        Raises RateLimited, QuotaExceeded, DuplicateImage, BucketNotFound, Unavailable facts.
        """
        taken = await self._in_place(taken, bucket)
        looked = taken.looked
        plan = self.plan(uploader, bucket, looked, wanted, image_id)

        async def operation(tx: Transaction) -> tuple[ImageRow, Allowance]:
            allowance = await self._limits.count_upload(tx, uploader.who, plan.row.created_ms)
            await leases.check(tx, taken.content.blob)
            await quotas.check(tx, bucket.owner, looked.size, 1)
            await self.refuse_duplicates(tx, uploader, bucket, looked.sha256)
            settled = await self._stores.keyring.settle(tx, taken.content)
            content = await self.share(tx, uploader, bucket, looked.sha256, settled)
            new = NewVersion(
                bucket.id,
                plan.key,
                content,
                (("content-type", looked.media_type),),
                (),
                image_id,
                plan.row.created_ms,
                noted=True,
            )
            written = await versions.put(tx, new, NO_CONDITIONS)
            return await self.make_known(tx, plan, written.seq), allowance

        try:
            row, allowance = await self._database.write(operation, durable=taken.durable)
        except AlreadyThere as there:
            hour = await self._limits.hour(self._database, uploader.who, plan.row.created_ms)
            # The bytes that came are not wanted, and go the way of those of an upload that failed.
            self._services.lease.abandon(looked.size)
            return Uploaded(there.row, hour, existing=True)
        self._services.wake_jobs()
        return Uploaded(row, allowance, delete_token=plan.delete_token, bucket=bucket)

    def plan(self, uploader: Uploader, bucket: Bucket, looked: Looked, wanted: Wanted, image_id: str) -> Plan:
        """What is to be written of an image, but for what only the transaction can know."""
        now = now_ms()
        user = uploader.principal.user
        token = secrets.token_urlsafe(DELETE_TOKEN_BYTES) if uploader.principal.anonymous else None
        expiry = self._settings.delete_token_expiry * 1000
        header = looked.header
        turned = header.orientation >= 5
        row = ImageRow(
            image_id=image_id,
            seq=0,
            bucket_id=bucket.id,
            account_id=bucket.owner.id,
            user_id=None if user is None else user.id,
            filename=wanted.filename,
            content_type=looked.media_type,
            size=looked.size,
            sha256=looked.sha256,
            width=header.height if turned else header.width,
            height=header.width if turned else header.height,
            visibility=wanted.visibility,
            metadata=wanted.metadata,
            upload_ip=uploader.actor.address,
            delete_hash=None if token is None else token_hash(token),
            delete_expires_ms=now + expiry if token is not None and expiry else None,
            created_ms=now,
            updated_ms=now,
        )
        detail: dict[str, object] = {"bucket": bucket.name, "bytes": looked.size}
        event = Event(Action.UPLOAD, uploader.actor, now, image_id, detail)
        return Plan(row, image_key(image_id, wanted.filename), event, wanted.renditions, token)

    async def share(
        self, tx: Transaction, uploader: Uploader, bucket: Bucket, sha256: bytes, new: NewContent
    ) -> NewContent | int:
        """What a version in this bucket is to refer to: the same bytes where they are there for the uploader, else `new`."""
        store = self._stores.placing(bucket).name
        return await self._dedup.share(tx, bucket.owner.id, uploader.principal, sha256, new, store)

    async def refuse_duplicates(self, tx: Transaction, uploader: Uploader, bucket: Bucket, sha256: bytes) -> None:
        """Raises DuplicateImage, or what `commit` makes the existing image of, as the bucket's account wants it.

        Nobody learns of images that others of the same app uploaded, or nobody in particular.
        """
        policy = bucket.owner.duplicates
        principal = uploader.principal
        if policy is Duplicates.KEEP or principal.anonymous:
            return
        await self._dedup.hold(tx, bucket.owner.id, sha256)
        confined = principal.user is not None and principal.user.confined
        user_id = principal.user.id if confined and principal.user is not None else None
        row = await images.with_bytes(tx, bucket.owner.id, sha256, user_id=user_id)
        if row is None:
            return
        if policy is Duplicates.REFUSE:
            raise DuplicateImage(row.image_id)
        raise AlreadyThere(row)

    async def make_known(self, tx: Transaction, plan: Plan, seq: int) -> ImageRow:
        """Write what is known of an image whose version was written in the same transaction; gives its row."""
        row = plan.row
        job_id = await image_jobs.add(tx, row.image_id, row.created_ms)
        row = replace(row, seq=seq, job_id=job_id)
        await images.insert(tx, row)
        if plan.renditions:
            payload = {"bucket": row.bucket_id, "key": plan.key.hex(), "seq": seq, "renditions": list(plan.renditions)}
            await jobs.add(tx, jobs.RENDITION, payload, row.created_ms)
        await note(tx, plan.event)
        return row


def new_image() -> str:
    """The id of an image to be: chosen first, since its key begins with it."""
    return random_image_id()


def image_key(image_id: str, filename: str) -> bytes:
    """Where an image lies in its bucket."""
    return f"{image_id}/{filename}".encode()


def token_hash(token: str) -> bytes:
    """What is kept of a delete token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _segment(content: NewContent) -> Segment:
    blob = content.blob
    assert blob is not None
    sealed = None if blob.sealed_key is None else Sealed(blob.sealed_key, blob.offset, blob.length)
    return Segment(blob.store, blob.name, blob.offset, 0, blob.length, sealed)


def _sha256(taken: Ingested) -> bytes:
    assert taken.checksum is not None
    return base64.b64decode(taken.checksum.value)


class _Watched:
    """A body whose header is looked at as it passes, and whose size is bounded."""

    def __init__(self, body: Body, header: HeaderWatch, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._gathered: list[Bytes] = []
        self._ended = False
        self.header = header
        self.size = 0

    async def gather(self, limit: int) -> bool:
        """Take up to about `limit` bytes, which are read again later; whether that was all."""
        while not self._ended and self.size <= limit:
            piece = await self._next()
            if piece:
                self._gathered.append(piece)
        self._gathered.reverse()
        return self._ended and self.size <= limit

    async def read(self) -> bytes | memoryview:
        if self._gathered:
            piece = self._gathered.pop()
            return piece if isinstance(piece, bytes) else memoryview(piece)
        return b"" if self._ended else await self._next()

    async def _next(self) -> bytes | memoryview:
        piece = await self._body.read()
        self.size += len(piece)
        if self.size > self._limit:
            raise ObjectTooLarge(f"The file may have {self._limit} bytes.")
        if piece:
            self.header.feed(piece)
        else:
            self._ended = True
        return piece

    def trailer(self, _name: str) -> str | None:
        return None
