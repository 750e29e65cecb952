"""Another picture in place of one that cannot be shown."""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import NotFound
from gateway.http.reply import Reply
from gateway.img.access import reads
from gateway.img.answer import Responder
from gateway.img.asked import Asked
from gateway.img.asker import Asker
from gateway.img.delivery import ANY_ORIGIN, SAFETY, SHOWN_ANYWHERE
from gateway.img.errors import ImageError, translate
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.services.directory import Directory
from gateway.services.objects import Objects
from gateway.services.presets import Presets
from gateway.settings.settings import Settings

FALLBACK_CODES = frozenset(
    {"NotFound", "ImageTooLarge", "UnsupportedMediaType", "BrokenImage", "RenderFailed", "RenderTimeout"}
)
"""The errors in whose place another picture may be shown: not one that says whether there is an image at all to those
who may not know, nor one that is over in a moment."""


class Fallback:
    """The picture that a bucket, or the server, has for its errors."""

    def __init__(
        self, settings: Settings, directory: Directory, objects: Objects, presets: Presets, responder: Responder
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._objects = objects
        self._presets = presets
        self._responder = responder

    async def answer(self, asked: Asked, asker: Asker, error: ImageError) -> Reply | None:
        """Another picture with the error's status; None where there is none, or it cannot be shown either."""
        permit = asked.permit
        if permit is not None and permit.request.delivery.raw:
            return None
        try:
            bucket, version = await self._version(asker, None if permit is None else permit.bucket)
            request = asked.target.request(self._presets.find(bucket)) if permit is None else permit.request
            # What marks the pictures of a bucket does not mark what stands for one that is missing.
            options = request.options if request.options.wm is None else replace(request.options, wm=None)
            public = (permit is None or permit.public) and not asker.bound
            age = self._settings.image_fallback_max_age
            headers = [
                ("Cache-Control", f"{'public' if public else 'private'}, max-age={age}"),
                *SAFETY,
                SHOWN_ANYWHERE,
                ANY_ORIGIN,
                ("X-Pixgate-Error", error.code),
            ]
            return await self._responder.answer(asked.request, version, options, headers, instead=error.status)
        except Exception as second:
            if translate(second) is None:
                raise
            return None

    async def _version(self, asker: Asker, bucket: Bucket | None) -> tuple[Bucket, ObjectVersion]:
        """What is shown instead: nothing that a moderator hides from the asker. Raises NotFound."""
        if bucket is not None and bucket.images.fallback:
            found, key = bucket, bucket.images.fallback
        else:
            name, _, key = (self._settings.image_fallback or "").partition("/")
            other = await self._directory.bucket(name) if name else None
            if other is None:
                raise NotFound
            found = other
        version = await self._objects.get(found, key.encode())
        readable = asker.in_person and reads(asker.principal, found, version.key)
        if not readable and await self._objects.is_hidden(found, version):
            raise NotFound
        return found, version
