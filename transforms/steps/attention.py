"""Attention: the point of a small picture that must stay in view, by saliency, by entropy, or by faces."""

from __future__ import annotations

import pyvips

from transforms.codecs import faces
from transforms.gravity import Point
from transforms.turns import Box, Size
from transforms.work import Work

_SIDE = 256
"""Pixels of the longer side that saliency and entropy look at."""
_SIDE_FOR_FACES = 480
"""A face of a fifteenth of the longer side is still found."""


def check(work: Work) -> None:
    """Raises MissingExtra where faces are asked for and nothing here finds them."""
    if _place(work) == "face":
        faces.detector()


def small(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture at the size at which it is looked at; as it is where it is not larger."""
    scale = (_SIDE_FOR_FACES if _place(work) == "face" else _SIDE) / max(image.width, image.height)
    return image.resize(scale, kernel="linear").copy_memory() if scale < 1 else image


def point(image: pyvips.Image, work: Work) -> Point:
    """What to keep in view, in fractions of the sides of a small picture in sRGB."""
    geometry = work.upright
    across, down = (kept / whole for kept, whole in zip(geometry.cropped, geometry.resized, strict=True))
    window = max(1, round(image.width * across)), max(1, round(image.height * down))
    match _place(work):
        case "face":
            found = faces.find(image)
            if found:
                return _middle(together(found, window), image)
            return _salient(image, window)
        case "entropy":
            kept = image.smartcrop(*window, interesting="entropy")
            return _middle((-kept.xoffset, -kept.yoffset, *window), image)
        case _:
            return _salient(image, window)


def together(found: list[Box], window: Size) -> Box:
    """The largest face, and the box around it and as many others as the window can show, larger ones first."""
    chosen, *others = sorted(found, key=lambda face: (-face[2] * face[3], face))
    for face in others:
        left, top = min(chosen[0], face[0]), min(chosen[1], face[1])
        right = max(chosen[0] + chosen[2], face[0] + face[2])
        bottom = max(chosen[1] + chosen[3], face[1] + face[3])
        if right - left <= window[0] and bottom - top <= window[1]:
            chosen = left, top, right - left, bottom - top
    return chosen


def _place(work: Work) -> str:
    gravity = work.options.g
    return gravity.place if gravity is not None else "c"


def _salient(image: pyvips.Image, window: Size) -> Point:
    _, found = image.smartcrop(*window, interesting="attention", attention_x=True, attention_y=True)
    return _middle((found["attention_x"], found["attention_y"], 1, 1), image)


def _middle(box: Box, image: pyvips.Image) -> Point:
    return (box[0] + box[2] / 2) / image.width, (box[1] + box[3] / 2) / image.height
