"""Turning by any angle: what is seen, and how large it becomes."""

from __future__ import annotations

from math import cos, radians, sin

import numpy
import pytest
from PIL import Image

from tests.unit.transforms.pictures import BLUE, RED, WHITE, difference, pixels, png, ramp, shown, stored
from transforms.geometry import plan
from transforms.options import parse_compact


@pytest.mark.parametrize("orientation", [1, 6, 7])
@pytest.mark.parametrize(
    "options", ["rotate:30", "rotate:200.5,w:150", "rotate:45,flip:h", "rotate:300,flip:v,w:90,h:90,fit:cover",
                "rotate:30,w:90,h:90,fit:cover,g:fp:0.1:0.1", "rotate:77,w:60,h:150,fit:fill", "crop:40:20:120:100,rotate:10",
                "rotate:20,w:400,up:1", "rotate:20,ar:1:1,g:nw", "rotate:30,w:500,h:60,fit:cover,up:1"],
)  # fmt: skip
def test_any_angle_shows_what_it_should(orientation: int, options: str) -> None:
    picture, parsed = ramp((200, 150)), parse_compact(options)
    geometry = plan((200, 150), parsed)
    seen = pixels(shown(stored(picture, orientation), options), "RGBA")
    left, top, width, height = geometry.part
    angle = radians(float(parsed.rotate))
    box = abs(width * cos(angle)) + abs(height * sin(angle)), abs(width * sin(angle)) + abs(height * cos(angle))
    cut = _window(geometry, parsed)
    checked = inside = 0
    for row in range(2, seen.shape[0], 9):
        for column in range(2, seen.shape[1], 9):
            # From a pixel of the result back to the source.
            x = ((cut[0] + column + 0.5) / geometry.resized[0] - 0.5) * box[0]
            y = ((cut[1] + row + 0.5) / geometry.resized[1] - 0.5) * box[1]
            x, y = (-x if parsed.flip == "h" else x), (-y if parsed.flip == "v" else y)
            x, y = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
            depth = min(width / 2 - abs(x), height / 2 - abs(y)) * geometry.scale
            if abs(depth) < 2:
                continue
            checked += 1
            if depth < 0:
                # Lanczos leaves a trace beside a hard edge.
                assert seen[row, column, 3] <= (4 if parsed.fit == "fill" else 0)
                continue
            inside += 1
            expected = ((left + width / 2 + x) / 200 * 255, (top + height / 2 + y) / 150 * 255, 90, 255)
            assert numpy.abs(seen[row, column] - expected).max() <= 5, (row, column, seen[row, column], expected)
    assert checked > 30
    assert inside > 20


def _window(geometry: object, options: object) -> tuple[int, int]:
    from transforms.geometry import Geometry, focus_in_view
    from transforms.gravity import window
    from transforms.options import Options

    assert isinstance(geometry, Geometry)
    assert isinstance(options, Options)
    gravity = options.g
    focus = None
    if gravity is not None and gravity.place == "fp":
        focus = focus_in_view((200, 150), geometry.part, options, float(gravity.x), float(gravity.y))
    return window(geometry.resized, geometry.cropped, gravity, focus)


def test_corners_that_turning_makes() -> None:
    data = png(Image.new("RGB", (100, 80), RED))
    assert shown(data, "rotate:30").getpixel((0, 0)) == (0, 0, 0, 0)
    assert shown(data, "rotate:30,f:jpeg").getpixel((0, 0)) == WHITE
    filled = shown(data, "rotate:30,bg:00f")
    assert filled.mode == "RGB"
    assert filled.getpixel((0, 0)) == BLUE
    assert shown(data, "rotate:30,bg:0000ff80").getpixel((0, 0)) == (0, 0, 255, 128)
    blurred = shown(data, "rotate:30,bg:blur")
    assert blurred.mode == "RGB"
    assert difference(blurred, Image.new("RGB", blurred.size, RED)).max() <= 2
    # The edge is smooth: some pixels are neither inside nor outside.
    alpha = pixels(shown(data, "rotate:30"), "RGBA")[..., 3]
    assert 0 < numpy.count_nonzero((alpha > 30) & (alpha < 225)) < 0.1 * alpha.size
    assert abs(alpha.sum() / 255 - 8000) < 100
