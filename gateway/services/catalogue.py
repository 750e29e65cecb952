"""What is known of images, by their ids: the row where there is one, else what the stored bytes and their bucket tell."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from gateway.errors import ImageNotFound
from gateway.metadata import accounts, gallery, images, users
from gateway.metadata.gallery import Page, Place, Wanted
from gateway.metadata.images import Found
from gateway.metadata.port import Database
from gateway.metadata.similar import Similar, similar
from gateway.model.buckets import Bucket
from gateway.model.images import ImageRow, JobStatus
from gateway.model.objects import ObjectVersion
from gateway.policy.images import ImageFacts
from gateway.services.directory import Directory
from gateway.services.images import is_image_id
from gateway.services.originals import Originals
from gateway.services.s3_images import row_of

HIT = "HIT"
MISS = "MISS"
DISABLED = "DISABLED"
SIMILAR = 200
"""Images that look alike, in one answer at most."""


@dataclass(frozen=True, slots=True)
class Known:
    """An image. `cache` says whether it was in memory: HIT after the database said that nothing of it changed."""

    bucket: Bucket
    version: ObjectVersion
    row: ImageRow
    catalogued: bool
    """Whether there is a row; what has none came by S3, and no job makes anything of it beforehand."""
    cache: str

    @property
    def facts(self) -> ImageFacts:
        # Without a row the id goes on with its version, as the ids of objects always did.
        current = self.version.is_latest or not self.catalogued
        return facts_of(self.bucket, self.version.key, self.row, current=current)


def facts_of(bucket: Bucket, key: bytes, row: ImageRow, *, current: bool = True) -> ImageFacts:
    """What decides who may see it."""
    hidden = row.moderation == "hidden"
    return ImageFacts(bucket, key, row.account_id, row.user_id, row.visibility, hidden, current)


class Catalogue:
    """Looks images up. `entries` is how many are kept in memory; 0: none."""

    def __init__(self, database: Database, directory: Directory, originals: Originals, *, entries: int) -> None:
        self._database = database
        self._directory = directory
        self._originals = originals
        self._entries = entries
        self._memory: OrderedDict[str, Found] = OrderedDict()
        self._as_of: dict[str, bytes] = {}

    async def find(self, image_id: str, *, to_read: bool = False) -> Known:
        """The image of that id, whoever asks. `to_read`: its bytes are wanted, so where they lie must be as of now, too.

        Raises ImageNotFound, Unavailable facts.
        """
        found, cache = await self._found(image_id, to_read)
        version = found.version
        bucket = await self._directory.bucket_by_id(version.bucket_id)
        if bucket is None:
            raise ImageNotFound
        if found.row is not None:
            return Known(bucket, version, found.row, True, cache)
        return Known(bucket, version, await self._told_by_bytes(bucket, version), False, cache)

    async def page(self, wanted: Wanted, after: Place | None, limit: int) -> Page:
        """Images in the wanted order, as they are at the moment of the call.

        Of what everybody may find, images of the last ten seconds may be missing where a replica is read; whoever looks at
        their own sees what they just did.
        """
        if not wanted.public:
            return await self._database.read(lambda reader: gallery.page(reader, wanted, after, limit))
        return await self._database.read_replica(
            lambda reader: gallery.page(reader, wanted, after, limit),
            confirm=lambda reader, found: gallery.confirmed(reader, wanted, found),
        )

    async def owner(self, name: str) -> tuple[int | None, int | None] | None:
        """Ids of the account or the user of that name: of users who registered here, their id as JSON shows it.

        None where there is neither. An id of a user is longer than a name of an account, and random.
        """
        user = await users.by_subject(self._database, "", name)
        if user is not None:
            return None, user.id
        account = await accounts.by_name(self._database, name)
        return None if account is None else (account.id, None)

    async def similar(
        self, row: ImageRow, distance: int, limit: int, user_id: int | None = None
    ) -> tuple[list[tuple[int, ImageRow]], bool]:
        """Images of the same account (and user) that look alike, the nearest first, with how many of 64 bits differ.

        And whether there are more than `limit`.
        """
        if row.phash is None:
            return [], False
        most = min(limit, SIMILAR)
        wanted = Similar(row.account_id, user_id, row.phash, distance, most + 1, row.image_id)
        found = await self._database.read(lambda reader: similar(reader, wanted))
        return found[:most], len(found) > most

    async def _found(self, image_id: str, to_read: bool) -> tuple[Found, str]:
        if not is_image_id(image_id):
            raise ImageNotFound
        if not self._entries:
            return await self._read(image_id), DISABLED
        # Before the look-up: what is committed meanwhile only makes what is kept newer than the moment it is kept under.
        snapshot = self._database.snapshot()
        kept = self._memory.get(image_id)
        if kept is not None:
            if snapshot is not None and self._as_of.get(image_id) == snapshot:
                self._memory.move_to_end(image_id)
                return kept, HIT
            # That the image is the same does not say where its bytes lie now, or how they are sealed.
            if not to_read and await images.unchanged(self._database, image_id, kept):
                self._memory.move_to_end(image_id)
                return kept, HIT
            self._forget(image_id)
        found = await self._read(image_id)
        self._keep(image_id, found, snapshot)
        return found, MISS

    async def _read(self, image_id: str) -> Found:
        found = await images.find(self._database, image_id)
        if found is None:
            raise ImageNotFound
        return found

    def _keep(self, image_id: str, found: Found, snapshot: bytes | None) -> None:
        self._memory[image_id] = found
        if snapshot is not None:
            self._as_of[image_id] = snapshot
        if len(self._memory) > self._entries:
            self._forget(next(iter(self._memory)))

    def _forget(self, image_id: str) -> None:
        self._memory.pop(image_id, None)
        self._as_of.pop(image_id, None)

    async def _told_by_bytes(self, bucket: Bucket, version: ObjectVersion) -> ImageRow:
        """The row that an image would have which came by S3. Raises Unavailable facts."""
        row = replace(row_of(bucket, version), status=JobStatus.COMPLETED)
        assert version.content is not None
        header = await self._originals.header(version.content)
        if header is None:
            return row
        width, height = header.width, header.height
        if header.orientation > 4:
            width, height = height, width
        return replace(row, width=width, height=height, content_type=header.format.media_type)
