"""Encode: to the format that was asked for or negotiated, in the quality and the size in bytes that were.

Without metadata, unless `strip` and `icc` keep some of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import pyvips

from transforms import encoders, metadata
from transforms.alpha import on_premultiplied
from transforms.errors import OptionError, TooLarge
from transforms.formats import FORMATS, Format
from transforms.options import Options
from transforms.similarity import luma, sample, similar_to
from transforms.steps.background import output_format
from transforms.steps.join import joined
from transforms.work import Work

_PIXELS_PER_MM = 72 / 25.4
AUTO_SIMILARITY = 0.972
"""What `q=auto` aims at: the mean of photographs as JPEG of quality 80."""
_SMALLEST_SIDE = 16
"""How short `max-bytes` makes the longer side at most, in pixels: at last, where all other sizes were too large."""
_SIZES_TRIED = 8
"""How often `max-bytes` makes a picture smaller; each time to what is left by area, less a little."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes, their format's name, and the size of (each frame of) the picture in pixels."""

    data: bytes
    format: str
    width: int
    height: int


def encode(frames: list[pyvips.Image], work: Work) -> Encoded:
    """One frame, or those of an animation, all of one size.

    Raises TooLarge for a side that the format cannot hold, OptionError where nothing fits into `max-bytes`.
    """
    encoder = _Encoder(work, FORMATS[output_format(joined(frames, work), work)])
    side = max(frames[0].width, frames[0].height)
    if side > encoder.kind.max_side:
        raise TooLarge("output_side", side, encoder.kind.max_side)
    quality = _quality(frames[0], encoder)
    encoded = encoder.frames(frames, quality)
    if work.options.max_bytes and len(encoded.data) > work.options.max_bytes:
        return _within(work.options.max_bytes, encoded, frames, encoder, quality)
    return encoded


@dataclass(frozen=True, slots=True)
class _Encoder:
    """One encoder with all that does not change between attempts."""

    work: Work
    kind: Format

    @property
    def lossy(self) -> bool:
        return encoders.is_lossy(self.kind.name, self.work.options)

    def frames(self, frames: list[pyvips.Image], quality: int | None, colours: int = 0) -> Encoded:
        """The finished rendition: all frames, with the metadata that is kept. `colours`: a palette of so many."""
        image = joined(frames, self.work)
        # The density is metadata too: every result says 72 pixels an inch.
        image = image.copy(xres=_PIXELS_PER_MM, yres=_PIXELS_PER_MM)
        image, keep = metadata.dressed(image, self.work)
        data = self.plain(image, quality, colours, keep)
        return Encoded(data, self.kind.name, frames[0].width, frames[0].height)

    def plain(self, image: pyvips.Image, quality: int | None, colours: int = 0, keep: int = 0) -> bytes:
        """One image as it is."""
        options = self.work.options
        pixels = image.width * image.height
        colours = colours or options.palette
        if self.kind.name == "png" and colours:
            return _palette_png(image, options, pixels, colours, keep)
        chosen = encoders.settings(self.kind.name, options, pixels, quality, image.hasalpha())
        if self.kind.name == "gif" and colours:
            chosen["bitdepth"] = encoders.gif_depth(colours)
        return _saved(str(self.kind.saver), image, chosen, keep)

    def opened(self, data: bytes) -> pyvips.Image:
        """What a browser will see of an encoded image."""
        return pyvips.Operation.call(str(self.kind.loader), data)


def _quality(frame: pyvips.Image, encoder: _Encoder) -> int | None:
    asked = encoder.work.options.q
    if not encoder.lossy:
        return None
    if isinstance(asked, int):
        return asked
    return _alike(frame, encoder) if asked == "auto" else encoder.work.request.rendering.quality(encoder.kind.name)


def _alike(frame: pyvips.Image, encoder: _Encoder) -> int:
    """The lowest quality of the range at which the picture (a part of a large one) keeps its structure."""
    lowest, highest, step = encoders.AUTO_RANGES[encoder.kind.name]
    part = sample(frame)
    similarity = similar_to(luma(part))
    low, high = 0, (highest - lowest) // step
    while low < high:
        middle = (low + high) // 2
        seen = encoder.opened(encoder.plain(part, lowest + middle * step))
        if similarity(luma(seen)) >= AUTO_SIMILARITY:
            high = middle
        else:
            low = middle + 1
    return lowest + low * step


def _within(
    bound: int, encoded: Encoded, frames: list[pyvips.Image], encoder: _Encoder, quality: int | None
) -> Encoded:
    """The best of lower qualities (fewer colours, where those count) that fits; else smaller, until it fits."""
    colours = 0
    if encoder.lossy and quality is not None:
        floor = min(quality, encoders.LOWEST_QUALITY[encoder.kind.name])
        smallest = encoder.frames(frames, floor)
        if len(smallest.data) <= bound:
            return _best_quality(bound, smallest, frames, encoder, (floor, quality))
        encoded, quality = smallest, floor
    elif encoder.kind.name == "png" and not encoder.work.options.palette:
        colours = 256
        encoded = encoder.frames(frames, None, colours)
    sides = frames[0].width, frames[0].height
    scale, least_scale = 1.0, _SMALLEST_SIDE / max(sides)
    for left in reversed(range(_SIZES_TRIED)):
        if len(encoded.data) <= bound:
            return encoded
        if scale <= least_scale:
            break
        wanted = scale * min(0.9, sqrt(bound / len(encoded.data)) * 0.97)
        scale = max(wanted, least_scale) if left else least_scale
        width, height = (max(1, round(side * scale)) for side in sides)
        encoded = encoder.frames([_resized(frame, width, height) for frame in frames], quality, colours)
    if len(encoded.data) <= bound:
        return encoded
    least = f"at least {len(encoded.data)}, what this picture takes in the lowest quality and size"
    raise OptionError("max-bytes", least, "cannot be met")


def _best_quality(
    bound: int, fits: Encoded, frames: list[pyvips.Image], encoder: _Encoder, between: tuple[int, int]
) -> Encoded:
    """Halves the qualities between one that fits and one that does not."""
    low, high = between
    while high - low > 1:
        middle = (low + high) // 2
        attempt = encoder.frames(frames, middle)
        if len(attempt.data) <= bound:
            fits, low = attempt, middle
        else:
            high = middle
    return fits


def _resized(frame: pyvips.Image, width: int, height: int) -> pyvips.Image:
    across, down = width / frame.width, height / frame.height
    return on_premultiplied(frame, lambda pixels: pixels.resize(across, vscale=down, kernel="lanczos3"))


def _palette_png(image: pyvips.Image, options: Options, pixels: int, colours: int, keep: int) -> bytes:
    """A PNG of few colours. PNG counts 2, 4, 16 and 256; what lies between, GIF's quantiser finds for the opaque."""
    counted = max((count for count, _ in encoders.PNG_DEPTHS if count <= colours), default=2)
    depth = encoders.gif_depth(colours)
    if 1 << depth > counted and not image.hasalpha():
        few = _saved(
            "gifsave_buffer", image, encoders.settings("gif", options, pixels, None, False) | {"bitdepth": depth}
        )
        image = pyvips.Operation.call("gifload_buffer", few).extract_band(0, n=3)
        # Nothing is left to be found: these are the colours.
        return _saved(
            "pngsave_buffer", image, encoders.palette(options, pixels, 256) | {"dither": 0, "effort": 1}, keep
        )
    return _saved("pngsave_buffer", image, encoders.palette(options, pixels, counted), keep)


def _saved(saver: str, image: pyvips.Image, chosen: dict[str, Any], keep: int = 0) -> bytes:
    return bytes(pyvips.Operation.call(saver, image, keep=keep, **chosen))
