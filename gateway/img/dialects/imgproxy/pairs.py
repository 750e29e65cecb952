"""What the options of an imgproxy URL come to in ours."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from gateway.img.dialects.arguments import refuse, rounded, unsupported, with_alpha, written
from gateway.img.dialects.imgproxy.asked import CENTRE, Asked, Position
from gateway.img.dialects.reading import Pair
from transforms.formats import OUTPUT_FORMATS, PASSED_FORMATS

LocateWatermark = Callable[[str], str]
"""From a source to the value of `wm`. Raises OptionError."""

_FITS = {"fit": "inside", "fill": "cover", "fill-down": "cover", "force": "fill", "auto": "auto"}
_WHOLE_SIDE = 65_535
"""The most that a crop can say: what lies outside the source is left out."""
_TEXT_PIXELS = "16"
_FORMATS = (*OUTPUT_FORMATS, *PASSED_FORMATS)


def pairs_of(asked: Asked, *, watermark: str | None, locate: LocateWatermark, auto_format: bool) -> list[Pair]:
    """Our options; `watermark` is what `wm` shows where the URL names no other. Raises OptionError."""
    if asked.raw:
        return [("raw", "1")]
    pairs: list[Pair] = []
    if asked.preset is not None:
        pairs.append(("p", asked.preset))
    pairs += _geometry(asked)
    pairs += _pixels(asked)
    pairs += _overlay(asked, watermark, locate)
    pairs += _format(asked, auto_format)
    return pairs


# --- geometry


def _geometry(asked: Asked) -> list[Pair]:
    if asked.crop is not None and asked.trim is not None and any(asked.crop):
        raise unsupported("crop", "crop or trim, as they are done in another order here")
    pairs = _crop(asked)
    if asked.trim is not None:
        trim = written(asked.trim)
        pairs.append(("trim", f"{trim}:{asked.trim_colour}" if asked.trim_colour else trim))
    if asked.rotate:
        pairs.append(("rotate", str(asked.rotate)))
    if asked.flip:
        pairs.append(("flip", asked.flip))
    pairs += _size(asked)
    if any(asked.padding):
        ratio = _ratio(asked)
        pairs.append(("pad", ":".join(str(rounded(side * ratio)) for side in asked.padding)))
    return pairs


def _sized(asked: Asked) -> bool:
    return bool(asked.width or asked.height)


def _ratio(asked: Asked) -> Decimal:
    """The dpr in force: without a size to multiply, imgproxy has nothing to enlarge, and lets the rest stay as well."""
    if _sized(asked):
        return asked.dpr
    if asked.dpr < 1 or (asked.enlarge and asked.dpr != 1):
        raise unsupported("dpr", "a width or a height beside it")
    return Decimal(1)


def _size(asked: Asked) -> list[Pair]:
    across, down = asked.zoom
    if not _sized(asked):
        if across != 1 or down != 1:
            raise unsupported("zoom", "a width or a height beside it")
        _ratio(asked)
        return _minimum(asked)
    boxed = bool(asked.width and asked.height)
    kind = asked.resizing_type
    if kind == "force" and not boxed:
        raise unsupported("resizing_type", "force with width and height, as the other side would stay as it is")
    if across != down and not (boxed and kind == "force"):
        raise unsupported("zoom", "one factor, or force with width and height")
    ratio = _ratio(asked)
    pairs: list[Pair] = []
    if asked.width:
        pairs.append(("w", str(rounded(asked.width * across * ratio))))
    if asked.height:
        pairs.append(("h", str(rounded(asked.height * down * ratio))))
    if boxed and kind != "fit":
        pairs.append(("fit", _FITS[kind]))
    if asked.enlarge:
        pairs.append(("up", "1"))
    _refuse_minimum(asked, boxed=boxed)
    return pairs + _standing(asked, ratio, boxed=boxed)


def _standing(asked: Asked, ratio: Decimal, *, boxed: bool) -> list[Pair]:
    """`extend` and `g`: of the two gravities that imgproxy has, the one that can have an effect."""
    cuts = boxed and asked.resizing_type in ("fill", "fill-down", "auto")
    extend, around = asked.extend, asked.extend_gravity
    if asked.extend_ratio and not extend:
        extend, around = boxed, asked.extend_ratio_gravity
    pairs: list[Pair] = [("extend", "1")] if extend else []
    kept = asked.gravity
    if cuts and extend and not (asked.enlarge and asked.resizing_type != "auto") and (kept or CENTRE) != around:
        raise unsupported("extend", "the gravity that the picture is cut by")
    if not cuts:
        kept = around if extend else None
    if kept is not None and (cuts or kept != CENTRE):
        pairs.append(("g", place(_in_the_source(asked, kept) if cuts else kept, ratio)))
    return pairs


def _in_the_source(asked: Asked, kept: Position) -> Position:
    """A focal point, which imgproxy counts in the picture that is cut, in the upright source, as we count it."""
    if kept.place != "fp" or not (asked.crop or asked.rotate or asked.flip):
        return kept
    x, y = kept.x, kept.y
    x, y = 1 - x if "h" in asked.flip else x, 1 - y if "v" in asked.flip else y
    x, y = {0: (x, y), 90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[asked.rotate]
    if asked.crop is not None and any(asked.crop):
        box = _crop(asked)[0][1].split(":")
        if len(box) != 4 or "." not in box[0]:
            raise unsupported("gravity", "a focal point beside a crop in fractions of the sides")
        left, top, width, height = (Decimal(part) for part in box)
        x, y = left + x * width, top + y * height
    return Position("fp", x, y)


def _minimum(asked: Asked) -> list[Pair]:
    pairs: list[Pair] = []
    if asked.min_width:
        pairs.append(("min-w", str(asked.min_width)))
    if asked.min_height:
        pairs.append(("min-h", str(asked.min_height)))
    return [*pairs, ("up", "1")] if pairs else []


def _refuse_minimum(asked: Asked, *, boxed: bool) -> None:
    for name, least, side in (
        ("min-width", asked.min_width, asked.width),
        ("min-height", asked.min_height, asked.height),
    ):
        exact = boxed and asked.enlarge and asked.resizing_type in ("fill", "fill-down", "force")
        if least and not (exact and least <= side):
            raise unsupported(name, "a URL without width and height, as imgproxy cuts what it has enlarged")


def place(position: Position, ratio: Decimal = Decimal(1)) -> str:
    """A gravity in our words; offsets in pixels times `ratio`."""
    if position.place in ("smart", "face", "repeat"):
        return position.place
    if position.place == "fp":
        return f"fp:{written(position.x)}:{written(position.y)}"
    if not position.x and not position.y:
        return position.place
    x, y = (written(offset * ratio if abs(offset) >= 1 else offset) for offset in (position.x, position.y))
    return f"{position.place}:{x}:{y}"


def _crop(asked: Asked) -> list[Pair]:
    if asked.crop is None or not any(asked.crop):
        return []
    width, height = asked.crop
    gravity = asked.crop_gravity or asked.gravity or CENTRE
    if gravity.place in ("smart", "face"):
        raise unsupported("crop", "a gravity that does not look at the picture")
    if width <= 1 and height <= 1 and (gravity.place == "fp" or (abs(gravity.x) < 1 and abs(gravity.y) < 1)):
        return [("crop", _fractions(asked, width or Decimal(1), height or Decimal(1), gravity))]
    if asked.rotate:
        raise unsupported("crop", "fractions of the sides where the picture is rotated")
    if gravity.place == "nw" and _whole(width, height, gravity.x, gravity.y):
        sides = (rounded(side) if side else _WHOLE_SIDE for side in (width, height))
        return [("crop", ":".join(map(str, (rounded(gravity.x), rounded(gravity.y), *sides))))]
    numbers = (gravity.x, gravity.y, width, height)
    return [("crop", ":".join((gravity.place, *(written(number) for number in numbers))))]


def _whole(*numbers: Decimal) -> bool:
    """Whether all are pixels, or nothing."""
    return all(not number or number >= 1 for number in numbers)


def _fractions(asked: Asked, width: Decimal, height: Decimal, gravity: Position) -> str:
    x = _start(gravity, width, gravity.x, west="w", east="e")
    y = _start(gravity, height, gravity.y, west="n", east="s")
    # imgproxy cuts the picture after turning it, we do before.
    if asked.rotate == 90:
        x, y, width, height = y, 1 - x - width, height, width
    elif asked.rotate == 180:
        x, y = 1 - x - width, 1 - y - height
    elif asked.rotate == 270:
        x, y, width, height = 1 - y - height, x, height, width
    return ":".join(_fraction(part) for part in (x, y, width, height))


def _start(gravity: Position, length: Decimal, offset: Decimal, *, west: str, east: str) -> Decimal:
    if gravity.place == "fp":
        start = offset - length / 2
    elif west in gravity.place:
        start = offset
    elif east in gravity.place:
        start = 1 - length - offset
    else:
        start = (1 - length) / 2 + offset
    return min(max(start, Decimal(0)), 1 - length)


def _fraction(value: Decimal) -> str:
    text = written(value)
    return text if "." in text else text + ".0"


# --- pixels


def _pixels(asked: Asked) -> list[Pair]:
    pairs: list[Pair] = []
    if asked.background is not None:
        pairs.append(("bg", with_alpha(asked.background, asked.background_alpha)))
    if asked.brightness:
        pairs.append(("brightness", written(asked.brightness * 100 / 255)))
    if asked.contrast != 1:
        pairs.append(("contrast", written((asked.contrast - 1) * 100)))
    if asked.saturation != 1:
        pairs.append(("saturation", written((asked.saturation - 1) * 100)))
    intensity, colour = asked.monochrome
    if intensity:
        pairs.append(("tint", colour if intensity == 1 else f"{colour}:{written(intensity)}"))
    full, dark, light = asked.duotone
    if full:
        pairs.append(("duotone", f"{dark}:{light}"))
    for name, sigma in (("blur", asked.blur), ("sharpen", asked.sharpen)):
        if sigma:
            pairs.append((name, written(sigma)))
    if asked.pixelate > 1:
        pairs.append(("pixelate", str(asked.pixelate)))
    return pairs


def _overlay(asked: Asked, watermark: str | None, locate: LocateWatermark) -> list[Pair]:
    opacity = asked.watermark_opacity
    if not opacity:
        return []
    ratio = _ratio(asked)
    if asked.watermark_text is not None:
        if asked.watermark_place.place == "repeat" or asked.watermark_scale:
            raise unsupported("watermark_text", "text that is neither scaled nor tiled")
        return [
            ("text", asked.watermark_text),
            ("text-g", place(asked.watermark_place, ratio)),
            ("text-size", _TEXT_PIXELS),
            ("text-color", with_alpha("000000", opacity)),
        ]
    shown = watermark if asked.watermark_source is None else locate(asked.watermark_source)
    if shown is None:
        raise refuse("watermark", "the setting imgproxy_watermark, or watermark_url", "has no image")
    pairs: list[Pair] = [("wm", shown), ("wm-g", place(asked.watermark_place, ratio))]
    if asked.watermark_scale:
        pairs.append(("wm-scale", written(asked.watermark_scale)))
    if opacity != 1:
        pairs.append(("wm-opacity", written(opacity)))
    return pairs


# --- format


def _format(asked: Asked, auto_format: bool) -> list[Pair]:
    kind = asked.format
    pairs: list[Pair] = []
    if kind is None:
        if auto_format:
            pairs.append(("f", "auto"))
    elif kind in _FORMATS:
        pairs.append(("f", kind))
    else:
        raise unsupported("format", "one of " + ", ".join(_FORMATS))
    if asked.skip and (kind is None or kind in asked.skip):
        raise unsupported("skip_processing", "a format in the URL that is none of them, or raw:1")
    quality = _quality(asked)
    if quality:
        pairs.append(("q", quality))
    if asked.max_bytes:
        pairs.append(("max-bytes", str(asked.max_bytes)))
    for name, wanted in (("progressive", asked.progressive), ("lossless", asked.lossless), ("still", asked.still)):
        if wanted:
            pairs.append((name, "1"))
    if asked.palette:
        pairs.append(("palette", str(asked.palette)))
    if asked.page:
        pairs.append(("page", str(asked.page + 1)))
    if not asked.strip_metadata:
        pairs.append(("strip", "0"))
    elif asked.keep_copyright:
        pairs.append(("strip", "copyright"))
    if not asked.strip_profile:
        pairs.append(("icc", "keep"))
    return pairs


def _quality(asked: Asked) -> str:
    if asked.quality:
        return str(asked.quality)
    if asked.auto_quality:
        return "auto"
    qualities = asked.format_quality
    if not qualities:
        return ""
    if asked.format is None:
        if len(set(qualities.values())) > 1:
            raise unsupported("format_quality", "a format in the URL, or one quality for all")
        return _digits(next(iter(qualities.values())))
    return _digits(qualities.get(asked.format, 0))


def _digits(quality: int) -> str:
    return str(quality) if quality else ""
