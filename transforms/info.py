"""Facts about a stored image, as JSON: what it is, what it looks like from afar, and what the camera wrote into it.

Imports pyvips: decoders only. Who may see the EXIF is decided where the facts are handed out.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pyvips

from transforms.codecs import vips
from transforms.exif import read_exif
from transforms.hashes.blurhash import blurhash
from transforms.hashes.phash import SIDE, phash
from transforms.hashes.thumbhash import thumbhash
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import Options
from transforms.palette import palette
from transforms.pipeline import STEPS, Rendered
from transforms.steps.load import load
from transforms.work import Request

_HASHED_SIDE = 40
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
    colours = palette(_rgba(_within(image, 64)))
    facts: dict[str, Any] = {
        "format": header.format.name,
        "media_type": header.format.media_type,
        "bytes": len(data),
        "width": width,
        "height": height,
        "orientation": work.orientation,
        "pages": header.frames,
        "animated": header.animated,
        "alpha": bool(image.hasalpha()),
        "dominant_color": f"#{colours[0].colour}" if colours else None,
        "palette": [{"color": f"#{entry.colour}", "share": entry.share} for entry in colours],
        **_hashes(_within(image, _HASHED_SIDE)),
        "phash": _phash(image),
        "lqip": _lqip(_within(image, _LQIP_SIDE)),
        "exif": read_exif(bytes(block)),
    }
    return Rendered(json.dumps(facts, separators=(",", ":")).encode(), "json", width, height)


def _within(image: pyvips.Image, side: int) -> pyvips.Image:
    """The picture within a square, never larger."""
    return image.thumbnail_image(side, height=side, size="down")


def _opaque(image: pyvips.Image) -> pyvips.Image:
    return image.flatten(background=[255, 255, 255]) if image.hasalpha() else image


def _rgba(image: pyvips.Image) -> bytes:
    return _bytes(image if image.hasalpha() else image.bandjoin(255))


def _bytes(image: pyvips.Image) -> bytes:
    return bytes(image.cast("uchar").write_to_memory())


def _hashes(image: pyvips.Image) -> dict[str, str]:
    opaque = _bytes(_opaque(image))
    return {
        "blurhash": blurhash(opaque, image.width, image.height),
        "thumbhash": base64.b64encode(thumbhash(_rgba(image), image.width, image.height)).decode(),
    }


def _phash(image: pyvips.Image) -> str:
    greys = _opaque(image).colourspace("b-w").thumbnail_image(SIDE, height=SIDE, size="force")
    return phash(_bytes(greys.extract_band(0)))


def _lqip(image: pyvips.Image) -> str:
    data = image.webpsave_buffer(Q=_LQIP_QUALITY, effort=4, keep="none")
    return "data:image/webp;base64," + base64.b64encode(data).decode()
