"""The table of the image options: what each is called, what values it has and what it means.

`options` reads requests by it, and the documentation is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from transforms.formats import OUTPUT_FORMATS, PASSED_FORMATS
from transforms.option_kinds import (
    CENTRE,
    Angle,
    Choice,
    Colour,
    ColourPair,
    ColourValue,
    CropValue,
    Flag,
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
    Trim,
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

BLACK: Colour = (0, 0, 0, 255)
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
        "text-color", ("text-colour",), "overlay", ColourValue(), BLACK, "`black`", "ffffff80",
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

BY_NAME: dict[str, OptionSpec] = {word: spec for spec in SPECS for word in (spec.name, *spec.aliases)}
"""Each row by its name and by its aliases."""


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


def docs_rows() -> list[DocRow]:
    """The options table for the documentation, in the order of `SPECS`."""
    return [
        DocRow(spec.name, spec.aliases, spec.group, spec.kind.expected, spec.default_text, spec.example, spec.doc)
        for spec in SPECS
    ]
