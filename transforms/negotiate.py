"""From the Accept header to one of three classes, and from there to the format of a rendition.

The header is reduced before it touches any key, so that a picture has at most three `auto` renditions in a cache.
"""

from __future__ import annotations

import re

from transforms.formats import ANIMATED_FORMATS, FORMATS
from transforms.headers import Header
from transforms.options import Options

AVIF = "avif"
WEBP = "webp"
NEITHER = ""
"""The accept class of a client that names neither AVIF nor WebP."""

_QVALUE = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")
_MAX_HEADER = 4096


def accept_class(accept: str | None) -> str:
    """AVIF, WEBP or NEITHER for an Accept header (RFC 9110, section 12.5.1).

    Only a media type that is named counts: every browser that shows AVIF names it, while `image/*` and `*/*` are also
    sent by those that do not. The higher weight wins, AVIF on a tie; weight 0 or a malformed one takes the type out.
    """
    best, best_weight = NEITHER, 0.0
    for item in (accept or "")[:_MAX_HEADER].split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        name = {"image/avif": AVIF, "image/webp": WEBP}.get(media_range)
        weight = _weight(parameters) if name else 0.0
        if name and (weight > best_weight or (weight == best_weight > 0 and name == AVIF)):
            best, best_weight = name, weight
    return best


def variant(options: Options, accept: str) -> str:
    """The part of a derivative's key that comes from the Accept class: empty unless `f=auto` asks for it."""
    return accept if options.f == "auto" else NEITHER


def varies(options: Options) -> bool:
    """Whether the answer needs `Vary: Accept`."""
    return options.f == "auto"


def resolve_format(
    options: Options, accept: str, source_format: str, has_alpha: bool, *, animated: bool = False
) -> str:
    """The output format's name. `has_alpha` is of the finished image: false where `bg` covers all transparency.

    A function of its arguments alone, so a derivative's key fixes its format although the worker does not know it yet.
    A GIF stays a GIF. `animated`: an animation that could stay one is no AVIF, and every client that shows AVIF shows
    WebP; for one that names neither it is a GIF.
    """
    if options.f not in (None, "auto"):
        return options.f
    if options.f == "auto" and accept in (AVIF, WEBP):
        return WEBP if animated else accept
    if options.f == "auto" and animated:
        return "gif"
    keeps = ("jpeg", "png", "gif") if options.f == "auto" else ("jpeg", "png", "gif", "webp", "avif")
    if source_format in keeps and FORMATS[source_format].saver:
        return source_format
    return "png" if has_alpha else "jpeg"


def frames_shown(header: Header, options: Options, accept: str, source_format: str | None = None) -> int:
    """How many frames the result has: all of an animation that stays one, else 1."""
    if not header.animated or header.format.name not in ANIMATED_FORMATS or options.still or options.page != 1:
        return 1
    result = resolve_format(options, accept, source_format or header.format.name, has_alpha=True, animated=True)
    return header.frames if result in ANIMATED_FORMATS else 1


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            value = value.strip()
            return float(value) if _QVALUE.match(value) else 0.0
    return 1.0
