"""What a variant, or a drawing, asks of the pipeline, as options: pure, so that its price is known without libvips."""

from __future__ import annotations

from dataclasses import replace

from transforms.options import Options
from transforms.rendering import DEFAULT_RENDERING, Rendering
from transforms.variants import CHAIN, ORIGINAL, VARIANTS


def begun() -> Options:
    """What the chain begins with: the largest of its pictures, the first frame of an animation, transparency and all."""
    return Options(w=CHAIN[0], h=CHAIN[0], f="webp", still=True)


def expanded(options: Options, rendering: Rendering = DEFAULT_RENDERING, source_format: str = "") -> Options:
    """The size, format and quality that a variant has; other options as they are, but that a drawing may be enlarged.

    `source_format` is the name of the stored image's: AVIF, which only `original` keeps, has a quality scale of its own,
    and an SVG has no pixels that larger ones would have to be made of.
    """
    if options.variant is None:
        return replace(options, up=True) if source_format == "svg" and not options.up else options
    variant = VARIANTS[options.variant]
    quality = None if variant.format is None and source_format == "avif" else rendering.variant_quality
    return Options(w=variant.side, h=variant.side, f=variant.format, q=quality, still=variant.name != ORIGINAL)
