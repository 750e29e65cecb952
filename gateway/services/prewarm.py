"""Renditions of all images of a bucket, made before anybody asks: some at a time, in the order of keys.

What is noted as made is left out, so a run that was cut off goes on where it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from gateway.errors import NotFound
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.render.errors import RenderBusy, RenderCrashed, RenderTimeout
from gateway.services.adopted import Adopted
from gateway.services.objects import Objects
from gateway.services.renditions import Recipe, Renditions
from transforms.errors import NotAnImage, TransformError

PAGE = 500
"""Keys that are looked up at a time."""
BUSY_TRIES = 60


@dataclass(slots=True)
class PrewarmReport:
    """What a run did: images looked at, renditions `made` now and `there` before, images that cannot be shown."""

    images: int = 0
    made: int = 0
    there: int = 0
    refused: int = 0
    after: bytes = b""
    """Up to and with this key everything is done."""


Progress = Callable[[PrewarmReport], None]
Refusal = Callable[[bytes, Exception], None]


class Prewarm:
    def __init__(self, objects: Objects, adopted: Adopted, renditions: Renditions) -> None:
        self._objects = objects
        self._adopted = adopted
        self._renditions = renditions

    async def run(
        self,
        bucket: Bucket,
        wanted: Sequence[tuple[Recipe, Sequence[str | None]]],
        report: PrewarmReport,
        *,
        prefix: bytes = b"",
        at_once: int = 4,
        progress: Progress = lambda _: None,
        refused: Refusal = lambda _key, _error: None,
    ) -> None:
        """Make each recipe's rendition, under each of its Accept headers, of every current image.

        Goes on behind `report.after`. Raises Unavailable facts, BrokerUnavailable; images that cannot be shown are told to
        `refused`, and those that took too long or killed their decoder too.
        """
        room = asyncio.Semaphore(at_once)

        def done(_: asyncio.Task[None]) -> None:
            room.release()
            progress(report)

        async for keys in self._pages(bucket, [recipe for recipe, _ in wanted], prefix, report):
            try:
                async with asyncio.TaskGroup() as tasks:
                    for key, recipes in keys:
                        report.images += 1
                        missing = [(recipe, accepts) for recipe, accepts in wanted if recipe in recipes]
                        report.there += len(wanted) - len(missing)
                        if missing:
                            await room.acquire()
                            task = tasks.create_task(self._image(bucket, key, missing, report, refused))
                            task.add_done_callback(done)
            except ExceptionGroup as group:
                # What ends one image so, ends all.
                raise group.exceptions[0] from None
            report.after = keys[-1][0]
            progress(report)

    async def _pages(
        self, bucket: Bucket, recipes: Sequence[Recipe], prefix: bytes, report: PrewarmReport
    ) -> AsyncIterator[list[tuple[bytes, list[Recipe]]]]:
        """Keys with the recipes that are missing."""
        while True:
            missing: dict[bytes, list[Recipe]] = {}
            for recipe in recipes:
                for key, made in await self._renditions.images(bucket, recipe, prefix, report.after, PAGE):
                    missing.setdefault(key, [])
                    if not made:
                        missing[key].append(recipe)
            if not missing:
                return
            # Keys that came or went between two of these queries belong to the next page, or the one before.
            yield sorted(missing.items())[:PAGE]

    async def _image(
        self,
        bucket: Bucket,
        key: bytes,
        missing: Sequence[tuple[Recipe, Sequence[str | None]]],
        report: PrewarmReport,
        refused: Refusal,
    ) -> None:
        async def show(version: ObjectVersion) -> None:
            for recipe, accepts in missing:
                for accept in accepts:
                    await self._make(recipe, version, accept)
                report.made += 1

        try:
            version = await self._objects.get(bucket, key)
            if version.content is not None and version.content.adopted:
                await self._adopted.shown(bucket, version, None, show)
            else:
                await show(version)
        except NotFound:
            return
        except NotAnImage:
            report.images -= 1
        except (TransformError, RenderCrashed, RenderTimeout) as error:
            report.refused += 1
            refused(key, error)

    async def _make(self, recipe: Recipe, version: ObjectVersion, accept: str | None) -> None:
        for left in reversed(range(BUSY_TRIES)):
            try:
                if recipe.preset is not None and accept is None:
                    await self._renditions.shown(recipe, version, later=True)
                else:
                    await self._renditions.make(recipe, version, accept, later=True)
                await self._renditions.make_unsigned(recipe, version, accept, later=True)
                return
            except RenderBusy as error:
                if not left:
                    raise
                await asyncio.sleep(error.retry_after)
