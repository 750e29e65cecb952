"""Watermarks and text: where they stand, how strong they are, and that text is never read as markup."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy
import numpy.typing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests import images
from transforms.codecs import fonts
from transforms.errors import NotAnImage, OptionError, TooLarge
from transforms.limits import Limits
from transforms.options import parse_compact, parse_query
from transforms.pipeline import render

Pixels = numpy.typing.NDArray[numpy.float64]
GREY = (100, 100, 100)
Size = tuple[int, int]


def watermarked(options: str, mark: Image.Image, size: Size = (200, 100), base: Image.Image | None = None) -> Pixels:
    data = images.encoded(base or Image.new("RGB", size, GREY), "PNG")
    overlay = images.encoded(mark, "PNG")
    rendered = render(data, parse_compact(f"f:png,wm:b/k.png,{options}".rstrip(",")), overlays=(overlay,))
    return numpy.asarray(Image.open(io.BytesIO(rendered.data)), numpy.float64)


def box(pixels: Pixels, background: tuple[int, ...] = GREY) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not background."""
    rows, columns = numpy.nonzero(numpy.abs(pixels[:, :, :3] - numpy.array(background)[:3]).max(axis=2) > 8)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


RED = Image.new("RGB", (20, 10), (255, 0, 0))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (90, 45, 110, 55)),
        ("wm-g:nw", (0, 0, 20, 10)),
        ("wm-g:se:5:7", (175, 83, 195, 93)),
        ("wm-g:n:-10:3", (80, 3, 100, 13)),
        ("wm-g:e:0.1:0", (160, 45, 180, 55)),
        ("wm-g:fp:0.25:0.9", (40, 85, 60, 95)),
        ("wm-scale:0.5", (50, 25, 150, 75)),
        ("wm-scale:1,wm-g:sw", (0, 0, 200, 100)),
        ("wm-scale:0.05,wm-g:ne", (190, 0, 200, 5)),
        ("w:100", (40, 20, 60, 30)),
        ("wm-g:repeat", (0, 0, 200, 100)),
    ],
)
def test_where_a_watermark_stands(options: str, expected: tuple[int, int, int, int]) -> None:
    assert box(watermarked(options, RED)) == expected


def test_a_watermark_that_is_too_large_is_made_to_fit() -> None:
    assert box(watermarked("wm-g:nw", Image.new("RGB", (400, 400), (255, 0, 0)))) == (0, 0, 100, 100)


def test_repeated_watermarks_are_tiles() -> None:
    mark = images.corners((40, 30))
    seen = watermarked("wm-g:repeat", mark)
    tiles = numpy.tile(numpy.asarray(mark), (4, 5, 1))[:100, :200]
    assert numpy.array_equal(seen, tiles)


@pytest.mark.parametrize("opacity", ["1", "0.5", "0.1", "0"])
def test_opacity_and_transparency_mix(opacity: str) -> None:
    mark = Image.new("RGBA", (200, 100), (255, 0, 0, 255))
    mark.putalpha(Image.fromarray(numpy.tile(numpy.linspace(0, 255, 200).astype(numpy.uint8), (100, 1))))
    seen = watermarked(f"wm-opacity:{opacity}", mark, base=images.photo((200, 100)))
    share = numpy.asarray(mark, numpy.float64)[:, :, 3:] / 255 * float(opacity)
    expected = numpy.array([255, 0, 0]) * share + numpy.asarray(images.photo((200, 100))) * (1 - share)
    assert seen.shape == expected.shape
    assert numpy.abs(seen - expected).max() <= 1
    assert abs((seen - expected).mean()) < 0.1


def test_over_a_transparent_picture() -> None:
    base = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    seen = watermarked("wm-opacity:0.5,wm-g:nw", RED, base=base)
    assert tuple(seen[5, 5]) == (255, 0, 0, 128)
    assert seen[30, 50, 3] == 0


def test_a_watermark_of_other_colours_becomes_srgb() -> None:
    data = images.encoded(Image.new("RGB", (120, 80), GREY), "PNG")
    rendered = render(data, parse_compact("f:png,wm:b/k"), overlays=(images.jpeg_cmyk(),))
    red, green, blue = Image.open(io.BytesIO(rendered.data)).convert("RGB").getpixel((60, 40))  # type: ignore[misc]
    assert red < 60 < green < blue


@pytest.mark.parametrize("make", [images.jpeg, images.webp, images.png])
def test_large_watermarks_are_shrunk_and_stay_what_they_are(make: Callable[[], bytes]) -> None:
    data = images.encoded(Image.new("RGB", (200, 150), GREY), "PNG")
    rendered = render(data, parse_compact("f:png,wm:b/k,wm-scale:0.4,wm-g:nw"), overlays=(make(),))
    seen = numpy.asarray(Image.open(io.BytesIO(rendered.data)), numpy.float64)[:53, :80]
    expected = images.photo().resize((80, 53), Image.Resampling.LANCZOS)
    assert numpy.abs(seen - numpy.asarray(expected, numpy.float64)).mean() < 5


def test_a_turned_watermark_has_its_upright_size() -> None:
    data = images.encoded(Image.new("RGB", (400, 400), GREY), "PNG")
    mark = images.jpeg_oriented(6, (80, 60))
    rendered = render(data, parse_compact("f:png,wm:b/k,wm-g:nw,wm-scale:0.05"), overlays=(mark,))
    assert box(numpy.asarray(Image.open(io.BytesIO(rendered.data)), numpy.float64)) == (0, 0, 20, 15)


def test_a_drawing_is_drawn_in_its_size_as_watermark() -> None:
    drawing = (
        b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'><path d='M0 0h5v10h-5z' fill='#f00'/></svg>"
    )
    data = images.encoded(Image.new("RGB", (300, 300), (255, 255, 255)), "PNG")
    rendered = render(data, parse_compact("f:png,wm:b/k,wm-scale:1"), overlays=(drawing,))
    seen = numpy.asarray(Image.open(io.BytesIO(rendered.data)), numpy.float64)
    # An edge of one pixel: enlarged, it would be as wide as one of the small drawing's pixels.
    edge = ((seen[150, :, 1] > 8) & (seen[150, :, 1] < 247)).sum()
    assert edge <= 2
    assert seen[150, 149].tolist() == [255, 0, 0]
    assert seen[150, 151].tolist() == [255, 255, 255]


def test_a_watermark_that_is_not_brought_along_is_a_fact() -> None:
    with pytest.raises(OptionError, match="wm"):
        render(images.png((40, 40)), parse_compact("wm:b/k"))


def test_a_watermark_that_is_no_image_is_a_fact() -> None:
    with pytest.raises(NotAnImage):
        render(images.png((40, 40)), parse_compact("wm:b/k"), overlays=(b"hello",))
    with pytest.raises(TooLarge):
        render(images.png((40, 40)), parse_compact("wm:b/k"), overlays=(images.CLAIMING["png"]((20_000, 10_000)),))


def test_every_frame_has_the_watermark() -> None:
    overlay = images.encoded(Image.new("RGB", (10, 10), (255, 255, 255)), "PNG")
    rendered = render(images.gif_animated(), parse_compact("wm:b/k,wm-g:nw"), overlays=(overlay,))
    animation = Image.open(io.BytesIO(rendered.data))
    for number in range(3):
        animation.seek(number)
        frame = animation.convert("RGB")
        assert frame.getpixel((4, 4)) == (255, 255, 255)
        assert frame.getpixel((50, 40)) != (255, 255, 255)


@pytest.fixture(scope="module", autouse=True)
def fonts_folder() -> None:
    if not fonts.prepare():
        pytest.skip("no fonts on this machine")


def escaped(value: str) -> str:
    return value.replace("%", "%25").replace(",", "%2C").replace("\n", "%0A")


def written(content: str, options: str = "", size: Size = (600, 200), base: Image.Image | None = None) -> Pixels:
    data = images.encoded(base or Image.new("RGB", size, (255, 255, 255)), "PNG")
    font = "" if "text-font" in options else "text-font:monospace,"
    rendered = render(data, parse_compact(f"f:png,{font}text:{escaped(content)},{options}".rstrip(",")))
    return numpy.asarray(Image.open(io.BytesIO(rendered.data)), numpy.float64)


def ink(pixels: Pixels) -> tuple[int, int]:
    left, top, right, bottom = box(pixels, (255, 255, 255))
    return right - left, bottom - top


@pytest.mark.parametrize(
    "content",
    [
        "<b>hello</b>",
        "&amp;",
        "&lt;",
        "<b>",
        "</b",
        "a < b & c > d",
        "&#65;",
        "<span size='900000'>",
        '"quoted"',
        "50%2C",
    ],
)
def test_text_is_never_markup(content: str) -> None:
    """In a font of one width, every character that was given takes its place."""
    width, _ = ink(written("|" + content + "|"))
    plain, _ = ink(written("|" + "x" * len(content) + "|"))
    assert width == plain


def test_text_in_its_colour() -> None:
    pixels = written("M", "text-size:120,text-color:ff0000,text-font:sans bold")
    assert tuple(pixels[100, 300 - 30]) != (255, 255, 255)
    darkest = pixels.reshape(-1, 3)[pixels.reshape(-1, 3)[:, 1].argmin()]
    assert tuple(darkest) == (255, 0, 0)
    half = written("M", "text-size:120,text-color:ff000080,text-font:sans bold")
    assert abs(half[:, :, 1].min() - 127) <= 1


def test_text_over_a_transparent_picture() -> None:
    pixels = written("MMM", "text-color:00ff00,text-size:60", base=Image.new("RGBA", (300, 100), (0, 0, 0, 0)))
    assert pixels[0, 0, 3] == 0
    assert tuple(pixels.reshape(-1, 4)[pixels.reshape(-1, 4)[:, 3].argmax()]) == (0, 255, 0, 255)


def test_size_scales_with_dpr_and_places_hold() -> None:
    one, two = ink(written("hello", "text-size:20")), ink(written("hello", "text-size:20,dpr:2"))
    assert abs(two[0] - 2 * one[0]) <= 3
    assert abs(two[1] - 2 * one[1]) <= 3
    left, top, _, _ = box(written("hello", "text-g:nw:30:40"), (255, 255, 255))
    assert 30 <= left <= 34
    assert 40 <= top <= 48
    _, _, right, bottom = box(written("hello", "text-g:se:30:40"), (255, 255, 255))
    assert 566 <= right <= 570
    assert 152 <= bottom <= 160


def test_a_word_is_broken_without_hyphens_that_are_not_in_it() -> None:
    def lines(content: str) -> bytes:
        return written(content, "text-size:30", size=(200, 400)).tobytes()

    whole = "W" * 30
    broken = lines(whole)
    assert any(
        broken == lines("\n".join(whole[start : start + count] for start in range(0, 30, count)))
        for count in range(5, 15)
    )
    # A soft hyphen is in the text.
    assert lines("WWWW\u00adWWWWWWWW") == lines("WWWW-\nWWWWWWWW")
    assert lines("\u00adWW\u00adWW\u00ad") == lines("WWWW")


def test_text_wraps_to_the_pictures_width() -> None:
    content = "many words that do not fit into one line of this picture at all"
    width, height = ink(written(content, "text-size:30", size=(300, 400)))
    _, line = ink(written("many", "text-size:30", size=(300, 400)))
    assert width <= 300
    assert height > 4 * line
    _, lines = ink(written("a\nb\nc", "text-size:30", size=(300, 400)))
    assert lines > 2 * line
    # An offset inwards takes room from it, one outwards none.
    inwards = box(written(content, "text-size:30,text-g:w:60:0", size=(300, 400)), (255, 255, 255))
    assert 60 <= inwards[0] <= 66
    assert inwards[2] <= 300
    outwards = written(content, "text-size:30,text-g:w:-60:0", size=(300, 400))
    assert numpy.array_equal(outwards, written(content, "text-size:30,text-g:w", size=(300, 400)))
    # Even one endless word.
    assert ink(written("w" * 60, "text-size:30", size=(300, 400)))[0] <= 300


@pytest.mark.parametrize("place", ["w:0.95:0", "se:290:5", "w:4000:0", "n:280:0"])
def test_an_offset_that_leaves_no_room_makes_no_column_of_letters(place: str) -> None:
    content = "four words of text"
    left, _, right, _ = box(written(content, f"text-size:20,text-g:{place}", size=(300, 400)), (255, 255, 255))
    assert right - left > 40, "as wide as a word"
    assert right > 290 or left < 10, "as far in that direction as it fits"


def test_fonts_differ_and_what_is_missing_falls_back() -> None:
    content = "Quite some text"
    seen = {
        name: written(content, f"text-font:{name}").tobytes() for name in ("sans", "serif", "monospace", "sans bold")
    }
    assert len(set(seen.values())) == 4
    assert written(content, "text-font:No Such Family").tobytes() == seen["sans"]


def test_what_shows_nothing_changes_nothing() -> None:
    for content in (" ", "\u200b", "\n \n"):
        assert written(content).min() == 255


def test_text_is_bounded() -> None:
    data = images.encoded(Image.new("RGB", (600, 200), (255, 255, 255)), "PNG")
    for content, limits in (
        ("W" * 500, Limits()),
        ("W" * 40, Limits(output_pixels=5_000_000)),
        ("a" + "\u0301\u0489" * 240, Limits()),
        ("a\n" * 200, Limits()),
    ):
        with pytest.raises(TooLarge):
            render(data, parse_compact(f"text:{escaped(content)},text-size:2000"), limits=limits)
    # What is larger than the picture is cut.
    assert render(data, parse_compact("text:W,text-size:2000")).height == 200


@given(
    content=st.text(
        st.one_of(st.characters(codec="utf-8"), st.sampled_from("<>&;'\"\n \u202e\u0301\u200d")),
        min_size=1,
        max_size=60,
    ),
    family=st.text(st.sampled_from("sans erifBold0123,.@#-"), min_size=1, max_size=20),
    size=st.sampled_from([4, 24, 300, 2000]),
)
@settings(max_examples=60, deadline=None)
def test_any_text_in_any_font_is_drawn_or_refused(content: str, family: str, size: int) -> None:
    data = images.encoded(Image.new("RGB", (120, 60), (255, 255, 255)), "PNG")
    try:
        options = parse_query([("text", content), ("text-font", family), ("text-size", str(size)), ("f", "png")])
        rendered = render(data, options)
    except (OptionError, TooLarge):
        return
    assert (rendered.width, rendered.height) == (120, 60)


def test_without_fonts_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_font", str(tmp_path / "gone.ttf"))
    with pytest.raises(OptionError, match="text"):
        render(images.png((40, 40)), parse_compact("text:Hello"))
