"""Colour: 8-bit sRGB, from whatever profile, depth or ink the source had."""

from __future__ import annotations

import pyvips

from transforms.work import Work

_PROFILE = "icc-profile-data"


def colour(image: pyvips.Image, work: Work) -> pyvips.Image:  # noqa: ARG001 every step has the same shape
    """The image in sRGB with 3 bands, or 4 with alpha; an alpha that hides nothing is dropped."""
    image = _in_srgb(image)
    wanted = 4 if image.hasalpha() else 3
    if image.bands != wanted:
        image = image.extract_band(0, n=wanted) if image.bands > wanted else image.colourspace("srgb")
    image = image.cast("uchar").copy(interpretation="srgb").copy_memory()
    if image.hasalpha() and image.extract_band(3).min() == 255:
        return image.extract_band(0, n=3)
    return image


def _in_srgb(image: pyvips.Image) -> pyvips.Image:
    """Through the embedded profile, or a usual one for CMYK; without one, by the colour space that is declared."""
    cmyk = image.interpretation == "cmyk"
    if cmyk or image.get_typeof(_PROFILE):
        try:
            return image.icc_transform(
                "srgb",
                embedded=True,
                input_profile="cmyk" if cmyk else "srgb",
                intent="relative",
                black_point_compensation=True,
                depth=8,
            ).copy_memory()
        except pyvips.Error:
            # A profile that is broken, or of another kind of image, must not cost the picture.
            image = image.mutate(lambda mutable: mutable.remove(_PROFILE)) if image.get_typeof(_PROFILE) else image
    return image.colourspace("srgb")
