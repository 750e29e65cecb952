"""Derivatives: what a version and options render to, named before anything is rendered, and where its bytes come from.

A derivative's key is a hash of the content, the canonical options, the settings of rendering and the codecs, so what lies
under it never changes: caches are asked by it and need no invalidation, and an object that is overwritten shows its new
picture at once. Mezzanines and facts about a picture are derivatives too, kept in the same memories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from os import close
from typing import Protocol

from gateway.cache.pinned import PinnedRenditions
from gateway.cache.tiered import RenditionCache
from gateway.errors import DiskFull
from gateway.model.contents import Content, Encryption
from gateway.model.objects import ObjectVersion
from gateway.render.client import RenderClient
from gateway.render.errors import BrokerUnavailable, RenderBusy, RenderCrashed, RenderError, RenderTimeout
from gateway.render.rendition import Rendition
from gateway.render.request import Beyond, RenderRequest
from gateway.render.source import Opened, Reduced, Segment, memory_segment
from gateway.render.task import INFO, MEZZANINE, RENDITION, VARIANTS, Original
from gateway.services.objects import Objects
from gateway.services.originals import Originals
from gateway.services.stores import Stores
from transforms import mezzanine
from transforms.epoch import derivative_key
from transforms.errors import NotAnImage, OptionError, TransformError
from transforms.headers import Header
from transforms.limits import Limits
from transforms.negotiate import accept_class, variant
from transforms.options import Options, parse_compact, with_focal_point
from transforms.rendering import DEFAULT_RENDERING, Rendering
from transforms.variants import MADE_AT_ONCE

FOCAL_POINT = "x-amz-meta-focal-point"
"""User metadata `x,y` in fractions of the sides: what cuts keep where the URL names no gravity."""
_FOCAL_POINT = re.compile(r"\s*(0(?:\.\d{1,6})?|1(?:\.0{1,6})?)\s*,\s*(0(?:\.\d{1,6})?|1(?:\.0{1,6})?)\s*\Z")
_OVERLAID = "-"
"""What stands for the watermark's address in canonical options: its content is in the key instead."""

_NAMED = "variant:"
_LOOKED_AT = "f:png,h:96,still:1,w:96"
"""The small picture that facts are read from."""


class RenderCounts(Protocol):
    """Where renders are counted: by result (`ok`, `refused`, `busy`, `timeout`, `crashed`, `failed`), hits by tier."""

    def render(self, result: str) -> None: ...
    def render_cache_hit(self, tier: str) -> None: ...
    def render_cache_error(self, tier: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Derivative:
    """A result that can be asked for. `variant` is what Accept decided, empty where it decides nothing."""

    key: bytes
    content: Content
    canonical: str
    variant: str
    overlays: tuple[Content, ...] = ()
    """What is laid over it."""
    kind: str = RENDITION
    parts: Mapping[str, bytes] = field(default_factory=dict, compare=False)
    """Keys by name of what is made along with it."""

    @property
    def variant_name(self) -> str | None:
        """The variant that it is; None where it is none of those that apps ask for by name."""
        if self.kind != RENDITION or not self.canonical.startswith(_NAMED):
            return None
        return self.canonical.removeprefix(_NAMED)

    @property
    def etag(self) -> str:
        """A strong entity tag, without quotes: equal for equal bytes only."""
        return self.key[:16].hex()


class Derivatives:
    """Renditions of stored images, and facts about them. `limits` bound what is decoded."""

    def __init__(
        self,
        objects: Objects,
        stores: Stores,
        render: RenderClient,
        limits: Limits,
        counts: RenderCounts,
        cache: RenditionCache | None = None,
        *,
        rendering: Rendering = DEFAULT_RENDERING,
        pinned: PinnedRenditions | None = None,
    ) -> None:
        """`cache` is what there is beyond this node, `pinned` where variants are kept."""
        self._originals = Originals(objects, stores)
        self._render = render
        self._limits = limits
        self._counts = counts
        self._cache = cache
        self._rendering = rendering
        self.pinned = pinned
        self.on_variant: Callable[[Derivative, Rendition], None] | None = None
        """Told of each variant that was rendered by itself. Never waits."""

    def plan(
        self, version: ObjectVersion, options: Options, accept: str | None, overlays: Sequence[Content] = ()
    ) -> Derivative:
        """The rendition of a version. `accept` is the Accept header, `overlays` the watermark's content where `wm` is set.

        Raises NotAnImage, TooLarge, and OptionError for a watermark that was not brought along.
        """
        content = self._image(version)
        for overlay in overlays:
            self._check(overlay)
        if (options.wm is not None) != bool(overlays):
            raise OptionError("wm", "an image that may be read here", "is not available here")
        if options.g is None and _cuts(options):
            options = _focused(version, options)
        canonical = _canonical(options)
        chosen = variant(options, _accept_class(accept)) if options.f == "auto" and accept else ""
        key = derivative_key(
            content.uid,
            canonical,
            chosen,
            tag=self._rendering.tag_for(options.text is not None),
            overlays=[overlay.uid for overlay in overlays],
        )
        return Derivative(key, content, canonical, chosen, tuple(overlays))

    def info(self, version: ObjectVersion) -> Derivative:
        """The facts about a version's image, as JSON (`transforms.info.describe`). Raises NotAnImage, TooLarge."""
        content = self._image(version)
        return Derivative(derivative_key(content.uid, INFO, ""), content, _LOOKED_AT, "", kind=INFO)

    def variants(self, version: ObjectVersion) -> Derivative:
        """Facts about a version's image, with which all variants come as parts. Raises NotAnImage, TooLarge."""
        content = self._image(version)
        parts = {name: self.plan(version, Options(variant=name), None).key for name in MADE_AT_ONCE}
        key = derivative_key(content.uid, VARIANTS, "", tag=self._rendering.tag)
        return Derivative(key, content, "", "", kind=VARIANTS, parts=parts)

    def cached(self, derivative: Derivative) -> Rendition | None:
        """The result from this worker's memory, or None."""
        rendition = self._render.cached(derivative.key)
        if rendition is not None:
            self._counts.render_cache_hit("worker")
        return rendition

    async def render(self, derivative: Derivative, *, later: bool = False) -> Rendition:
        """The result from another memory, or made: once, however many ask for it at the same time.

        `later`: nobody waits for it, so that what others ask for comes first.
        Raises facts of `transforms.errors`, `gateway.render.errors` and `gateway.errors` (Unavailable). What killed its
        decoder or took too long is not tried again on this node for a while, so that a bad file cannot keep decoders busy.
        """
        source = _Source(self, derivative)
        try:
            rendition = await self._made(derivative, source, later=later)
        except (RenderError, TransformError) as error:
            # Of those that waited for the same render, the one that brought the bytes counts it.
            if source.opened or isinstance(error, (RenderBusy, BrokerUnavailable)):
                self._counts.render(_result(error))
            raise
        if rendition.first:
            self._counts.render("ok")
            if self.on_variant is not None and derivative.variant_name is not None:
                self.on_variant(derivative, rendition)
        elif rendition.tier is not None and derivative.kind != MEZZANINE:
            self._counts.render_cache_hit(rendition.tier)
        return rendition

    async def open(self, derivative: Derivative) -> Opened:
        """The bytes that a derivative is made from: the original's, or those of its mezzanine, which is made if need be.

        The descriptors are the receiver's. Raises what `render` raises.
        """
        overlays: list[list[Segment]] = []
        with ExitStack() as stack:
            for content in derivative.overlays:
                overlays.append(await self._originals.open(content))
                stack.callback(_close, overlays[-1])
            reduced = await self._reduced(derivative)
            opened = Opened(await self._originals.open(derivative.content)) if reduced is None else reduced
            stack.pop_all()
        return replace(opened, overlays=overlays)

    async def _made(self, derivative: Derivative, source: _Source, *, later: bool) -> Rendition:
        request = RenderRequest(
            key=derivative.key,
            options=derivative.canonical,
            variant=derivative.variant,
            source=source.open,
            limits=self._limits,
            beyond=self._beyond(derivative),
            rendering=self._rendering,
            kind=derivative.kind,
            content=derivative.content.uid.hex(),
            reduced=self._offered(derivative),
            # The broker has it, and few renditions are made from it.
            hot=derivative.kind not in (MEZZANINE, VARIANTS),
            later=later,
            parts=derivative.parts,
        )
        return await self._render.render(request)

    def _beyond(self, derivative: Derivative) -> Beyond | None:
        """The memories beyond this node; a set of variants is in none, each of them is."""
        if derivative.kind == VARIANTS:
            return None
        beyond = None if self._cache is None else self._cache.flight(derivative.key)
        if self.pinned is None or derivative.variant_name is None:
            return beyond
        return self.pinned.flight(derivative.key, beyond, self._counts)

    async def _reduced(self, derivative: Derivative) -> Opened | None:
        """The mezzanine to render from, or None where that is the original."""
        if not self._may_be_reduced(derivative):
            return None
        chosen = self._mezzanine(derivative, await self._originals.header(derivative.content))
        if chosen is None:
            return None
        smaller, original = chosen
        rendition = await self.render(smaller)
        return Opened([memory_segment([rendition.data])], original=original)

    def _offered(self, derivative: Derivative) -> Reduced | None:
        """The mezzanine to render from, where that is known without waiting and the broker may have it."""
        if derivative.overlays or not self._may_be_reduced(derivative):
            return None
        chosen = self._mezzanine(derivative, self._originals.known_header(derivative.content))
        if chosen is None:
            return None
        try:
            self.check_room()
        except DiskFull:
            # The opener will say so.
            return None
        return Reduced(chosen[0].key, chosen[1])

    def _may_be_reduced(self, derivative: Derivative) -> bool:
        return derivative.kind == RENDITION and mezzanine.may_use(parse_compact(derivative.canonical), self._rendering)

    def _mezzanine(self, derivative: Derivative, header: Header | None) -> tuple[Derivative, Original] | None:
        """The mezzanine of a rendition of an original with this header, if it has one."""
        if header is None:
            return None
        rung = mezzanine.choose(header, parse_compact(derivative.canonical), self._rendering)
        if rung is None:
            return None
        key = derivative_key(derivative.content.uid, f"{MEZZANINE}:{rung}", "")
        smaller = Derivative(key, derivative.content, mezzanine.box_of(rung), "", kind=MEZZANINE)
        return smaller, Original(header.width, header.height, header.format.name)

    def _image(self, version: ObjectVersion) -> Content:
        content = version.content
        if content is None or version.image_id is None:
            raise NotAnImage("The object is not an image of a format that is known here.")
        self._check(content)
        return content

    def _check(self, content: Content) -> None:
        # What only its owner has the key of is never rendered; it has no image id either.
        if content.encryption is Encryption.SSE_C:
            raise NotAnImage("The object is not an image of a format that is known here.")
        self._limits.check_bytes(content.size)

    def check_room(self) -> None:
        """Raises DiskFull where nothing may be begun that would put more on the disk."""
        self._originals.check_room()


_RESULTS: dict[type[Exception], str] = {RenderBusy: "busy", RenderTimeout: "timeout", RenderCrashed: "crashed"}


def _result(error: RenderError | TransformError) -> str:
    return _RESULTS.get(type(error), "refused" if isinstance(error, TransformError) else "failed")


class _Source:
    """The bytes for one render. `opened` tells whether they were handed over: it is rendered for us."""

    def __init__(self, derivatives: Derivatives, derivative: Derivative) -> None:
        self._derivatives = derivatives
        self._derivative = derivative
        self.opened = False

    async def open(self) -> Opened:
        """Called where no memory has the result. Raises Unavailable facts, and what a mezzanine's render raises."""
        self._derivatives.check_room()
        opened = await self._derivatives.open(self._derivative)
        self.opened = True
        return opened


def _close(segments: Sequence[Segment]) -> None:
    for segment in segments:
        if isinstance(segment.file, int):
            close(segment.file)


def _cuts(options: Options) -> bool:
    """Whether these options cut a part off where `g` says."""
    if options.w is not None and options.h is not None:
        return options.fit in ("cover", "auto")
    return options.ar is not None


def _focused(version: ObjectVersion, options: Options) -> Options:
    """`options` with the focal point that is stored with the object; one that makes no sense is passed over."""
    for name, value in version.headers:
        if name == FOCAL_POINT:
            found = _FOCAL_POINT.match(value)
            return with_focal_point(options, Decimal(found[1]), Decimal(found[2])) if found else options
    return options


def _canonical(options: Options) -> str:
    # A URL that was seen before has the very same options: to compare identities is quicker than to hash fifty fields.
    known = _known.get(id(options))
    if known is not None and known[0] is options:
        return known[1]
    text = (options if options.wm is None else replace(options, wm=_OVERLAID)).canonical()
    if len(_known) >= _KNOWN:
        _known.clear()
    _known[id(options)] = (options, text)
    return text


_KNOWN = 4096
_known: dict[int, tuple[Options, str]] = {}
"""Canonical forms by the identity of options, which are kept alive here so that no others can have it."""


@lru_cache(maxsize=256)
def _accept_class(accept: str) -> str:
    return accept_class(accept)
