"""Join: the finished frames of an animation as one image, in the way that libvips' savers read animations."""

from __future__ import annotations

import pyvips

from transforms.work import Work


def joined(frames: list[pyvips.Image], work: Work) -> pyvips.Image:
    """One frame as it is; several on top of each other, with their height, delays and the number of loops noted."""
    timing = work.timing
    if timing is None:
        return frames[0]
    transparent = any(frame.hasalpha() for frame in frames)
    # A frame that hides nothing has lost its alpha on the way.
    alike = [frame.bandjoin(255) if transparent and not frame.hasalpha() else frame for frame in frames]
    height = frames[0].height

    image = pyvips.Image.arrayjoin(alike, across=1)
    image.set_type(pyvips.GValue.gint_type, "page-height", height)
    image.set_type(pyvips.GValue.array_int_type, "delay", list(timing.delays))
    image.set_type(pyvips.GValue.gint_type, "loop", timing.loop)
    return image
