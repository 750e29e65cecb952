"""Facts about a stored image, as JSON: what it is, what it looks like from afar, and what the camera wrote into it.

Imports pyvips: decoders only. Who may see the EXIF is decided where the facts are handed out.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pyvips

from transforms import appearance
from transforms.codecs import vips
from transforms.exif import read_exif
from transforms.hashes.blurhash import blurhash
from transforms.hashes.thumbhash import thumbhash
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import Options
from transforms.pipeline import STEPS, Rendered
from transforms.steps.load import load
from transforms.work import Request

_COLOURED_SIDE = 64
_LQIP_SIDE = 24
_LQIP_QUALITY = 50
_EXIF = "exif-data"


def describe(data: bytes, box: Options, limits: Limits = DEFAULT_LIMITS) -> Rendered:
    """The facts as a JSON object in the format `json`; the size is the upright image's.

    `format`, `media_type`, `bytes`, `width`, `height` (upright), `orientation` (as stored), `pages`, `animated`, `alpha`,
    `dominant_color`, `palette` [{color, share}], `blurhash`, `thumbhash` (base64), `phash` (hex), `lqip` (a data URI of a
    tiny WebP), `exif`. `box` are the options of the small picture that is looked at. Raises NotAnImage, UnsupportedFormat, TooLarge and DecodeFailed.
    """
    vips.prepare()
    limits.check_bytes(len(data))
    header = read_header(Source.of_bytes(data))
    limits.check_source(header.width, header.height)
    frames, work = load(data, Request(box, "", limits, header))
    image = next(iter(frames))
    block = image.get(_EXIF) if image.get_typeof(_EXIF) else b""
    for step in STEPS:
        image = step(image, work)
    width, height = work.source
    colours = appearance.colours(image, _COLOURED_SIDE)
    small = appearance.hashed(image)
    facts: dict[str, Any] = {
        "format": header.format.name,
        "media_type": header.format.media_type,
        "bytes": len(data),
        "width": width,
        "height": height,
        "orientation": work.orientation,
        "pages": work.pages,
        "animated": header.animated,
        "alpha": bool(image.hasalpha()),
        "dominant_color": f"#{colours[0].colour}" if colours else None,
        "palette": [{"color": f"#{entry.colour}", "share": entry.share} for entry in colours],
        "blurhash": blurhash(appearance.rgb(small), small.width, small.height),
        "thumbhash": base64.b64encode(thumbhash(appearance.rgba(small), small.width, small.height)).decode(),
        "phash": appearance.perceptual_hash(appearance.in_greys(image)),
        "lqip": _lqip(appearance.within(image, _LQIP_SIDE)),
        "exif": read_exif(bytes(block)),
    }
    return Rendered(json.dumps(facts, separators=(",", ":")).encode(), "json", width, height)


def _lqip(image: pyvips.Image) -> str:
    data = image.webpsave_buffer(Q=_LQIP_QUALITY, effort=4, keep="none")
    return "data:image/webp;base64," + base64.b64encode(data).decode()
