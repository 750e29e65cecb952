"""Derivatives: what a version and options render to, named before anything is rendered, and where its bytes come from.

A derivative's key is a hash of the content, the canonical options and the codecs, so what lies under it never changes:
caches are asked by it and need no invalidation, and an object that is overwritten shows its new picture at once.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from gateway.blobs.port import PACKED_BYTES, BlobReader
from gateway.cache.tiered import RenditionCache
from gateway.errors import StoreUnavailable
from gateway.model import Content, Encryption, ObjectVersion
from gateway.render.client import RenderClient, RenderRequest, Rendition, Segment, memory_segment
from gateway.render.errors import BrokerUnavailable, RenderBusy, RenderCrashed, RenderError, RenderTimeout
from gateway.services.objects import Objects
from gateway.services.stores import Stores
from transforms.epoch import derivative_key
from transforms.errors import NotAnImage, TransformError
from transforms.limits import Limits
from transforms.negotiate import accept_class, variant
from transforms.options import Options

FAILURE_SECONDS = 30.0
"""How long a rendition that killed its decoder, or took too long, is not tried again."""
MAX_FAILURES = 1024
MAX_FILES = 32
"""Files that are handed over open; a content of more is read and handed over as one."""


class RenderCounts(Protocol):
    """Where renders are counted: by result (`ok`, `refused`, `busy`, `timeout`, `crashed`, `failed`), hits by tier."""

    def render(self, result: str) -> None: ...
    def render_cache_hit(self, tier: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Derivative:
    """A rendition that can be asked for. `variant` is what Accept decided, empty where it decides nothing."""

    key: bytes
    content: Content
    canonical: str
    variant: str

    @property
    def etag(self) -> str:
        """A strong entity tag, without quotes: equal for equal bytes only."""
        return self.key[:16].hex()


class Derivatives:
    """Renditions of stored images. `limits` bound what is decoded."""

    def __init__(
        self,
        objects: Objects,
        stores: Stores,
        render: RenderClient,
        limits: Limits,
        counts: RenderCounts,
        cache: RenditionCache | None = None,
    ) -> None:
        """`cache` is what there is beyond this node."""
        self._objects = objects
        self._stores = stores
        self._render = render
        self._limits = limits
        self._counts = counts
        self._cache = cache
        self._failures = _Failures()

    def plan(self, version: ObjectVersion, options: Options, accept: str | None) -> Derivative:
        """The derivative of a version. `accept` is the Accept header. Raises NotAnImage, TooLarge."""
        content = version.content
        # What only its owner has the key of is never rendered; it has no image id either.
        if content is None or version.image_id is None or content.encryption is Encryption.SSE_C:
            raise NotAnImage("The object is not an image of a format that is known here.")
        self._limits.check_bytes(content.size)
        canonical = _canonical(options)
        chosen = variant(options, _accept_class(accept)) if options.f == "auto" and accept else ""
        return Derivative(derivative_key(content.uid, canonical, chosen), content, canonical, chosen)

    def cached(self, derivative: Derivative) -> Rendition | None:
        """The rendition from this worker's memory, or None."""
        rendition = self._render.cached(derivative.key)
        if rendition is not None:
            self._counts.render_cache_hit("worker")
        return rendition

    async def render(self, derivative: Derivative) -> Rendition:
        """The rendition from another memory, or rendered: once, however many ask for it at the same time.

        Raises facts of `transforms.errors`, `gateway.render.errors` and `gateway.errors` (Unavailable). What killed its
        decoder or took too long is not tried again here for FAILURE_SECONDS, so that a bad file cannot keep decoders busy.
        """
        source = _Source(self._objects, self._stores, derivative, self._failures)
        # What failed here a moment ago is not waited for elsewhere.
        beyond = None if self._cache is None or self._failures.has(derivative.key) else self._cache
        request = RenderRequest(
            key=derivative.key,
            options=derivative.canonical,
            variant=derivative.variant,
            source=source.open,
            limits=self._limits,
            beyond=None if beyond is None else beyond.flight(derivative.key),
        )
        try:
            rendition = await self._render.render(request)
        except (RenderError, TransformError) as error:
            # Of those that waited for the same render, the one that brought the bytes counts it.
            if source.opened or isinstance(error, (RenderBusy, BrokerUnavailable)):
                self._counts.render(_result(error))
                if isinstance(error, (RenderCrashed, RenderTimeout)):
                    self._failures.remember(derivative.key, error)
            raise
        if source.opened:
            self._counts.render("ok")
        elif rendition.tier is not None:
            self._counts.render_cache_hit(rendition.tier)
        return rendition


class _Failures:
    """Renditions that killed their decoder or took too long, for a while."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[RenderCrashed | RenderTimeout, float]] = OrderedDict()

    def has(self, key: bytes) -> bool:
        """Whether one is remembered."""
        return key in self._known and time.monotonic() < self._known[key][1]

    def check(self, key: bytes) -> None:
        """Raises the failure again while it is remembered."""
        known = self._known.get(key)
        if known is None:
            return
        error, until = known
        if time.monotonic() < until:
            raise type(error)(str(error))
        del self._known[key]

    def remember(self, key: bytes, error: RenderCrashed | RenderTimeout) -> None:
        self._known[key] = (error, time.monotonic() + FAILURE_SECONDS)
        if len(self._known) > MAX_FAILURES:
            self._known.popitem(last=False)


_RESULTS: dict[type[Exception], str] = {RenderBusy: "busy", RenderTimeout: "timeout", RenderCrashed: "crashed"}


def _result(error: RenderError | TransformError) -> str:
    return _RESULTS.get(type(error), "refused" if isinstance(error, TransformError) else "failed")


class _Source:
    """The bytes of a content for the renderer. `opened` tells whether they were handed over: it is rendered for us."""

    def __init__(self, objects: Objects, stores: Stores, derivative: Derivative, failures: _Failures) -> None:
        self._objects = objects
        self._stores = stores
        self._derivative = derivative
        self._failures = failures
        self.opened = False

    async def open(self) -> list[Segment]:
        """The content as descriptors, which are the receiver's.

        Called where no memory has the rendition. Raises Unavailable facts, and what failed a moment ago.
        """
        self._failures.check(self._derivative.key)
        # On a disk that is nearly full nothing is begun that would put more on it.
        self._stores.default.check_room()
        self.opened = True
        content = self._derivative.content
        stored = await self._objects.segments(content, 0, content.size)
        # A pack file holds others' objects too: a decoder, which runs on hostile bytes, never gets it.
        apart = len(stored) <= MAX_FILES and all(segment.length > PACKED_BYTES for segment in stored)
        try:
            with ExitStack() as stack:
                readers: list[BlobReader] = []
                for segment in stored if apart else ():
                    readers.append(stack.enter_context(closing(await self._stores.open(segment))))
                    if readers[-1].fd is None:
                        break
                else:
                    if apart:
                        return _duplicate(readers)
                pieces = [piece for reader in readers for piece in await _pieces(reader)]
            for segment in stored[len(readers) :]:
                with closing(await self._stores.open(segment)) as reader:
                    pieces += await _pieces(reader)
            return [await asyncio.to_thread(memory_segment, pieces)]
        except OSError as error:
            raise StoreUnavailable("The stored image cannot be read.") from error


async def _pieces(reader: BlobReader) -> list[bytes | memoryview]:
    """All its bytes; a content that may be rendered is small enough for that."""
    pieces: list[bytes | memoryview] = []
    while piece := await reader.read():
        pieces.append(memoryview(piece) if isinstance(piece, bytearray) else piece)
    return pieces


def _duplicate(readers: Sequence[BlobReader]) -> list[Segment]:
    """Descriptors for the receiver to close; these belong to the store."""
    with ExitStack() as stack:
        segments = []
        try:
            for reader in readers:
                assert reader.fd is not None
                fd = os.dup(reader.fd)
                stack.callback(os.close, fd)
                segments.append(Segment(fd, reader.offset, reader.length))
        except OSError as error:
            raise StoreUnavailable("No more files can be opened at the moment.") from error
        stack.pop_all()
        return segments


@lru_cache(maxsize=1024)
def _canonical(options: Options) -> str:
    return options.canonical()


@lru_cache(maxsize=256)
def _accept_class(accept: str) -> str:
    return accept_class(accept)
