"""Trim: borders of one colour are cut off, before anything is sized."""

from __future__ import annotations

from collections.abc import Iterable

import pyvips

from transforms.geometry import plan
from transforms.option_kinds import TrimValue
from transforms.steps.crop_box import crop_box
from transforms.steps.settle import settle
from transforms.turns import Box
from transforms.work import Work

_SHOWN = "shown"
"""What is decided before the first frame of an animation comes: what is no border, as it is stored."""


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
        if _SHOWN not in work.decided:
            look([image], work, wanted)
        shown = work.decided[_SHOWN]
        assert isinstance(shown, tuple)
        found = work.camera.box(shown, (image.width, image.height))
        geometry = plan(work.source, work.options, (left + found[0], top + found[1], found[2], found[3]))
        geometry.check(work.request.limits)
        if work.timing is not None:
            work.request.limits.check_animated_output(*geometry.result, len(work.timing.delays))
        work.decided["geometry"] = geometry
    part = work.upright.part
    inner = (part[0] - left, part[1] - top, part[2], part[3])
    return image.crop(*work.camera.undone.box(inner, (size[0], size[1])))


def look_at_all(frames: Iterable[pyvips.Image], work: Work) -> None:
    """Decide what is border of an animation, of whose frames each may show something elsewhere. Raises DecodeFailed."""
    assert work.options.trim is not None
    look((settle(crop_box(frame, work), work) for frame in frames), work, work.options.trim)


def look(frames: Iterable[pyvips.Image], work: Work, wanted: TrimValue) -> None:
    """Decide what is border of the settled `frames`, by the first one's corner where no colour is given."""
    border: list[float] = []
    shown: list[Box] = []
    size = (0, 0)
    for frame in frames:
        image = _comparable(frame)
        if not border:
            size = (image.width, image.height)
            corner = work.camera.undone.box((0, 0, 1, 1), work.camera.size(size))
            border = image.getpoint(*corner[:2]) if wanted.colour is None else _like(image, wanted)
        inner = _inner(image, border, float(wanted.threshold))
        if inner is not None:
            shown.append(inner)
    work.decided[_SHOWN] = _around(shown) if shown else (0, 0, *size)


def _around(boxes: list[Box]) -> Box:
    left, top = (min(box[side] for box in boxes) for side in (0, 1))
    right, bottom = (max(box[side] + box[side + 2] for box in boxes) for side in (0, 1))
    return left, top, right - left, bottom - top


def _inner(image: pyvips.Image, border: list[float], most: float) -> Box | None:
    """The smallest box around all that is not border; None where nothing is."""
    # Comparing 8 bits with constants is quicker than taking differences, which are no longer 8 bits.
    differs = ((image > [value + most for value in border]) | (image < [value - most for value in border])).bandor()
    columns, rows = (bytes((counts > 0).write_to_memory()) for counts in differs.project())
    left, top = columns.find(b"\xff"), rows.find(b"\xff")
    if left < 0:
        return None
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
