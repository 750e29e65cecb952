"""Pad: what `fit=contain`, `extend` and `pad` add around the picture."""

from __future__ import annotations

import pyvips

from transforms.alpha import on_premultiplied
from transforms.gravity import standing
from transforms.option_kinds import Colour
from transforms.steps.blur import blurred
from transforms.steps.resize import enlarged
from transforms.turns import Size
from transforms.work import Work

TRANSPARENT: Colour = (0, 0, 0, 0)
WHITE: Colour = (255, 255, 255, 255)

_BLURRED_SIDE = 128
"""Pixels of the longer side at which a background is blurred: what is left of it needs no more."""
_SIGMA = 6.0


def pad(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture on its canvas, on an opaque `bg`; without `bg` transparent if it has transparency, else white.

    A `bg` that shows what is behind it comes under the whole canvas later.
    """
    geometry = work.upright
    if not geometry.adds:
        return image
    wanted = work.options.bg
    top, _, _, left = geometry.padding
    across, down = standing(geometry.canvas, geometry.cropped, work.options.g)
    if wanted == "blur":
        return upon(blurred_cover(image, geometry.result), image, left + across, top + down)
    if isinstance(wanted, tuple):
        colour = wanted if wanted[3] == 255 else TRANSPARENT
    else:
        colour = TRANSPARENT if image.hasalpha() else WHITE
    if colour[3] < 255 and not image.hasalpha():
        image = image.bandjoin(255)
    return image.embed(
        left + across, top + down, *geometry.result, extend="background", background=list(colour[: image.bands])
    )


def blurred_cover(image: pyvips.Image, size: Size) -> pyvips.Image:
    """The middle of the picture, as much of it as covers `size`, blurred."""
    # Blurred where it is tiny, then spread out: lines between its pixels are as good as what a large blur leaves.
    scale = min(1.0, _BLURRED_SIDE / max(size))
    tiny = max(2, round(size[0] * scale)), max(2, round(size[1] * scale))
    covering = max(tiny[0] / image.width, tiny[1] / image.height)
    width, height = max(tiny[0], round(image.width * covering)), max(tiny[1], round(image.height * covering))

    def change(pixels: pyvips.Image) -> pyvips.Image:
        resized = pixels.resize(width / image.width, vscale=height / image.height, kernel="linear")
        kept = resized.crop((width - tiny[0]) // 2, (height - tiny[1]) // 2, *tiny)
        return enlarged(blurred(kept.copy_memory(), _SIGMA).copy_memory(), size, "bilinear")

    # Computed strip by strip as it is wanted: where only the picture shows, not at all.
    return on_premultiplied(image, change)


def upon(canvas: pyvips.Image, image: pyvips.Image, left: int, top: int) -> pyvips.Image:
    """A picture on a canvas that covers it; opaque if the canvas is."""
    if not image.hasalpha() and not canvas.hasalpha():
        return canvas.insert(image, left, top)
    both = canvas.composite2(image, "over", x=left, y=top).cast("uchar")
    return both if canvas.hasalpha() else both.extract_band(0, n=3)
