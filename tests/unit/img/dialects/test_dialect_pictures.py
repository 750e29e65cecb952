"""That a translated URL shows what the original's own order of steps would: imitated with Pillow, in their order."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from gateway.img.dialects.doors import Dialects
from gateway.settings.dialects import DialectName
from gateway.settings.settings import Settings
from transforms.options import parse_query
from transforms.pipeline import render

DIALECTS = Dialects(Settings(source_map={"": "plain"}))
WIDTH, HEIGHT = 240, 160
COUNTER = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
MIRROR = {"h": Image.Transpose.FLIP_LEFT_RIGHT, "v": Image.Transpose.FLIP_TOP_BOTTOM}


def gradient() -> Image.Image:
    """Red grows to the right, green downwards: every place and every turn shows."""
    red = Image.linear_gradient("L").rotate(90).resize((WIDTH, HEIGHT))
    green = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    return Image.merge("RGB", (red, green, Image.new("L", (WIDTH, HEIGHT), 40)))


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def ours(dialect: DialectName, rest: str) -> Image.Image:
    reading = DIALECTS.read(dialect, rest)
    rendered = render(png(gradient()), parse_query(reading.pairs))
    return Image.open(io.BytesIO(rendered.data)).convert("RGB")


def covered(image: Image.Image, size: tuple[int, int], left: float, top: float) -> Image.Image:
    """Scaled to cover, and cut where `left` and `top` (0 to 1) of what is too much is taken off at that side."""
    scale = max(size[0] / image.width, size[1] / image.height)
    whole = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    x, y = round((whole.width - size[0]) * left), round((whole.height - size[1]) * top)
    return whole.crop((x, y, x + size[0], y + size[1]))


def assert_same(one: Image.Image, other: Image.Image) -> None:
    assert one.size == other.size
    for across, down in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.5, 0.5)):
        place = (int(across * one.width), int(down * one.height))
        first, second = one.getpixel(place), other.getpixel(place)
        assert isinstance(first, tuple)
        assert isinstance(second, tuple)
        assert all(abs(a - b) <= 8 for a, b in zip(first, second, strict=True)), (place, first, second)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize(("align", "left", "top"), [("left/", 0, 0.5), ("right/", 1, 0.5), ("", 0.5, 0.5)])
@pytest.mark.parametrize(("size", "flip"), [("80x80", ""), ("-80x80", "h"), ("80x-80", "v"), ("-80x-80", "hv")])
def test_thumbor_cuts_mirrors_and_then_turns(
    angle: int, align: str, left: float, top: float, size: str, flip: str
) -> None:
    expected = covered(gradient(), (80, 80), left, top)
    for axis in flip:
        expected = expected.transpose(MIRROR[axis])
    if angle:
        expected = expected.transpose(COUNTER[angle])
    assert_same(ours("thumbor", f"{size}/{align}filters:rotate({angle}):format(png)/a.png"), expected)


@pytest.mark.parametrize(("align", "left", "top"), [("top/", 0.5, 0), ("bottom/", 0.5, 1)])
def test_thumbor_cuts_above_and_below(align: str, left: float, top: float) -> None:
    expected = covered(gradient(), (120, 40), left, top).transpose(COUNTER[90])
    assert_same(ours("thumbor", f"120x40/{align}filters:rotate(90):format(png)/a.png"), expected)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("place", "x", "y"), [("nowe", 0, 0), ("soea", 0.5, 0.5), ("ea", 0.5, 0.25), ("fp:0.25:0.75", 0, 0.5)]
)
def test_imgproxy_turns_and_then_crops(angle: int, place: str, x: float, y: float) -> None:
    turned = gradient() if not angle else gradient().transpose(COUNTER[360 - angle])
    width, height = turned.size
    left, top = round(x * width), round(y * height)
    expected = turned.crop((left, top, left + width // 2, top + height // 2))
    assert_same(ours("imgproxy", f"/c:0.5:0.5:{place}/rot:{angle}/f:png/plain/a.png"), expected)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", ["0:0", "1:0", "0:1"])
def test_imgproxys_focal_point_is_of_the_picture_that_is_cut(angle: int, flip: str) -> None:
    turned = gradient() if not angle else gradient().transpose(COUNTER[360 - angle])
    for axis, wanted in zip("hv", flip.split(":"), strict=True):
        if wanted == "1":
            turned = turned.transpose(MIRROR[axis])
    side = 100
    scale = side / min(turned.size)
    whole = (round(turned.width * scale), round(turned.height * scale))
    left, top = (min(max(0, round(0.2 * length - side / 2)), length - side) for length in whole)
    expected = turned.resize(whole, Image.Resampling.LANCZOS).crop((left, top, left + side, top + side))
    path = f"/rs:fill:{side}:{side}/g:fp:0.2:0.2/rot:{angle}/fl:{flip}/f:png/plain/a.png"
    assert_same(ours("imgproxy", path), expected)
