"""The options of an image URL: one table that parses, bounds, canonicalises and documents them.

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
from transforms.formats import OUTPUT_FORMATS, PASSED_FORMATS
from transforms.option_kinds import (
    CENTRE,
    COMPASS,
    NAMED_COLOURS,
    Angle,
    Background,
    Choice,
    Colour,
    ColourPair,
    ColourValue,
    CropBox,
    CropValue,
    Flag,
    Gravity,
    GravityValue,
    Integer,
    IntegerOr,
    Kind,
    Name,
    Number,
    Ratio,
    Sides,
    Text,
    Tint,
    TintValue,
    Trim,
    TrimValue,
)
from transforms.variants import VARIANTS

MAX_SIDE = 16_384
"""The largest width or height that can be asked for, in pixels, after `dpr`."""
MAX_PAD = 4096
"""The most pixels that can be added on a side, after `dpr`."""
MAX_RADIUS = 8192
"""The largest radius in pixels; larger ones after `dpr` are as good as it."""
MAX_FONT = 2000
"""The largest height of a font in pixels, after `dpr`."""
MAX_BYTES = 1_000_000_000


_BLACK: Colour = (0, 0, 0, 255)
_PERCENT = Number(Decimal(-100), Decimal(100))


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One row of the options table; `field` is its field of `Options`, or of `Delivery` in the group `delivery`.

    `example` is a valid value that is not the default.
    """

    name: str
    aliases: tuple[str, ...]
    group: str
    kind: Kind
    default: Any
    default_text: str
    example: str
    doc: str

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")


GROUPS: dict[str, str] = {
    "geometry": "Size and cut",
    "pixels": "Colours and effects",
    "overlay": "Watermark and text",
    "format": "Format and size in bytes",
    "variant": "Variants",
    "delivery": "Delivery",
}
"""The groups of options and their headings, in the order of the documentation."""

SPECS: tuple[OptionSpec, ...] = (
    OptionSpec(
        "w", ("width",), "geometry", Integer(1, MAX_SIDE), None, "from `h` and the ratio, else the source's", "300",
        "Width of the result in pixels, before `dpr`.",
    ),
    OptionSpec(
        "h", ("height",), "geometry", Integer(1, MAX_SIDE), None, "from `w` and the ratio, else the source's", "200",
        "Height of the result in pixels, before `dpr`.",
    ),
    OptionSpec(
        "fit", (), "geometry", Choice(("inside", "outside", "cover", "contain", "fill", "auto", "adaptive")), "inside",
        "`inside`", "cover",
        "What happens when both `w` and `h` are given and the ratio differs. `inside`: as large as fits into the box; "
        "`outside`: as small as covers the box, nothing cut; `cover`: covers the box, what `g` says is kept and the rest "
        "cut; `contain`: fits into the box and is padded with `bg` to its exact size; `fill`: stretched to the box; "
        "`auto`: `cover` where picture and box are both landscape (or square) or both portrait, else `inside`; `adaptive`: "
        "`inside`, of the box turned where one of them is landscape and the other portrait.",
    ),
    OptionSpec(
        "min-w", ("min-width",), "geometry", Integer(1, MAX_SIDE), None, "none", "200",
        "The result is no narrower than this, before `dpr`: it grows with its ratio kept, `fit=cover` grows its box. "
        "Never beyond the source's size without `up`.",
    ),
    OptionSpec(
        "min-h", ("min-height",), "geometry", Integer(1, MAX_SIDE), None, "none", "200",
        "The result is no lower than this, before `dpr`.",
    ),
    OptionSpec(
        "dpr", (), "geometry", Number(Decimal(1), Decimal(4)), Decimal(1), "1", "2",
        "Device pixels for a pixel of the layout: multiplies `w`, `h`, `min-w`, `min-h`, `pad`, `radius` and "
        "`text-size`.",
    ),
    OptionSpec(
        "up", ("enlarge",), "geometry", Flag(), False, "0", "1",
        "1 allows the result to be larger than the source. With 0, a source that is too small gives a smaller result; "
        "`cover` and `fill` then keep the ratio that was asked for, `contain` pads to the exact size. An SVG is drawn in "
        "any size with 0 as well.",
    ),
    OptionSpec(
        "crop", (), "geometry", CropValue(), None, "none", "10:20:300:200",
        "A part of the upright source, cut out before anything else: left, top, width and height in its pixels, or as "
        "fractions of its sides. What lies outside the source is left out. Or a box that stands at a place (`c n ne ...`) "
        "with offsets inwards, or around a point (`fp`), and is never beyond the source: each number below 1 is a fraction, "
        "a width or height of 0 the whole side.",
    ),
    OptionSpec(
        "ar", ("aspect-ratio",), "geometry", Ratio(), None, "the source's", "16:9",
        "Aspect ratio of the result: the side that is not given follows from the other and this, and the source is cut "
        "to it where `g` says; with neither, the largest part of that ratio. `fit=contain` pads to the ratio instead, "
        "`fill` stretches to it, `outside` covers it. No effect with both `w` and `h`.",
    ),
    OptionSpec(
        "g", ("gravity",), "geometry", GravityValue(), None, "the object's focal point, else `c`", "ne",
        "What is kept where `cover` or `ar` cut, and where the picture stands where `contain` or `extend` pad: a place "
        "(`c n ne e se s sw w nw`) with offsets in pixels of the result (under 1: fractions of its side); a focal point "
        "`fp:x:y` in fractions (or, above 1, pixels) of the upright source, before `crop` and `rotate`; `smart` or `attention` (what draws the "
        "eye), `entropy`, or `face` (the largest, with as many others as fit; without any, as `smart`). Where pictures "
        "stand, only places count.",
    ),
    OptionSpec(
        "rotate", (), "geometry", Angle(), Decimal(0), "0", "90",
        "Turns clockwise by this many degrees, after the camera's orientation, `crop` and `trim`, and before `flip` and "
        "sizing. By other angles than quarter turns the picture becomes the upright box around what was turned; the "
        "corners that appear are filled with `bg`, else transparent, or white where the format cannot be.",
    ),
    OptionSpec(
        "flip", (), "geometry", Choice(("h", "v", "hv"), (("vh", "hv"),)), None, "none", "h",
        "Mirrors left to right (`h`), top to bottom (`v`), or both (`hv`).",
    ),
    OptionSpec(
        "trim", (), "geometry", Trim(), None, "none", "10",
        "Cuts borders of one colour before sizing: how much (of 255) a pixel may differ from the top left corner's "
        "colour, or from the one that is given (`10:ff00ff`). A picture of nothing else is left as it is, and of an animation "
        "what any frame shows. After `crop`.",
    ),
    OptionSpec(
        "pad", ("padding",), "geometry", Sides(MAX_PAD), (0, 0, 0, 0), "0", "10:20",
        "Adds that many pixels around the sized picture, as CSS orders them: top, right, bottom, left. `w` and `h` do "
        "not include them. They are filled with `bg`.",
    ),
    OptionSpec(
        "extend", (), "geometry", Flag(), False, "0", "1",
        "1 pads a result that is smaller than `w` or `h` to exactly that (where one is given with `ar`, the other too), "
        "the picture standing where `g` says.",
    ),
    OptionSpec(
        "bg", ("background",), "geometry", ColourValue("blur"), None,
        "white around the picture, transparent where it has transparency or a shape",
        "fff",
        "Colour of what is added around the picture, and under transparent pixels; `blur` fills what is added with the "
        "picture itself, enlarged and blurred.",
    ),
    OptionSpec(
        "radius", (), "geometry", IntegerOr(0, MAX_RADIUS, "max"), 0, "0", "20",
        "Rounds the corners by that many pixels; `max` gives a circle or pill. Outside is transparent, or `bg`.",
    ),
    OptionSpec(
        "mask", (), "geometry", Choice(("ellipse", "circle")), None, "none", "ellipse",
        "Keeps the largest ellipse or circle in the middle. Outside is transparent, or `bg`.",
    ),
    OptionSpec(
        "exact", (), "geometry", Flag(), False, "0", "1",
        "1 renders from the original where otherwise a mezzanine (a smaller stored copy) would do.",
    ),
    OptionSpec(
        "blur", (), "pixels", Number(Decimal("0.3"), Decimal(100), off=True), Decimal(0), "0", "2.5",
        "Gaussian blur of the result; the value is sigma in pixels of the result.",
    ),
    OptionSpec(
        "sharpen", ("sh",), "pixels", Number(Decimal("0.3"), Decimal(10), off=True), Decimal(0), "0", "1",
        "Unsharp mask of the result; the value is sigma in pixels of the result.",
    ),
    OptionSpec(
        "pixelate", (), "pixels", Integer(0, 1024), 0, "0", "8",
        "Blocks of that many pixels of the result, each in its mean colour.",
    ),
    OptionSpec(
        "brightness", ("br",), "pixels", _PERCENT, Decimal(0), "0", "20",
        "Lighter or darker, from -100 (black) to 100 (white).",
    ),
    OptionSpec(
        "contrast", ("co",), "pixels", _PERCENT, Decimal(0), "0", "-20",
        "More or less contrast, from -100 (flat grey) to 100 (twice the slope).",
    ),
    OptionSpec(
        "saturation", ("sa",), "pixels", _PERCENT, Decimal(0), "0", "30",
        "More or less colour, from -100 (greys) to 100 (twice the colour).",
    ),
    OptionSpec(
        "hue", (), "pixels", Angle(), Decimal(0), "0", "45",
        "Turns all hues by this many degrees.",
    ),
    OptionSpec(
        "gamma", (), "pixels", Number(Decimal("0.1"), Decimal(10)), Decimal(1), "1", "2.2",
        "Gamma of the result: over 1 lightens the middle tones, under 1 darkens them.",
    ),
    OptionSpec(
        "gray", ("grayscale", "grey"), "pixels", Flag(), False, "0", "1",
        "1 takes all colour out.",
    ),
    OptionSpec(
        "tint", (), "pixels", Tint(), None, "none", "704214:0.5",
        "Shades of a colour, each as light as the picture is there; a strength under 1 mixes them with the picture "
        "(`704214:0.5`).",
    ),
    OptionSpec(
        "duotone", (), "pixels", ColourPair(), None, "none", "001f3f:ffdc00",
        "Two colours instead of black and white: the shadows' and the lights'.",
    ),
    OptionSpec(
        "invert", ("negate",), "pixels", Flag(), False, "0", "1",
        "1 gives the negative.",
    ),
    OptionSpec(
        "wm", ("watermark",), "overlay", Text(1200), None, "none", "photos/logo.png",
        "An image to lay over the result: `bucket/key`, or an image id. Who may sign for the picture must be able to "
        "read it; without a signature it comes only by a preset.",
    ),
    OptionSpec(
        "wm-g", (), "overlay", GravityValue(smart=False, word="repeat"), CENTRE, "`c`", "se:10:10",
        "Where the watermark stands: a place with offsets inwards, as in `g`; or `repeat` to tile it.",
    ),
    OptionSpec(
        "wm-scale", (), "overlay", Number(Decimal("0.01"), Decimal(1), off=True), Decimal(0), "0: its own size", "0.2",
        "Width of the watermark as a fraction of the result's. It is never larger than the result.",
    ),
    OptionSpec(
        "wm-opacity", (), "overlay", Number(Decimal(0), Decimal(1)), Decimal(1), "1", "0.5",
        "How opaque the watermark is.",
    ),
    OptionSpec(
        "text", (), "overlay", Text(500, lines=True), None, "none", "Hello",
        "Text to lay over the result, wrapped to its width. It is plain text: no markup is read.",
    ),
    OptionSpec(
        "text-font", (), "overlay", Text(64), "sans", "`sans`", "serif",
        "Font family, with an optional weight or style (`DejaVu Sans Bold`), from the fonts folder; one that is not there "
        "is replaced.",
    ),
    OptionSpec(
        "text-size", (), "overlay", Integer(4, MAX_FONT), 24, "24", "48",
        "Height of the font in pixels, before `dpr`.",
    ),
    OptionSpec(
        "text-color", ("text-colour",), "overlay", ColourValue(), _BLACK, "`black`", "ffffff80",
        "Colour of the text, with alpha.",
    ),
    OptionSpec(
        "text-g", (), "overlay", GravityValue(smart=False), CENTRE, "`c`", "s:0:20",
        "Where the text stands: a place with offsets inwards, as in `g`. An offset takes room from the lines, down to six "
        "times the font's height.",
    ),
    OptionSpec(
        "f", ("format",), "format", Choice((*OUTPUT_FORMATS, *PASSED_FORMATS, "auto"), (("jpg", "jpeg"), ("tif", "tiff"))), None,
        "the source's", "webp",
        "Format of the result. `auto` picks AVIF or WebP where the Accept header names them, else a format that every "
        "browser shows. Without `f` the source's format is kept where it can be written and browsers show it; others "
        "become JPEG, or PNG if transparent. `svg` gives an SVG itself, freed of scripts and references; nothing else has "
        "an effect beside it.",
    ),
    OptionSpec(
        "q", ("quality",), "format", IntegerOr(1, 100, "auto"), None, "by format", "70",
        "Quality of JPEG, WebP, AVIF and TIFF. `auto` looks for the lowest that keeps the picture's structure (SSIM). "
        "No effect on PNG and GIF.",
    ),
    OptionSpec(
        "max-bytes", (), "format", Integer(0, MAX_BYTES), 0, "0: no bound", "50000",
        "The result is at most this large where lowering the quality, then the size, gets there; else it is 400.",
    ),
    OptionSpec(
        "progressive", (), "format", Flag(), False, "0", "1",
        "1 makes a progressive JPEG or an interlaced PNG or GIF.",
    ),
    OptionSpec(
        "lossless", (), "format", Flag(), False, "0", "1",
        "1 writes WebP, AVIF and TIFF without loss; no effect on others.",
    ),
    OptionSpec(
        "palette", (), "format", Integer(0, 256), 0, "0: all colours", "64",
        "A PNG (or GIF) of at most that many colours, from 2: 256, 128, 64 and so on, whichever is not above it; a PNG "
        "with transparency 256, 16, 4 or 2.",
    ),
    OptionSpec(
        "page", (), "format", Integer(1, 10_000), 1, "1", "2",
        "Which page of a TIFF or PDF, or frame of an animation, is shown; any other than the first is a still picture.",
    ),
    OptionSpec(
        "still", (), "format", Flag(), False, "0", "1",
        "1 shows one frame of an animation. Without it, GIF and WebP stay animated in formats that can be.",
    ),
    OptionSpec(
        "strip", (), "format", Choice(("1", "0", "copyright")), "1", "1", "copyright",
        "1 leaves all metadata out; `copyright` keeps author and copyright; 0 keeps EXIF, XMP and IPTC (places too), but "
        "never the thumbnail in it. TIFF holds XMP and IPTC only, GIF XMP.",
    ),
    OptionSpec(
        "icc", (), "format", Choice(("srgb", "keep")), "srgb", "`srgb`", "keep",
        "`srgb` converts to sRGB and leaves the profile out; `keep` leaves the colours in the source's profile and "
        "embeds it, where the format can and the profile is one of RGB. Colours of other options are taken as they are then.",
    ),
    OptionSpec(
        "variant", (), "variant", Choice(tuple(VARIANTS)), None, "none", "medium",
        "One of the sizes that apps know by name, made of every image that is uploaded through `/api/v1` and kept: "
        "`thumbnail`, `medium` and `large` fit into 150, 600 and 1200 pixels, as WebP; `thumbnail-150`, `thumbnail-300` and "
        "`thumbnail-600` as JPEG; `original` into 4096 pixels in the source's format as far as browsers show it, an "
        "animation with all its frames (the others show its first). Never enlarged. No other option about pixels may stand beside it.",
    ),
    OptionSpec(
        "p", ("preset",), "delivery", Name(), None, "none", "card",
        "A named set of options of the bucket or the server; options beside it take precedence over its own.",
    ),
    OptionSpec(
        "v", (), "delivery", Name(), None, "none", "0123456789abcdef",
        "The content's version: the answer may be kept for ever, because another content has another one. A wrong one "
        "is redirected to the right one and not cached.",
    ),
    OptionSpec(
        "dl", ("download",), "delivery", Text(255), None, "shown", "photo.jpg",
        "The browser saves the result under this name.",
    ),
    OptionSpec(
        "raw", (), "delivery", Flag(), False, "0", "1",
        "1 gives the stored bytes as they are; no other option about pixels may stand beside it.",
    ),
)  # fmt: skip

_BY_NAME: dict[str, OptionSpec] = {word: spec for spec in SPECS for word in (spec.name, *spec.aliases)}
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
    text_color: Colour = _BLACK
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
            values[name] = _BY_NAME[name].default
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


@dataclass(frozen=True, slots=True)
class DocRow:
    """One line of the options page."""

    name: str
    aliases: tuple[str, ...]
    group: str
    values: str
    default: str
    example: str
    doc: str


def parse_query(pairs: Iterable[tuple[str, str]]) -> Options:
    """Options from decoded query pairs that hold nothing but options about pixels.

    Raises OptionError for the first pair that is unknown, repeated (also by an alias) or malformed.
    """
    values = _values(pairs)
    for name in values:
        if _BY_NAME[name].group == "delivery":
            raise OptionError(name, "an option about pixels", "is not available here")
    return Options(**{_BY_NAME[name].field: value for name, value in values.items()})


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
        spec = _BY_NAME[key]
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


def docs_rows() -> list[DocRow]:
    """The options table for the documentation, in the order of `SPECS`."""
    return [
        DocRow(spec.name, spec.aliases, spec.group, spec.kind.expected, spec.default_text, spec.example, spec.doc)
        for spec in SPECS
    ]


def _values(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parsed values by the option's own name."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        spec = _BY_NAME.get(name)
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
