"""Gravities that look at the picture keep in view what was drawn to be seen."""

from __future__ import annotations

import io
import subprocess
import sys
from functools import cache

import numpy
import pytest
from PIL import Image

from tests import images
from transforms.codecs import faces
from transforms.errors import MissingExtra
from transforms.options import parse_compact
from transforms.pipeline import render


def shown(data: bytes, options: str) -> numpy.ndarray:
    rendered = render(data, parse_compact(f"{options},f:png"))
    return numpy.asarray(Image.open(io.BytesIO(rendered.data)).convert("RGB")).astype(int)


def stored(image: Image.Image, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = images.STORED_AS.get(orientation)
    return images.encoded(image if undo is None else image.transpose(undo), "JPEG", quality=92, exif=exif)


def patch(at: int, size: tuple[int, int] = (900, 300)) -> Image.Image:
    """A flat grey picture with a patch of strong red at a distance from its left."""
    image = Image.new("RGB", size, (120, 124, 120))
    image.paste((230, 20, 30), (at, 120, at + 60, 180))
    return image


def redness(pixels: numpy.ndarray) -> int:
    """How many pixels are red."""
    return int(((pixels[..., 0] - pixels[..., 1]) > 100).sum())


@pytest.mark.parametrize("at", [30, 420, 800])
@pytest.mark.parametrize(
    ("options", "whole"),
    [("w:100,h:100,fit:cover", 400), ("ar:1:1", 3600), ("ar:1:1,w:50,flip:h", 100), ("ar:1:1,w:100,up:1,rotate:90", 400),
     ("w:600,h:600,fit:cover,up:1", 14_400), ("ar:1:1,w:100,rotate:20", 103)],
)  # fmt: skip
@pytest.mark.parametrize("orientation", [1, 6])
def test_attention_keeps_what_draws_the_eye(at: int, options: str, whole: int, orientation: int) -> None:
    data = stored(patch(at), orientation)
    assert redness(shown(data, f"{options},g:smart")) > 0.8 * whole
    if "rotate:20" not in options:
        # The middle alone would show it only where it is in the middle.
        assert (redness(shown(data, f"{options},g:c")) > 0) == (at == 420)


@pytest.mark.parametrize("left", [0, 600])
def test_entropy_keeps_what_has_most_in_it(left: int) -> None:
    image = Image.new("RGB", (900, 300), (120, 124, 120))
    image.paste(images.photo((300, 300), seed=7), (left, 0))
    kept = shown(images.encoded(image, "PNG"), "w:100,h:100,fit:cover,g:entropy")
    flat = numpy.abs(kept - (120, 124, 120)).max(axis=2) <= 2
    assert flat.mean() < 0.15


def test_transparent_pictures_are_looked_at_too() -> None:
    image = Image.new("RGBA", (900, 300), (0, 0, 0, 0))
    image.paste((230, 20, 30, 255), (800, 120, 860, 180))
    for gravity in ("smart", "entropy", "face"):
        assert redness(shown(images.encoded(image, "PNG"), f"w:100,h:100,fit:cover,g:{gravity},bg:fff")) > 300


@cache
def portrait() -> Image.Image:
    """A photograph of a person; the face is about 100 pixels wide and around (220, 110)."""
    from skimage import data

    return Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]


def crowd(at: int, size: tuple[int, int] = (1400, 420)) -> Image.Image:
    """A face on a flat ground, and far from it a red patch that draws the eye."""
    image = Image.new("RGB", size, (150, 150, 150))
    image.paste(portrait().crop((110, 10, 330, 240)), (at, 100))
    image.paste((255, 0, 0), (size[0] - at - 120, 150, size[0] - at - 20, 250))
    return image


def shows_face(kept: numpy.ndarray) -> bool:
    return bool(faces.find(_vips(kept)))


def _vips(pixels: numpy.ndarray) -> object:
    import pyvips

    return pyvips.Image.new_from_array(pixels.astype(numpy.uint8)).copy(interpretation="srgb")


@pytest.mark.parametrize("at", [40, 1140])
@pytest.mark.parametrize(("orientation", "options"), [(1, ""), (6, ""), (3, ""), (1, ",flip:h"), (1, ",rotate:8")])
def test_faces_stay_in_view(at: int, orientation: int, options: str) -> None:
    pytest.importorskip("cv2")
    data = stored(crowd(at), orientation)
    kept = shown(data, f"w:300,h:300,fit:cover,g:face{options}")
    assert shows_face(kept)
    assert redness(kept) < 500
    assert not shows_face(shown(data, f"w:300,h:300,fit:cover,g:c{options}"))


def test_without_a_face_it_is_what_draws_the_eye() -> None:
    pytest.importorskip("cv2")
    data = stored(patch(800))
    assert numpy.array_equal(shown(data, "w:99,h:99,fit:cover,g:face"), shown(data, "w:99,h:99,fit:cover,g:smart"))


def test_the_largest_face_comes_first_and_others_where_there_is_room() -> None:
    from transforms.steps.attention import together

    large, near, far = (100, 50, 60, 60), (200, 60, 40, 40), (700, 60, 50, 50)
    assert together([far, near, large], (80, 80)) == large
    assert together([far, near, large], (200, 100)) == (100, 50, 140, 60)
    assert together([near, far, large], (800, 100)) == (100, 50, 650, 60)


def test_faces_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    faces.detector.cache_clear()
    try:
        assert not faces.prepare()
        data = stored(patch(30))
        for options in ("w:100,h:100,fit:cover,g:face", "ar:1:1,rotate:20,g:face"):
            with pytest.raises(MissingExtra, match=r"pixgate\[faces\]"):
                render(data, parse_compact(options))
        # Where nothing is cut there is nothing to look for.
        assert render(data, parse_compact("w:100,g:face")).width == 100
    finally:
        faces.detector.cache_clear()


def test_the_detector_is_loaded_only_where_faces_are_asked_for() -> None:
    program = (
        "import sys\n"
        "from tests import images\n"
        "from transforms.options import parse_compact\n"
        "from transforms.pipeline import render\n"
        "render(images.png((80, 60)), parse_compact('w:20,h:20,fit:cover,g:smart'))\n"
        "print('cv2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
