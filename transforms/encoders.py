"""What each encoder is told: quality, effort, and the options that only some formats have.

Pure data, so that the price of a job can be known without libvips. Everything follows from the options, the default
qualities and the number of pixels; see `transforms.effort` for why nothing else may.
"""

from __future__ import annotations

from typing import Any

from transforms.effort import effort
from transforms.formats import FORMATS
from transforms.options import Options

PNG_DEPTHS = ((256, 8), (16, 4), (4, 2), (2, 1))
"""Colours that a palette PNG may have, with bits a pixel."""

AUTO_RANGES: dict[str, tuple[int, int, int]] = {
    "jpeg": (36, 92, 4),
    "webp": (36, 92, 4),
    "avif": (25, 85, 4),
    "tiff": (36, 92, 4),
}
"""For `q=auto`: lowest and highest quality and the step between those that are tried; four encodes find one of 16."""

LOWEST_QUALITY: dict[str, int] = {"jpeg": 30, "webp": 25, "avif": 25, "tiff": 30}
"""Where `max-bytes` stops to lower the quality and makes the picture smaller instead."""

_TUNED_FOR = "ssim"
"""What AV1's encoder aims at. With its own choice, `iq`, effort 1 loses 0.006 to 0.014 of SSIM against effort 4."""
_LOSSLESS_WEIGHTS = {"webp": 400.0, "avif": 750.0, "tiff": 170.0}
_SEARCHES, _RESIZES = 4, 2
"""Encodes that a search for a quality takes, and (of ever smaller pictures) one for a size."""


def is_lossy(name: str, options: Options) -> bool:
    """Whether quality means anything to this encoder."""
    return name in AUTO_RANGES and not (options.lossless and name != "jpeg")


def settings(name: str, options: Options, pixels: int, quality: int | None, alpha: bool) -> dict[str, Any]:
    """The arguments of libvips' saver for `pixels` pixels (all frames); palettes of PNG apart, see `palette`."""
    chosen = _of_format(name, options, pixels, alpha)
    if is_lossy(name, options) and quality is not None:
        chosen["Q"] = quality
    return chosen


def palette(options: Options, pixels: int, colours: int) -> dict[str, Any]:
    """The arguments for a PNG of at most `colours` colours, which must be in `PNG_DEPTHS`."""
    return {
        "palette": True,
        "bitdepth": dict(PNG_DEPTHS)[colours],
        "effort": effort("gif", pixels),
        "interlace": options.progressive,
    }


def gif_depth(colours: int) -> int:
    """Bits a pixel of a GIF of at most that many colours, of which one may be transparent."""
    return max(1, min(8, colours.bit_length() - 1))


def weight(name: str, options: Options) -> float:
    """Milliseconds a megapixel that encoding takes on one ordinary core, searches for a quality or size included."""
    once = _LOSSLESS_WEIGHTS.get(name, FORMATS[name].encode_weight) if options.lossless else FORMATS[name].encode_weight
    if options.palette and name == "png":
        once = FORMATS["gif"].encode_weight
    if not is_lossy(name, options):
        return once * (_RESIZES if options.max_bytes else 1)
    searching = _SEARCHES if options.q == "auto" else 0
    return once * (1 + searching + (_SEARCHES + _RESIZES if options.max_bytes else 0))


def _tried(name: str, options: Options) -> str:
    return f"{name}-lossless" if options.lossless else name


def _of_format(name: str, options: Options, pixels: int, alpha: bool) -> dict[str, Any]:
    match name:
        case "jpeg":
            # Tables of its own take as long as the rest of the encoder for 1.5% fewer bytes; what is progressive has them anyway.
            return {"interlace": options.progressive}
        case "png":
            return {"compression": effort(name, pixels), "filter": "all", "interlace": options.progressive}
        case "webp":
            return {"effort": effort(_tried(name, options), pixels), "lossless": options.lossless}
        case "avif":
            tried = effort(_tried(name, options), pixels)
            tuned = {} if options.lossless else {"tune": _TUNED_FOR}
            return {"compression": "av1", "effort": tried, "lossless": options.lossless, **tuned}
        case "gif":
            chosen = {"effort": effort(name, pixels), "interlace": options.progressive}
            return chosen | ({"bitdepth": gif_depth(options.palette)} if options.palette else {})
        case "tiff":
            if options.lossless or alpha:
                return {"compression": "deflate", "predictor": "horizontal"}
            return {"compression": "jpeg"}
    raise KeyError(name)
