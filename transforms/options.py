"""The options of an image URL, read and bounded by the table (`option_table`), with one canonical form.

    parse_query([("w", "300"), ("f", "webp")])     the query of /img, already without what belongs to the signature
    parse_compact("w:300,f:webp")                  the x-img form: commas between options, the first colon ends a name;
                                                   in values, `%2C` is a comma and `%25` a percent sign
    parse_request(pairs, presets)                  the same with what is not about pixels: `p`, `v`, `dl`, `raw`

The first two give an `Options`; its `canonical()` is equal for requests that must render to the same bytes, is what
cache keys are made of, and parses back (`parse_compact(o.canonical()).canonical() == o.canonical()`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from transforms.errors import OptionError
from transforms.formats import PASSED_FORMATS
from transforms.option_kinds import (
    CENTRE,
    COMPASS,
    NAMED_COLOURS,
    Background,
    Colour,
    CropBox,
    Gravity,
    TintValue,
    TrimValue,
)
from transforms.option_table import BLACK, BY_NAME, MAX_FONT, MAX_PAD, MAX_RADIUS, MAX_SIDE, SPECS

_KNOWN = "one of " + ", ".join(spec.name for spec in SPECS)
_PIXEL_SPECS = tuple(sorted((spec for spec in SPECS if spec.group != "delivery"), key=lambda spec: spec.name))
_UNPADDED = (0, 0, 0, 0)
_CUTTING_NOTHING = ("outside", "contain", "fill")
"""What `fit` may be beside `ar` without cutting."""
_WHOLE = CropBox(Decimal(0), Decimal(0), Decimal(1), Decimal(1), fractions=True)


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a rendition. Build it with a parser, which checks bounds."""

    w: int | None = None
    h: int | None = None
    fit: str = "inside"
    min_w: int | None = None
    min_h: int | None = None
    dpr: Decimal = Decimal(1)
    up: bool = False
    crop: CropBox | None = None
    ar: tuple[int, int] | None = None
    g: Gravity | None = None
    rotate: Decimal = Decimal(0)
    flip: str | None = None
    trim: TrimValue | None = None
    pad: tuple[int, int, int, int] = _UNPADDED
    extend: bool = False
    bg: Background | None = None
    radius: int | str = 0
    mask: str | None = None
    exact: bool = False
    blur: Decimal = Decimal(0)
    sharpen: Decimal = Decimal(0)
    pixelate: int = 0
    brightness: Decimal = Decimal(0)
    contrast: Decimal = Decimal(0)
    saturation: Decimal = Decimal(0)
    hue: Decimal = Decimal(0)
    gamma: Decimal = Decimal(1)
    gray: bool = False
    tint: TintValue | None = None
    duotone: tuple[Colour, Colour] | None = None
    invert: bool = False
    wm: str | None = None
    wm_g: Gravity = CENTRE
    wm_scale: Decimal = Decimal(0)
    wm_opacity: Decimal = Decimal(1)
    text: str | None = None
    text_font: str = "sans"
    text_size: int = 24
    text_color: Colour = BLACK
    text_g: Gravity = CENTRE
    f: str | None = None
    q: int | str | None = None
    max_bytes: int = 0
    progressive: bool = False
    lossless: bool = False
    palette: int = 0
    page: int = 1
    still: bool = False
    strip: str = "1"
    icc: str = "srgb"
    variant: str | None = None

    def __post_init__(self) -> None:
        if self.variant is not None and any(
            getattr(self, spec.field) != spec.default for spec in _PIXEL_SPECS if spec.name != "variant"
        ):
            raise OptionError("variant", "no option about pixels beside it", "cannot be combined with it")
        for side in (self.width, self.height, self.min_width, self.min_height):
            if side is not None and side > MAX_SIDE:
                raise OptionError("dpr", f"a width and height of at most {MAX_SIDE} pixels after it", "is too large")
        # What is multiplied by `dpr` must be within the same bounds: the canonical form says it without.
        if max(self.padding) > MAX_PAD:
            raise OptionError("dpr", f"a pad of at most {MAX_PAD} pixels after it", "is too large")
        if self.text is not None and self.font_pixels > MAX_FONT:
            raise OptionError("dpr", f"a text-size of at most {MAX_FONT} pixels after it", "is too large")
        if self.palette == 1:
            raise OptionError("palette", "0, or a whole number from 2 to 256")

    @property
    def width(self) -> int | None:
        """Pixels across that are asked for, `dpr` applied."""
        return _scaled(self.w, self.dpr)

    @property
    def height(self) -> int | None:
        """Pixels down that are asked for, `dpr` applied."""
        return _scaled(self.h, self.dpr)

    @property
    def min_width(self) -> int | None:
        """Pixels across at least, `dpr` applied."""
        return _scaled(self.min_w, self.dpr)

    @property
    def min_height(self) -> int | None:
        """Pixels down at least, `dpr` applied."""
        return _scaled(self.min_h, self.dpr)

    @property
    def stretches(self) -> bool:
        """Whether the picture's own ratio is given up: `fit=fill`, where there is a box to fill."""
        return self.fit == "fill" and ((self.w is not None and self.h is not None) or self.ar is not None)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Pixels at the top, right, bottom and left, `dpr` applied."""
        top, right, bottom, left = (_times(side, self.dpr) for side in self.pad)
        return top, right, bottom, left

    @property
    def corner(self) -> int | str:
        """The radius in pixels, `dpr` applied, or `max`."""
        return self.radius if isinstance(self.radius, str) else min(MAX_RADIUS, _times(self.radius, self.dpr))

    @property
    def font_pixels(self) -> int:
        """The height of the font in pixels, `dpr` applied."""
        return _times(self.text_size, self.dpr)

    def canonical(self) -> str:
        """The one spelling of all requests that render alike: sorted, defaults and what has no effect left out."""
        values: dict[str, Any] = {spec.name: getattr(self, spec.field) for spec in _PIXEL_SPECS}
        values |= {"w": self.width, "h": self.height, "min-w": self.min_width, "min-h": self.min_height}
        values |= {"pad": self.padding, "radius": self.corner, "text-size": self.font_pixels, "dpr": Decimal(1)}
        degrees, mirrored = self.turned
        values |= {"rotate": degrees, "flip": "h" if mirrored else None}
        for name in self._without_effect():
            values[name] = BY_NAME[name].default
        return ",".join(
            f"{spec.name}:{_escaped(spec.kind.format(values[spec.name]))}"
            for spec in _PIXEL_SPECS
            if values[spec.name] != spec.default
        )

    def _without_effect(self) -> Iterable[str]:
        """The options that change nothing beside the others."""
        if self.f in PASSED_FORMATS:
            yield from (spec.name for spec in _PIXEL_SPECS if spec.name != "f")
        yield from self._geometry_without_effect()
        if self.wm is None:
            yield from ("wm-g", "wm-scale", "wm-opacity")
        if self.text is None:
            yield from ("text-font", "text-size", "text-color", "text-g")
        if self.f in ("png", "gif"):
            yield from ("q", "lossless")
        elif self.f == "jpeg":
            yield "lossless"
        elif self.lossless and self.f in ("webp", "avif", "tiff"):
            yield "q"
        if self.f in ("webp", "avif", "tiff"):
            yield "progressive"
        elif self.f == "gif":
            yield "icc"
        if self.f in ("jpeg", "webp", "avif", "tiff"):
            yield "palette"

    def _geometry_without_effect(self) -> Iterable[str]:
        sized = self.w is not None or self.h is not None
        boxed = self.w is not None and self.h is not None
        shaped = boxed or self.ar is not None
        if not shaped or (not boxed and self.fit in ("cover", "auto", "adaptive")):
            # `ar` cuts anyway.
            yield "fit"
        if not sized and self.min_w is None and self.min_h is None:
            yield "up"
        if not sized and self.ar is None and not self.up:
            yield from ("min-w", "min-h")
        if boxed:
            yield "ar"
        contains = shaped and self.fit == "contain"
        # A result is smaller than what was asked for where it fits into a box, or where the source is too small.
        extends = (
            self.extend
            and sized
            and not contains
            and ((boxed and self.fit in ("inside", "auto", "adaptive")) or not self.up)
        )
        if not extends:
            yield "extend"
        cuts = self.fit in ("cover", "auto") if boxed else self.ar is not None and self.fit not in _CUTTING_NOTHING
        adds = contains or extends
        if not cuts and not (adds and self.g is not None and self.g.place in COMPASS):
            yield "g"
        adds = adds or any(self.pad)
        if self.bg == "blur" and not adds and not self.rotate % 90:
            yield "bg"
        if self.bg == NAMED_COLOURS["transparent"] and not adds:
            yield "bg"
        if self.crop == _WHOLE:
            yield "crop"

    @property
    def turned(self) -> tuple[Decimal, bool]:
        """Degrees clockwise, and whether left and right are exchanged after that: `rotate` and `flip` in one way.

        Of the two ways to say it this is the one without `v`, which is half a turn and `h`.
        """
        if self.flip in ("v", "hv"):
            return (self.rotate + 180) % 360, self.flip == "v"
        return self.rotate, self.flip == "h"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a rendition is handed out; nothing here changes its pixels."""

    p: str | None = None
    v: str | None = None
    dl: str | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """All that a URL asks for."""

    options: Options
    delivery: Delivery


def parse_query(pairs: Iterable[tuple[str, str]]) -> Options:
    """Options from decoded query pairs that hold nothing but options about pixels.

    Raises OptionError for the first pair that is unknown, repeated (also by an alias) or malformed.
    """
    values = _values(pairs)
    for name in values:
        if BY_NAME[name].group == "delivery":
            raise OptionError(name, "an option about pixels", "is not available here")
    return Options(**{BY_NAME[name].field: value for name, value in values.items()})


def parse_request(
    pairs: Iterable[tuple[str, str]], presets: Mapping[str, str] | Callable[[str], str | None] | None = None
) -> ImageRequest:
    """All that decoded query pairs ask for. `presets`: compact forms by name, which may hold delivery options too.

    Options beside a preset take precedence over its own. Raises OptionError; also for a preset that does not exist or
    names another one.
    """
    values = _values(pairs)
    name = values.get("p")
    if name is not None:
        find = presets if callable(presets) else (presets or {}).get
        text = find(name)
        if text is None:
            raise OptionError("p", "the name of a preset", "is unknown")
        inherited = _values(_compact_pairs(text))
        if "p" in inherited:
            raise OptionError("p", "a preset that names no other")
        values = inherited | values
    pixels: dict[str, Any] = {}
    delivery: dict[str, Any] = {}
    for key, value in values.items():
        spec = BY_NAME[key]
        (delivery if spec.group == "delivery" else pixels)[spec.field] = value
    if delivery.get("raw") and pixels:
        raise OptionError("raw", "no option about pixels beside it", "cannot be combined with it")
    return ImageRequest(Options(**pixels), Delivery(**delivery))


def parse_compact(text: str) -> Options:
    """Options from the compact form, e.g. `w:400,f:webp`; the empty string is no options. Raises OptionError."""
    return _parse_compact(text)


@lru_cache(maxsize=4096)
def _parse_compact(text: str) -> Options:
    return parse_query(_compact_pairs(text))


def compact_pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of a compact form, values unescaped. Raises OptionError for what is no pair."""
    return list(_compact_pairs(text))


def with_focal_point(options: Options, x: Decimal, y: Decimal) -> Options:
    """`options` with a focal point where they name no gravity."""
    return options if options.g is not None else replace(options, g=Gravity("fp", x, y))


def _values(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parsed values by the option's own name."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        spec = BY_NAME.get(name)
        if spec is None:
            raise OptionError(name[:64], _KNOWN, "is unknown")
        if spec.name in values:
            raise OptionError(name, "each option at most once", "is repeated")
        try:
            values[spec.name] = spec.kind.parse(text)
        except ValueError:
            raise OptionError(name, spec.kind.expected) from None
    return values


_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _compact_pairs(text: str) -> Iterable[tuple[str, str]]:
    for item in text.split(",") if text else ():
        name, colon, value = item.partition(":")
        if not colon:
            raise OptionError(item[:64], "name:value pairs separated by commas")
        if "%" in value:
            if _BAD_ESCAPE.search(value):
                raise OptionError(name[:64], "a percent sign only before two hexadecimal digits")
            value = unquote(value, errors="surrogateescape")
        yield name, value


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace(",", "%2C")


def _times(side: int, dpr: Decimal) -> int:
    return int((side * dpr).to_integral_value(ROUND_HALF_UP))


def _scaled(side: int | None, dpr: Decimal) -> int | None:
    return None if side is None else _times(side, dpr)
