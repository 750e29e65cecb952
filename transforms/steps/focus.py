"""Focus: where the gravities that look at the picture find what must stay in view."""

from __future__ import annotations

import pyvips

from transforms.gravity import looks
from transforms.steps import attention
from transforms.steps.colour import colour
from transforms.steps.orient import orient
from transforms.steps.resize import resize
from transforms.steps.settle import settle
from transforms.work import Work


def focus(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture, settled where it had to be looked at: resized already, unless that makes it larger.

    Looks at the first frame of an animation only.
    """
    if work.freely or not work.upright.cuts or not looks(work.options.g) or "focus" in work.decided:
        return image
    attention.check(work)
    if work.upright.scale <= 1:
        image = resize(image, work)
    # More than the result is kept in memory; a drawing may be loaded far larger than it is.
    work.request.limits.check_source(image.width, image.height)
    image = settle(image, work)
    work.decided["focus"] = attention.point(orient(colour(attention.small(image, work), work), work), work)
    return image
