"""Colour management: what is dropped with a profile is only the profile."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy
import numpy.typing
import pytest
import pyvips
from PIL import Image, ImageCms, TiffImagePlugin

from tests import images, profiles
from transforms.errors import UnsupportedFormat
from transforms.options import parse_compact
from transforms.pipeline import render

Pixels = numpy.typing.NDArray[numpy.float64]


def wide(size: tuple[int, int] = (240, 160)) -> Image.Image:
    """A photograph with colours that sRGB cannot all show."""
    values = numpy.asarray(images.photo(size), numpy.float64)
    middle = values.mean(axis=2, keepdims=True)
    return Image.fromarray(numpy.clip(middle + (values - middle) * 1.8, 0, 255).astype(numpy.uint8))


def rendered(data: bytes, options: str) -> Image.Image:
    return Image.open(io.BytesIO(render(data, parse_compact(options)).data))


def mean_error(image: Image.Image, expected: Pixels) -> float:
    """Mean difference of all channels, as a share of their range."""
    return float(numpy.abs(numpy.asarray(image.convert("RGB"), numpy.float64) - expected).mean() / 255)


def test_the_constructed_profile_is_a_real_one() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profiles.display_p3()))
    assert "Display P3" in ImageCms.getProfileDescription(profile)
    converted = ImageCms.profileToProfile(wide(), profile, ImageCms.createProfile("sRGB"))
    assert converted is not None
    assert mean_error(converted, profiles.p3_to_srgb(numpy.asarray(wide(), numpy.float64))) < 0.003


@pytest.mark.parametrize("container", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_p3_photo_does_not_go_dull(container: str) -> None:
    settings: dict[str, dict[str, object]] = {
        "JPEG": {"quality": 97, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 97},
    }
    data = images.encoded(wide(), container, icc_profile=profiles.display_p3(), **settings.get(container, {}))
    stored = Image.open(io.BytesIO(data)).convert("RGB")
    expected = profiles.p3_to_srgb(numpy.asarray(stored, numpy.float64))
    assert mean_error(rendered(data, "f:png"), expected) < 0.01
    assert "icc_profile" not in rendered(data, "f:png").info
    # The test can tell: without conversion the same picture is much further off.
    assert mean_error(stored, expected) > 0.02


def test_and_not_when_it_is_made_smaller() -> None:
    data = images.encoded(wide(), "JPEG", quality=95, icc_profile=profiles.display_p3())
    whole = profiles.p3_to_srgb(numpy.asarray(Image.open(io.BytesIO(data)), numpy.float64))
    small = Image.fromarray(numpy.rint(whole).astype(numpy.uint8)).resize((80, 53), Image.Resampling.LANCZOS)
    for name in ("png", "jpeg", "webp", "avif"):
        assert mean_error(rendered(data, f"w:80,f:{name},q:95"), numpy.asarray(small, numpy.float64)) < 0.01, name


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "tiff"])
def test_a_profile_is_kept_with_its_colours(name: str) -> None:
    data = images.encoded(wide(), "PNG", icc_profile=profiles.display_p3())
    image = rendered(data, f"icc:keep,f:{name},q:97")
    assert image.info["icc_profile"] == profiles.display_p3()
    assert mean_error(image, numpy.asarray(wide(), numpy.float64)) < 0.02


def test_a_format_that_holds_no_profile_gets_srgb() -> None:
    data = images.encoded(Image.new("RGB", (40, 40), (200, 40, 40)), "PNG", icc_profile=profiles.display_p3())
    red, green, blue = rendered(data, "icc:keep,f:gif").convert("RGB").getpixel((9, 9))  # type: ignore[misc]
    expected = profiles.p3_to_srgb(numpy.array([[200.0, 40.0, 40.0]]))[0]
    assert numpy.abs(expected - (red, green, blue)).max() <= 2
    assert red > 210


def test_only_profiles_of_rgb_are_kept() -> None:
    image = rendered(images.jpeg_cmyk(), "icc:keep,f:jpeg")
    assert image.mode == "RGB"
    assert "icc_profile" not in image.info
    plain = rendered(images.png((40, 40)), "icc:keep")
    assert "icc_profile" not in plain.info


def test_transparency_and_profiles() -> None:
    picture = wide((60, 40)).convert("RGBA")
    picture.putalpha(Image.fromarray(numpy.tile(numpy.linspace(0, 255, 60).astype(numpy.uint8), (40, 1))))
    seen = rendered(images.encoded(picture, "PNG", icc_profile=profiles.display_p3()), "")
    assert numpy.array_equal(numpy.asarray(seen)[:, :, 3], numpy.asarray(picture)[:, :, 3])
    expected = profiles.p3_to_srgb(numpy.asarray(picture, numpy.float64)[:, :, :3])
    assert numpy.abs(numpy.asarray(seen, numpy.float64)[:, :, :3] - expected).mean() / 255 < 0.01


def test_cmyk_inks_become_the_colours_of_a_press() -> None:
    inks = {
        (255, 0, 0, 0): "cyan",
        (0, 255, 0, 0): "magenta",
        (0, 0, 255, 0): "yellow",
        (0, 0, 0, 255): "black",
        (0, 0, 0, 0): "white",
    }
    for ink, name in inks.items():
        data = images.encoded(Image.new("CMYK", (64, 64), ink), "JPEG", quality=95)
        red, green, blue = rendered(data, "w:32,f:png").getpixel((9, 9))  # type: ignore[misc]
        match name:
            case "cyan":
                assert red < 60 < 140 < green < blue
            case "magenta":
                assert green < 60 < 90 < blue < red
            case "yellow":
                assert blue < 60 < 200 < green <= red + 5
            case "black":
                assert max(red, green, blue) < 60
            case "white":
                assert min(red, green, blue) > 250


def _heic_p3() -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    heif = pillow_heif.from_pillow(wide())
    heif.save(buffer, quality=95, chroma=444, save_nclx_profile=True, color_primaries=12, transfer_characteristics=13)
    return buffer.getvalue()


def _avif_p3() -> bytes:
    plain = images.encoded(wide(), "AVIF", quality=95)
    assert b"colrnclx\0\1" in plain
    return plain.replace(b"colrnclx\0\1", b"colrnclx\0\x0c")


def _png_p3() -> bytes:
    plain = images.encoded(wide(), "PNG")
    chunk = b"cICP" + bytes([12, 13, 0, 1])
    return plain[:33] + b"\0\0\0\4" + chunk + zlib.crc32(chunk).to_bytes(4, "big") + plain[33:]


@pytest.mark.parametrize("make", [_heic_p3, _avif_p3, _png_p3])
def test_p3_by_code_points_does_not_go_dull_either(make: Callable[[], bytes]) -> None:
    expected = profiles.p3_to_srgb(numpy.asarray(wide(), numpy.float64))
    assert mean_error(rendered(make(), "f:png"), expected) < 0.012
    small = Image.fromarray(numpy.rint(expected).astype(numpy.uint8)).resize((80, 53), Image.Resampling.LANCZOS)
    assert mean_error(rendered(make(), "w:80,f:png"), numpy.asarray(small, numpy.float64)) < 0.012
    assert "icc_profile" in rendered(make(), "icc:keep,f:jpeg").info


def test_other_code_points_are_taken_as_srgb() -> None:
    plain = images.encoded(wide(), "AVIF", quality=95)
    for broken in (
        plain.replace(b"colrnclx\0\1", b"colrnclx\0\2"),
        plain.replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x0c\0\x10"),
    ):
        assert broken != plain
        assert mean_error(rendered(broken, "f:png"), numpy.asarray(rendered(plain, "f:png"), numpy.float64)) < 0.001


def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _in_space(space: str, profile: bytes | None) -> bytes:
    """A photograph as a TIFF in one of libvips' colour spaces; `profile` is only noted."""
    image = pyvips.Image.new_from_array(numpy.asarray(images.photo((240, 160)))).copy(interpretation="srgb")
    image = image.colourspace(space).copy()
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return bytes(image.tiffsave_buffer())


@pytest.mark.parametrize("profile", [None, _srgb_profile()], ids=["bare", "profile"])
@pytest.mark.parametrize("space", ["srgb", "rgb16", "scrgb", "lab", "labs", "xyz"])
def test_each_colour_space_of_tiff_shows_the_same_picture(space: str, profile: bytes | None) -> None:
    data = _in_space(space, profile)
    expected = numpy.asarray(images.photo((240, 160)), numpy.float64)
    for options in ("f:png", "f:png,icc:keep"):
        assert mean_error(rendered(data, options), expected) < 0.006
    # Spaces of linear light are made smaller in linear light, which is a little lighter.
    small = images.photo((240, 160)).resize((60, 40), Image.Resampling.LANCZOS)
    assert mean_error(rendered(data, "w:60,f:png"), numpy.asarray(small, numpy.float64)) < 0.03


@pytest.mark.parametrize("space", ["b-w", "grey16"])
def test_each_depth_of_grey_shows_the_same_picture(space: str) -> None:
    expected = numpy.asarray(images.photo((240, 160)).convert("L").convert("RGB"), numpy.float64)
    assert mean_error(rendered(_in_space(space, None), "f:png"), expected) < 0.02


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_each_mode_of_tiff_shows_the_picture(mode: str) -> None:
    picture = images.photo((240, 160)).convert(mode)
    seen = rendered(images.encoded(picture, "TIFF"), "f:png")
    # Pillow knows no press: its inks are complements.
    bound = 0.12 if mode == "CMYK" else 0.006
    assert mean_error(seen, numpy.asarray(picture.convert("RGB"), numpy.float64)) < bound


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "jpeg"])
def test_luminance_and_differences_of_a_tiff_show_the_picture_on_each_page(compression: str) -> None:
    pages = [images.photo((240, 160), seed) for seed in (1, 2)]
    mode = "RGB" if compression == "jpeg" else "YCbCr"
    first, second = [page.convert(mode) for page in pages]
    data = images.encoded(first, "TIFF", save_all=True, append_images=[second], compression=compression)
    for number, page in enumerate(pages, 1):
        assert mean_error(rendered(data, f"page:{number},f:png"), numpy.asarray(page, numpy.float64)) < 0.012


def test_black_white_and_shares_that_a_tiff_names_count() -> None:
    values = [16, 235, 128, 240, 128, 240]
    reference = TiffImagePlugin.ImageFileDirectory_v2()
    reference[532] = tuple(TiffImagePlugin.IFDRational(value) for value in values)
    picture = images.photo((240, 160))
    samples = numpy.asarray(picture.convert("YCbCr"), numpy.float64)
    # What a camera for television writes: 16 to 235, and 16 to 240.
    samples = (samples - [0, 128, 128]) * [219 / 255, 112 / 127, 112 / 127] + [16, 128, 128]
    narrow = Image.fromarray(samples.round().astype(numpy.uint8), "YCbCr")
    data = images.encoded(narrow, "TIFF", tiffinfo=reference)
    assert mean_error(rendered(data, "f:png"), numpy.asarray(picture, numpy.float64)) < 0.012


def _samples(kind: str, factor: float, interpretation: str = "b-w") -> bytes:
    image = pyvips.Image.new_from_array(numpy.asarray(images.photo((60, 40)).convert("L")))
    return bytes((image * factor).cast(kind).copy(interpretation=interpretation).tiffsave_buffer())


def _lab_of_eight_bits() -> bytes:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(images.photo((60, 40)), to_lab)
    assert lab is not None
    return images.encoded(lab, "TIFF")


@pytest.mark.parametrize(
    "data",
    [
        _samples("float", 1 / 255),
        _samples("double", 1 / 255),
        _samples("uint", 2**24),
        _samples("short", 100),
        _lab_of_eight_bits(),
    ],
    ids=["float", "double", "uint", "short", "lab8"],
)
def test_samples_whose_meaning_no_file_tells_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="tiff"):
        render(data, parse_compact("w:30,f:png"))
