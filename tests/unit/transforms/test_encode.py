"""What encoders are told: automatic quality, bounds in bytes, palettes, lossless, progressive, metadata."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from typing import Any, Literal

import numpy
import numpy.typing
import pytest
import pyvips
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage.metrics import structural_similarity

from bench.photos import photo
from tests import images
from transforms import encoders
from transforms.errors import OptionError
from transforms.options import parse_compact
from transforms.pipeline import Rendered, render
from transforms.rendering import Rendering
from transforms.similarity import SAMPLE_PIXELS, luma, sample, similarity
from transforms.steps import encode

LUMA = numpy.array([0.2126, 0.7152, 0.0722])


def made(data: bytes, options: str) -> Rendered:
    return render(data, parse_compact(options))


def opened(rendered: Rendered) -> Image.Image:
    image = Image.open(io.BytesIO(rendered.data))
    assert image.size == (rendered.width, rendered.height)
    return image


def colours(image: Image.Image) -> int:
    return len(numpy.unique(numpy.asarray(image.convert("RGBA")).reshape(-1, 4), axis=0))


def smooth(size: tuple[int, int] = (320, 240)) -> bytes:
    """A sky: nothing in it that a low quality would lose."""
    rows, columns = numpy.indices(size[::-1])
    bands = [100 + rows / 4, 150 + columns / 8, 220 - rows / 6]
    return images.encoded(Image.fromarray(numpy.stack(bands, axis=2).astype(numpy.uint8)), "PNG")


def noisy(size: tuple[int, int] = (320, 240)) -> bytes:
    random = numpy.random.default_rng(3)
    picture = numpy.asarray(images.photo(size)).astype(float) + random.normal(0, 18, (*size[::-1], 3))
    return images.encoded(Image.fromarray(numpy.clip(picture, 0, 255).astype(numpy.uint8)), "PNG")


# Similarity


def test_similarity_is_that_of_the_sliding_window() -> None:
    picture = images.photo((320, 240))
    one = luma(pyvips.Image.new_from_array(numpy.asarray(picture)).copy(interpretation="srgb"))
    assert similarity(one, one) == pytest.approx(1, abs=1e-6)
    for quality in (40, 60, 80, 95):
        worse = Image.open(io.BytesIO(images.encoded(picture, "JPEG", quality=quality)))
        other = luma(pyvips.Image.new_from_array(numpy.asarray(worse)).copy(interpretation="srgb"))
        first, second = (numpy.asarray(image).astype(float) @ LUMA for image in (picture, worse))
        assert abs(similarity(one, other) - _windowed(first, second)) < 0.025


def _windowed(first: Any, second: Any) -> float:
    return float(structural_similarity(first, second, data_range=255))  # type: ignore[no-untyped-call]


def test_small_pictures_and_large_ones_have_a_similarity() -> None:
    for size in ((1, 1), (7, 30), (2000, 1500)):
        picture = pyvips.Image.new_from_array(numpy.asarray(images.photo(size))).copy(interpretation="srgb")
        part = sample(picture)
        assert part.width * part.height <= SAMPLE_PIXELS
        assert similarity(luma(part), luma(part)) == pytest.approx(1, abs=1e-6)


# Quality


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_automatic_quality_reaches_its_target_and_not_much_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    saved = encode._saved

    def counted(saver: str, image: pyvips.Image, chosen: dict[str, Any], keep: int = 0) -> bytes:
        calls.append(chosen["Q"])
        return saved(saver, image, chosen, keep)

    monkeypatch.setattr(encode, "_saved", counted)
    data = noisy((160, 120))
    rendered = made(data, f"f:{name},q:auto")
    assert len(calls) <= 5
    lowest, highest, step = encoders.AUTO_RANGES[name]
    chosen = calls[-1]
    assert lowest <= chosen <= highest
    plain = luma(pyvips.Image.pngload_buffer(data).copy_memory())

    def alike(quality: int) -> float:
        seen = pyvips.Image.new_from_buffer(made(data, f"f:{name},q:{quality}").data, "")
        return similarity(plain, luma(seen.extract_band(0, n=3)))

    assert rendered == made(data, f"f:{name},q:{chosen}") == made(data, f"f:{name},q:auto")
    if chosen < highest:
        assert alike(chosen) >= encode.AUTO_SIMILARITY
    if chosen > lowest:
        assert alike(chosen - step) < encode.AUTO_SIMILARITY


def test_what_is_smooth_needs_less_quality() -> None:
    for name in ("jpeg", "webp"):
        lowest = encoders.AUTO_RANGES[name][0]
        assert made(smooth(), f"f:{name},q:auto") == made(smooth(), f"f:{name},q:{lowest}")
        assert made(noisy(), f"f:{name},q:auto") != made(noisy(), f"f:{name},q:{lowest}")


def test_default_qualities_are_the_deployments() -> None:
    data = images.jpeg()
    for name in ("jpeg", "webp", "avif"):
        low = render(data, parse_compact(f"w:200,f:{name}"), rendering=Rendering({name: 31}))
        assert low == made(data, f"w:200,f:{name},q:31")
        assert len(low.data) < len(made(data, f"w:200,f:{name}").data)
    assert made(data, "w:200,f:webp") == made(data, "w:200,f:webp,q:85")


# Bytes


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_a_bound_in_bytes_takes_the_best_quality_that_fits(name: str) -> None:
    data = images.jpeg()
    free = made(data, f"w:200,f:{name}")
    bound = len(free.data) * 2 // 3
    bounded = made(data, f"w:200,f:{name},max-bytes:{bound}")
    assert len(bounded.data) <= bound
    assert len(bounded.data) > bound * 0.75
    assert (bounded.width, bounded.height) == (free.width, free.height)
    assert bounded == made(data, f"w:200,f:{name},max-bytes:{bound}")
    assert made(data, f"w:200,f:{name},max-bytes:{len(free.data)}") == free


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "png", "gif", "tiff"])
def test_then_the_picture_becomes_smaller(name: str) -> None:
    data = images.jpeg()
    bound = 1000 if name == "avif" else 2000
    bounded = made(data, f"w:320,f:{name},max-bytes:{bound}")
    assert len(bounded.data) <= bound
    assert bounded.width < 320
    image = opened(bounded)
    assert abs(image.width / image.height - 640 / 426) < 0.2
    expected = numpy.asarray(images.photo().resize(image.size)).astype(float)
    assert numpy.abs(numpy.asarray(image.convert("RGB")).astype(float) - expected).mean() < 25


def test_a_png_gets_a_palette_before_it_shrinks() -> None:
    data = images.png((200, 150))
    free = made(data, "")
    bounded = made(data, f"max-bytes:{len(free.data) * 2 // 3}")
    assert (bounded.width, bounded.height) == (200, 150)
    assert opened(bounded).mode == "P"


def test_an_animation_shrinks_as_a_whole() -> None:
    rng = numpy.random.default_rng(1)
    frames = [Image.fromarray(rng.integers(0, 255, (80, 120, 3), dtype=numpy.uint8)) for _ in range(3)]
    data = images.encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    bounded = made(data, "max-bytes:9000")
    animation = opened(bounded)
    assert len(bounded.data) <= 9000
    assert getattr(animation, "n_frames", 1) == 3
    assert bounded.width < 120


@pytest.mark.parametrize("name", ["jpeg", "png", "avif", "gif"])
def test_a_bound_that_cannot_be_met_is_a_fact(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        made(images.jpeg(), f"w:320,f:{name},max-bytes:20")
    assert caught.value.option == "max-bytes"
    assert "malformed" not in str(caught.value)
    # It tells what can be met.
    least = int(next(word for word in str(caught.value).replace(",", " ").split() if word.isdigit()))
    assert len(made(images.jpeg(), f"w:320,f:{name},max-bytes:{least}").data) <= least


@pytest.mark.parametrize("quality", [60, 80])
def test_avif_keeps_the_structure_that_slow_encoding_keeps(quality: int) -> None:
    small = photo(1).resize((400, 266), Image.Resampling.LANCZOS)
    data = images.encoded(small, "PNG")
    slow = pyvips.Image.new_from_buffer(data, "").heifsave_buffer(compression="av1", Q=quality, effort=4, keep=0)
    wanted = numpy.asarray(small.convert("L"))
    quick, reference = (
        structural_similarity(  # type: ignore[no-untyped-call]
            wanted, numpy.asarray(Image.open(io.BytesIO(one)).convert("L")), data_range=255
        )
        for one in (made(data, f"f:avif,q:{quality}").data, slow)
    )
    assert quick > reference - 0.003


# What some formats have


@pytest.mark.parametrize(("asked", "most"), [(256, 256), (100, 64), (64, 64), (16, 16), (5, 4), (2, 2)])
def test_palettes(asked: int, most: int) -> None:
    data = images.png((160, 120))
    for name in ("png", "gif"):
        image = opened(made(data, f"f:{name},palette:{asked}"))
        assert most // 4 < colours(image) <= most
    assert opened(made(data, f"palette:{asked}")).mode == "P"
    assert len(made(data, f"palette:{asked}").data) < len(made(data, "").data)


@pytest.mark.parametrize("asked", [256, 64, 16, 2])
def test_palettes_of_what_is_transparent(asked: int) -> None:
    image = opened(made(images.png_alpha(), f"palette:{asked}"))
    assert colours(image) <= asked
    alpha = numpy.asarray(image.convert("RGBA"))[:, :, 3]
    assert alpha[:, 0].max() < 60
    assert alpha[:, -1].min() > 195


@pytest.mark.parametrize("name", ["webp", "avif", "tiff"])
def test_lossless_is(name: str) -> None:
    data = images.png((120, 90))
    kept = numpy.asarray(opened(made(data, f"f:{name},lossless:1")).convert("RGB"))
    assert numpy.array_equal(kept, numpy.asarray(images.photo((120, 90))))
    lossy = numpy.asarray(opened(made(data, f"f:{name}")).convert("RGB"))
    assert not numpy.array_equal(lossy, numpy.asarray(images.photo((120, 90))))


def test_transparent_tiff_is_lossless() -> None:
    image = opened(made(images.png_alpha(), "f:tiff"))
    assert numpy.array_equal(
        numpy.asarray(image.convert("RGBA")), numpy.asarray(Image.open(io.BytesIO(images.png_alpha())))
    )


def test_progressive() -> None:
    data = images.png((64, 48))
    assert opened(made(data, "f:jpeg,progressive:1")).info.get("progressive")
    assert not opened(made(data, "f:jpeg")).info.get("progressive")
    assert opened(made(data, "f:png,progressive:1")).info.get("interlace")
    assert not opened(made(data, "f:png")).info.get("interlace")
    gif = made(data, "f:gif,progressive:1").data
    # Bit 6 of the packed field of the image descriptor (GIF89a, section 20).
    at = gif.rindex(b"\x2c\0\0\0\0" + (64).to_bytes(2, "little") + (48).to_bytes(2, "little"))
    assert gif[at + 9] & 0x40


# Metadata

SECRET = "where I live"
AUTHOR, NOTICE = "Jane (the) Doe", "(c) 2026 Jane Doe; all <rights> & more"


def documented(size: tuple[int, int] = (80, 60)) -> bytes:
    """A photograph whose EXIF, with a thumbnail's tags and a place, and XMP say a lot."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = SECRET
    exif[0x013B] = AUTHOR
    exif[0x8298] = NOTICE
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0)})
    return images.encoded(images.photo(size), "JPEG", exif=exif, xmp=b"<x:xmpmeta>private rating</x:xmpmeta>")


def exif_of(rendered: Rendered) -> Image.Exif:
    return opened(rendered).getexif()


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_all_metadata_is_kept_on_request(name: str) -> None:
    rendered = made(documented(), f"w:40,f:{name},strip:0")
    exif = exif_of(rendered)
    assert exif[0x010E] == SECRET
    assert exif[0x013B] == AUTHOR
    assert exif.get_ifd(0x8825)[1] == "N"
    # It is applied, so it must not be applied again.
    assert exif.get(0x0112, 1) == 1
    assert rendered.height > rendered.width
    assert b"private rating" in rendered.data or "private rating" in opened(rendered).info["XML:com.adobe.xmp"]


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "tiff"])
@pytest.mark.parametrize("effect", ["", ",gray:1,blur:2,radius:5", ",pad:4,bg:fff,rotate:10"])
def test_only_author_and_copyright_are_kept(name: str, effect: str) -> None:
    rendered = made(documented(), f"w:40,f:{name},strip:copyright{effect}")
    if name != "tiff":
        exif = exif_of(rendered)
        assert exif[0x013B] == AUTHOR
        assert exif[0x8298] == NOTICE
        assert 0x010E not in exif
        assert not exif.get_ifd(0x8825)
    assert b"Jane (the) Doe" in rendered.data
    assert SECRET.encode() not in rendered.data
    assert b"private rating" not in rendered.data


def test_copyright_from_xmp_and_iptc() -> None:
    xmp = (
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        "<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:creator><rdf:Seq><rdf:li>Ann &amp; Co</rdf:li>"
        "</rdf:Seq></dc:creator><dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>Ann 2026</rdf:li></rdf:Alt></dc:rights>"
        "<dc:description>secret words</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    rendered = made(images.encoded(images.photo((40, 30)), "JPEG", xmp=xmp.encode()), "strip:copyright")
    assert (exif_of(rendered)[0x013B], exif_of(rendered)[0x8298]) == ("Ann & Co", "Ann 2026")
    assert b"secret words" not in rendered.data
    records = b"".join(
        b"\x1c\x02" + bytes([number, 0, len(text)]) + text
        for number, text in ((80, b"Bob"), (116, b"B 2026"), (120, b"caption"))
    )
    resource = b"8BIM\x04\x04\x00\x00" + len(records).to_bytes(4, "big") + records + bytes(len(records) % 2)
    marker = b"Photoshop 3.0\x00" + resource
    plain = images.encoded(images.photo((40, 30)), "JPEG")
    data = plain[:2] + b"\xff\xed" + (len(marker) + 2).to_bytes(2, "big") + marker + plain[2:]
    rendered = made(data, "strip:copyright")
    assert (exif_of(rendered)[0x013B], exif_of(rendered)[0x8298]) == ("Bob", "B 2026")
    assert b"caption" not in rendered.data


@pytest.mark.parametrize(
    "xmp",
    [
        b"<dc:creator " * 200_000,
        b"<dc:creator>" * 100_000 + b"<rdf:li>" * 100_000,
        b"<dc:rights><rdf:li>\xff\xfe<",
        b"\0" * 99,
    ],
)
def test_metadata_that_makes_no_sense_costs_nothing(xmp: bytes) -> None:
    data = documented()
    # PNG takes a block of any length, where a segment of a JPEG ends at 64 KiB.
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode("latin-1"), zip=True)
    stored = images.encoded(images.photo((40, 30)), "PNG", pnginfo=info)
    assert made(stored, "w:20,strip:copyright").width == 20
    assert made(stored, "w:20,strip:0").width == 20
    latin = data.replace(b"Jane (the) Doe", b"Jan\xe9 \xff\x01 Doe...")
    assert made(latin, "w:20,strip:copyright").width == 20
    assert made(latin, "w:20,strip:0").width == 20


def test_a_thumbnail_that_shows_what_was_cut_away_is_never_kept() -> None:
    thumbnail = images.encoded(images.photo((60, 40), 5), "JPEG")
    exif = Image.Exif()
    exif[0x010E] = SECRET
    ifd = exif.get_ifd(1)
    ifd[0x0103] = 6
    block = exif.tobytes()
    # IFD1 by hand: a compressed thumbnail at the end of the block (EXIF 2.32, 4.5.5).
    tiff = bytearray(block[6:])
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[start : start + 2], order)
    link = start + 2 + 12 * count
    at = len(tiff) + len(tiff) % 2
    tiff[link : link + 4] = at.to_bytes(4, order)
    tiff.extend(bytes(at - len(tiff)))

    def entry(tag: int, value: int) -> bytes:
        return tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order) + value.to_bytes(4, order)

    picture = at + 2 + 24 + 4
    tiff += (2).to_bytes(2, order) + entry(0x0201, picture) + entry(0x0202, len(thumbnail)) + bytes(4) + thumbnail
    data = images.encoded(images.photo((80, 60)), "JPEG", exif=b"Exif\0\0" + bytes(tiff))
    assert thumbnail[30:200] in data
    rendered = made(data, "w:30,h:30,fit:cover,strip:0")
    assert exif_of(rendered)[0x010E] == SECRET
    assert thumbnail[30:200] not in rendered.data
    assert rendered.data.count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ("f:jpeg,lossless:1", "f:jpeg"),
        ("f:webp,lossless:1,q:50", "f:webp,lossless:1"),
        ("f:avif,progressive:1", "f:avif"),
        ("f:gif,icc:keep", "f:gif"),
        ("f:webp,palette:16", "f:webp"),
    ],
)
def test_what_an_encoder_does_not_know_makes_no_other_rendition(options: str, same: str) -> None:
    assert parse_compact(options).canonical() == parse_compact(same).canonical()
    assert made(images.jpeg((60, 40)), options) == made(images.jpeg((60, 40)), same)


@pytest.mark.parametrize(
    "options", ["f:tiff,lossless:1", "f:jpeg,progressive:1", "f:png,palette:16", "f:webp,lossless:1"]
)
def test_and_what_it_does_know_does(options: str) -> None:
    plain = options.split(",", maxsplit=1)[0]
    assert parse_compact(options).canonical() != parse_compact(plain).canonical()
    assert made(images.jpeg((60, 40)), options) != made(images.jpeg((60, 40)), plain)


def test_colours_of_a_duotone_are_opaque() -> None:
    with pytest.raises(OptionError):
        parse_compact("duotone:00000080:fff")


SEARCHING = (
    "w:77,f:webp,q:auto",
    "w:77,f:avif,q:auto",
    "w:200,f:jpeg,max-bytes:4000",
    "w:99,f:png,palette:50",
    "w:99,f:gif,palette:30",
    "w:90,blur:20,hue:40,tint:f00:0.3,sharpen:2,f:jpeg",
)


def test_another_process_with_more_threads_makes_the_same_bytes() -> None:
    program = (
        "import hashlib, sys\n"
        "from tests import images\n"
        "from transforms.options import parse_compact\n"
        "from transforms.pipeline import render\n"
        "for options in sys.argv[1:]:\n"
        "    print(hashlib.sha256(render(images.jpeg(), parse_compact(options)).data).hexdigest())\n"
    )
    command = [sys.executable, "-c", program, *SEARCHING]
    environment = {"VIPS_CONCURRENCY": "4", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    seen = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
    assert seen == [hashlib.sha256(made(images.jpeg(), options).data).hexdigest() for options in SEARCHING]
