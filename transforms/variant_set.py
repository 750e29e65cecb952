"""Variants along their chain: the original decoded once, each size from the next larger one, and facts from the smallest.

Imports pyvips: decoders only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyvips

from transforms import appearance
from transforms.chain import begun, expanded
from transforms.geometry import plan
from transforms.hashes.blurhash import blurhash
from transforms.headers import Header
from transforms.limits import Limits
from transforms.options import Options
from transforms.palette import palette
from transforms.rendering import Rendering
from transforms.steps.background import background
from transforms.steps.colour import colour
from transforms.steps.crop_box import crop_box
from transforms.steps.encode import Encoded, encode
from transforms.steps.load import load
from transforms.steps.orient import orient
from transforms.steps.resize import resize, scaled
from transforms.steps.settle import settle
from transforms.variants import CHAIN, MADE_AT_ONCE, VARIANTS
from transforms.work import Request, Work

_COLOUR_BITS = 4
"""Enough for the one colour that is asked for."""


@dataclass(frozen=True, slots=True)
class VariantSet:
    """All variants of the chain by name, and what else was seen on the way as a JSON object."""

    encoded: tuple[tuple[str, Encoded], ...]
    facts: bytes
    width: int
    """Of the upright original, in pixels."""
    height: int


def variant_of(name: str, data: bytes, header: Header, limits: Limits, rendering: Rendering) -> Encoded:
    """One variant of the chain by itself, in the same bytes as in the set. Raises DecodeFailed, TooLarge."""
    pictures, work = _chain(data, header, limits, rendering, VARIANTS[name].side)
    return _encoded(name, pictures[-1], work)


def variant_set(data: bytes, header: Header, limits: Limits, rendering: Rendering) -> VariantSet:
    """All of the chain, the largest first. Raises DecodeFailed, TooLarge.

    The facts: `format`, `media_type`, `width`, `height` (upright), `orientation` (as stored), `pages`, `animated`, `alpha`,
    `dominant_color` (null where nothing is opaque), `blurhash`, `phash` and `dhash` (hex).
    """
    pictures, work = _chain(data, header, limits, rendering, CHAIN[-1])
    by_side = dict(zip(CHAIN, pictures, strict=True))
    encoded = tuple((name, _encoded(name, by_side[VARIANTS[name].side], work)) for name in MADE_AT_ONCE)
    width, height = work.source
    facts: dict[str, Any] = {
        "format": header.format.name,
        "media_type": header.format.media_type,
        "width": width,
        "height": height,
        "orientation": work.orientation,
        "pages": work.pages,
        "animated": header.animated,
        "alpha": bool(pictures[-1].hasalpha()),
        **_seen(pictures[-1]),
    }
    return VariantSet(encoded, json.dumps(facts, separators=(",", ":")).encode(), width, height)


def _chain(
    data: bytes, header: Header, limits: Limits, rendering: Rendering, down_to: int
) -> tuple[Sequence[pyvips.Image], Work]:
    """The pictures from the largest to the one of that side, in memory: upright, 8-bit sRGB."""
    frames, work = load(data, Request(begun(), "", limits, header, rendering))
    image = next(iter(frames))
    for step in (crop_box, resize, settle, orient, colour):
        image = step(image, work)
    pictures = [image]
    for side in CHAIN[1 : CHAIN.index(down_to) + 1]:
        size = plan(work.source, Options(w=side, h=side)).result
        image = pictures[-1]
        if (image.width, image.height) != size:
            image = scaled(image, size[0] / image.width, size[1] / image.height, size).copy_memory()
        pictures.append(image)
    return pictures, work


def _encoded(name: str, image: pyvips.Image, work: Work) -> Encoded:
    options = expanded(Options(variant=name), work.request.rendering)
    own = replace(work, request=replace(work.request, options=options))
    return encode([background(image, own)], own)


def _seen(image: pyvips.Image) -> dict[str, str | None]:
    small = appearance.hashed(image).copy_memory()
    greys = appearance.in_greys(image)
    colours = palette(appearance.rgba(small), bits=_COLOUR_BITS)
    return {
        "dominant_color": f"#{colours[0].colour}" if colours else None,
        "blurhash": blurhash(appearance.rgb(small), small.width, small.height),
        "phash": appearance.perceptual_hash(greys),
        "dhash": appearance.difference_hash(greys),
    }
