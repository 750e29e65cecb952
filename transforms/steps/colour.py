"""Colour: 8-bit sRGB, from whatever profile, depth or ink the source had; or, for `icc=keep`, its own RGB."""

from __future__ import annotations

import pyvips

from transforms import metadata
from transforms.metadata import PROFILE
from transforms.steps.background import output_format
from transforms.work import Work

_WITHOUT_PROFILES = frozenset({"gif"})
_WITH_PROFILES = frozenset({"srgb", "rgb", "rgb16", "b-w", "grey16", "cmyk"})
"""Colour spaces that a profile gives a meaning to. Others (scRGB, CIELAB, CIEXYZ) have theirs: a profile that is noted there
speaks of what the picture once was."""


def colour(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The image in RGB with 3 bands, or 4 with alpha; an alpha that hides nothing is dropped."""
    metadata.remember(image, work)
    if _stays(image, work):
        metadata.remember_profile(image, work)
        image = _packed(image.colourspace("srgb") if image.format == "ushort" else image)
    else:
        image = in_srgb(image)
    if image.hasalpha() and image.extract_band(3).min() == 255:
        return image.extract_band(0, n=3)
    return image


def in_srgb(image: pyvips.Image) -> pyvips.Image:
    """Any image in 8-bit sRGB with 3 bands, or 4 with alpha, in memory; transparency and all."""
    return _packed(_converted(image))


def _packed(image: pyvips.Image) -> pyvips.Image:
    wanted = 4 if image.hasalpha() else 3
    if image.bands != wanted:
        image = image.extract_band(0, n=wanted) if image.bands > wanted else image.colourspace("srgb")
    if (image.format, image.interpretation) == ("uchar", "srgb"):
        # Nothing to compute: what is in memory already stays there, which spares a picture of 300 pixels a tenth.
        return image.copy_memory()
    return image.cast("uchar").copy(interpretation="srgb").copy_memory()


def _stays(image: pyvips.Image, work: Work) -> bool:
    """Whether `icc=keep` can be done: a profile of RGB (ICC.1:2022, 7.2.6), for a format that can hold one."""
    if work.options.icc != "keep" or not _has_profile(image) or image.bands < 3:
        return False
    return bytes(image.get(PROFILE)[16:20]) == b"RGB " and output_format(image, work) not in _WITHOUT_PROFILES


def _converted(image: pyvips.Image) -> pyvips.Image:
    """Through the embedded profile, or a usual one for CMYK; without one, by the colour space that is declared."""
    cmyk = image.interpretation == "cmyk"
    if cmyk or _has_profile(image):
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
            image = image.copy()
            image.remove(PROFILE)
    return image if image.interpretation == "srgb" and image.format == "uchar" else image.colourspace("srgb")


def _has_profile(image: pyvips.Image) -> bool:
    """Whether there is a profile that says what the numbers mean."""
    return bool(image.get_typeof(PROFILE)) and image.interpretation in _WITH_PROFILES
