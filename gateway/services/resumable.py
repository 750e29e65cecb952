"""Uploads in parts that may be sent again: an S3 multipart upload whose addresses are signed for the asker, made an image.

The parts go to the S3 door; nothing of them passes here. Each address is good for one part of one upload, of the size that
was announced, until it expires. What is not completed is ended after a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from gateway.errors import InvalidCompletion, ObjectTooLarge, UploadNotFound
from gateway.metadata import contents, images, resumable, uploads
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database, Transaction
from gateway.metadata.resumable import Begun
from gateway.metadata.uploads import StoredPart
from gateway.model.accounts import AccessKey
from gateway.model.buckets import Bucket
from gateway.model.contents import Segment
from gateway.model.images import ImageRow
from gateway.model.objects import WriteConditions
from gateway.model.uploads import MIN_PART_BYTES, CompletedPart, Promise
from gateway.policy.decide import decide
from gateway.policy.principal import Principal
from gateway.services import quotas
from gateway.services.clock import now_ms
from gateway.services.image_header import HeaderWatch
from gateway.services.ingest import StoredBody
from gateway.services.limits import UNLIMITED, Allowance, Limits
from gateway.services.multipart import AsImage
from gateway.services.upload_places import WRITE
from gateway.services.uploading import AlreadyThere, Looked, Plan, Uploaded, Uploader, Uploading, Wanted
from gateway.settings.uploads import UploadSettings
from signing.sigv4.sign import Credentials, presign
from transforms.errors import SourceError

if TYPE_CHECKING:
    from gateway.services.services import Services

PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 1_000
NO_UPLOAD = "There is no such upload: it was completed, ended, or never begun."


@dataclass(frozen=True, slots=True)
class PartAddress:
    """Where a part is to be sent by PUT, `size` bytes. `url` is None for a key that may not send it."""

    number: int
    size: int
    url: str | None


def part_size(size: int) -> int:
    """The size of each part but the last of a file of `size` bytes."""
    return max(PART_BYTES, MIN_PART_BYTES, -(-size // MAX_PARTS))


def part_sizes(size: int) -> list[int]:
    each = part_size(size)
    return [min(each, size - start) for start in range(0, size, each)]


class Resumable:
    def __init__(
        self, services: Services, settings: UploadSettings, limits: Limits, uploading: Uploading, *, region: str
    ) -> None:
        self._services = services
        self._database = services.database
        self._settings = settings
        self._limits = limits
        self._uploading = uploading
        self._region = region

    async def begin(self, bucket: Bucket, key: bytes, promised: Promise) -> Begun:
        """Begin an upload. Raises ObjectTooLarge, QuotaExceeded."""
        if promised.size > self._settings.bytes_taken:
            raise ObjectTooLarge(f"The file may have {self._settings.bytes_taken} bytes.")
        await quotas.expect(self._database, bucket, key, promised.size, 1)
        upload = await self._services.uploads.create(
            bucket,
            key,
            headers=(),
            tags=(),
            algorithm=None,
            type=None,
            initiator=bucket.owner.canonical_id,
            promised=promised,
        )
        return Begun(upload.upload_id, bucket.id, key, upload.created_ms, False, promised)

    async def find(self, principal: Principal, upload_id: str) -> tuple[Bucket, Begun]:
        """An upload that the asker began. Raises UploadNotFound."""
        begun = await resumable.find(self._database, upload_id) if "\0" not in upload_id else None
        bucket = None if begun is None else await self._services.directory.bucket_by_id(begun.bucket_id)
        if begun is None or bucket is None or not _began(principal, begun.promise):
            raise UploadNotFound(NO_UPLOAD)
        return bucket, begun

    async def missing(self, principal: Principal, bucket: Bucket, begun: Begun, base: str) -> list[PartAddress]:
        """Where the asker is to send the parts that are not there yet. `base` is the address that clients reach us at.

        Raises UploadNotFound.
        """
        there = await self._stored(bucket, begun)
        key = self._signer(principal, bucket, begun)
        path = f"/{bucket.name}/{quote(begun.key, safe='/~')}"
        found = []
        for number, size in enumerate(part_sizes(begun.promise.size), 1):
            if number in there and there[number].size == size:
                continue
            if key is None:
                found.append(PartAddress(number, size, None))
                continue
            url = presign(
                Credentials(key.access_key, key.secret),
                method="PUT",
                url=f"{base}{path}?partNumber={number}&uploadId={quote(begun.upload_id, safe='')}",
                now=time.time(),
                region=self._region,
                expires=self._settings.upload_url_expiry,
                headers=(("content-length", str(size)),),
            )
            found.append(PartAddress(number, size, url))
        return found

    def _signer(self, principal: Principal, bucket: Bucket, begun: Begun) -> AccessKey | None:
        """What signs the addresses, so that they open what the asker may write, and end with that; None for nothing."""
        if principal.user is not None:
            return self._services.directory.upload_key(principal.user)
        return principal.access_key if decide(principal, WRITE, bucket, begun.key) else None

    async def _stored(self, bucket: Bucket, begun: Begun) -> dict[int, StoredPart]:
        if begun.completed:
            return {}
        upload = await self._services.uploads.get(bucket, begun.key, begun.upload_id)
        return await self._database.read(lambda reader: uploads.stored_parts(reader, upload.id))

    async def abort(self, bucket: Bucket, begun: Begun) -> None:
        """Raises UploadNotFound where it was completed."""
        await self._services.uploads.abort(bucket, begun.key, begun.upload_id)

    async def complete(self, uploader: Uploader, bucket: Bucket, begun: Begun, wanted: Wanted) -> Uploaded:
        """Make the image of all parts. Asking again gives the image.

        Raises InvalidCompletion where parts are missing, SourceError facts and ObjectTooLarge, which end the upload, and
        what `Uploading.commit` raises.
        """
        if begun.completed:
            return await self._again(begun)
        try:
            return await self._first(uploader, bucket, begun, wanted)
        except (UploadNotFound, InvalidCompletion):
            # Maybe somebody else has completed it meanwhile, and its parts are gone.
            now = await resumable.find(self._database, begun.upload_id)
            if now is None or not now.completed:
                raise
            return await self._again(now)

    async def _again(self, begun: Begun) -> Uploaded:
        return Uploaded(await self._made(begun.image_id), UNLIMITED, existing=begun.existing is not None)

    async def _first(self, uploader: Uploader, bucket: Bucket, begun: Begun, wanted: Wanted) -> Uploaded:
        stored = await self._stored(bucket, begun)
        sizes = part_sizes(begun.promise.size)
        lacking = [n for n, size in enumerate(sizes, 1) if n not in stored or stored[n].size != size]
        if lacking or len(stored) != len(sizes):
            raise InvalidCompletion(f"Parts are missing, or of another size: {', '.join(map(str, lacking[:20]))}.")
        chosen = [stored[number] for number in range(1, len(sizes) + 1)]
        try:
            looked = await self._look(chosen)
        except SourceError:
            await self.abort(bucket, begun)
            raise
        plan = self._uploading.plan(uploader, bucket, looked, wanted, begun.promise.image_id)
        try:
            return await self._complete(uploader, bucket, begun, chosen, plan, looked)
        except AlreadyThere as there:
            image_id, moment = there.row.image_id, now_ms()
            await self._database.write(lambda tx: resumable.answer_with(tx, begun, image_id, moment), heavy=True)
            hour = await self._limits.hour(self._database, uploader.who, now_ms())
            return Uploaded(there.row, hour, existing=True)

    async def _complete(
        self, uploader: Uploader, bucket: Bucket, begun: Begun, chosen: list[StoredPart], plan: Plan, looked: Looked
    ) -> Uploaded:
        made: list[tuple[ImageRow, Allowance]] = []

        async def note(tx: Transaction, seq: int) -> None:
            allowance = await self._limits.count_upload(tx, uploader.who, plan.row.created_ms)
            row = await self._uploading.make_known(tx, plan, seq)
            made.append((row, allowance))

        async def share(tx: Transaction, new: NewContent) -> NewContent | int:
            await self._uploading.refuse_duplicates(tx, uploader, bucket, looked.sha256)
            return await self._uploading.share(tx, uploader, bucket, looked.sha256, new)

        await self._services.uploads.complete(
            bucket,
            begun.key,
            begun.upload_id,
            [CompletedPart(part.number, part.etag) for part in chosen],
            conditions=WriteConditions(),
            as_image=AsImage(
                plan.row.image_id,
                (("content-type", looked.media_type),),
                tuple(part.content_id for part in chosen),
                share,
                note,
            ),
        )
        self._services.wake_jobs()
        if not made:
            # Somebody else completed it at the same time.
            return Uploaded(await self._made(plan.row.image_id), UNLIMITED)
        row, allowance = made[-1]
        return Uploaded(row, allowance, bucket=bucket)

    async def _made(self, image_id: str) -> ImageRow:
        row = await images.get(self._database, image_id)
        if row is None:
            raise UploadNotFound(NO_UPLOAD)
        return row

    async def _look(self, parts: list[StoredPart]) -> Looked:
        """Read the parts: what they are an image of, and their SHA-256."""
        services = self._services
        watch = HeaderWatch(self._settings.formats_taken, self._settings.pixels_taken)
        reading = services.stores.begin_read()
        try:
            segments: list[Segment] = []
            for part in parts:
                segments += await contents.segments(self._database, part.content_id, 0, part.size)
            digest, size = hashlib.sha256(), 0
            loop = asyncio.get_running_loop()
            body = StoredBody(services.stores, segments)
            try:
                while piece := await body.read():
                    watch.feed(piece)
                    size += len(piece)
                    await loop.run_in_executor(services.executor, digest.update, piece)
            finally:
                body.close()
            header = await watch.finish(size, partial(self._piece, tuple(parts)))
        finally:
            services.stores.end_read(reading)
        return Looked(size, digest.digest(), header)

    async def _piece(self, parts: tuple[StoredPart, ...], offset: int, length: int) -> bytes:
        found, start = [], 0
        for part in parts:
            first, last = max(offset, start), min(offset + length, start + part.size)
            if first < last:
                segments = await contents.segments(self._database, part.content_id, first - start, last - first)
                found.append(await self._services.stores.read(segments))
            start += part.size
        return b"".join(found)


def _began(principal: Principal, promised: Promise) -> bool:
    account, user = principal.account, principal.user
    if account is None or account.id != promised.account:
        return False
    return user is None or not user.confined or user.id == promised.user


def signing_base(public_url: str | None, scheme: str, host: str) -> str:
    """What addresses are signed for: the public one, else the one that the client itself came by."""
    return public_url or f"{scheme}://{host}"


def relative(url: str) -> str:
    """The address without scheme and host."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


async def is_begun(database: Database, upload_id: str) -> bool:
    """Whether an app began an upload of that id, completed or not."""
    return upload_id.isascii() and "\0" not in upload_id and await resumable.find(database, upload_id) is not None


async def forget_abandoned(database: Database, older_than_ms: int) -> int:
    """End uploads that were begun before that and not completed; how many."""
    ended, before = 0, now_ms() - older_than_ms
    while True:
        count = await database.write(lambda tx: resumable.forget_abandoned(tx, before), heavy=True)
        ended += count
        if count < resumable.FORGOTTEN:
            return ended
