"""Adopted objects, as reads meet them: others may change and delete them, so each read asks their store.

A read is pinned to what its row says (a version, or the ETag). Where the store has something else now, the rows are
brought up to that, with a new content, and the read begins anew.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from gateway.blobs.adopted import AdoptedName, parse_adopted
from gateway.errors import AdoptedChanged, ObjectNotFound, StoreUnavailable
from gateway.metadata import adopted_ledger, contents, versions
from gateway.metadata.port import Database
from gateway.model.buckets import Bucket
from gateway.model.contents import Content
from gateway.model.objects import ObjectVersion
from gateway.services.adopt import Adoption
from gateway.services.images import new_image_id
from gateway.services.ingest import SNIFF_BYTES
from gateway.services.stores import Stores

ATTEMPTS = 4
"""How often a read begins anew where its object changes under it each time."""
IMAGE_SECONDS = 1.0
"""How old the answer may be that an image, whose renditions need no store, still is what it was."""
PATIENCE_SECONDS = 0.5
"""How long an image waits for that answer."""
REMEMBERED = 10_000

T = TypeVar("T")


class Adopted:
    def __init__(self, database: Database, stores: Stores, adoption: Adoption) -> None:
        self._database = database
        self._stores = stores
        self._adoption = adoption
        self._looked: OrderedDict[bytes, float] = OrderedDict()
        self._no_images: OrderedDict[bytes, None] = OrderedDict()
        self._asking: set[asyncio.Task[ObjectVersion]] = set()

    async def refresh(self, bucket: Bucket, version: ObjectVersion, version_id: str | None) -> ObjectVersion:
        """What a read of this key (of `version_id`, where it named one) means after the store was asked.

        Raises ObjectNotFound, VersionNotFound, IsDeleteMarker, StoreUnavailable.
        """
        name = _name(version)
        await self._adoption.look_again(name.attachment, version.key)
        return await versions.readable(self._database, bucket.id, version.key, version_id)

    async def checked(self, bucket: Bucket, version: ObjectVersion, version_id: str | None) -> ObjectVersion:
        """The version to read as it is in the store at this moment: the same, or what took its place.

        Raises as `refresh` does. What is not adopted is given back as it is.
        """
        content = version.content
        if content is None or not content.adopted:
            return version
        name = _name(version)
        source = self._stores.named(_place(content)).source
        found = None if source is None else await source.head(name.bucket, name.key, name.version_id)
        if found is not None and found.unreadable:
            raise StoreUnavailable("The store does not let us read this object.")
        if (
            found is not None
            and found.etag == content.etag
            and found.modified_ms // 1000 == version.modified_ms // 1000
            and found.headers == version.headers
        ):
            return version
        return await self.refresh(bucket, version, version_id)

    async def shown(
        self,
        bucket: Bucket,
        version: ObjectVersion,
        version_id: str | None,
        show: Callable[[ObjectVersion], Awaitable[T]],
        *,
        image_id: str | None = None,
    ) -> T:
        """What `show` makes of an adopted version, which is to be rendered, or of what took its place meanwhile.

        The store was asked less than `IMAGE_SECONDS` ago whether the version still is what it was; where it does not
        answer within `PATIENCE_SECONDS` that is taken for granted. It comes with an image id if its bytes are an image's. `image_id` is how it was asked
        for: then ObjectNotFound is raised where another one took its place. Raises as `refresh` does, and what `show`
        raises.
        """
        for _ in range(ATTEMPTS):
            try:
                seen = await self._with_image_id(await self._looked_at(bucket, version, version_id))
                if image_id is not None and seen.image_id != image_id:
                    raise ObjectNotFound
                return await show(seen)
            except AdoptedChanged:
                version = await self.refresh(bucket, version, version_id)
        raise StoreUnavailable("The object changes faster than it can be read.")

    async def _looked_at(self, bucket: Bucket, version: ObjectVersion, version_id: str | None) -> ObjectVersion:
        content = _content(version)
        now = time.monotonic()
        if now - self._looked.get(content.uid, -IMAGE_SECONDS) < IMAGE_SECONDS:
            return version
        # Those who come while this one asks take what is known.
        _remember(self._looked, content.uid, now)
        asking = asyncio.get_running_loop().create_task(self.checked(bucket, version, version_id))
        self._asking.add(asking)
        asking.add_done_callback(self._asked)
        await asyncio.wait((asking,), timeout=PATIENCE_SECONDS)
        if not asking.done():
            return version
        try:
            return asking.result()
        except AdoptedChanged:
            raise
        except StoreUnavailable:
            return version

    def _asked(self, asking: asyncio.Task[ObjectVersion]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            # Nobody may wait for it any more; what it found is in the rows.
            asking.exception()

    async def _with_image_id(self, version: ObjectVersion) -> ObjectVersion:
        content = _content(version)
        if version.image_id is not None or not content.adopted or content.uid in self._no_images:
            return version
        assert content.first is not None
        first = contents.cut(content.first, 0, min(SNIFF_BYTES, content.size))
        image_id = new_image_id(bytes(await self._stores.read_one(first)) if content.size else b"")
        if image_id is None:
            _remember(self._no_images, content.uid, None)
            return version
        given = await self._database.write(lambda tx: adopted_ledger.set_image(tx, version.seq, image_id))
        if given is None:
            # Gone since it was looked up.
            raise AdoptedChanged
        return replace(version, image_id=given)


def _content(version: ObjectVersion) -> Content:
    if version.content is None:
        raise ObjectNotFound
    return version.content


def _place(content: Content) -> str:
    assert content.first is not None
    return content.first.store


def _name(version: ObjectVersion) -> AdoptedName:
    content = _content(version)
    assert content.first is not None
    return parse_adopted(content.first.name)


def _remember(known: OrderedDict[bytes, T], uid: bytes, value: T) -> None:
    known[uid] = value
    known.move_to_end(uid)
    if len(known) > REMEMBERED:
        known.popitem(last=False)
