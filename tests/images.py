"""Generated test images: photographs in everything but subject, and files that are made to hurt.

All are deterministic functions of their arguments and return encoded bytes.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy
from PIL import Image, ImageCms

Size = tuple[int, int]


@cache
def photo(size: Size = (640, 426), seed: int = 1) -> Image.Image:
    """Smooth colours with edges and a little grain, as cameras give them. Do not change the result in place."""
    random = numpy.random.default_rng(seed)
    width, height = size
    small = random.integers(20, 236, (max(2, height // 90 + 2), max(2, width // 90 + 2), 3), dtype=numpy.uint8)
    smooth = numpy.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)).astype(numpy.int16)
    rows, columns = numpy.indices((height, width))
    stripes = ((columns // max(1, width // 12) + rows // max(1, height // 8)) % 2 * 24).astype(numpy.int16)
    grain = random.normal(0, 3, (height, width)).astype(numpy.int16)
    return Image.fromarray(numpy.clip(smooth + (stripes + grain)[..., None], 0, 255).astype(numpy.uint8))


def corners(size: Size = (80, 60)) -> Image.Image:
    """Four quarters: red, green above; blue, white below. Any turn or mirror image of it is told apart."""
    width, height = size
    image = Image.new("RGB", size, (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, width // 2, height // 2))
    image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    image.paste((0, 0, 255), (0, height // 2, width // 2, height))
    return image


def encoded(image: Image.Image, format_name: str, **settings: object) -> bytes:
    """`image` as a file, by Pillow's name of the format."""
    buffer = io.BytesIO()
    image.save(buffer, format_name, **settings)
    return buffer.getvalue()


def jpeg(size: Size = (640, 426), seed: int = 1, quality: int = 88) -> bytes:
    """An ordinary photograph."""
    return encoded(photo(size, seed), "JPEG", quality=quality)


def png(size: Size = (640, 426), seed: int = 1) -> bytes:
    """An opaque PNG."""
    return encoded(photo(size, seed), "PNG")


def png_alpha(size: Size = (200, 100)) -> bytes:
    """Transparent on the left, opaque green on the right, a ramp between."""
    width, height = size
    pixels = numpy.zeros((height, width, 4), numpy.uint8)
    pixels[:, :, 1] = 200
    pixels[:, :, 3] = numpy.clip((numpy.arange(width) - width / 3) * 3 * 255 / width, 0, 255).astype(numpy.uint8)
    return encoded(Image.fromarray(pixels, "RGBA"), "PNG")


def png_16bit(size: Size = (120, 80)) -> bytes:
    """A 16-bit RGB PNG: a ramp of red from left to right, blue at half."""
    width, height = size
    pixels = numpy.zeros((height, width, 3), ">u2")
    pixels[:, :, 0] = numpy.linspace(0, 65535, width).astype(">u2")
    pixels[:, :, 2] = 32768
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    return _png(struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0), zlib.compress(rows))


def webp(size: Size = (640, 426), seed: int = 1) -> bytes:
    """A lossy WebP."""
    return encoded(photo(size, seed), "WEBP", quality=85, method=2)


def avif(size: Size = (320, 213), seed: int = 1) -> bytes:
    """An AVIF, quickly encoded."""
    return encoded(photo(size, seed), "AVIF", quality=80, speed=9)


def tiff(size: Size = (320, 213), seed: int = 1) -> bytes:
    """An uncompressed TIFF."""
    return encoded(photo(size, seed), "TIFF")


def bmp(size: Size = (64, 48)) -> bytes:
    """A BMP."""
    return encoded(photo(size), "BMP")


def heic(size: Size = (320, 212), seed: int = 1) -> bytes:
    """A HEIC; needs pillow-heif."""
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo(size, seed)).save(buffer, quality=70)
    return buffer.getvalue()


def jxl(size: Size = (320, 213), seed: int = 1) -> bytes:
    """A JPEG XL; needs pillow-jxl-plugin."""
    import pillow_jxl  # noqa: F401 tells Pillow of it

    return encoded(photo(size, seed), "JXL", quality=80, effort=3)


def pdf(size: Size = (320, 213), pages: int = 2) -> bytes:
    """A document of photographs, one a page; the pages have the photographs' size in points."""
    sheets = [photo(size, seed) for seed in range(1, pages + 1)]
    return encoded(sheets[0], "PDF", save_all=True, append_images=sheets[1:])


def svg(size: Size = (200, 100), inside: str = "") -> bytes:
    """A drawing: red on the left, nothing on the right, and what is `inside`."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" '
        f'height="{height}"><rect width="{width // 2}" height="{height}" fill="#f00"/>{inside}</svg>'
    ).encode()


def webp_animated(size: Size = (90, 60), frames: int = 3, duration: int = 100) -> bytes:
    """The frames of `gif_animated`."""
    images = _coloured(size, frames)
    return encoded(images[0], "WEBP", save_all=True, append_images=images[1:], loop=0, duration=duration, lossless=True)


def tiff_pages(size: Size = (80, 60), pages: int = 3) -> bytes:
    """Pages of one colour each, as the frames of `gif_animated`; each a pixel wider than the one before."""
    images = [image.resize((size[0] + number, size[1])) for number, image in enumerate(_coloured(size, pages))]
    return encoded(images[0], "TIFF", save_all=True, append_images=images[1:])


def _coloured(size: Size, frames: int) -> list[Image.Image]:
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    return [Image.new("RGB", size, colours[number % 3]) for number in range(frames)]


def gif_animated(size: Size = (90, 60), frames: int = 3) -> bytes:
    """Frames of one colour each: red, green, blue and again."""
    images = _coloured(size, frames)
    return encoded(images[0], "GIF", save_all=True, append_images=images[1:], loop=0, duration=100)


def jpeg_cmyk(size: Size = (120, 80)) -> bytes:
    """Four inks, no profile: pure cyan."""
    return encoded(Image.new("CMYK", size, (255, 0, 0, 0)), "JPEG", quality=95)


def jpeg_oriented(orientation: int, size: Size = (80, 60)) -> bytes:
    """The picture of `corners(size)` as a camera stores it under an EXIF orientation from 1 to 8."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Pixgate camera"
    image = corners(size)
    undo = STORED_AS.get(orientation)
    if undo is not None:
        image = image.transpose(undo)
    return encoded(image, "JPEG", quality=95, subsampling=0, exif=exif)


STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored so that its orientation turns it upright: the inverse of what a viewer does."""


def swapped_profile() -> bytes:
    """An RGB colour profile under which red is what sRGB calls green and the other way round."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    names = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    count = int.from_bytes(plain[128:132], "big")
    data = bytearray(plain)
    for at in range(132, 132 + 12 * count, 12):
        data[at : at + 4] = names.get(bytes(data[at : at + 4]), bytes(data[at : at + 4]))
    return bytes(data)


def jpeg_with_profile(colour: tuple[int, int, int], profile: bytes, size: Size = (64, 48)) -> bytes:
    """One colour under an embedded profile."""
    return encoded(Image.new("RGB", size, colour), "JPEG", quality=95, subsampling=0, icc_profile=profile)


def png_bomb(size: Size = (60_000, 60_000)) -> bytes:
    """A small valid PNG of so many white pixels of one bit."""
    width, height = size
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return _png(struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), data)


def png_claiming(size: Size) -> bytes:
    """A PNG whose header claims a size and which holds no pixels."""
    return _png(struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0), zlib.compress(b""))


def gif_claiming(size: Size) -> bytes:
    """A GIF of 1 x 1 whose logical screen claims a size."""
    data = bytearray(encoded(Image.new("P", (1, 1)), "GIF"))
    data[6:10] = struct.pack("<HH", *size)
    return bytes(data)


def webp_claiming(size: Size) -> bytes:
    """A WebP whose extended header claims a size."""
    canvas = bytes(4) + (size[0] - 1).to_bytes(3, "little") + (size[1] - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + canvas
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def jpeg_claiming(size: Size) -> bytes:
    """A photograph of 64 x 48 whose frame header claims another size."""
    data = bytearray(jpeg((64, 48)))
    at = next(at for at in range(len(data)) if data[at : at + 2] in (b"\xff\xc0", b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", size[1], size[0])
    return bytes(data)


def tiff_claiming(size: Size) -> bytes:
    """A TIFF directory that claims a size, and nothing else."""
    entries = struct.pack("<HHII", 256, 4, 1, size[0]) + struct.pack("<HHII", 257, 4, 1, size[1])
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)


def avif_claiming(size: Size) -> bytes:
    """An AVIF of 64 x 48 whose `ispe` claims another size."""
    data = bytearray(avif((64, 48)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", *size)
    return bytes(data)


CLAIMING: dict[str, Callable[[Size], bytes]] = {
    "png": png_claiming,
    "gif": gif_claiming,
    "webp": webp_claiming,
    "jpeg": jpeg_claiming,
    "tiff": tiff_claiming,
    "avif": avif_claiming,
}
"""For each format, a file of a few bytes that claims any size."""

ORDINARY: dict[str, Callable[[], bytes]] = {
    "jpeg": jpeg,
    "png": png,
    "webp": webp,
    "gif": gif_animated,
    "avif": avif,
    "tiff": tiff,
}
"""A well-made file of each format that libvips reads and that holds pixels."""

EVERY: dict[str, Callable[[], bytes]] = {**ORDINARY, "bmp": bmp, "heic": heic, "svg": svg, "jxl": jxl, "pdf": pdf}
"""A well-made file of each format of the table."""


def _png(header: bytes, data: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
