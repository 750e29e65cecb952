"""Variants: the sizes that apps ask for by name, made of every uploaded picture once and kept.

Each is made from the next larger one, along one chain that begins with the original: the chain is the same whether one of
them is made or all, so that the bytes of a variant follow from its name alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_QUALITY = 85
"""Of WebP and JPEG, in all variants."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A picture that fits into a square of `side` pixels, never larger than the original is.

    `format` is None where it stays the original's, as far as browsers show it.
    """

    name: str
    side: int
    format: str | None


ORIGINAL = "original"
"""The largest: no part of the chain, made when it is first asked for; an animation stays one."""

_TABLE = (
    Variant("large", 1200, "webp"),
    Variant("medium", 600, "webp"),
    Variant("thumbnail-600", 600, "jpeg"),
    Variant("thumbnail-300", 300, "jpeg"),
    Variant("thumbnail", 150, "webp"),
    Variant("thumbnail-150", 150, "jpeg"),
    Variant(ORIGINAL, 4096, None),
)

VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _TABLE}
"""Every variant by name."""
MADE_AT_ONCE = tuple(variant.name for variant in _TABLE if variant.name != ORIGINAL)
"""What is made in one go of a picture that was uploaded, the largest first."""
CHAIN = tuple(sorted({VARIANTS[name].side for name in MADE_AT_ONCE}, reverse=True))
"""The sides in pixels, each made from the one before."""
THUMBNAILS: Mapping[int, str] = {
    variant.side: variant.name for variant in _TABLE if variant.name.startswith("thumbnail-")
}
"""The JPEG thumbnails by their side."""
