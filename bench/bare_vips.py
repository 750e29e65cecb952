"""What libvips does by itself: two processes that render without a server, as the bare limit beside ours.

thumbnail   `thumbnail_buffer` and a saver, as a program of a few lines would call them
pipeline    our pipeline, without HTTP, broker, sockets and files
variants    the sizes that apps ask for by name, decoded once, each from the next larger one, with the encoders' efforts that
            we chose; `variants-by-default` with libvips' own
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SAVERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("jpegsave_buffer", {}),
    "webp": ("webpsave_buffer", {}),
    "png": ("pngsave_buffer", {}),
    # Effort 4, libvips' own, takes seconds; 1 is what servers use (speed 8 in the codec's terms).
    "avif": ("heifsave_buffer", {"compression": "av1", "effort": 1}),
}
_sources: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Work:
    """One picture: the source's name, the box in pixels, the format and quality of the result."""

    source: str
    side: int
    output: str
    quality: int

    @property
    def options(self) -> str:
        """The same as the compact form of our options, from the original."""
        quality = "" if self.output == "png" else f",q:{self.quality}"
        return f"w:{self.side},h:{self.side},f:{self.output},exact:1{quality}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`data` is the last picture, `seconds` for all, `peak` the largest resident memory of a process in bytes."""

    count: int
    seconds: float
    data: bytes
    peak: int

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Processes:
    """Two processes that know the sources, as nice as our decoders are."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def run(self, mode: str, works: Sequence[Work]) -> Outcome:
        """All of `works`, spread over the processes; `mode` is one of those above."""
        started = time.perf_counter()
        results = self._pool.starmap(_do, [(mode, work) for work in works], chunksize=1)
        seconds = time.perf_counter() - started
        return Outcome(len(works), seconds, results[-1][0], max(peak for _, peak in results))


@contextmanager
def processes(sources: Mapping[str, bytes], count: int = 2) -> Iterator[Processes]:
    """Started anew, warmed up by nothing; they end with the block."""
    os.environ["VIPS_CONCURRENCY"] = "1"
    context = multiprocessing.get_context("spawn")
    with context.Pool(count, _begin, (dict(sources),)) as pool:
        yield Processes(pool)


def _begin(sources: dict[str, bytes]) -> None:
    os.nice(10)
    _sources.update(sources)
    from transforms.codecs import vips

    vips.prepare()


def _do(mode: str, work: Work) -> tuple[bytes, int]:
    data = _sources[work.source]
    match mode:
        case "thumbnail":
            made = _thumbnail(data, work)
        case "pipeline":
            made = _pipeline(data, work)
        case _:
            made = _variants(data, work.quality, tuned=mode == "variants")
    return made, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _thumbnail(data: bytes, work: Work) -> bytes:
    import pyvips

    saver, settings = _SAVERS[work.output]
    if work.output != "png":
        settings = {**settings, "Q": work.quality}
    image = pyvips.Image.thumbnail_buffer(data, work.side, height=work.side, size="down")
    return bytes(pyvips.Operation.call(saver, image, keep="none", **settings))


def _pipeline(data: bytes, work: Work) -> bytes:
    from transforms.options import parse_compact
    from transforms.pipeline import render

    return render(data, parse_compact(work.options)).data


def _variants(data: bytes, quality: int, *, tuned: bool) -> bytes:
    """All pictures, one after the other."""
    import pyvips

    from transforms.effort import effort

    made = b""
    image = pyvips.Image.thumbnail_buffer(data, 1200, height=1200, size="down").copy_memory()
    for side, webp, jpeg in ((1200, True, False), (600, True, True), (300, False, True), (150, True, True)):
        if side < 1200:
            image = image.thumbnail_image(side, height=side, size="down").copy_memory()
        if webp:
            tries = {"effort": effort("webp", image.width * image.height)} if tuned else {}
            made += image.webpsave_buffer(Q=quality, keep="none", **tries)
        if jpeg:
            made += image.jpegsave_buffer(Q=quality, keep="none")
    return made
