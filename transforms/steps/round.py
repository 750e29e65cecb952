"""Round: `radius` and `mask` make what is outside of a shape transparent."""

from __future__ import annotations

from math import ceil

import pyvips

from transforms.work import Work


def round_off(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture inside its rounded corners, ellipse or circle, with smooth edges."""
    corner, shape = work.options.corner, work.options.mask
    smaller = min(image.width, image.height)
    if corner:
        radius = smaller / 2 if isinstance(corner, str) else min(corner, smaller / 2)
        image = _masked(image, _rounded(image.width, image.height, radius))
    if shape == "circle":
        image = _masked(image, _ellipse(image.width, image.height, smaller / 2, smaller / 2))
    elif shape == "ellipse":
        image = _masked(image, _ellipse(image.width, image.height, image.width / 2, image.height / 2))
    return image


def _masked(image: pyvips.Image, mask: pyvips.Image) -> pyvips.Image:
    if not image.hasalpha():
        return image.bandjoin(mask)
    colours = image.extract_band(0, n=image.bands - 1)
    alpha = (image.extract_band(image.bands - 1) * mask / 255).rint().cast("uchar")
    return colours.bandjoin(alpha).copy(interpretation="srgb")


def _rounded(width: int, height: int, radius: float) -> pyvips.Image:
    """A mask of 255 inside; only the corners are computed."""
    side = ceil(radius)
    across, down = min(side, width), min(side, height)
    corner = _coverage(_distance(across, down, radius, radius) - radius)
    mask = (pyvips.Image.black(width, height) + 255).cast("uchar")
    mask = mask.insert(corner, 0, 0).insert(corner.fliphor(), width - across, 0)
    lower = corner.flipver()
    return mask.insert(lower, 0, height - down).insert(lower.fliphor(), width - across, height - down).copy_memory()


def _ellipse(width: int, height: int, across: float, down: float) -> pyvips.Image:
    """A mask of 255 inside; one quarter is computed and mirrored."""
    quarter_width, quarter_height = ceil(width / 2), ceil(height / 2)
    place = _from_middle(quarter_width, quarter_height, width / 2, height / 2)
    # How far a point is from the edge, to first order: the ellipse's equation by the steepness that it has there.
    unit = place / [across, down]
    value = (unit * unit).bandmean() * 2
    slope = unit / [across, down]
    steepness = ((slope * slope).bandmean() * 2) ** 0.5 * 2
    quarter = _coverage((value - 1) / (steepness + 1e-9)).copy_memory()
    # The middle column and row of odd sides are shared by the halves.
    mask = quarter
    if width > 1:
        right = mask.fliphor().crop(width % 2, 0, width // 2, quarter_height)
        mask = mask.join(right, "horizontal")
    if height > 1:
        lower = mask.flipver().crop(0, height % 2, width, height // 2)
        mask = mask.join(lower, "vertical")
    return mask.copy_memory()


def _distance(width: int, height: int, across: float, down: float) -> pyvips.Image:
    """Pixels from the middles of pixels to a point."""
    place = _from_middle(width, height, across, down)
    return ((place * place).bandmean() * 2) ** 0.5


def _from_middle(width: int, height: int, across: float, down: float) -> pyvips.Image:
    return pyvips.Image.xyz(width, height).linear([1, 1], [0.5 - across, 0.5 - down])


def _coverage(outside: pyvips.Image) -> pyvips.Image:
    """How much of a pixel is inside, of 255, from how far its middle is outside."""
    return ((0.5 - outside) * 255).rint().cast("uchar")
