"""`raw=1`: the stored bytes of an image, as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing

from aiohttp.web import BaseRequest

from gateway.http.disposition import attachment, with_extension
from gateway.http.object_reply import ObjectReply
from gateway.http.ranges import content_range
from gateway.http.reply import Reply
from gateway.img.answer import ACCEPT_RANGES, not_modified, wanted_range
from gateway.img.delivery import Header
from gateway.model.contents import Content, Encryption
from gateway.model.objects import ObjectVersion
from gateway.services.objects import Objects
from gateway.services.stores import Stores
from transforms.errors import NotAnImage
from transforms.sniff import sniff

SNIFFED = 512
_ACTIVE = frozenset({"image/svg+xml", "application/pdf"})
"""Types that a browser might run something of: they are saved, never shown."""


class StoredBytes:
    """Answers with the bytes of an image: of nothing else, since links are for images."""

    def __init__(self, objects: Objects, stores: Stores) -> None:
        self._objects = objects
        self._stores = stores

    async def answer(
        self,
        request: BaseRequest,
        version: ObjectVersion,
        headers: Sequence[Header],
        *,
        download: str | None,
        vary: str,
    ) -> Reply:
        """200, 206 or 304. Raises NotAnImage, PreconditionFailed, RangeNotSatisfiable, Unavailable facts."""
        content = version.content
        if content is None or version.image_id is None or content.encryption is Encryption.SSE_C:
            raise NotAnImage("The object is not an image of a format that is known here.")
        # Not the object's own ETag, which is often its MD5 and would tell of the bytes.
        etag = hashlib.sha256(b"pixgate-raw\0" + content.uid).hexdigest()[:32]
        named: list[Header] = [("ETag", f'"{etag}"'), *headers]
        if vary:
            named.append(("Vary", vary))
        if not_modified(request, etag):
            return Reply(304, named)
        media_type = await self._media_type(content)
        named += [("Content-Type", media_type), ACCEPT_RANGES]
        if download is not None:
            named.append(("Content-Disposition", attachment(with_extension(download, media_type))))
        elif media_type in _ACTIVE:
            named.append(("Content-Disposition", "attachment"))
        part = wanted_range(request, etag, content.size)
        start, length = part or (0, content.size)
        if part is not None:
            named.append(("Content-Range", content_range(start, length, content.size)))
        reply = ObjectReply(
            200 if part is None else 206,
            named,
            stores=self._stores,
            segments=await self._objects.segments(content, start, length),
            length=length,
        )
        if content.adopted:
            # Here it is still noticed, and mended, that somebody else changed them.
            await reply.open(request)
        return reply

    async def _media_type(self, content: Content) -> str:
        """By the bytes, never as declared."""
        segments = await self._objects.segments(content, 0, min(SNIFFED, content.size))
        first = b""
        for segment in segments:
            with closing(await self._stores.open(segment)) as reader:
                while piece := await reader.read():
                    first += bytes(piece)
        found = sniff(first)
        if found is None:
            raise NotAnImage
        return found.media_type
