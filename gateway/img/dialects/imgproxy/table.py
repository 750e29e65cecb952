"""The options of imgproxy's URLs: one table that reads and documents them.

Meanings are those of docs.imgproxy.net, "Processing an image". Where a row has no function the option is refused with
400; `note` says why, or how the meaning differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.img.dialects.arguments import refuse, unsupported
from gateway.img.dialects.imgproxy import delivery, geometry, output, overlay, pixels
from gateway.img.dialects.imgproxy.arguments import Arguments
from gateway.img.dialects.imgproxy.asked import Asked, ParsedPreset

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
        "As `resizing_type`, `width`, `height`, `enlarge` and `extend`.", geometry.resize,
    ),
    OptionRow(
        ("size", "s"), "width:height:enlarge:extend", "`w h up extend`",
        "As `width`, `height`, `enlarge` and `extend`.", geometry.size,
    ),
    OptionRow(
        ("resizing_type", "rt"), "fit, fill, fill-down, force, auto", "`fit`: inside, cover, cover, fill, auto",
        "`fill` is as `fill-down`: of a source that is too small the ratio that was asked for is cut, where imgproxy cuts "
        "only the side that is too long. `force` needs width and height.", geometry.resizing_type,
    ),
    OptionRow(("resizing_algorithm", "ra"), "algorithm", "", "lanczos3, which is the only one", pro=True),
    OptionRow(("width", "w"), "pixels", "`w`", "", geometry.width),
    OptionRow(("height", "h"), "pixels", "`h`", "", geometry.height),
    OptionRow(
        ("min-width", "mw"), "pixels", "`min-w up`",
        "Without width and height. Beside them imgproxy cuts what it has enlarged: refused, where it would.",
        geometry.min_width,
    ),
    OptionRow(("min-height", "mh"), "pixels", "`min-h up`", "As `min-width`.", geometry.min_height),
    OptionRow(
        ("zoom", "z"), "factor, or x:y", "times `w` and `h`",
        "Needs width or height; two factors need `force`.", geometry.zoom,
    ),
    OptionRow(
        ("dpr",), "factor", "times `w`, `h`, `pad` and offsets",
        "Where a source is too small imgproxy shrinks paddings and offsets with it; here they stay.", geometry.dpr,
    ),
    OptionRow(("enlarge", "el"), "0 or 1", "`up`", "", geometry.enlarge),
    OptionRow(
        ("extend", "ex"), "0 or 1:gravity", "`extend g`",
        "With `fill` and a source that may be too small, its gravity must be that of `gravity`.", geometry.extend,
    ),
    OptionRow(
        ("extend_aspect_ratio", "extend_ar", "exar"), "0 or 1:gravity", "`extend g`",
        "A source that is too small is padded to the full size, not only to its ratio.", geometry.extend_ratio,
    ),
    OptionRow(
        ("gravity", "g"), "place:x:y, sm, fp:x:y, obj:face", "`g`: `c n ne ...`, `smart`, `fp:x:y`, `face`",
        "Offsets under 1 are fractions of the result, not of the picture before cutting. Without it the object's own focal "
        "point counts. Of `obj` and `objw` only faces, with the extra `faces`.", geometry.gravity,
    ),
    OptionRow(("objects_position", "obj_pos", "op"), "position", "", _OBJECTS, pro=True),
    OptionRow(
        ("crop", "c"), "width:height:gravity", "`crop`",
        "Not beside `trim` or with gravity `sm`, and with `rotate` only in fractions.", geometry.crop,
    ),
    OptionRow(("crop_aspect_ratio", "crop_ar", "car"), "ratio:enlarge", "", "crop with both sides", pro=True),
    OptionRow(
        ("trim", "t"), "threshold:colour:0:0", "`trim`",
        "Equal parts from both sides are refused.", geometry.trim,
    ),
    OptionRow(("padding", "pd"), "top:right:bottom:left", "`pad`", "", geometry.padding),
    OptionRow(("auto_rotate", "ar"), "1", "", "0 is refused: pictures are always upright.", geometry.auto_rotate),
    OptionRow(("rotate", "rot"), "multiple of 90", "`rotate`", "", geometry.rotate),
    OptionRow(("flip", "fl"), "0 or 1:0 or 1", "`flip`", "", geometry.flip),
    OptionRow(("background", "bg"), "rrggbb, or R:G:B", "`bg`", "", pixels.background),
    OptionRow(("background_alpha", "bga"), "0 to 1", "alpha of `bg`", "", pixels.background_alpha, pro=True),
    OptionRow(
        ("adjust", "a"), "brightness:contrast:saturation", "`brightness contrast saturation`", "", pixels.adjust,
        pro=True,
    ),
    OptionRow(("brightness", "br"), "-255 to 255", "`brightness`, in percent", "", pixels.brightness, pro=True),
    OptionRow(
        ("contrast", "co"), "0 to 2", "`contrast`, in percent around 1", "Above 2 refused.", pixels.contrast, pro=True
    ),
    OptionRow(
        ("saturation", "sa"), "0 to 2", "`saturation`, in percent around 1", "Above 2 refused.", pixels.saturation,
        pro=True,
    ),
    OptionRow(
        ("monochrome", "mc"), "intensity:colour", "`tint`",
        "Shades of the colour from black to white; imgproxy's palette is its own.", pixels.monochrome, pro=True,
    ),
    OptionRow(
        ("duotone", "dt"), "0 or 1:dark:light", "`duotone`", "Intensities between are refused.", pixels.duotone,
        pro=True,
    ),
    OptionRow(("blur", "bl"), "sigma", "`blur`", "0.3 to 100.", pixels.blur),
    OptionRow(("sharpen", "sh"), "sigma", "`sharpen`", "0.3 to 10.", pixels.sharpen),
    OptionRow(("pixelate", "pix"), "size", "`pixelate`", "", pixels.pixelate),
    OptionRow(("unsharp_masking", "ush"), "mode:weight:divider", "", "sharpen", pro=True),
    OptionRow(("blur_detections", "bd"), "sigma:classes", "", _OBJECTS, pro=True),
    OptionRow(("draw_detections", "dd"), "0 or 1:classes", "", _OBJECTS, pro=True),
    OptionRow(("colorize", "col"), "opacity:colour:keep_alpha", "", "tint by monochrome", pro=True),
    OptionRow(("gradient", "gr"), "opacity:colour:direction:start:stop", "", "a picture without a gradient", pro=True),
    OptionRow(
        ("watermark", "wm"), "opacity:position:x:y:scale", "`wm wm-opacity wm-g wm-scale`",
        "The image is that of the setting `imgproxy_watermark`, or of `watermark_url`. The scale is of the width alone; "
        "spaces between tiles are refused.", overlay.watermark,
    ),
    OptionRow(("watermark_url", "wmu"), "base64 of a source", "`wm`", "", overlay.watermark_source, pro=True),
    OptionRow(
        ("watermark_text", "wmt"), "base64 of the text", "`text text-g text-size text-color`",
        "Plain text of 16 pixels in black; no Pango markup, no scale, no tiles.", overlay.watermark_text, pro=True,
    ),
    OptionRow(("watermark_size", "wms"), "width:height", "", "the scale of watermark", pro=True),
    OptionRow(("watermark_rotate", "wm_rot", "wmr"), "angle", "", "an upright watermark", pro=True),
    OptionRow(("watermark_shadow", "wmsh"), "sigma", "", "a watermark without a shadow", pro=True),
    OptionRow(("style", "st"), "base64 of CSS", "", "an SVG as it is", pro=True),
    OptionRow(
        ("strip_metadata", "sm"), "0 or 1", "`strip`",
        "Copyright is kept only where `keep_copyright:1` says so.", output.strip_metadata,
    ),
    OptionRow(("keep_copyright", "kcr"), "0 or 1", "`strip=copyright`", "", output.keep_copyright),
    OptionRow(("dpi",), "dpi", "", "0, as the resolution in the file is not changed", pro=True),
    OptionRow(("strip_color_profile", "scp"), "0 or 1", "`icc`", "", output.strip_profile),
    OptionRow(("enforce_thumbnail", "eth"), "0", "", "the image itself, not its thumbnail"),
    OptionRow(("quality", "q"), "1 to 100", "`q`", "Defaults are this server's.", output.quality),
    OptionRow(
        ("format_quality", "fq"), "format:quality:...", "`q`",
        "Where the URL names the format, or all qualities are one.", output.format_quality,
    ),
    OptionRow(("autoquality", "aq"), "dssim", "`q=auto`", "No targets and no bounds.", output.auto_quality, pro=True),
    OptionRow(
        ("max_bytes", "mb"), "bytes", "`max-bytes`",
        "Holds for every format, and where no quality gets there the picture becomes smaller.", output.max_bytes,
    ),
    OptionRow(
        ("jpeg_options", "jpgo"), "progressive", "`progressive`", "The others refused.", output.jpeg_options, pro=True
    ),
    OptionRow(
        ("png_options", "pngo"), "interlaced:quantize:colours", "`progressive palette`", "", output.png_options,
        pro=True,
    ),
    OptionRow(("webp_options", "webpo"), "lossy or lossless", "`lossless`", "", output.webp_options, pro=True),
    OptionRow(("avif_options", "avifo"), "subsample", "", "the settings of this server", pro=True),
    OptionRow(
        ("format", "f", "ext"), "jpg, png, webp, avif, gif, tiff, svg", "`f`",
        "`svg` of drawings only. Without it the source's format, or with `dialect_auto_format` what the browser takes best.",
        output.output_format,
    ),
    OptionRow(("page", "pg"), "number from 0", "`page`, from 1", "", output.page, pro=True),
    OptionRow(("pages", "pgs"), "number", "", "one page", pro=True),
    OptionRow(("disable_animation", "da"), "0 or 1", "`still`", "", output.disable_animation, pro=True),
    OptionRow(("video_thumbnail_second", "vts"), "second", "", _VIDEO, pro=True),
    OptionRow(("video_thumbnail_keyframes", "vtk"), "0 or 1", "", _VIDEO, pro=True),
    OptionRow(("video_thumbnail_tile", "vtt"), "...", "", _VIDEO, pro=True),
    OptionRow(("video_thumbnail_animation", "vta"), "...", "", _VIDEO, pro=True),
    OptionRow(("fallback_image_url", "fiu"), "base64 of a source", "", "the bucket's own fallback", pro=True),
    OptionRow(
        ("skip_processing", "skp"), "formats", "",
        "Beside a format in the URL that is none of them, where it changes nothing; else refused: `raw:1` gives the stored "
        "bytes.", output.skip,
    ),
    OptionRow(("raw",), "0 or 1", "`raw`", "Where the bucket allows it.", delivery.raw),
    OptionRow(
        ("cachebuster", "cb"), "anything", "", "Changes the URL and nothing else, as there.", delivery.cachebuster
    ),
    OptionRow(
        ("expires", "exp"), "Unix seconds", "end of the link", "After it 403, as every link that does not hold.",
        delivery.expires,
    ),
    OptionRow(
        ("filename", "fn"), "name:0 or 1", "`dl`", "With `return_attachment:1`; without it no name is sent.",
        delivery.filename,
    ),
    OptionRow(("return_attachment", "att"), "0 or 1", "`dl`", "", delivery.attachment),
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
    name
    for row in ROWS
    if row.read in (delivery.cachebuster, delivery.expires, delivery.filename, delivery.attachment)
    for name in row.names
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
