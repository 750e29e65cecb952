"""Variants: alone or all at once in the same bytes, and what is in them, read by another library."""

from __future__ import annotations

import io
import json
from functools import cache

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.metrics import structural_similarity

from tests import images
from transforms.cost import estimate, estimate_variants
from transforms.errors import DecodeFailed, NotAnImage, TooLarge
from transforms.formats import FORMATS
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import parse_compact
from transforms.pipeline import Rendered, render, render_variants
from transforms.rendering import Rendering
from transforms.variants import CHAIN, MADE_AT_ONCE, THUMBNAILS, VARIANTS

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
SIDES = {
    "thumbnail": (150, "webp"),
    "medium": (600, "webp"),
    "large": (1200, "webp"),
    "thumbnail-150": (150, "jpeg"),
    "thumbnail-300": (300, "jpeg"),
    "thumbnail-600": (600, "jpeg"),
}
GPS = 0x8825


def alone(data: bytes, name: str, rendering: Rendering | None = None) -> Rendered:
    return render(data, parse_compact(f"variant:{name}"), rendering=rendering or Rendering())


def facts_of(data: bytes) -> dict[str, object]:
    found = json.loads(render_variants(data).data)
    assert isinstance(found, dict)
    return found


def opened(rendered: Rendered) -> Image.Image:
    image = Image.open(io.BytesIO(rendered.data))
    assert image.size == (rendered.width, rendered.height)
    assert (image.format or "").lower() == rendered.format
    return image


def near(one: object, other: tuple[int, ...], tolerance: int = 14) -> bool:
    assert isinstance(one, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(one[:3], other, strict=True))


@cache
def large_photo() -> bytes:
    return images.jpeg((2600, 1730))


def photographed(size: tuple[int, int]) -> bytes:
    """A JPEG with all that a phone writes: orientation 6, a place, an author, a thumbnail and XMP."""
    image = images.corners(size)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Somebody"
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return images.encoded(
        image,
        "JPEG",
        quality=92,
        exif=exif.tobytes(),
        xmp=b"<x:xmpmeta>SecretPlace</x:xmpmeta>",
        comment=b"SecretPlace",
    )


def test_the_table() -> None:
    assert {name: (VARIANTS[name].side, VARIANTS[name].format) for name in MADE_AT_ONCE} == SIDES
    assert set(VARIANTS) == {*MADE_AT_ONCE, "original"}
    assert THUMBNAILS == {150: "thumbnail-150", 300: "thumbnail-300", 600: "thumbnail-600"}
    assert CHAIN == (1200, 600, 300, 150)


@pytest.mark.parametrize("source", images.EVERY)
def test_alone_and_at_once_are_the_same_bytes(source: str) -> None:
    data = images.EVERY[source]()
    made = render_variants(data)
    assert [name for name, _ in made.parts] == list(MADE_AT_ONCE)
    for name, part in made.parts:
        assert alone(data, name) == part
        opened(part)


def test_alone_and_at_once_of_a_large_photograph() -> None:
    for name, part in render_variants(large_photo()).parts:
        assert alone(large_photo(), name) == part
        side, form = SIDES[name]
        assert part.format == form
        assert (part.width, part.height) == (side, round(1730 * side / 2600))


@pytest.mark.parametrize("name", MADE_AT_ONCE)
def test_the_picture_stays_the_picture(name: str) -> None:
    found = opened(alone(large_photo(), name)).convert("RGB")
    wanted = Image.open(io.BytesIO(large_photo())).convert("RGB").resize(found.size, Image.Resampling.LANCZOS)
    one, other = (numpy.asarray(image.convert("L")) for image in (wanted, found))
    assert structural_similarity(one, other, data_range=255) > 0.9
    assert numpy.abs(one.astype(int) - other).mean() < 4
    means = [numpy.asarray(image).mean(axis=(0, 1)) for image in (wanted, found)]
    assert numpy.abs(means[0] - means[1]).max() < 1.5


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500))
def test_never_enlarged_and_the_ratio_is_kept(width: int, height: int) -> None:
    data = images.encoded(Image.new("RGB", (width, height), (9, 99, 199)), "PNG")
    for name, part in render_variants(data).parts:
        scale = min(1.0, VARIANTS[name].side / max(width, height))
        assert max(part.width, part.height) == min(VARIANTS[name].side, max(width, height))
        assert abs(part.width - max(1, width * scale)) <= 0.5 + 1e-9
        assert abs(part.height - max(1, height * scale)) <= 0.5 + 1e-9


def test_what_is_small_stays_as_it_is() -> None:
    made = dict(render_variants(images.jpeg((100, 80))).parts)
    assert {(part.width, part.height) for part in made.values()} == {(100, 80)}
    assert made["large"].data == made["medium"].data == made["thumbnail"].data


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(80, 60), (1800, 1300)])
def test_every_orientation_is_upright(orientation: int, size: tuple[int, int]) -> None:
    data = images.jpeg_oriented(orientation, size)
    for name in ("thumbnail", "thumbnail-300", "large", "original"):
        image = opened(alone(data, name)).convert("RGB")
        assert (image.width > image.height) == (size[0] > size[1])
        at = [image.getpixel((image.width * x // 4, image.height * y // 4)) for y in (1, 3) for x in (1, 3)]
        for found, wanted in zip(at, (RED, GREEN, BLUE, WHITE), strict=True):
            assert near(found, wanted), (name, at)
        assert image.getexif().get(0x0112, 1) == 1
    facts = facts_of(data)
    assert (facts["width"], facts["height"], facts["orientation"]) == (*size, orientation)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("size", [(300, 200), (2000, 1400)])
def test_nothing_of_the_metadata_is_left(name: str, size: tuple[int, int]) -> None:
    data = photographed(size)
    assert b"SecretPlace" in data
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(GPS)
    rendered = alone(data, name)
    image = opened(rendered)
    assert not dict(image.getexif())
    assert not image.getexif().get_ifd(GPS)
    for word in (b"Exif", b"SecretPlace", b"Somebody", b"xmpmeta", b"ICC_PROFILE", b"ICCP"):
        assert word not in rendered.data
    assert image.height > image.width


def test_colours_are_those_of_srgb() -> None:
    data = images.jpeg_with_profile((200, 40, 90), images.swapped_profile())
    wanted = opened(render(data, parse_compact("w:64,f:png"))).convert("RGB").getpixel((30, 20))
    assert not near(wanted, (200, 40, 90), 30)
    assert isinstance(wanted, tuple)
    for name in VARIANTS:
        assert near(opened(alone(data, name)).convert("RGB").getpixel((30, 20)), wanted)


def test_transparency_stays_in_webp_and_is_white_in_jpeg() -> None:
    picture = Image.new("RGBA", (1300, 900), (0, 0, 0, 0))
    picture.paste((250, 10, 10, 255), (650, 0, 1300, 900))
    data = images.encoded(picture, "PNG")
    for name, part in render_variants(data).parts:
        image = opened(part)
        left, right = (image.width // 4, image.height // 2), (image.width * 3 // 4, image.height // 2)
        if part.format == "webp":
            shown = image.convert("RGBA")
            assert shown.getpixel(left)[3] == 0  # type: ignore[index]
            assert shown.getpixel(right)[3] == 255  # type: ignore[index]
        else:
            assert near(image.getpixel(left), WHITE), name
        assert near(image.convert("RGBA").getpixel(right), (250, 10, 10))
    assert opened(alone(data, "original")).format == "PNG"


@pytest.mark.parametrize("source", [images.gif_animated, images.webp_animated])
def test_animations_show_their_first_frame_and_keep_all_in_the_original(source) -> None:
    data = source()
    first = Image.open(io.BytesIO(data)).convert("RGB").getpixel((40, 30))
    assert isinstance(first, tuple)
    for name, part in render_variants(data).parts:
        image = opened(part)
        assert getattr(image, "n_frames", 1) == 1, name
        assert near(image.convert("RGB").getpixel((40, 30)), first)
    assert Image.open(io.BytesIO(alone(data, "original").data)).n_frames == 3
    assert facts_of(data)["pages"] == 3


@pytest.mark.parametrize(
    ("source", "kept"),
    [("jpeg", "jpeg"), ("png", "png"), ("webp", "webp"), ("avif", "avif"), ("gif", "gif"), ("tiff", "jpeg"),
     ("heic", "jpeg"), ("bmp", "jpeg"), ("svg", "png")],
)  # fmt: skip
def test_the_original_keeps_its_format_where_browsers_show_it(source: str, kept: str) -> None:
    data = images.EVERY[source]() if source in images.EVERY else images.gif_animated()
    assert alone(data, "original").format == kept


def test_the_original_is_bounded() -> None:
    data = images.encoded(Image.new("RGB", (5000, 1250), (10, 200, 30)), "JPEG")
    rendered = alone(data, "original")
    assert (rendered.width, rendered.height) == (4096, 1024)


def test_the_quality_is_a_setting() -> None:
    for name in VARIANTS:
        low, usual, high = (len(alone(large_photo(), name, Rendering(variant_quality=q)).data) for q in (40, 85, 95))
        assert low < usual < high
        assert len(alone(large_photo(), name, Rendering({"jpeg": 10, "webp": 10})).data) == usual


def test_the_quality_is_in_the_tag() -> None:
    assert Rendering(variant_quality=85).tag == Rendering().tag == ""
    assert Rendering(variant_quality=70).tag != Rendering(variant_quality=71).tag
    other = Rendering(variant_quality=70)
    assert Rendering.from_dict(other.as_dict()).variant_quality == 70


def test_facts() -> None:
    picture = Image.new("RGB", (900, 600), (20, 60, 220))
    picture.paste((240, 240, 10), (0, 0, 200, 600))
    facts = facts_of(images.encoded(picture, "PNG"))
    assert facts | {"blurhash": "", "phash": "", "dhash": ""} == {
        "format": "png",
        "media_type": "image/png",
        "width": 900,
        "height": 600,
        "orientation": 1,
        "pages": 1,
        "animated": False,
        "alpha": False,
        "dominant_color": facts["dominant_color"],
        "blurhash": "",
        "phash": "",
        "dhash": "",
    }
    colour = str(facts["dominant_color"])
    assert near(tuple(bytes.fromhex(colour[1:])), (20, 60, 220))
    assert len(str(facts["phash"])) == len(str(facts["dhash"])) == 16


def test_nothing_opaque_has_no_colour() -> None:
    data = images.encoded(Image.new("RGBA", (300, 200), (9, 9, 9, 0)), "PNG")
    assert facts_of(data)["dominant_color"] is None


def test_hashes_are_near_for_what_looks_alike() -> None:
    def bits(one: object, other: object) -> int:
        return (int(str(one), 16) ^ int(str(other), 16)).bit_count()

    one = facts_of(images.jpeg((1400, 900), 5))
    again = facts_of(images.encoded(images.photo((1400, 900), 5).resize((700, 450)), "WEBP", quality=50))
    other = facts_of(images.jpeg((1400, 900), 6))
    for name in ("phash", "dhash"):
        assert bits(one[name], again[name]) <= 6
        assert bits(one[name], other[name]) >= 16


@pytest.mark.parametrize("data", [b"no picture at all", b"\xff\xd8\xff\xe0" + bytes(200)])
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises((NotAnImage, DecodeFailed)):
        render_variants(data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_what_ends_early(share: float) -> None:
    data = large_photo()[: int(len(large_photo()) * share)]
    with pytest.raises(DecodeFailed):
        render_variants(data)
    with pytest.raises(DecodeFailed):
        alone(data, "thumbnail")


@pytest.mark.parametrize("name", images.CLAIMING)
def test_bounds_hold_before_anything_is_decoded(name: str) -> None:
    data = images.CLAIMING[name]((60_000, 50_000))
    with pytest.raises(TooLarge):
        render_variants(data)
    with pytest.raises(TooLarge):
        alone(data, "original")
    with pytest.raises(TooLarge):
        render_variants(images.jpeg((200, 100)), Limits(source_bytes=100))


def test_the_price_of_a_set_is_that_of_its_largest_and_a_little() -> None:
    header = read_header(Source.of_bytes(large_photo()))
    largest = estimate(header, parse_compact("variant:large"), "", DEFAULT_LIMITS)
    together = estimate_variants(header, DEFAULT_LIMITS)
    assert largest < together < 2 * largest
    apart = sum(estimate(header, parse_compact(f"variant:{name}"), "", DEFAULT_LIMITS) for name in MADE_AT_ONCE)
    assert together < apart
    with pytest.raises(TooLarge):
        estimate_variants(header, Limits(source_pixels=1000))


def test_formats_of_the_table_are_ours() -> None:
    assert all(variant.format is None or FORMATS[variant.format].saver for variant in VARIANTS.values())
