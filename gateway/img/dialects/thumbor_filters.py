"""The filters of thumbor's and imagor's URLs: one table that reads and documents them.

Meanings are those of thumbor.readthedocs.io ("Filters") and of imagor's README. Where a row has no function the filter is
refused with 400; `note` says why, or how the meaning differs. A filter that is in no row is refused too, and one that is
named twice, since filters are not run one after the other here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.img.dialects.arguments import (
    base64_text,
    decimal,
    named_colour,
    refuse,
    switch,
    unescaped_text,
    unsupported,
    whole,
    with_alpha,
    written,
)
from gateway.img.dialects.reading import Dialect
from transforms.formats import OUTPUT_FORMATS

Arguments = Sequence[str]
Offset = tuple[str, Decimal]
"""Along one axis: the edge (`n`, `s`, `w`, `e`, or nothing for the middle) and how far from it."""

_FORMATS = {"jpg": "jpeg", "tif": "tiff"}
_EDGES = {"left": "w", "l": "w", "right": "e", "r": "e", "top": "n", "t": "n", "bottom": "s", "b": "s", "center": ""}
_MILLISECONDS = 1000


@dataclass(slots=True)
class Watermark:
    """An image over the picture."""

    source: str
    place: str
    opacity: Decimal
    scale: Decimal | None


@dataclass(slots=True)
class Label:
    """Text over the picture."""

    text: str
    place: str
    size: int
    colour: str
    font: str | None


@dataclass(slots=True)
class Filters:
    """What the filters ask for."""

    dialect: Dialect
    upscale: bool | None = None
    stretch: bool = False
    proportion: Decimal = Decimal(1)
    focal: tuple[Decimal, Decimal] | None = None
    orient: int = 0
    rotate: int = 0
    fill: bool = False
    background: str | None = None
    padding: tuple[int, int, int, int] | None = None
    radius: int | None = None
    pixels: list[tuple[str, str]] = field(default_factory=list)
    """Options of ours that need nothing else."""
    watermark: Watermark | None = None
    label: Label | None = None
    format: str | None = None
    raw: bool = False
    download: str | None = None
    """The name to save as; empty: the source's."""
    expires: int | None = None


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


# --- arguments


def _few(name: str, arguments: Arguments, least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise refuse(name, f"{least} to {most} arguments" if least < most else f"{least} arguments")


def _one(name: str, arguments: Arguments) -> str:
    _few(name, arguments, 1, 1)
    return arguments[0]


def _none(name: str, arguments: Arguments) -> None:
    if arguments and tuple(arguments) != ("",):
        raise refuse(name, "no arguments")


def _given(arguments: Arguments, index: int) -> str:
    return arguments[index] if index < len(arguments) else ""


def _percent(name: str, text: str) -> Decimal:
    return decimal(name, text, -100, 100)


def _along(name: str, text: str, *, across: bool) -> Offset:
    """Where something stands along one axis."""
    near, far = ("w", "e") if across else ("n", "s")
    if text in _EDGES:
        edge = _EDGES[text]
        if edge and edge not in (near, far):
            raise refuse(name, "left, right or center, and top, bottom or center")
        return edge, Decimal(0)
    edge = far if text.startswith("-") else near
    bare = text.removeprefix("-")
    if bare.endswith("p"):
        value = decimal(name, bare[:-1], 0, 100) / 100
        if value == 1:
            raise unsupported(name, "percentages under 100")
        return edge, value
    value = decimal(name, bare, 0)
    if value != value.to_integral_value() and value > 1:
        raise refuse(name, "whole pixels, a percentage with p, or a fraction under 1")
    return edge, value


def _placed(across: Offset, down: Offset) -> str:
    place = (down[0] + across[0]) or "c"
    x, y = across[1], down[1]
    return f"{place}:{written(x)}:{written(y)}" if x or y else place


# --- filters, in the order of the alphabet


def _attachment(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 0, 1)
    filters.download = unescaped_text(name, _given(arguments, 0))


def _autojpg(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 0, 1)
    if not _given(arguments, 0) or switch(name, arguments[0]):
        filters.format = "jpeg"


def _background_color(filters: Filters, name: str, arguments: Arguments) -> None:
    _ground(filters, name, _one(name, arguments))


def _ground(filters: Filters, name: str, text: str) -> None:
    if text.lower() == "auto":
        raise unsupported(name, "a colour or blur, as none is chosen from the picture")
    if text.lower() in ("none", "transparent"):
        colour = "transparent"
    else:
        colour = "blur" if text.lower() == "blur" and name == "fill" else named_colour(name, text)
    if filters.background not in (None, colour):
        raise refuse(name, "one background for the whole picture")
    filters.background = colour


def _blur(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 1, 2)
    sigma = decimal(name, _given(arguments, 1) or arguments[0], 0)
    _add(filters, "blur", sigma / 2 if filters.dialect == "imagor" else sigma)


def _add(filters: Filters, option: str, value: Decimal) -> None:
    if value:
        filters.pixels.append((option, written(value)))


def _brightness(filters: Filters, name: str, arguments: Arguments) -> None:
    _add(filters, "brightness", _percent(name, _one(name, arguments)))


def _contrast(filters: Filters, name: str, arguments: Arguments) -> None:
    amount = _percent(name, _one(name, arguments))
    if filters.dialect == "thumbor":
        slope = (1 + amount / 100) ** 2
    else:
        of_255 = amount * 255 / 100
        slope = 259 * (of_255 + 255) / (255 * (259 - of_255))
    if slope > 2:
        raise unsupported(name, "at most " + ("41" if filters.dialect == "thumbor" else "33"))
    _add(filters, "contrast", (slope - 1) * 100)


def _cover(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.pixels.append(("still", "1"))


def _expire(filters: Filters, name: str, arguments: Arguments) -> None:
    text = _one(name, arguments)
    if not (0 < len(text) <= 18 and text.isascii() and text.isdigit()):
        raise refuse(name, "a Unix timestamp in milliseconds")
    filters.expires = int(text) // _MILLISECONDS


def _fill(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 1, 2)
    if _given(arguments, 1):
        switch(name, arguments[1])
    _ground(filters, name, arguments[0])
    filters.fill = True


def _focal(filters: Filters, name: str, arguments: Arguments) -> None:
    numbers = [part for argument in arguments for part in argument.replace(":", "x").split("x")]
    if len(numbers) not in (2, 4):
        raise refuse(name, "left x top : right x bottom" + (", or x,y" if filters.dialect == "imagor" else ""))
    sides = [decimal(name, number, 0) for number in numbers]
    left, top, right, bottom = sides if len(sides) == 4 else (*sides, *sides)
    if right < left or bottom < top:
        raise refuse(name, "its right bottom corner beyond its left top one")
    filters.focal = ((left + right) / 2, (top + bottom) / 2)


def _format(filters: Filters, name: str, arguments: Arguments) -> None:
    text = _one(name, arguments)
    kind = _FORMATS.get(text, text)
    if kind not in OUTPUT_FORMATS:
        raise unsupported(name, "one of " + ", ".join(OUTPUT_FORMATS))
    filters.format = kind


def _grayscale(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.pixels.append(("gray", "1"))


def _hue(filters: Filters, name: str, arguments: Arguments) -> None:
    _add(filters, "hue", decimal(name, _one(name, arguments)) % 360)


def _label(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 1, 7)
    _write(
        filters,
        name,
        arguments,
        size=_given(arguments, 3) or "20",
        font=_spoken(name, _given(arguments, 6)),
    )


def _text(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 1, 13)
    if any(argument not in ("", "0", "normal", "none", "low", "left") for argument in arguments[6:]):
        raise unsupported(name, "text, x, y, font, color and alpha, and nothing behind them")
    family, size = _font(_spoken(name, _given(arguments, 3)))
    _write(filters, name, arguments, size=size, font=family)


def _write(filters: Filters, name: str, arguments: Arguments, *, size: str, font: str) -> None:
    if filters.label is not None:
        raise refuse(name, "one text", "is repeated")
    opacity = 1 - decimal(name, _given(arguments, 5) or "0", 0, 100) / 100
    filters.label = Label(
        text=_spoken(name, arguments[0]),
        place=_placed(
            _along(name, _given(arguments, 1) or "0", across=True),
            _along(name, _given(arguments, 2) or "0", across=False),
        ),
        size=whole(name, size, 4, 2000),
        colour=with_alpha(named_colour(name, _given(arguments, 4) or "black"), opacity),
        font=font or None,
    )


def _font(description: str) -> tuple[str, str]:
    """Family and size of a Pango description whose spaces are hyphens: `sans-bold-24`."""
    family, _, size = description.replace("-", " ").rpartition(" ")
    return (family, size) if size.isascii() and size.isdigit() else (description.replace("-", " "), "20")


def _spoken(name: str, text: str) -> str:
    if text.startswith("b64:"):
        return base64_text(name, text[4:])
    return unescaped_text(name, text.replace("+", " "))


def _max_bytes(filters: Filters, name: str, arguments: Arguments) -> None:
    limit = whole(name, _one(name, arguments))
    if limit:
        filters.pixels.append(("max-bytes", str(limit)))


def _max_frames(filters: Filters, name: str, arguments: Arguments) -> None:
    if whole(name, _one(name, arguments), 1) != 1:
        raise unsupported(name, "1, or all frames")
    filters.pixels.append(("still", "1"))


def _no_upscale(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.upscale = False


def _orient(filters: Filters, name: str, arguments: Arguments) -> None:
    filters.orient = _quarters(name, arguments)


def _quarters(name: str, arguments: Arguments) -> int:
    """Degrees clockwise; both programs turn the other way round."""
    angle = whole(name, _one(name, arguments), -999_999_999)
    if angle % 90:
        raise unsupported(name, "a multiple of 90")
    return -angle % 360


def _padding(filters: Filters, name: str, arguments: Arguments) -> None:
    if len(arguments) not in (2, 3, 5):
        raise refuse(name, "color,left[,top[,right,bottom]]")
    left = whole(name, arguments[1])
    top = whole(name, _given(arguments, 2) or str(left))
    right, bottom = (
        whole(name, side) for side in (_given(arguments, 3) or str(left), _given(arguments, 4) or str(top))
    )
    _ground(filters, name, arguments[0])
    filters.padding = (top, right, bottom, left)


def _page(filters: Filters, name: str, arguments: Arguments) -> None:
    page = whole(name, _one(name, arguments), 1, 10_000)
    if page > 1:
        filters.pixels.append(("page", str(page)))


def _preview(_: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)


def _proportion(filters: Filters, name: str, arguments: Arguments) -> None:
    share = decimal(name, _one(name, arguments), 0, 100)
    if filters.dialect == "imagor" and share > 1:
        share /= 100
    if not 0 < share <= 1:
        raise refuse(name, "a number above 0 and up to 1")
    filters.proportion = share


def _quality(filters: Filters, name: str, arguments: Arguments) -> None:
    quality = whole(name, _one(name, arguments), 0, 100)
    if quality:
        filters.pixels.append(("q", str(quality)))


def _raw(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.raw = True


def _rotate(filters: Filters, name: str, arguments: Arguments) -> None:
    filters.rotate = _quarters(name, arguments)


def _round_corner(filters: Filters, name: str, arguments: Arguments) -> None:
    if filters.dialect == "imagor":
        _few(name, arguments, 1, 3)
        across, down, colour = arguments[0], _given(arguments, 1) or arguments[0], _given(arguments, 2)
    else:
        _few(name, arguments, 1, 5)
        across, _, down = arguments[0].partition("|")
        down = down or across
        if len(arguments) not in (1, 4, 5):
            raise refuse(name, "radius,red,green,blue[,transparent]")
        rgb = arguments[1:4]
        colour = bytes(whole(name, part, 0, 255) for part in rgb).hex() if rgb else ""
        if _given(arguments, 4) and switch(name, arguments[4]):
            colour = ""
    if across != down:
        raise unsupported(name, "one radius for both axes")
    filters.radius = whole(name, across)
    if colour:
        _ground(filters, name, colour)


def _saturation(filters: Filters, name: str, arguments: Arguments) -> None:
    _add(filters, "saturation", _percent(name, _one(name, arguments)))


def _sharpen(filters: Filters, name: str, arguments: Arguments) -> None:
    if filters.dialect == "imagor":
        _few(name, arguments, 1, 3)
        amount = decimal(name, arguments[0] if len(arguments) == 1 else arguments[1], 0)
        _add(filters, "sharpen", 1 + 2 * amount)
        return
    _few(name, arguments, 3, 3)
    switch(name, arguments[2].lower())
    if decimal(name, arguments[0], 0):
        _add(filters, "sharpen", decimal(name, arguments[1], 0))


def _stretch(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.stretch = True


def _strip_exif(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.pixels.append(("strip", "1"))


def _strip_icc(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.pixels.append(("icc", "srgb"))


def _to_colorspace(_: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 0, 1)
    if _given(arguments, 0).lower() not in ("", "srgb"):
        raise unsupported(name, "srgb")


def _upscale(filters: Filters, name: str, arguments: Arguments) -> None:
    _none(name, arguments)
    filters.upscale = True


def _watermark(filters: Filters, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 1, 6)
    source, x, y = arguments[0], _given(arguments, 1) or "0", _given(arguments, 2) or "0"
    if "repeat" in (x, y):
        if x != y:
            raise unsupported(name, "tiles in both directions, or none")
        place = "repeat"
    else:
        place = _placed(_along(name, x, across=True), _along(name, y, across=False))
    width, height = (None if text in ("", "none") else text for text in (_given(arguments, 4), _given(arguments, 5)))
    if height is not None:
        raise unsupported(name, "a size by its width")
    filters.watermark = Watermark(
        source=base64_text(name, source[4:]) if source.startswith("b64:") else unescaped_text(name, source),
        place=place,
        opacity=1 - decimal(name, _given(arguments, 3) or "0", 0, 100) / 100,
        scale=None if width is None else decimal(name, width, 0, 100) / 100,
    )


_OTHER_PICTURES = "one watermark; other pictures are not put together"
_CHANNELS = "brightness, contrast, saturation and hue"

ROWS: tuple[FilterRow, ...] = (
    FilterRow("attachment", IMAGOR, "name", "`dl`", "", _attachment),
    FilterRow(
        "autojpg", BOTH, "true or false", "`f=jpeg`",
        "Always JPEG; thumbor keeps what is transparent as PNG.", _autojpg,
    ),
    FilterRow("background_color", BOTH, "colour", "`bg`", "`auto` refused.", _background_color),
    FilterRow(
        "blur", BOTH, "radius, sigma", "`blur`",
        "thumbor: sigma, else the radius. imagor: half of it, as it does. 0.3 to 100; animations too.", _blur,
    ),
    FilterRow("brightness", BOTH, "-100 to 100", "`brightness`", "", _brightness),
    FilterRow("colorize", THUMBOR, "red, green, blue, colour", "", _CHANNELS),
    FilterRow(
        "contrast", BOTH, "-100 to 100", "`contrast`, by the slope that the program has",
        "Slopes above 2 refused: thumbor's beyond 41, imagor's beyond 33.", _contrast,
    ),
    FilterRow("convolution", THUMBOR, "matrix", "", "blur or sharpen"),
    FilterRow("cover", THUMBOR, "", "`still`", "", _cover),
    FilterRow("crop", IMAGOR, "left, top, width, height", "", "a crop before resizing (AxB:CxD)"),
    FilterRow("curve", THUMBOR, "points", "", _CHANNELS),
    FilterRow("detections", IMAGOR, "...", "", "a picture without marks; smart or focal cut by what is in it"),
    FilterRow("distributed_collage", THUMBOR, "...", "", _OTHER_PICTURES),
    FilterRow("dpi", IMAGOR, "dpi", "", "the size in pixels"),
    FilterRow("equalize", THUMBOR, "", "", _CHANNELS),
    FilterRow("expire", IMAGOR, "Unix milliseconds", "end of the link", "After it 403.", _expire),
    FilterRow("extract_focal", THUMBOR, "", "", "focal, or the object's own focal point"),
    FilterRow(
        "fill", BOTH, "colour, fill_transparent", "`extend bg`",
        "`blur` too; `auto` refused. Transparent parts of the picture are filled as well.", _fill,
    ),
    FilterRow(
        "focal", BOTH, "left x top : right x bottom, or x,y", "`g=fp:x:y`",
        "The middle of the region. It takes the place of smart and of alignments.", _focal,
    ),
    FilterRow("format", BOTH, "format", "`f`", "JPEG, PNG, WebP, AVIF, GIF, TIFF.", _format),
    FilterRow("frame", THUMBOR, "image", "", _OTHER_PICTURES),
    FilterRow("grayscale", BOTH, "", "`gray`", "", _grayscale),
    FilterRow("hue", IMAGOR, "degrees", "`hue`", "Luma is kept; imagor turns in LCh.", _hue),
    FilterRow("image", IMAGOR, "path, x, y, ...", "", _OTHER_PICTURES),
    FilterRow(
        "label", IMAGOR, "text, x, y, size, colour, alpha, font", "`text text-g text-size text-color text-font`",
        "Plain text; the default font is this server's.", _label,
    ),
    FilterRow("max_age", THUMBOR, "seconds", "", "the server's image_key_max_age"),
    FilterRow(
        "max_bytes", BOTH, "bytes", "`max-bytes`",
        "For every format; where no quality gets there the picture becomes smaller.", _max_bytes,
    ),
    FilterRow("max_frames", IMAGOR, "1", "`still`", "Other numbers refused.", _max_frames),
    FilterRow("modulate", IMAGOR, "brightness, saturation, hue", "", _CHANNELS),
    FilterRow("no_upscale", BOTH, "", "`up=0`", "", _no_upscale),
    FilterRow("noise", THUMBOR, "amount", "", "a picture without noise"),
    FilterRow("orient", IMAGOR, "multiple of 90", "`rotate`", "Against the clock, as there. Not beside a crop or `focal`.", _orient),
    FilterRow("padding", IMAGOR, "colour, left, top, right, bottom", "`pad bg`", "", _padding),
    FilterRow("page", IMAGOR, "number from 1", "`page`", "", _page),
    FilterRow("pixelate", IMAGOR, "size", "", "our own links (`pixelate`)"),
    FilterRow("preview", IMAGOR, "", "", "Changes nothing in the picture; renditions are kept all the same.", _preview),
    FilterRow(
        "proportion", BOTH, "0 to 1", "times `w` and `h`",
        "Needs a width or a height in the URL. imagor: above 1 in percent.", _proportion,
    ),
    FilterRow("quality", BOTH, "1 to 100", "`q`", "Defaults are this server's.", _quality),
    FilterRow("raw", IMAGOR, "", "`raw`", "Where the bucket allows it.", _raw),
    FilterRow("red_eye", THUMBOR, "", "", "a picture as it is"),
    FilterRow("redeye", THUMBOR, "", "", "a picture as it is"),
    FilterRow("rgb", BOTH, "red, green, blue", "", _CHANNELS),
    FilterRow(
        "rotate", BOTH, "multiple of 90", "`rotate`, `w` and `h` changed over",
        "Against the clock, as there. It is done before all others, so that watermark and text stay upright.", _rotate,
    ),
    FilterRow(
        "round_corner", BOTH, "thumbor: radius,red,green,blue,transparent; imagor: rx,ry,colour", "`radius bg`",
        "One radius for both axes.", _round_corner,
    ),
    FilterRow("saturation", BOTH, "-100 to 100", "`saturation`", "imagor changes it in LCh.", _saturation),
    FilterRow("set_frames", IMAGOR, "n, delay", "", "an animation as it is"),
    FilterRow(
        "sharpen", BOTH, "thumbor: amount,radius,luminance; imagor: sigma", "`sharpen`",
        "thumbor: an unsharp mask of that radius; the amount is not scaled. imagor: 1 + 2 sigma, as it does.", _sharpen,
    ),
    FilterRow("stretch", BOTH, "", "`fit=fill`", "", _stretch),
    FilterRow("strip_exif", BOTH, "", "`strip=1`", "The default here.", _strip_exif),
    FilterRow("strip_icc", BOTH, "", "`icc=srgb`", "Converted first. The default here.", _strip_icc),
    FilterRow(
        "text", IMAGOR, "text, x, y, font, colour, alpha", "`text text-g text-size text-color text-font`",
        "What stands behind alpha is refused.", _text,
    ),
    FilterRow("to_colorspace", IMAGOR, "srgb", "`icc=srgb`", "Others refused.", _to_colorspace),
    FilterRow("trim", IMAGOR, "tolerance, corner", "", "the part trim, before resizing"),
    FilterRow("upscale", BOTH, "", "`up=1`", "", _upscale),
    FilterRow(
        "watermark", BOTH, "image, x, y, alpha, w_ratio, h_ratio", "`wm wm-g wm-opacity wm-scale`",
        "Tiles in both directions or none; h_ratio refused.", _watermark,
    ),
)  # fmt: skip

BY_NAME: Mapping[str, FilterRow] = {row.name: row for row in ROWS}
