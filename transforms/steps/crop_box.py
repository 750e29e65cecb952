"""Crop box: the option `crop`, before any pixel is computed, so that nothing outside of it ever is."""

from __future__ import annotations

import pyvips

from transforms.geometry import sampled
from transforms.work import Work


def crop_box(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The part of the loaded picture that `crop` names, its middle to a quarter of a pixel of what was loaded.

    Of a picture that shrank as it loaded, that leaves out the last column and row where they are hardly filled.
    """
    left, top, width, height = work.camera.undone.box(work.planned.part, work.source)
    across = sampled(left, width, work.density[0], image.width)
    down = sampled(top, height, work.density[1], image.height)
    if (across[1], down[1]) == (image.width, image.height):
        return image
    return image.crop(across[0], down[0], across[1], down[1])
