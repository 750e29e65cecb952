"""The filters of thumbor's and imagor's URLs: one table that reads and documents them.

Meanings are those of thumbor.readthedocs.io ("Filters") and of imagor's README. Where a row has no function the filter is
refused with 400; `note` says why, or how the meaning differs. A filter that is in no row is refused too, and one that is
named twice, since filters are not run one after the other here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.img.dialects.arguments import refuse, unsupported
from gateway.img.dialects.reading import Dialect
from gateway.img.dialects.thumbor import delivery, geometry, output, overlay, pixels
from gateway.img.dialects.thumbor.arguments import Arguments
from gateway.img.dialects.thumbor.asked import Filters

Read = Callable[[Filters, str, Arguments], None]
BOTH: tuple[Dialect, ...] = ("thumbor", "imagor")
IMAGOR: tuple[Dialect, ...] = ("imagor",)
THUMBOR: tuple[Dialect, ...] = ("thumbor",)


@dataclass(frozen=True, slots=True)
class FilterRow:
    """One filter: who has it, its arguments, our options for it, and how it differs."""

    name: str
    dialects: tuple[Dialect, ...]
    arguments: str
    ours: str
    note: str = ""
    read: Read | None = None
    """None: it is refused."""


def read_filters(text: str, dialect: Dialect) -> Filters:
    """What `name(a,b):name(c)` asks for. Raises OptionError, which names the filter."""
    filters = Filters(dialect)
    seen: set[str] = set()
    for part in _parts(text):
        name, bracket, rest = part.partition("(")
        if not bracket or not rest.endswith(")"):
            raise refuse(name or "filters", "name(arguments)")
        row = BY_NAME.get(name)
        if row is None or dialect not in row.dialects:
            raise refuse(name, f"a filter of {dialect}'s documentation", "is unknown")
        if row.read is None:
            raise unsupported(name, row.note)
        if name in seen:
            raise refuse(name, "each filter at most once", "is repeated")
        seen.add(name)
        row.read(filters, name, _arguments(rest[:-1]))
    return filters


def _parts(text: str) -> list[str]:
    """The filters, split at the colons outside brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == ":" and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _arguments(text: str) -> list[str]:
    """The arguments, split at the commas outside quotes and without the quotes."""
    if not text:
        return []
    parts, quoted, start = [], False, 0
    for index, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif character == "," and not quoted:
            parts.append(text[start:index])
            start = index + 1
    stripped = [part.strip() for part in (*parts, text[start:])]
    return [part[1:-1] if len(part) > 1 and part[0] == part[-1] == "'" else part for part in stripped]


_OTHER_PICTURES = "one watermark; other pictures are not put together"
_CHANNELS = "brightness, contrast, saturation and hue"

ROWS: tuple[FilterRow, ...] = (
    FilterRow("attachment", IMAGOR, "name", "`dl`", "", delivery.attachment),
    FilterRow(
        "autojpg", BOTH, "true or false", "`f=jpeg`",
        "Always JPEG; thumbor keeps what is transparent as PNG.", output.autojpg,
    ),
    FilterRow("background_color", BOTH, "colour", "`bg`", "`auto` refused.", geometry.background_color),
    FilterRow(
        "blur", BOTH, "radius, sigma", "`blur`",
        "thumbor: sigma, else the radius. imagor: half of it, as it does. 0.3 to 100; animations too.", pixels.blur,
    ),
    FilterRow("brightness", BOTH, "-100 to 100", "`brightness`", "", pixels.brightness),
    FilterRow("colorize", THUMBOR, "red, green, blue, colour", "", _CHANNELS),
    FilterRow(
        "contrast", BOTH, "-100 to 100", "`contrast`, by the slope that the program has",
        "Slopes above 2 refused: thumbor's beyond 41, imagor's beyond 33.", pixels.contrast,
    ),
    FilterRow("convolution", THUMBOR, "matrix", "", "blur or sharpen"),
    FilterRow("cover", THUMBOR, "", "`still`", "", output.cover),
    FilterRow("crop", IMAGOR, "left, top, width, height", "", "a crop before resizing (AxB:CxD)"),
    FilterRow("curve", THUMBOR, "points", "", _CHANNELS),
    FilterRow("detections", IMAGOR, "...", "", "a picture without marks; smart or focal cut by what is in it"),
    FilterRow("distributed_collage", THUMBOR, "...", "", _OTHER_PICTURES),
    FilterRow("dpi", IMAGOR, "dpi", "", "the size in pixels"),
    FilterRow("equalize", THUMBOR, "", "", _CHANNELS),
    FilterRow("expire", IMAGOR, "Unix milliseconds", "end of the link", "After it 403.", delivery.expire),
    FilterRow("extract_focal", THUMBOR, "", "", "focal, or the object's own focal point"),
    FilterRow(
        "fill", BOTH, "colour, fill_transparent", "`extend bg`",
        "`blur` too; `auto` refused. Transparent parts of the picture are filled as well.", geometry.fill,
    ),
    FilterRow(
        "focal", BOTH, "left x top : right x bottom, or x,y", "`g=fp:x:y`",
        "The middle of the region. It takes the place of smart and of alignments.", geometry.focal,
    ),
    FilterRow("format", BOTH, "format", "`f`", "JPEG, PNG, WebP, AVIF, GIF, TIFF.", output.output_format),
    FilterRow("frame", THUMBOR, "image", "", _OTHER_PICTURES),
    FilterRow("grayscale", BOTH, "", "`gray`", "", pixels.grayscale),
    FilterRow("hue", IMAGOR, "degrees", "`hue`", "Luma is kept; imagor turns in LCh.", pixels.hue),
    FilterRow("image", IMAGOR, "path, x, y, ...", "", _OTHER_PICTURES),
    FilterRow(
        "label", IMAGOR, "text, x, y, size, colour, alpha, font", "`text text-g text-size text-color text-font`",
        "Plain text; the default font is this server's.", overlay.label,
    ),
    FilterRow("max_age", THUMBOR, "seconds", "", "the server's image_key_max_age"),
    FilterRow(
        "max_bytes", BOTH, "bytes", "`max-bytes`",
        "For every format; where no quality gets there the picture becomes smaller.", output.max_bytes,
    ),
    FilterRow("max_frames", IMAGOR, "1", "`still`", "Other numbers refused.", output.max_frames),
    FilterRow("modulate", IMAGOR, "brightness, saturation, hue", "", _CHANNELS),
    FilterRow("no_upscale", BOTH, "", "`up=0`", "", geometry.no_upscale),
    FilterRow("noise", THUMBOR, "amount", "", "a picture without noise"),
    FilterRow(
        "orient", IMAGOR, "multiple of 90", "`rotate`", "Against the clock, as there. Not beside a crop or `focal`.",
        geometry.orient,
    ),
    FilterRow("padding", IMAGOR, "colour, left, top, right, bottom", "`pad bg`", "", geometry.padding),
    FilterRow("page", IMAGOR, "number from 1", "`page`", "", output.page),
    FilterRow("pixelate", IMAGOR, "size", "", "our own links (`pixelate`)"),
    FilterRow(
        "preview", IMAGOR, "", "", "Changes nothing in the picture; renditions are kept all the same.", delivery.preview
    ),
    FilterRow(
        "proportion", BOTH, "0 to 1", "times `w` and `h`",
        "Needs a width or a height in the URL. imagor: above 1 in percent.", geometry.proportion,
    ),
    FilterRow("quality", BOTH, "1 to 100", "`q`", "Defaults are this server's.", output.quality),
    FilterRow("raw", IMAGOR, "", "`raw`", "Where the bucket allows it.", delivery.raw),
    FilterRow("red_eye", THUMBOR, "", "", "a picture as it is"),
    FilterRow("redeye", THUMBOR, "", "", "a picture as it is"),
    FilterRow("rgb", BOTH, "red, green, blue", "", _CHANNELS),
    FilterRow(
        "rotate", BOTH, "multiple of 90", "`rotate`, `w` and `h` changed over",
        "Against the clock, as there. It is done before all others, so that watermark and text stay upright.",
        geometry.rotate,
    ),
    FilterRow(
        "round_corner", BOTH, "thumbor: radius,red,green,blue,transparent; imagor: rx,ry,colour", "`radius bg`",
        "One radius for both axes.", geometry.round_corner,
    ),
    FilterRow("saturation", BOTH, "-100 to 100", "`saturation`", "imagor changes it in LCh.", pixels.saturation),
    FilterRow("set_frames", IMAGOR, "n, delay", "", "an animation as it is"),
    FilterRow(
        "sharpen", BOTH, "thumbor: amount,radius,luminance; imagor: sigma", "`sharpen`",
        "thumbor: an unsharp mask of that radius; the amount is not scaled. imagor: 1 + 2 sigma, as it does.",
        pixels.sharpen,
    ),
    FilterRow("stretch", BOTH, "", "`fit=fill`", "", geometry.stretch),
    FilterRow("strip_exif", BOTH, "", "`strip=1`", "The default here.", output.strip_exif),
    FilterRow("strip_icc", BOTH, "", "`icc=srgb`", "Converted first. The default here.", output.strip_icc),
    FilterRow(
        "text", IMAGOR, "text, x, y, font, colour, alpha", "`text text-g text-size text-color text-font`",
        "What stands behind alpha is refused.", overlay.text,
    ),
    FilterRow("to_colorspace", IMAGOR, "srgb", "`icc=srgb`", "Others refused.", output.to_colorspace),
    FilterRow("trim", IMAGOR, "tolerance, corner", "", "the part trim, before resizing"),
    FilterRow("upscale", BOTH, "", "`up=1`", "", geometry.upscale),
    FilterRow(
        "watermark", BOTH, "image, x, y, alpha, w_ratio, h_ratio", "`wm wm-g wm-opacity wm-scale`",
        "Tiles in both directions or none; h_ratio refused.", overlay.watermark,
    ),
)  # fmt: skip

BY_NAME: Mapping[str, FilterRow] = {row.name: row for row in ROWS}
