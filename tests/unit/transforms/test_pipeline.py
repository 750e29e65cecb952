"""Real images through the whole pipeline, read back by another library."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy
import pytest
from PIL import Image

from tests import images
from transforms.codecs.vips import check_bundled_vips
from transforms.errors import DecodeFailed, NotAnImage, TooLarge, UnsupportedFormat
from transforms.formats import FORMATS, OUTPUT_FORMATS
from transforms.limits import Limits
from transforms.options import parse_compact
from transforms.pipeline import render

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def opened(data: bytes, options: str, variant: str = "") -> Image.Image:
    """The rendition as Pillow reads it, its size and type checked against what the pipeline says."""
    rendered = render(data, parse_compact(options), variant)
    image = Image.open(io.BytesIO(rendered.data))
    assert image.size == (rendered.width, rendered.height)
    assert (image.format or "").lower() == rendered.format
    return image


def near(pixel: object, colour: tuple[int, ...], tolerance: int = 12) -> bool:
    """Whether a pixel is this colour, as far as lossy codecs keep it."""
    assert isinstance(pixel, tuple)
    return len(pixel) == len(colour) and all(abs(a - b) <= tolerance for a, b in zip(pixel, colour, strict=True))


def quarters(image: Image.Image) -> list[object]:
    """The colours in the middle of the four quarters, by rows."""
    plain, (width, height) = image.convert("RGB"), image.size
    return [plain.getpixel((width * x // 4, height * y // 4)) for y in (1, 3) for x in (1, 3)]


def assert_quarters(image: Image.Image, *colours: tuple[int, int, int]) -> None:
    assert all(near(found, colour) for found, colour in zip(quarters(image), colours, strict=True)), quarters(image)


@pytest.mark.parametrize("source", images.ORDINARY)
@pytest.mark.parametrize("output", OUTPUT_FORMATS)
def test_every_format_becomes_every_other(source: str, output: str) -> None:
    image = opened(images.ORDINARY[source](), f"w:60,f:{output}")
    assert image.width == 60
    assert (image.format or "").lower() == output


@pytest.mark.parametrize("source", ["jpeg", "png", "webp", "tiff", "avif"])
def test_the_picture_stays_the_picture(source: str) -> None:
    data = images.ORDINARY[source]()
    expected = Image.open(io.BytesIO(data)).convert("RGB").resize((64, 43), Image.Resampling.LANCZOS)
    got = opened(data, "w:64,f:png").convert("RGB")
    difference = numpy.abs(numpy.asarray(expected).astype(int) - numpy.asarray(got.resize((64, 43))).astype(int))
    assert difference.mean() < 4


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("w:40,h:40", (40, 30)),
        ("w:40,h:40,fit:outside", (53, 40)),
        ("w:40,h:40,fit:cover", (40, 40)),
        ("w:40,h:40,fit:contain", (40, 40)),
        ("w:40,h:40,fit:fill", (40, 40)),
        ("w:40,h:20,rotate:90", (15, 20)),
        ("w:20,h:40,rotate:270", (20, 27)),
        ("w:800", (80, 60)),
        ("w:160,up:1", (160, 120)),
        ("w:20,dpr:2", (40, 30)),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_sizes_are_of_the_upright_result(options: str, size: tuple[int, int], orientation: int) -> None:
    assert opened(images.jpeg_oriented(orientation), options).size == size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", ["f:png", "w:40,f:png", "w:40,h:30,fit:cover,f:png"])
def test_the_cameras_orientation_is_applied(orientation: int, options: str) -> None:
    image = opened(images.jpeg_oriented(orientation), options)
    assert image.width > image.height
    assert_quarters(image, RED, GREEN, BLUE, WHITE)


def test_an_avif_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = images.corners().transpose(Image.Transpose.ROTATE_90)
    image = opened(images.encoded(stored, "AVIF", exif=exif, quality=95), "f:png")
    assert image.size == (80, 60)
    assert_quarters(image, RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize(
    ("options", "colours"),
    [
        ("rotate:90", (BLUE, RED, WHITE, GREEN)),
        ("rotate:180", (WHITE, BLUE, GREEN, RED)),
        ("rotate:270", (GREEN, WHITE, RED, BLUE)),
        ("flip:h", (GREEN, RED, WHITE, BLUE)),
        ("flip:v", (BLUE, WHITE, RED, GREEN)),
        ("flip:hv", (WHITE, BLUE, GREEN, RED)),
        ("rotate:90,flip:h", (RED, BLUE, GREEN, WHITE)),
    ],
)
def test_rotate_then_flip(options: str, colours: tuple[tuple[int, int, int], ...]) -> None:
    assert_quarters(opened(images.jpeg_oriented(6), f"{options},f:png"), *colours)


def test_cover_keeps_the_centre() -> None:
    image = opened(images.encoded(images.corners((400, 100)), "PNG"), "w:100,h:100,fit:cover")
    assert_quarters(image, RED, GREEN, BLUE, WHITE)


def test_contain_pads_with_the_background() -> None:
    image = opened(images.encoded(images.corners((80, 40)), "PNG"), "w:80,h:80,fit:contain,bg:808080")
    assert image.mode == "RGB"
    assert image.getpixel((40, 5)) == image.getpixel((40, 75)) == (128, 128, 128)
    assert near(image.getpixel((20, 30)), RED)


def test_padding_is_white_around_the_opaque_and_transparent_around_the_transparent() -> None:
    assert opened(images.png(), "w:40,h:80,fit:contain").getpixel((20, 2)) == (255, 255, 255)
    assert opened(images.png_alpha(), "w:40,h:80,fit:contain").getpixel((20, 2)) == (0, 0, 0, 0)
    assert opened(images.png(), "w:40,h:80,fit:contain,bg:transparent").getpixel((20, 2)) == (0, 0, 0, 0)


def test_transparency_meets_its_background() -> None:
    data = images.png_alpha()
    assert near(opened(data, "f:jpeg").getpixel((5, 50)), WHITE)
    assert near(opened(data, "f:jpeg,bg:00f").getpixel((5, 50)), BLUE)
    flat = opened(data, "bg:00f")
    assert flat.mode == "RGB"
    assert flat.getpixel((5, 50)) == BLUE
    half = opened(data, "bg:0000ff80")
    assert half.getpixel((5, 50)) == (0, 0, 255, 128)
    assert half.getpixel((199, 50)) == (0, 200, 0, 255)


@pytest.mark.parametrize("output", ["png", "webp", "avif", "gif"])
def test_transparency_survives(output: str) -> None:
    image = opened(images.png_alpha(), f"w:100,f:{output}").convert("RGBA")
    assert image.getpixel((2, 25))[3] < 10
    assert near(image.getpixel((97, 25)), (0, 200, 0, 255), 20)


def test_transparent_pixels_do_not_bleed() -> None:
    pixels = numpy.zeros((60, 60, 4), numpy.uint8)
    pixels[:, :30] = (255, 0, 0, 255)
    pixels[:, 30:] = (0, 255, 0, 0)
    image = opened(images.encoded(Image.fromarray(pixels, "RGBA"), "PNG"), "w:21")
    seen = numpy.asarray(image.convert("RGBA"))
    assert seen[seen[:, :, 3] > 20][:, 1].max() < 10


def test_an_alpha_that_hides_nothing_is_dropped() -> None:
    data = images.encoded(images.photo((40, 30)).convert("RGBA"), "PNG")
    assert opened(data, "").mode == "RGB"
    assert render(images.encoded(images.photo((40, 30)).convert("RGBA"), "TIFF"), parse_compact("")).format == "jpeg"


def test_cmyk_becomes_rgb() -> None:
    image = opened(images.jpeg_cmyk(), "")
    assert image.mode == "RGB"
    red, green, blue = image.getpixel((10, 10))  # type: ignore[misc]
    assert red < 60 < green < blue


def test_an_embedded_profile_is_applied_and_dropped() -> None:
    image = opened(images.jpeg_with_profile(RED, images.swapped_profile()), "f:png")
    assert near(image.getpixel((9, 9)), GREEN)
    assert "icc_profile" not in image.info


def test_a_broken_profile_does_not_cost_the_picture() -> None:
    assert near(opened(images.jpeg_with_profile(RED, b"no profile at all" * 20), "f:png").getpixel((9, 9)), RED)


def test_sixteen_bits_become_eight() -> None:
    image = opened(images.png_16bit(), "")
    assert image.mode == "RGB"
    assert near(image.getpixel((119, 40)), (255, 0, 128), 2)
    assert near(image.getpixel((0, 40)), (0, 0, 128), 2)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16"])
def test_other_kinds_of_pixels(mode: str) -> None:
    source = images.photo((60, 40)).convert("L")
    if mode == "I;16":
        source = source.convert("I").point(lambda value: value * 257)
    source = source.convert(mode)
    image = opened(images.encoded(source, "PNG"), "w:30,f:jpeg")
    assert image.mode == "RGB"
    expected = numpy.asarray(images.photo((60, 40)).convert("L")).mean()
    assert abs(numpy.asarray(image.convert("L")).mean() - expected) < 12


def test_the_first_frame_of_an_animation() -> None:
    assert near(opened(images.gif_animated(), "f:png").convert("RGB").getpixel((9, 9)), RED)
    assert getattr(opened(images.gif_animated(), "w:30,still:1"), "n_frames", 1) == 1


def test_blur_blurs_the_picture_and_not_its_padding() -> None:
    data = images.encoded(images.corners((80, 80)), "PNG")
    image = opened(data, "w:40,h:80,fit:contain,bg:000,blur:3")
    assert image.getpixel((20, 2)) == (0, 0, 0)
    middle = image.getpixel((20, 40))
    assert not any(near(middle, colour, 60) for colour in (RED, GREEN, BLUE, WHITE))
    assert opened(images.png_alpha(), "blur:2").getpixel((2, 50))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("output", ["jpeg", "webp", "avif", "png"])
def test_metadata_is_stripped(output: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "where I live"
    data = images.encoded(
        images.photo((80, 60)), "JPEG", exif=exif, icc_profile=images.swapped_profile(), comment=b"a remark",
        xmp=b"<x:xmpmeta>rating</x:xmpmeta>",
    )  # fmt: skip
    assert b"where I live" in data
    rendered = render(data, parse_compact(f"w:40,f:{output}")).data
    image = Image.open(io.BytesIO(rendered))
    assert not image.getexif()
    assert not {"icc_profile", "exif", "xmp", "comment"} & set(image.info)
    assert not any(word in rendered for word in (b"where I live", b"a remark", b"xmpmeta", b"ICC_PROFILE"))


def test_quality_is_honoured_and_has_a_default() -> None:
    data = images.jpeg()
    for output in ("jpeg", "webp", "avif"):
        sizes = [len(render(data, parse_compact(f"w:200,f:{output},q:{q}")).data) for q in (20, 50, 95)]
        assert sizes == sorted(sizes)
        default = FORMATS[output].default_quality
        same = render(data, parse_compact(f"w:200,f:{output},q:{default}"))
        assert same == render(data, parse_compact(f"w:200,f:{output}"))


def test_auto_follows_the_accept_class() -> None:
    data = images.jpeg((100, 60))
    assert [render(data, parse_compact("f:auto"), accept).format for accept in ("avif", "webp", "")] == [
        "avif", "webp", "jpeg",
    ]  # fmt: skip


@pytest.mark.parametrize("source", [*(name for name in images.ORDINARY if name != "gif"), "heic"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_fails(source: str, kept: float) -> None:
    data = images.heic() if source == "heic" else images.ORDINARY[source]()
    with pytest.raises(DecodeFailed):
        render(data[: int(len(data) * kept)], parse_compact("w:50"))


def test_a_truncated_gif_fails() -> None:
    data = images.encoded(images.photo((200, 150)), "GIF")
    with pytest.raises(DecodeFailed):
        render(data[: len(data) // 2], parse_compact("w:50"))


@pytest.mark.parametrize("name", images.CLAIMING)
def test_bombs_are_refused_by_their_header(name: str) -> None:
    with pytest.raises(TooLarge) as caught:
        render(images.CLAIMING[name]((20_000, 10_000)), parse_compact("w:50"))
    assert caught.value.limit == "source_pixels"


def test_a_real_bomb_is_refused() -> None:
    bomb = images.png_bomb((20_000, 20_000))
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        render(bomb, parse_compact("w:50"))


def test_sizes_in_bytes_and_sides_of_the_result_are_bounded() -> None:
    with pytest.raises(TooLarge, match="source_bytes"):
        render(images.jpeg(), parse_compact("w:50"), limits=Limits(source_bytes=1000))
    with pytest.raises(TooLarge, match="output_side"):
        render(images.png((40, 40)), parse_compact("w:16384,h:1,fit:fill,up:1,f:webp"))
    with pytest.raises(TooLarge, match="output_pixels"):
        render(images.png((40, 40)), parse_compact("w:16384,h:16384,fit:cover,up:1"))


@pytest.mark.parametrize("data", [b"", b"hello", b"<html><svg/></html>", b"%!PS-Adobe"])
def test_not_an_image(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        render(data, parse_compact(""))


def test_heic_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    data = images.heic()
    assert opened(data, "w:100").format == "JPEG"
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedFormat, match=r"pixgate\[heif\]"):
        render(data, parse_compact("w:100"))


def test_loaders_that_are_not_ours_are_blocked() -> None:
    import pyvips

    render(images.png((8, 8)), parse_compact(""))
    for data in (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", b"P6 1 1 255 abc", b"#?RADIANCE\n"):
        with pytest.raises(pyvips.Error):
            pyvips.Image.new_from_buffer(data, "").copy_memory()
    with pytest.raises(pyvips.Error):
        pyvips.Image.svgload_buffer(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")


def test_libvips_is_the_bundled_one() -> None:
    assert tuple(int(part) for part in check_bundled_vips().split(".")) >= (8, 18, 3)


def test_a_fresh_process_renders_the_same_bytes() -> None:
    program = (
        "import hashlib, sys\n"
        "from tests import images\n"
        "from transforms.options import parse_compact\n"
        "from transforms.pipeline import render\n"
        "for make in images.ORDINARY.values():\n"
        "    for f in ('jpeg', 'png', 'webp', 'avif', 'gif'):\n"
        "        print(hashlib.sha256(render(make(), parse_compact(f'w:77,f:{f}')).data).hexdigest())\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0].split())) > 20
