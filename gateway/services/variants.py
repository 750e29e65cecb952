"""Variants of images: made together when an image was uploaded, kept as long as it is there, made anew where they got lost.

They are derivatives like all others, under the same keys and rendered by the same way; what is special is a place where no
cache forgets them, and a row for each that tells what lies there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.cache.background import Background
from gateway.cache.pinned import PinnedRenditions
from gateway.cache.port import CacheFull, CacheUnavailable
from gateway.errors import DiskFull, GatewayError, StoreUnavailable
from gateway.metadata import pins
from gateway.metadata.pins import Pin
from gateway.metadata.port import Database
from gateway.model.objects import ObjectVersion
from gateway.render.errors import RenderCrashed
from gateway.render.rendition import Rendition
from gateway.services.clock import now_ms
from gateway.services.derivatives import Derivative, Derivatives
from transforms.options import Options
from transforms.variants import VARIANTS

log = logging.getLogger("pixgate.variants")

UNNOTED_MS = 24 * 3600 * 1000
"""How old bytes without a row are when nobody can be about to announce them any more."""
REMOVE_BUDGET = 3.0
"""Seconds that who deletes an image waits for a store; the sweep has more time."""
SUPERSEDED_MS = 7 * 24 * 3600 * 1000
"""How long a variant outlives another of the same name: nodes of two releases, or of two kinds of processors, have their own."""
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_HASH = re.compile(r"[0-9a-f]{16}")
_BLURHASH = re.compile(r"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,100}")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen on the way. Width and height in pixels, of the upright image; hashes of 8 bytes."""

    width: int
    height: int
    format: str
    pages: int
    animated: bool
    alpha: bool
    dominant_color: str | None
    """`#rrggbb`; None where nothing is opaque."""
    blurhash: str
    phash: bytes
    dhash: bytes


@dataclass(frozen=True, slots=True)
class VariantSet:
    """What came of an image. `pins` are what is kept: to be announced by `gateway.metadata.pins.note`."""

    facts: Facts
    items: Mapping[str, Pin]
    pins: tuple[Pin, ...]


class Variants:
    """Made on the running event loop, one for each `Derivatives`, whose `pinned` is the place."""

    def __init__(self, database: Database, derivatives: Derivatives) -> None:
        self._database = database
        self._derivatives = derivatives
        self._background = Background()
        derivatives.on_variant = self._rendered

    def plan(self, version: ObjectVersion, name: str) -> Derivative:
        """The derivative that `variant=<name>` asks for. Raises KeyError, NotAnImage, TooLarge."""
        return self._derivatives.plan(version, _OPTIONS[name], None)

    async def make_all(self, version: ObjectVersion) -> VariantSet:
        """Decode the image once and make all variants but the original; they lie where they are kept, not announced yet.

        Done again it gives the same. Raises facts of `transforms.errors` (it cannot be shown), of `gateway.render.errors`
        and Unavailable facts (later).
        """
        self._derivatives.check_room()
        wanted = self._derivatives.variants(version)
        made = await self._derivatives.render(wanted, later=True)
        assert version.content is not None
        moment = now_ms()
        items = {
            name: _pin(key, version.content.id, name, made.parts[name], moment) for name, key in wanted.parts.items()
        }
        kept = await self._keep({wanted.parts[name]: part for name, part in made.parts.items()})
        return VariantSet(_facts(made.data), items, tuple(pin for pin in items.values() if pin.key in kept))

    async def ready(self, version: ObjectVersion, name: str) -> bool:
        """Whether that variant was announced, in the bytes that this node would make. Raises as `plan` does."""
        return await pins.get(self._database, self.plan(version, name).key) is not None

    async def pinned(self, version: ObjectVersion) -> Mapping[str, Pin]:
        """What was announced of the version's content, by name: the newest of each."""
        if version.content is None:
            return {}
        return {pin.name: pin for pin in await pins.of_content(self._database, version.content.id)}

    async def serve(self, version: ObjectVersion, name: str) -> Rendition:
        """The variant, from the nearest memory or rendered. Raises as `plan` and `Derivatives.render` do."""
        derivative = self.plan(version, name)
        return self._derivatives.cached(derivative) or await self._derivatives.render(derivative)

    async def removed(self, content_id: int) -> None:
        """A version is gone: so are its variants, unless another version has the same content.

        What cannot be removed at the moment is left to `sweep`.
        """
        if await self._database.write(lambda tx: pins.release_unused(tx, content_id)):
            try:
                keys = await self._database.read(partial(pins.gone_of, content_id=content_id))
                await self._remove(keys, REMOVE_BUDGET)
            except (StoreUnavailable, DiskFull) as error:
                log.warning("variants that were deleted wait: %s", error)

    async def sweep(self) -> int:
        """Remove what belongs to contents that are gone; how many variants. Raises Unavailable facts."""
        return await self._remove_gone()

    async def sweep_unnoted(self) -> int:
        """Remove what was never announced, a day later, and what newer variants of the same name replaced; how many.

        Looks through all that is kept. Raises Unavailable facts.
        """
        await self._database.write(lambda tx: pins.release_superseded(tx, SUPERSEDED_MS), heavy=True)
        removed = await self._remove_gone()
        place = self._derivatives.pinned
        if place is None:
            return removed
        before = now_ms() - UNNOTED_MS
        away: CacheUnavailable | None = None
        for one in place.places:
            try:
                async for page in one.entries():
                    old = [key for key, modified_ms in page if modified_ms < before]
                    unnoted = await self._database.read(partial(pins.unnoted, keys=old)) if old else set()
                    if unnoted:
                        await one.remove(sorted(unnoted))
                        removed += len(unnoted)
            except CacheUnavailable as error:
                away = error
        if away is not None:
            raise _away(away) from away
        return removed

    async def close(self) -> None:
        """Finish what was begun behind answers."""
        await self._background.close()

    def _rendered(self, derivative: Derivative, rendition: Rendition) -> None:
        """A variant had to be made for somebody: it is kept, if others of its image are."""
        if self._derivatives.pinned is not None:
            self._background.submit(len(rendition.data), partial(self._keep_rendered, derivative, rendition))

    async def _keep_rendered(self, derivative: Derivative, rendition: Rendition) -> None:
        content_id, name = derivative.content.id, derivative.variant_name
        assert name is not None
        try:
            if not await pins.of_content(self._database, content_id):
                return
            if await self._keep({derivative.key: rendition}):
                pin = _pin(derivative.key, content_id, name, rendition, now_ms())
                await self._database.write(lambda tx: pins.note(tx, (pin,)))
        except GatewayError as error:
            log.info("a variant could not be kept: %s", error)

    async def _keep(self, renditions: Mapping[bytes, Rendition]) -> set[bytes]:
        """Put them where they are kept; the keys of those that are. Raises StoreUnavailable, DiskFull."""
        place = self._derivatives.pinned
        if place is None:
            return set()
        try:
            kept = await asyncio.gather(*(place.put(key, rendition) for key, rendition in renditions.items()))
        except CacheUnavailable as error:
            raise _away(error) from error
        return {key for key, done in zip(renditions, kept, strict=True) if done}

    async def _remove_gone(self) -> int:
        removed, after = 0, b""
        away: StoreUnavailable | DiskFull | None = None
        while keys := await self._database.read(partial(pins.gone, after=after)):
            after = keys[-1]
            try:
                await self._remove(keys)
                removed += len(keys)
            except (StoreUnavailable, DiskFull) as error:
                # They wait; those behind them must not, where the others' store is there.
                away = error
        if away is not None:
            raise away
        return removed

    async def _remove(self, keys: Sequence[bytes], budget: float | None = None) -> None:
        """Remove what was marked, and its rows last: without them nobody would know of what could not be removed.

        Raises StoreUnavailable, DiskFull, when it is removed from all places but those that are away.
        """
        place: PinnedRenditions | None = self._derivatives.pinned
        if place is not None:
            try:
                await place.remove(keys, budget)
            except CacheUnavailable as error:
                raise _away(error) from error
        await self._database.write(partial(pins.forget, keys=keys))


_OPTIONS = {name: Options(variant=name) for name in VARIANTS}


def _away(error: CacheUnavailable) -> DiskFull | StoreUnavailable:
    text = f"The place where variants are kept {'is full' if isinstance(error, CacheFull) else 'is away'}: {error}."
    return DiskFull(text) if isinstance(error, CacheFull) else StoreUnavailable(text)


def _pin(key: bytes, content_id: int, name: str, rendition: Rendition, moment: int) -> Pin:
    return Pin(
        key,
        content_id,
        name,
        rendition.media_type,
        rendition.width,
        rendition.height,
        len(rendition.data),
        moment,
    )


def _facts(data: bytes) -> Facts:
    """The facts as a decoder tells them, which has parsed a stranger's file. Raises RenderCrashed for what are none."""
    try:
        told: dict[str, Any] = json.loads(data)
        colour = told["dominant_color"]
        if colour is not None:
            colour = _matching(_COLOUR, colour)
        return Facts(
            width=int(told["width"]),
            height=int(told["height"]),
            format=str(told["format"])[:16],
            pages=int(told["pages"]),
            animated=bool(told["animated"]),
            alpha=bool(told["alpha"]),
            dominant_color=colour,
            blurhash=_matching(_BLURHASH, told["blurhash"]),
            phash=bytes.fromhex(_matching(_HASH, told["phash"])),
            dhash=bytes.fromhex(_matching(_HASH, told["dhash"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RenderCrashed("The decoder told no facts.") from error


def _matching(form: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise ValueError(value)
    return value
