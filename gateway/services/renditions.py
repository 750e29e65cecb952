"""Renditions by preset: what a preset of a bucket says, made of a version, and noted so that it can be listed.

`photos--card` is a view: the bucket `photos` as its preset `card` shows it, read-only, for whoever may read the bucket.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import InvalidBucketName
from gateway.metadata import renditions
from gateway.metadata.port import Database
from gateway.metadata.renditions import RenditionRow
from gateway.model.buckets import Bucket
from gateway.model.contents import Content
from gateway.model.listings import ObjectPage
from gateway.model.objects import ObjectVersion
from gateway.policy.ladder import bounded
from gateway.render.rendition import Rendition
from gateway.services.bucket_images import VIEW_SEPARATOR, view_readings
from gateway.services.buckets import check_bucket_name
from gateway.services.clock import now_ms
from gateway.services.derivatives import Derivative, Derivatives
from gateway.services.directory import Directory
from gateway.services.presets import Presets
from gateway.services.watermarks import Watermarks, acting_for
from transforms.epoch import derivative_key
from transforms.errors import OptionError
from transforms.options import Options, parse_compact, parse_request

PRESET = "p:"
ACCEPTED = (None, "image/webp", "image/avif,image/webp")
"""One Accept header of each of the three classes: `f=auto` has three renditions."""


def accept_headers(options: Options) -> tuple[str | None, ...]:
    """The Accept headers under which options have all their renditions."""
    return ACCEPTED if options.f == "auto" else ACCEPTED[:1]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Options with what they lay over. `tag` is equal as long as equal versions give equal bytes by it: it knows the
    options, the watermarks' contents, the settings of rendering and the codecs. `preset` is None for mere options.

    `unsigned` is what links without a signature show instead, where the bucket bounds their pictures (`max_width`)."""

    preset: str | None
    options: Options
    overlays: tuple[Content, ...]
    tag: str
    unsigned: Options | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A bucket as one of its presets shows it, under a name of its own."""

    name: str
    bucket: Bucket
    preset: str


class Renditions:
    """`rendering_tag` tells the settings of rendering apart, which are the same on every node."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        derivatives: Derivatives,
        presets: Presets,
        watermarks: Watermarks,
        *,
        rendering_tag: str = "",
    ) -> None:
        self._database = database
        self._directory = directory
        self._derivatives = derivatives
        self._presets = presets
        self._watermarks = watermarks
        self._rendering_tag = rendering_tag

    async def view(self, name: str) -> View | None:
        """The view of that name, which is no bucket's; None where there is none.

        Of several ways to read `a--b--c` the one with the longest bucket that exists and has the preset is meant.
        """
        if VIEW_SEPARATOR not in name:
            return None
        try:
            check_bucket_name(name)
        except InvalidBucketName:
            return None
        for bucket_name, preset in view_readings(name):
            bucket = await self._directory.bucket(bucket_name)
            if bucket is not None and self._presets.find(bucket)(preset) is not None:
                return View(name, bucket, preset)
        return None

    async def recipe(self, bucket: Bucket, text: str) -> Recipe:
        """What `text`, `p:<preset>` or compact options, says for images of `bucket`. Raises OptionError, Unavailable."""
        preset = text[len(PRESET) :] if text.startswith(PRESET) else None
        if preset is None:
            options = parse_compact(text)
        else:
            request = parse_request([("p", preset)], self._presets.find(bucket))
            if request.delivery.raw:
                raise OptionError("raw", "a preset that makes pictures of images", "leaves nothing to make")
            options = request.options
        overlays: tuple[Content, ...] = ()
        if options.wm is not None:
            # The owner of the bucket wrote it, or the administrator of the server.
            own = preset is None or self._presets.of_bucket(bucket, preset)
            found = await self._watermarks.find(options.wm, acting_for(bucket.owner) if own else None)
            assert found.version.content is not None
            overlays = (found.version.content,)
        digest = derivative_key(
            b"recipe", options.canonical(), "", tag=self._rendering_tag, overlays=[content.uid for content in overlays]
        )
        shown = bounded(options, bucket.images.max_width) if bucket.images_public else None
        return Recipe(preset, options, overlays, digest.hex()[:32], None if shown == options else shown)

    def plan(self, recipe: Recipe, version: ObjectVersion, accept: str | None = None) -> Derivative:
        """The derivative of a version. Raises NotAnImage, TooLarge, OptionError."""
        if recipe.overlays:
            return self._derivatives.plan(version, recipe.options, accept, recipe.overlays)
        return self._derivatives.plan(version, recipe.options, accept)

    async def made(self, recipe: Recipe, version: ObjectVersion) -> RenditionRow | None:
        """What is noted of a version's rendition by a preset; None where it is not made."""
        assert recipe.preset is not None
        row = await renditions.get(self._database, version.bucket_id, recipe.preset, version.key)
        return row if row is not None and row.seq == version.seq and row.recipe == recipe.tag else None

    async def make(
        self, recipe: Recipe, version: ObjectVersion, accept: str | None = None, *, later: bool = False
    ) -> tuple[Rendition, RenditionRow]:
        """Render it, or take it from a cache; and its row, not yet noted. `later`: nobody waits for it.

        Raises as `Derivatives.render` does.
        """
        derivative = self.plan(recipe, version, accept)
        rendition = self._derivatives.cached(derivative) or await self._derivatives.render(derivative, later=later)
        etag = hashlib.md5(rendition.data, usedforsecurity=False).hexdigest()
        row = RenditionRow(
            version.seq, recipe.tag, derivative.key, rendition.media_type, len(rendition.data), etag, now_ms()
        )
        return rendition, row

    async def make_unsigned(
        self, recipe: Recipe, version: ObjectVersion, accept: str | None = None, *, later: bool = False
    ) -> None:
        """What links without a signature show, where that is another picture. `later`: nobody waits for it.

        Raises as `Derivatives.render` does.
        """
        if recipe.unsigned is not None:
            derivative = self.plan(replace(recipe, options=recipe.unsigned), version, accept)
            if self._derivatives.cached(derivative) is None:
                await self._derivatives.render(derivative, later=later)

    async def shown(
        self, recipe: Recipe, version: ObjectVersion, *, later: bool = False
    ) -> tuple[Rendition, RenditionRow]:
        """The rendition by a preset and its row, noted where it was not. Raises as `Derivatives.render` does."""
        assert recipe.preset is not None
        preset = recipe.preset
        noted = await self.made(recipe, version)
        rendition, row = await self.make(recipe, version, later=later)
        if noted is not None and (noted.derivative_key, noted.etag) == (row.derivative_key, row.etag):
            return rendition, noted
        await self._database.write(lambda tx: renditions.put(tx, version.bucket_id, preset, version.key, row))
        return rendition, row

    async def page(
        self, view: View, recipe: Recipe, *, prefix: bytes, delimiter: bytes, after: bytes | None, limit: int
    ) -> ObjectPage:
        """Keys whose rendition is made, with its size, ETag and time."""
        return await self._database.read(
            lambda reader: renditions.page(
                reader, view.bucket.id, view.preset, recipe.tag, prefix, delimiter, after, limit
            )
        )

    async def images(
        self, bucket: Bucket, recipe: Recipe, prefix: bytes, after: bytes, limit: int
    ) -> Sequence[tuple[bytes, bool]]:
        """Keys of images behind `after`, in order, and whether the recipe's rendition of each is noted."""
        return await self._database.read(
            lambda reader: renditions.unmade(reader, bucket.id, recipe.preset, recipe.tag, prefix, after, limit)
        )
