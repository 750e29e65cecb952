"""From stored bytes to a rendition: a literal list of steps, one file each in `transforms.steps`.

Imports pyvips, so it belongs in decoders only. The same arguments give the same bytes on every machine of one codec
epoch: one thread, no clock, no metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyvips

from transforms.chain import expanded
from transforms.codecs import vips
from transforms.errors import OptionError
from transforms.formats import PASSED_FORMATS
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import Options
from transforms.rendering import DEFAULT_RENDERING, Rendering
from transforms.steps.adjust import adjust
from transforms.steps.background import background
from transforms.steps.blur import blur
from transforms.steps.colour import colour
from transforms.steps.crop import crop
from transforms.steps.crop_box import crop_box
from transforms.steps.encode import Encoded, encode
from transforms.steps.focus import focus
from transforms.steps.load import load
from transforms.steps.orient import orient
from transforms.steps.pad import pad
from transforms.steps.pixelate import pixelate
from transforms.steps.resize import resize
from transforms.steps.rotate import rotate
from transforms.steps.round import round_off
from transforms.steps.settle import settle
from transforms.steps.sharpen import sharpen
from transforms.steps.text import text
from transforms.steps.tone import tone
from transforms.steps.trim import trim
from transforms.steps.watermark import watermark
from transforms.svg import cleaned
from transforms.variant_set import variant_of, variant_set
from transforms.variants import MADE_AT_ONCE
from transforms.work import Request, Work

STEPS = (
    crop_box,
    trim,
    focus,
    resize,
    crop,
    settle,
    orient,
    colour,
    rotate,
    adjust,
    tone,
    blur,
    sharpen,
    pixelate,
    pad,
    round_off,
    background,
    watermark,
    text,
)
"""What happens to each frame between `load` and `encode`. Up to `settle` nothing is computed; after it the picture is small."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result of a render: encoded bytes, their format's name, and their size in pixels."""

    data: bytes
    format: str
    width: int
    height: int
    parts: tuple[tuple[str, Rendered], ...] = ()
    """What was made along with it, by name."""


def render(
    data: bytes,
    options: Options,
    variant: str = "",
    limits: Limits = DEFAULT_LIMITS,
    *,
    rendering: Rendering = DEFAULT_RENDERING,
    overlays: Sequence[bytes] = (),
    original: tuple[int, int] | None = None,
    original_format: str | None = None,
) -> Rendered:
    """Renders a stored image.

    `variant` is `negotiate.variant(options, accept_class)`; `overlays` are stored images too; `original` and
    `original_format` are the stored size and the format's name of what `data` is a mezzanine of. Raises NotAnImage,
    UnsupportedFormat, TooLarge and DecodeFailed; for the first three nothing was decoded.
    """
    vips.prepare()
    limits.check_bytes(len(data))
    header = read_header(Source.of_bytes(data))
    limits.check_source(header.width, header.height)
    if options.f in PASSED_FORMATS:
        if header.format.name != options.f:
            raise OptionError("f", f"a format of pictures; {options.f} is for sources of that kind", "is not possible")
        return Rendered(cleaned(data).data, options.f, header.width, header.height)
    if options.variant in MADE_AT_ONCE:
        return _rendered(variant_of(options.variant, data, header, limits, rendering))
    options = expanded(options, rendering, header.format.name)
    request = Request(options, variant, limits, header, rendering, tuple(overlays), original, original_format)
    frames, work = load(data, request)
    finished = [_finished(frame, work) for frame in frames]
    return _rendered(encode(finished, work))


def render_variants(
    data: bytes, limits: Limits = DEFAULT_LIMITS, *, rendering: Rendering = DEFAULT_RENDERING
) -> Rendered:
    """All variants of the chain as `parts`; the result itself are the facts of `transforms.variant_set`, format `json`.

    Raises NotAnImage, UnsupportedFormat, TooLarge and DecodeFailed.
    """
    vips.prepare()
    limits.check_bytes(len(data))
    header = read_header(Source.of_bytes(data))
    limits.check_source(header.width, header.height)
    made = variant_set(data, header, limits, rendering)
    parts = tuple((name, _rendered(encoded)) for name, encoded in made.encoded)
    return Rendered(made.facts, "json", made.width, made.height, parts)


def _rendered(encoded: Encoded) -> Rendered:
    return Rendered(encoded.data, encoded.format, encoded.width, encoded.height)


def _finished(frame: pyvips.Image, work: Work) -> pyvips.Image:
    for step in STEPS:
        frame = step(frame, work)
    return frame
