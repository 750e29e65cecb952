"""Trim: borders of one colour are cut off, before anything is sized."""

from __future__ import annotations

import pyvips

from transforms.geometry import plan
from transforms.option_kinds import TrimValue
from transforms.steps.settle import settle
from transforms.turns import Box, Size
from transforms.work import Work


def trim(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture without its borders; as it is where it is nothing but border. Decides `work.upright`.

    Raises TooLarge where what is left makes too large a result.
    """
    wanted = work.options.trim
    if wanted is None:
        return image
    image = settle(image, work)
    left, top, *size = work.planned.part
    if "geometry" not in work.decided:
        corner = work.camera.undone.box((0, 0, 1, 1), (size[0], size[1]))
        found = work.camera.box(_inner(_comparable(image), wanted, corner[:2]), (image.width, image.height))
        geometry = plan(work.source, work.options, (left + found[0], top + found[1], found[2], found[3]))
        geometry.check(work.request.limits)
        if work.timing is not None:
            work.request.limits.check_animated_output(*geometry.result, len(work.timing.delays))
        work.decided["geometry"] = geometry
    part = work.upright.part
    inner = (part[0] - left, part[1] - top, part[2], part[3])
    return image.crop(*work.camera.undone.box(inner, (size[0], size[1])))


def _inner(image: pyvips.Image, wanted: TrimValue, corner: Size) -> Box:
    """The smallest box around all that is not border, or the whole image."""
    border = image.getpoint(*corner) if wanted.colour is None else _like(image, wanted)
    most = float(wanted.threshold)
    # Comparing 8 bits with constants is quicker than taking differences, which are no longer 8 bits.
    differs = ((image > [value + most for value in border]) | (image < [value - most for value in border])).bandor()
    columns, rows = (bytes((counts > 0).write_to_memory()) for counts in differs.project())
    left, top = columns.find(b"\xff"), rows.find(b"\xff")
    if left < 0:
        return 0, 0, image.width, image.height
    return left, top, columns.rfind(b"\xff") + 1 - left, rows.rfind(b"\xff") + 1 - top


def _comparable(image: pyvips.Image) -> pyvips.Image:
    """The pixels as red, green and blue of 8 bits, multiplied by their alpha where they have one: all clear is alike."""
    image = image.colourspace("srgb")
    if not image.hasalpha():
        return image
    return image.premultiply().copy(interpretation="multiband")


def _like(image: pyvips.Image, wanted: TrimValue) -> list[float]:
    assert wanted.colour is not None
    red, green, blue, alpha = wanted.colour
    if image.bands == 3:
        return [red, green, blue]
    return [*(value * alpha / 255 for value in (red, green, blue)), alpha]
