"""The options of imgproxy's URLs: one table that reads and documents them.

Meanings are those of docs.imgproxy.net, "Processing an image". Where a row has no function the option is refused with
400; `note` says why, or how the meaning differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.img.dialects.arguments import (
    base64_text,
    decimal,
    hex_colour,
    refuse,
    switch,
    unescaped_text,
    unsupported,
    whole,
)

Argument = str
Arguments = Sequence[Argument]
ParsedPreset = tuple[tuple[str, tuple[str, ...]], ...]
"""An imgproxy preset: names and arguments in the order written."""

RESIZING_TYPES = ("fit", "fill", "fill-down", "force", "auto")
PLACES = {
    "no": "n", "so": "s", "ea": "e", "we": "w", "noea": "ne", "nowe": "nw", "soea": "se", "sowe": "sw", "ce": "c",
}  # fmt: skip
"""Its compass, in ours."""


@dataclass(frozen=True, slots=True)
class Position:
    """A gravity: our word for the place (of the compass, `fp`, `smart` or `face`) and two offsets as written."""

    place: str
    x: Decimal = Decimal(0)
    y: Decimal = Decimal(0)


CENTRE = Position("c")


@dataclass(slots=True)
class Asked:
    """What has been read so far; a later option takes the place of an earlier one."""

    resizing_type: str = "fit"
    width: int = 0
    height: int = 0
    min_width: int = 0
    min_height: int = 0
    zoom: tuple[Decimal, Decimal] = (Decimal(1), Decimal(1))
    dpr: Decimal = Decimal(1)
    enlarge: bool = False
    extend: bool = False
    extend_gravity: Position = CENTRE
    extend_ratio: bool = False
    extend_ratio_gravity: Position = CENTRE
    gravity: Position | None = None
    crop: tuple[Decimal, Decimal] | None = None
    crop_gravity: Position | None = None
    trim: Decimal | None = None
    trim_colour: str | None = None
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    rotate: int = 0
    flip: str = ""
    background: str | None = None
    background_alpha: Decimal = Decimal(1)
    blur: Decimal = Decimal(0)
    sharpen: Decimal = Decimal(0)
    pixelate: int = 0
    brightness: Decimal = Decimal(0)
    contrast: Decimal = Decimal(1)
    saturation: Decimal = Decimal(1)
    monochrome: tuple[Decimal, str] = (Decimal(0), "b3b3b3")
    duotone: tuple[Decimal, str, str] = (Decimal(0), "000000", "ffffff")
    watermark_opacity: Decimal = Decimal(0)
    watermark_place: Position = CENTRE
    watermark_scale: Decimal = Decimal(0)
    watermark_source: str | None = None
    watermark_text: str | None = None
    strip_metadata: bool = True
    keep_copyright: bool = False
    strip_profile: bool = True
    quality: int = 0
    auto_quality: bool = False
    format_quality: dict[str, int] = field(default_factory=dict)
    max_bytes: int = 0
    progressive: bool = False
    palette: int = 0
    lossless: bool = False
    format: str | None = None
    page: int = 0
    still: bool = False
    raw: bool = False
    expires: int | None = None
    skip: frozenset[str] = frozenset()
    """Formats whose pictures are to be left as they are."""
    filename: str | None = None
    attachment: bool = False
    preset: str | None = None
    """One of ours."""
    presets: Mapping[str, ParsedPreset] = field(default_factory=dict)
    """The server's own imgproxy presets."""
    within: tuple[str, ...] = ()
    """The presets that are being read."""
    named: tuple[str, ...] = ()
    """The presets that the URL names."""


Read = Callable[[Asked, str, Arguments], None]


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option: its names, what may stand behind them, our options for it, and how it differs."""

    names: tuple[str, ...]
    arguments: str
    ours: str
    note: str = ""
    read: Read | None = None
    """None: it is refused."""
    pro: bool = False


def apply(asked: Asked, name: str, arguments: Arguments) -> None:
    """Read one option into `asked`. Raises OptionError, which names it."""
    row = BY_NAME.get(name)
    if row is None:
        raise refuse(name, "an option of imgproxy's documentation", "is unknown")
    if row.read is None:
        if name in _HARMLESS and tuple(arguments) in _HARMLESS[name]:
            return
        raise unsupported(name, row.note)
    row.read(asked, name, arguments)


def parse_preset(text: str) -> ParsedPreset:
    """The options of a preset as imgproxy writes them: `rs:fill:300:200/g:sm`. Raises OptionError."""
    parsed: list[tuple[str, tuple[str, ...]]] = []
    for part in text.strip().split("/"):
        name, *arguments = part.split(":")
        if not arguments:
            raise refuse(part, "an option with arguments, as in w:300")
        parsed.append((name, tuple(arguments)))
    return tuple(parsed)


# --- arguments


def _few(name: str, arguments: Arguments, most: int) -> None:
    if len(arguments) > most:
        raise refuse(name, f"at most {most} arguments" if most > 1 else "one argument")


def _one(name: str, arguments: Arguments) -> str:
    _few(name, arguments, 1)
    return arguments[0]


def _given(arguments: Arguments, index: int) -> str:
    """An argument, empty where it is left out."""
    return arguments[index] if index < len(arguments) else ""


def _position(name: str, arguments: Arguments, *, smart: bool) -> Position:
    kind, *offsets = arguments
    if smart and kind == "sm":
        _few(name, offsets, 0)
        return Position("smart")
    if smart and kind in ("obj", "objw"):
        classes = offsets[::2] if kind == "objw" else offsets
        if classes != ["face"]:
            raise unsupported(name, "objects other than a face; sm looks for what draws the eye")
        return Position("face")
    if kind == "fp":
        if len(offsets) != 2:
            raise refuse(name, "fp:x:y with two numbers from 0 to 1")
        return Position("fp", decimal(name, offsets[0], 0, 1), decimal(name, offsets[1], 0, 1))
    if kind not in PLACES:
        raise refuse(name, "one of " + ", ".join(PLACES) + (", sm, obj:face" if smart else "") + ", fp:x:y")
    _few(name, offsets, 2)
    x, y = (decimal(name, _given(offsets, index) or "0") for index in (0, 1))
    return Position(PLACES[kind], x, y)


# --- options, in the order of imgproxy's page


def _resize(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 8)
    if arguments[0]:
        _resizing_type(asked, name, arguments[:1])
    if len(arguments) > 1:
        _size(asked, name, arguments[1:])


def _size(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 7)
    if arguments[0]:
        _width(asked, name, arguments[:1])
    if _given(arguments, 1):
        _height(asked, name, arguments[1:2])
    if _given(arguments, 2):
        _enlarge(asked, name, arguments[2:3])
    if _given(arguments, 3):
        _extend(asked, name, arguments[3:])


def _resizing_type(asked: Asked, name: str, arguments: Arguments) -> None:
    if _one(name, arguments) not in RESIZING_TYPES:
        raise refuse(name, "one of " + ", ".join(RESIZING_TYPES))
    asked.resizing_type = arguments[0]


def _width(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.width = whole(name, _one(name, arguments))


def _height(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.height = whole(name, _one(name, arguments))


def _min_width(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.min_width = whole(name, _one(name, arguments))


def _min_height(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.min_height = whole(name, _one(name, arguments))


def _zoom(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 2)
    across = _positive(name, arguments[0])
    asked.zoom = (across, _positive(name, arguments[1]) if len(arguments) > 1 else across)


def _dpr(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.dpr = _positive(name, _one(name, arguments))


def _positive(name: str, text: str) -> Decimal:
    value = decimal(name, text, 0, 1000)
    if not value:
        raise refuse(name, "a number above 0")
    return value


def _enlarge(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.enlarge = switch(name, _one(name, arguments))


def _extend(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 4)
    asked.extend = switch(name, arguments[0])
    if _given(arguments, 1):
        asked.extend_gravity = _position(name, arguments[1:], smart=False)


def _extend_ratio(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 4)
    asked.extend_ratio = switch(name, arguments[0])
    if _given(arguments, 1):
        asked.extend_ratio_gravity = _position(name, arguments[1:], smart=False)


def _gravity(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.gravity = _position(name, arguments, smart=True)


def _crop(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.crop = (decimal(name, arguments[0], 0), decimal(name, _given(arguments, 1) or "0", 0))
    asked.crop_gravity = _position(name, arguments[2:], smart=True) if _given(arguments, 2) else None


def _trim(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 4)
    if any(text and switch(name, text) for text in arguments[2:]):
        raise unsupported(name, "trim without equal parts cut from both sides")
    asked.trim = decimal(name, arguments[0], 0) if arguments[0] else None
    colour = _given(arguments, 1)
    asked.trim_colour = hex_colour(name, colour) if colour else None


def _padding(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 4)
    if not any(arguments):
        raise refuse(name, "at least one side")
    top = whole(name, arguments[0] or "0")
    right = whole(name, _given(arguments, 1) or str(top))
    bottom = whole(name, _given(arguments, 2) or str(top))
    asked.padding = (top, right, bottom, whole(name, _given(arguments, 3) or str(right)))


def _auto_rotate(_: Asked, name: str, arguments: Arguments) -> None:
    if not switch(name, _one(name, arguments)):
        raise unsupported(name, "auto_rotate:1, as pictures are always shown upright")


def _rotate(asked: Asked, name: str, arguments: Arguments) -> None:
    angle = whole(name, _one(name, arguments), -999_999_999)
    if angle % 90:
        raise refuse(name, "a multiple of 90")
    asked.rotate = angle % 360


def _flip(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 2)
    across = bool(arguments[0]) and switch(name, arguments[0])
    down = bool(_given(arguments, 1)) and switch(name, arguments[1])
    asked.flip = ("h" if across else "") + ("v" if down else "")


def _background(asked: Asked, name: str, arguments: Arguments) -> None:
    if len(arguments) == 3:
        asked.background = bytes(whole(name, part, 0, 255) for part in arguments).hex()
    elif len(arguments) == 1:
        asked.background = hex_colour(name, arguments[0]) if arguments[0] else None
    else:
        raise refuse(name, "a colour as rrggbb, or as R:G:B")


def _background_alpha(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.background_alpha = decimal(name, _one(name, arguments), 0, 1)


def _adjust(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 3)
    for read, text in zip((_brightness, _contrast, _saturation), arguments, strict=False):
        if text:
            read(asked, name, (text,))


def _brightness(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.brightness = Decimal(whole(name, _one(name, arguments), -255, 255))


def _contrast(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.contrast = _factor(name, arguments)


def _saturation(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.saturation = _factor(name, arguments)


def _factor(name: str, arguments: Arguments) -> Decimal:
    value = decimal(name, _one(name, arguments), 0)
    if value > 2:
        raise unsupported(name, "a factor up to 2")
    return value


def _monochrome(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 2)
    colour = _given(arguments, 1)
    asked.monochrome = (decimal(name, arguments[0], 0, 1), hex_colour(name, colour) if colour else "b3b3b3")


def _duotone(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 3)
    intensity = decimal(name, arguments[0], 0, 1)
    if intensity not in (0, 1):
        raise unsupported(name, "an intensity of 0 or 1")
    dark, light = _given(arguments, 1) or "000000", _given(arguments, 2) or "ffffff"
    asked.duotone = (intensity, hex_colour(name, dark), hex_colour(name, light))


def _blur(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.blur = decimal(name, _one(name, arguments), 0)


def _sharpen(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.sharpen = decimal(name, _one(name, arguments), 0)


def _pixelate(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.pixelate = whole(name, _one(name, arguments))


def _watermark(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 5)
    asked.watermark_opacity = decimal(name, arguments[0], 0, 1)
    place = _given(arguments, 1) or "ce"
    x, y = (decimal(name, _given(arguments, index) or "0") for index in (2, 3))
    if place == "re":
        if x or y:
            raise unsupported(name, "re without spaces between the tiles")
        asked.watermark_place = Position("repeat")
    elif place == "ch":
        raise unsupported(name, "re, as tiles in the order of a chessboard do not exist")
    elif place in PLACES:
        asked.watermark_place = Position(PLACES[place], x, y)
    else:
        raise refuse(name, "a position of " + ", ".join(PLACES) + ", re")
    asked.watermark_scale = decimal(name, _given(arguments, 4) or "0", 0)


def _watermark_source(asked: Asked, name: str, arguments: Arguments) -> None:
    text = _one(name, arguments)
    asked.watermark_source = base64_text(name, text) if text else None


def _watermark_text(asked: Asked, name: str, arguments: Arguments) -> None:
    text = base64_text(name, _one(name, arguments)) if _one(name, arguments) else None
    if text is not None and ("<" in text or "&" in text):
        raise unsupported(name, "plain text, as no Pango markup is read")
    asked.watermark_text = text


def _strip_metadata(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.strip_metadata = switch(name, _one(name, arguments))


def _keep_copyright(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.keep_copyright = switch(name, _one(name, arguments))


def _strip_profile(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.strip_profile = switch(name, _one(name, arguments))


def _quality(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.quality = whole(name, _one(name, arguments), 0, 100)


def _format_quality(asked: Asked, name: str, arguments: Arguments) -> None:
    if len(arguments) % 2:
        raise refuse(name, "pairs of a format and a quality")
    for kind, quality in zip(arguments[::2], arguments[1::2], strict=True):
        asked.format_quality[_format_name(kind)] = whole(name, quality, 0, 100)


def _auto_quality(asked: Asked, name: str, arguments: Arguments) -> None:
    method, *rest = arguments
    if method not in ("none", "dssim") or any(rest):
        raise unsupported(name, "dssim without further arguments, which is our q=auto")
    asked.auto_quality = method == "dssim"


def _max_bytes(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.max_bytes = whole(name, _one(name, arguments))


def _jpeg_options(asked: Asked, name: str, arguments: Arguments) -> None:
    if any(text and switch(name, text) for text in arguments[1:5]) or _given(arguments, 5) not in ("", "0"):
        raise unsupported(name, "progressive alone")
    if arguments[0]:
        asked.progressive = switch(name, arguments[0])


def _png_options(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 3)
    if arguments[0]:
        asked.progressive = switch(name, arguments[0])
    if _given(arguments, 1):
        colours = whole(name, _given(arguments, 2) or "256", 2, 256)
        asked.palette = colours if switch(name, arguments[1]) else 0


def _webp_options(asked: Asked, name: str, arguments: Arguments) -> None:
    if arguments[0] not in ("", "lossy", "lossless") or any(arguments[1:]):
        raise unsupported(name, "lossy or lossless, and nothing else")
    asked.lossless = arguments[0] == "lossless"


def _format(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.format = _format_name(_one(name, arguments))


def _format_name(text: str) -> str:
    return {"jpg": "jpeg", "tif": "tiff"}.get(text, text)


def _page(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.page = whole(name, _one(name, arguments), 0, 9999)


def _disable_animation(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.still = switch(name, _one(name, arguments))


def _skip(asked: Asked, name: str, arguments: Arguments) -> None:
    if not all(arguments):
        raise refuse(name, "formats")
    asked.skip |= {_format_name(kind) for kind in arguments}


def _raw(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.raw = switch(name, _one(name, arguments))


def _cachebuster(_: Asked, name: str, arguments: Arguments) -> None:
    _one(name, arguments)


def _expires(asked: Asked, name: str, arguments: Arguments) -> None:
    text = _one(name, arguments)
    # A timestamp of milliseconds, or one far away, is a number all the same.
    if not (0 < len(text) <= 18 and text.isascii() and text.isdigit()):
        raise refuse(name, "a Unix timestamp")
    asked.expires = int(text) or None


def _filename(asked: Asked, name: str, arguments: Arguments) -> None:
    _few(name, arguments, 2)
    encoded = bool(_given(arguments, 1)) and switch(name, arguments[1])
    asked.filename = (base64_text if encoded else unescaped_text)(name, arguments[0]) or None


def _attachment(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.attachment = switch(name, _one(name, arguments))


def _preset(asked: Asked, name: str, arguments: Arguments) -> None:
    if not asked.within:
        asked.named += tuple(arguments)
    for wanted in arguments:
        options = asked.presets.get(wanted)
        if options is None:
            if len(arguments) > 1 or asked.within:
                raise refuse(name, "the names of imgproxy_presets, or of one preset of the bucket or the server")
            asked.preset = wanted
        elif wanted not in asked.within:
            before = asked.within
            asked.within = (*before, wanted)
            for inner, values in options:
                apply(asked, inner, values)
            asked.within = before


_SERVER = "the server's settings; no URL may change its limits"
_OBJECTS = "a picture without it; objects are not detected (but faces, by gravity:obj:face)"
_VIDEO = "images; videos are not read"

ROWS: tuple[OptionRow, ...] = (
    OptionRow(
        ("resize", "rs"), "type:width:height:enlarge:extend", "`fit w h up extend`",
        "As `resizing_type`, `width`, `height`, `enlarge` and `extend`.", _resize,
    ),
    OptionRow(
        ("size", "s"), "width:height:enlarge:extend", "`w h up extend`",
        "As `width`, `height`, `enlarge` and `extend`.", _size,
    ),
    OptionRow(
        ("resizing_type", "rt"), "fit, fill, fill-down, force, auto", "`fit`: inside, cover, cover, fill, auto",
        "`fill` is as `fill-down`: of a source that is too small the ratio that was asked for is cut, where imgproxy cuts "
        "only the side that is too long. `force` needs width and height.", _resizing_type,
    ),
    OptionRow(("resizing_algorithm", "ra"), "algorithm", "", "lanczos3, which is the only one", pro=True),
    OptionRow(("width", "w"), "pixels", "`w`", "", _width),
    OptionRow(("height", "h"), "pixels", "`h`", "", _height),
    OptionRow(
        ("min-width", "mw"), "pixels", "`min-w up`",
        "Without width and height. Beside them imgproxy cuts what it has enlarged: refused, where it would.", _min_width,
    ),
    OptionRow(("min-height", "mh"), "pixels", "`min-h up`", "As `min-width`.", _min_height),
    OptionRow(
        ("zoom", "z"), "factor, or x:y", "times `w` and `h`",
        "Needs width or height; two factors need `force`.", _zoom,
    ),
    OptionRow(
        ("dpr",), "factor", "times `w`, `h`, `pad` and offsets",
        "Where a source is too small imgproxy shrinks paddings and offsets with it; here they stay.", _dpr,
    ),
    OptionRow(("enlarge", "el"), "0 or 1", "`up`", "", _enlarge),
    OptionRow(
        ("extend", "ex"), "0 or 1:gravity", "`extend g`",
        "With `fill` and a source that may be too small, its gravity must be that of `gravity`.", _extend,
    ),
    OptionRow(
        ("extend_aspect_ratio", "extend_ar", "exar"), "0 or 1:gravity", "`extend g`",
        "A source that is too small is padded to the full size, not only to its ratio.", _extend_ratio,
    ),
    OptionRow(
        ("gravity", "g"), "place:x:y, sm, fp:x:y, obj:face", "`g`: `c n ne ...`, `smart`, `fp:x:y`, `face`",
        "Offsets under 1 are fractions of the result, not of the picture before cutting. Without it the object's own focal "
        "point counts. Of `obj` and `objw` only faces, with the extra `faces`.", _gravity,
    ),
    OptionRow(("objects_position", "obj_pos", "op"), "position", "", _OBJECTS, pro=True),
    OptionRow(
        ("crop", "c"), "width:height:gravity", "`crop`",
        "Not beside `trim` or with gravity `sm`, and with `rotate` only in fractions.", _crop,
    ),
    OptionRow(("crop_aspect_ratio", "crop_ar", "car"), "ratio:enlarge", "", "crop with both sides", pro=True),
    OptionRow(
        ("trim", "t"), "threshold:colour:0:0", "`trim`",
        "Equal parts from both sides are refused.", _trim,
    ),
    OptionRow(("padding", "pd"), "top:right:bottom:left", "`pad`", "", _padding),
    OptionRow(("auto_rotate", "ar"), "1", "", "0 is refused: pictures are always upright.", _auto_rotate),
    OptionRow(("rotate", "rot"), "multiple of 90", "`rotate`", "", _rotate),
    OptionRow(("flip", "fl"), "0 or 1:0 or 1", "`flip`", "", _flip),
    OptionRow(("background", "bg"), "rrggbb, or R:G:B", "`bg`", "", _background),
    OptionRow(("background_alpha", "bga"), "0 to 1", "alpha of `bg`", "", _background_alpha, pro=True),
    OptionRow(
        ("adjust", "a"), "brightness:contrast:saturation", "`brightness contrast saturation`", "", _adjust, pro=True
    ),
    OptionRow(("brightness", "br"), "-255 to 255", "`brightness`, in percent", "", _brightness, pro=True),
    OptionRow(("contrast", "co"), "0 to 2", "`contrast`, in percent around 1", "Above 2 refused.", _contrast, pro=True),
    OptionRow(
        ("saturation", "sa"), "0 to 2", "`saturation`, in percent around 1", "Above 2 refused.", _saturation, pro=True
    ),
    OptionRow(
        ("monochrome", "mc"), "intensity:colour", "`tint`",
        "Shades of the colour from black to white; imgproxy's palette is its own.", _monochrome, pro=True,
    ),
    OptionRow(
        ("duotone", "dt"), "0 or 1:dark:light", "`duotone`", "Intensities between are refused.", _duotone, pro=True
    ),
    OptionRow(("blur", "bl"), "sigma", "`blur`", "0.3 to 100.", _blur),
    OptionRow(("sharpen", "sh"), "sigma", "`sharpen`", "0.3 to 10.", _sharpen),
    OptionRow(("pixelate", "pix"), "size", "`pixelate`", "", _pixelate),
    OptionRow(("unsharp_masking", "ush"), "mode:weight:divider", "", "sharpen", pro=True),
    OptionRow(("blur_detections", "bd"), "sigma:classes", "", _OBJECTS, pro=True),
    OptionRow(("draw_detections", "dd"), "0 or 1:classes", "", _OBJECTS, pro=True),
    OptionRow(("colorize", "col"), "opacity:colour:keep_alpha", "", "tint by monochrome", pro=True),
    OptionRow(("gradient", "gr"), "opacity:colour:direction:start:stop", "", "a picture without a gradient", pro=True),
    OptionRow(
        ("watermark", "wm"), "opacity:position:x:y:scale", "`wm wm-opacity wm-g wm-scale`",
        "The image is that of the setting `imgproxy_watermark`, or of `watermark_url`. The scale is of the width alone; "
        "spaces between tiles are refused.", _watermark,
    ),
    OptionRow(("watermark_url", "wmu"), "base64 of a source", "`wm`", "", _watermark_source, pro=True),
    OptionRow(
        ("watermark_text", "wmt"), "base64 of the text", "`text text-g text-size text-color`",
        "Plain text of 16 pixels in black; no Pango markup, no scale, no tiles.", _watermark_text, pro=True,
    ),
    OptionRow(("watermark_size", "wms"), "width:height", "", "the scale of watermark", pro=True),
    OptionRow(("watermark_rotate", "wm_rot", "wmr"), "angle", "", "an upright watermark", pro=True),
    OptionRow(("watermark_shadow", "wmsh"), "sigma", "", "a watermark without a shadow", pro=True),
    OptionRow(("style", "st"), "base64 of CSS", "", "an SVG as it is", pro=True),
    OptionRow(
        ("strip_metadata", "sm"), "0 or 1", "`strip`",
        "Copyright is kept only where `keep_copyright:1` says so.", _strip_metadata,
    ),
    OptionRow(("keep_copyright", "kcr"), "0 or 1", "`strip=copyright`", "", _keep_copyright),
    OptionRow(("dpi",), "dpi", "", "0, as the resolution in the file is not changed", pro=True),
    OptionRow(("strip_color_profile", "scp"), "0 or 1", "`icc`", "", _strip_profile),
    OptionRow(("enforce_thumbnail", "eth"), "0", "", "the image itself, not its thumbnail"),
    OptionRow(("quality", "q"), "1 to 100", "`q`", "Defaults are this server's.", _quality),
    OptionRow(
        ("format_quality", "fq"), "format:quality:...", "`q`",
        "Where the URL names the format, or all qualities are one.", _format_quality,
    ),
    OptionRow(("autoquality", "aq"), "dssim", "`q=auto`", "No targets and no bounds.", _auto_quality, pro=True),
    OptionRow(
        ("max_bytes", "mb"), "bytes", "`max-bytes`",
        "Holds for every format, and where no quality gets there the picture becomes smaller.", _max_bytes,
    ),
    OptionRow(("jpeg_options", "jpgo"), "progressive", "`progressive`", "The others refused.", _jpeg_options, pro=True),
    OptionRow(
        ("png_options", "pngo"), "interlaced:quantize:colours", "`progressive palette`", "", _png_options, pro=True
    ),
    OptionRow(("webp_options", "webpo"), "lossy or lossless", "`lossless`", "", _webp_options, pro=True),
    OptionRow(("avif_options", "avifo"), "subsample", "", "the settings of this server", pro=True),
    OptionRow(
        ("format", "f", "ext"), "jpg, png, webp, avif, gif, tiff, svg", "`f`",
        "`svg` of drawings only. Without it the source's format, or with `dialect_auto_format` what the browser takes best.", _format,
    ),
    OptionRow(("page", "pg"), "number from 0", "`page`, from 1", "", _page, pro=True),
    OptionRow(("pages", "pgs"), "number", "", "one page", pro=True),
    OptionRow(("disable_animation", "da"), "0 or 1", "`still`", "", _disable_animation, pro=True),
    OptionRow(("video_thumbnail_second", "vts"), "second", "", _VIDEO, pro=True),
    OptionRow(("video_thumbnail_keyframes", "vtk"), "0 or 1", "", _VIDEO, pro=True),
    OptionRow(("video_thumbnail_tile", "vtt"), "...", "", _VIDEO, pro=True),
    OptionRow(("video_thumbnail_animation", "vta"), "...", "", _VIDEO, pro=True),
    OptionRow(("fallback_image_url", "fiu"), "base64 of a source", "", "the bucket's own fallback", pro=True),
    OptionRow(
        ("skip_processing", "skp"), "formats", "",
        "Beside a format in the URL that is none of them, where it changes nothing; else refused: `raw:1` gives the stored "
        "bytes.", _skip,
    ),
    OptionRow(("raw",), "0 or 1", "`raw`", "Where the bucket allows it.", _raw),
    OptionRow(("cachebuster", "cb"), "anything", "", "Changes the URL and nothing else, as there.", _cachebuster),
    OptionRow(
        ("expires", "exp"), "Unix seconds", "end of the link", "After it 403, as every link that does not hold.", _expires
    ),
    OptionRow(
        ("filename", "fn"), "name:0 or 1", "`dl`", "With `return_attachment:1`; without it no name is sent.", _filename
    ),
    OptionRow(("return_attachment", "att"), "0 or 1", "`dl`", "", _attachment),
    OptionRow(
        ("preset", "pr"), "names", "`p`",
        "Of `imgproxy_presets`, any number; else one of the bucket's or the server's own. With `imgproxy_only_presets` the "
        "names alone stand in the URL.", _preset,
    ),
    OptionRow(("hashsum", "hs"), "type:sum", "", "none; a content's version is our v=", pro=True),
    OptionRow(("max_src_resolution", "msr"), "megapixels", "", _SERVER),
    OptionRow(("max_src_file_size", "msfs"), "bytes", "", _SERVER),
    OptionRow(("max_animation_frames", "maf"), "frames", "", _SERVER),
    OptionRow(("max_animation_frame_resolution", "mafr"), "megapixels", "", _SERVER),
    OptionRow(("max_result_dimension", "mrd"), "pixels", "", _SERVER),
)  # fmt: skip

BY_NAME: Mapping[str, OptionRow] = {name: row for row in ROWS for name in row.names}
PRESET_OPTIONS = next(row.names for row in ROWS if row.read is _preset)
BESIDE_PRESETS = frozenset(
    name for row in ROWS if row.read in (_cachebuster, _expires, _filename, _attachment) for name in row.names
)
"""What may stand beside a preset that says all about the pixels."""

_OFF = (("0",), ("false",), ("f",))
_HARMLESS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("enforce_thumbnail", "eth"), _OFF),
    **dict.fromkeys(("resizing_algorithm", "ra"), (("lanczos3",),)),
    **dict.fromkeys(("pages", "pgs"), (("1",),)),
    **dict.fromkeys(("hashsum", "hs"), (("none",),)),
    "dpi": (("0",),),
}
"""Arguments of refused options that ask for what is done anyhow."""
