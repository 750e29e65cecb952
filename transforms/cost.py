"""What a render will take, in milliseconds of one ordinary core: by this the queue decides what it admits.

An estimate within a factor of about two is enough; it is never used to choose how to render.
"""

from __future__ import annotations

from transforms.chain import begun, expanded
from transforms.encoders import weight
from transforms.errors import OptionError, TooLarge
from transforms.formats import FORMATS
from transforms.geometry import Geometry, is_quarter, plan
from transforms.gravity import looks
from transforms.headers import Header
from transforms.limits import Limits
from transforms.negotiate import frames_shown, resolve_format
from transforms.options import Options
from transforms.turns import Size
from transforms.variants import CHAIN, MADE_AT_ONCE, VARIANTS

_FIXED_MS = 3.0
_FACTS_MS = 15.0
"""Colours and hashes of a variant set."""
_BLUR_MS, _LARGE_BLUR, _LARGE_BLUR_MS = 4.0, 12, 50.0
_EFFECT_MS = 25.0
_OVERLAY_MS = 60.0
_SHRINKS_AT_LOAD = ("jpeg", "webp")
_DRAWN = ("svg", "pdf")
"""Formats without pixels: they are drawn at the size that is wanted."""


def estimate(header: Header, options: Options, variant: str, limits: Limits, *, original: Size | None = None) -> float:
    """Milliseconds for one render. `original` is the stored size of what the image is a mezzanine of.

    Raises TooLarge where source or result pass a limit, and OptionError for an impossible `crop`.
    """
    limits.check_source(header.width, header.height)
    options = expanded(options, source_format=header.format.name)
    frames = frames_shown(header, options, variant)
    if frames > 1:
        limits.check_animation(header.width, header.height, frames)
    geometry = _dearest(original or (header.width, header.height), options, limits)
    if frames > 1:
        limits.check_animated_output(*geometry.result, frames)
    out_megapixels = _megapixels(geometry.result)
    in_megapixels = header.pixels / 1e6
    shrinks = header.format.name in _SHRINKS_AT_LOAD and options.trim is None
    if shrinks and geometry.scale * 2 < 1:
        in_megapixels *= 0.6
    if header.format.name in _DRAWN:
        in_megapixels = out_megapixels
    output = FORMATS[resolve_format(options, variant, header.format.name, has_alpha=True, animated=frames > 1)]
    effects = _effects_ms(options) * out_megapixels
    decode = header.format.decode_weight * in_megapixels
    if frames > 1 and options.trim is not None:
        decode *= 2  # all frames are looked at first
    encode = weight(output.name, options) * out_megapixels
    return _FIXED_MS + frames * (decode + effects + _geometry_ms(geometry, options) + encode)


def estimate_variants(header: Header, limits: Limits) -> float:
    """Milliseconds for all variants of the chain. Raises TooLarge."""
    stored = (header.width, header.height)
    total = estimate(header, begun(), "", limits) + _FACTS_MS
    for name in MADE_AT_ONCE:
        options = expanded(Options(variant=name))
        if VARIANTS[name].side < CHAIN[0]:
            assert options.f is not None
            total += weight(options.f, options) * _megapixels(plan(stored, options).result)
    return total


def _effects_ms(options: Options) -> float:
    """Milliseconds a megapixel for colours, effects and what is laid over the result."""
    total = 0.0
    for sigma in (float(options.blur), float(options.sharpen)):
        total += _BLUR_MS * sigma if sigma < _LARGE_BLUR else _LARGE_BLUR_MS
    adjusts = options.brightness or options.contrast or options.saturation or options.hue or options.gamma != 1
    tones = options.gray or options.tint or options.duotone or options.invert
    total += _EFFECT_MS * sum(map(bool, (adjusts, tones, options.sharpen, options.pixelate > 1)))
    return total + _OVERLAY_MS * sum(map(bool, (options.wm, options.text)))


def _dearest(stored: Size, options: Options, limits: Limits) -> Geometry:
    """Orientation is not known yet: of both ways the dearer one counts, and only what fails in both is refused."""
    possible: list[Geometry] = []
    failure: TooLarge | OptionError | None = None
    for source in (stored, stored[::-1]):
        try:
            geometry = plan(source, options)
            # What trimming leaves is known once it is done, and checked then.
            if options.trim is None:
                geometry.check(limits)
        except (TooLarge, OptionError) as fact:
            failure = failure or fact
        else:
            possible.append(geometry)
    if not possible:
        assert failure is not None
        raise failure
    return max(possible, key=lambda geometry: geometry.result[0] * geometry.result[1])


def _geometry_ms(geometry: Geometry, options: Options) -> float:
    """The work on pixels that the options of geometry ask for, measured on one core at 2.5 GHz."""
    milliseconds = 0.0
    if options.trim is not None:
        milliseconds += 12.0 * _megapixels(geometry.part[2:])
    if geometry.cuts and looks(options.g):
        milliseconds += 200.0 if options.g is not None and options.g.place == "face" else 20.0
    if not is_quarter(options.rotate):
        milliseconds += 70.0 * _megapixels(geometry.cropped)
    if geometry.adds:
        milliseconds += (40.0 if options.bg == "blur" else 3.0) * _megapixels(geometry.result)
    if options.radius or options.mask:
        milliseconds += 20.0 * _megapixels(geometry.result)
    return milliseconds


def _megapixels(size: tuple[int, ...]) -> float:
    return size[0] * size[1] / 1e6
