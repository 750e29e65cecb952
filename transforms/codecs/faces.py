"""Faces, by the detector and the model that OpenCV's wheel carries; the extra `faces`. Loaded in decoders only."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pyvips

from transforms.errors import MissingExtra
from transforms.turns import Box

_MODEL = "haarcascade_frontalface_alt2.xml"
_SMALLEST = 0.05
"""The smallest face that is looked for, as a fraction of the shorter side."""


def prepare() -> bool:
    """Loads library and model while files can still be opened. False where the extra is not installed."""
    try:
        detector()
    except MissingExtra:
        return False
    return True


@cache
def detector() -> Any:
    """The detector. Raises MissingExtra where the extra is not installed."""
    try:
        import cv2
    except ImportError:
        raise MissingExtra("The gravity `face`", "faces") from None
    # A decoder has one thread, and the result must not depend on how many share the work.
    cv2.setNumThreads(1)
    return cv2.CascadeClassifier(str(Path(cv2.__file__).with_name("data") / _MODEL))


def find(image: pyvips.Image) -> list[Box]:
    """The faces of an upright picture in sRGB. Raises MissingExtra."""
    finder = detector()
    import numpy

    grey = image.flatten(background=[255, 255, 255]) if image.hasalpha() else image
    grey = grey.colourspace("b-w").cast("uchar")
    pixels = numpy.frombuffer(grey.write_to_memory(), numpy.uint8).reshape(grey.height, grey.width)
    least = max(20, round(min(grey.width, grey.height) * _SMALLEST))
    found = finder.detectMultiScale(pixels, scaleFactor=1.1, minNeighbors=4, minSize=(least, least))
    return [(int(left), int(top), int(width), int(height)) for left, top, width, height in found]
