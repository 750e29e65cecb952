"""The bounds on images that the settings give."""

from __future__ import annotations

from gateway.settings.settings import Settings
from transforms.limits import Limits


def limits_of(settings: Settings) -> Limits:
    """The bounds on images that the settings give."""
    pixels = int(settings.image_max_megapixels * 1_000_000)
    return Limits(
        source_bytes=settings.image_max_bytes,
        source_pixels=pixels,
        output_pixels=pixels,
        frames=settings.image_max_frames,
        animation_pixels=int(settings.image_max_animation_megapixels * 1_000_000),
        animation_output_pixels=int(settings.image_max_animated_output_megapixels * 1_000_000),
    )
