"""Orient: the camera's orientation, then `rotate` by quarter turns, then `flip`.

Done on the small picture; the sizes were planned for the upright one, so `w` and `h` always mean the result's. Any
other angle, and `flip` after it, is the step `rotate`.
"""

from __future__ import annotations

import pyvips

from transforms.work import Work


def orient(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture as it shall be seen, or made upright where it is to be turned by any other angle."""
    if work.orientation != 1:
        image = image.autorot()
    if work.freely:
        return image
    match work.options.rotate:
        case 90:
            image = image.rot90()
        case 180:
            image = image.rot180()
        case 270:
            image = image.rot270()
    flip = work.options.flip or ""
    if "h" in flip:
        image = image.fliphor()
    if "v" in flip:
        image = image.flipver()
    return image
