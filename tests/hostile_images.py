"""Files made to hurt whoever decodes them: bombs, floods, loops, lies. All small, all made here.

`REFUSED` must come to a fact about the file, `HARMLESS` look dangerous and are pictures all the same.
"""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from tests import images

Maker = Callable[[], bytes]

_XMLNS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(inside: str, *, before: str = "", size: str = 'width="60" height="40"') -> bytes:
    """A drawing with this content."""
    return f"{before}<svg {_XMLNS} {size}>{inside}</svg>".encode()


def svg_with_image(content: bytes, kind: str = "png") -> bytes:
    """A drawing that holds an image."""
    return svg(f"<image width='60' height='40' href='data:image/{kind};base64,{base64.b64encode(content).decode()}'/>")


def billion_laughs() -> bytes:
    """Ten entities, each ten times the one before."""
    entities = '<!ENTITY e0 "lol">' + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return svg("<text>&e9;</text>", before=f"<!DOCTYPE svg [{entities}]>")


def external_entity() -> bytes:
    """A file of the machine as an entity."""
    return svg("<text>&x;</text>", before='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>')


def use_bomb() -> bytes:
    """Groups that each show the one before ten times."""
    groups = "".join(f'<g id="g{n}">{f"<use xlink:href={chr(34)}#g{n - 1}{chr(34)}/>" * 10}</g>' for n in range(1, 10))
    return svg(f'<g id="g0"><rect width="1" height="1"/></g>{groups}<use xlink:href="#g9"/>')


def pattern_bomb() -> bytes:
    """Patterns filled with patterns."""
    patterns = "".join(
        f'<pattern id="p{n}" width="1" height="1">{f"<rect width={chr(34)}9{chr(34)} fill={chr(34)}url(#p{n - 1}){chr(34)}/>" * 10}</pattern>'
        for n in range(1, 9)
    )
    return svg(f'<pattern id="p0"><rect/></pattern>{patterns}<rect width="60" height="40" fill="url(#p8)"/>')


def gif(frames: int, size: tuple[int, int] = (16, 16), *, second: tuple[int, int] | None = None) -> bytes:
    """So many frames of 1 x 1 pixel on a screen of `size`; `second`: the size that the second frame claims."""
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    body = b"\x02\x02\x44\x01\x00"
    parts = [head]
    for number in range(frames):
        across, down = second if second and number == 1 else (1, 1)
        parts.append(b"!\xf9\x04\x00\x05\x00\x00\x00," + struct.pack("<HHHHB", 0, 0, across, down, 0) + body)
    return b"".join((*parts, b";"))


def gif_comment_flood() -> bytes:
    """A picture after two million comments of one byte."""
    picture = gif(1)
    return picture[:19] + b"!\xfe\x01x\x00" * 2_000_000 + picture[19:]


def webp_frames(frames: int) -> bytes:
    """So many copies of one frame."""
    data = images.webp_animated((16, 16), 2)
    at = data.index(b"ANMF")
    length = 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    return _riff(data[12:at] + data[at : at + length + length % 2] * frames)


def webp_chunk_flood() -> bytes:
    """Half a million chunks of nothing before the frames."""
    data = images.webp_animated((16, 16), 2)
    at = data.index(b"ANIM")
    return _riff(data[12:at] + b"JUNK\0\0\0\0" * 500_000 + data[at:])


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def png_chunks(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (16, 16), pixels: bytes | None = None) -> bytes:
    """A PNG with these chunks before its pixels."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (size[0] + 1) * size[1]) if pixels is None else pixels
    every = ((b"IHDR", header), *chunks, (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in every
    )


def _deflated(megabytes: int) -> bytes:
    """So many megabytes of zeros, made of one block again and again, with their Adler-32 (RFC 1950, section 8)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = ((megabytes << 20) % 65_521 << 16) | 1
    return b"\x78\xda" + block * megabytes + packer.flush() + struct.pack(">I", checksum)


def png_text_bomb() -> bytes:
    """Compressed texts that unpack to 2 GB."""
    text = b"Comment\0\0" + _deflated(200)
    return png_chunks(*[(b"zTXt", text)] * 10)


def png_profile_bomb() -> bytes:
    """A colour profile that unpacks to 1 GB."""
    return png_chunks((b"iCCP", b"x\0\0" + _deflated(1000)))


def jpeg_segments(count: int) -> bytes:
    """So many empty application segments before the picture."""
    data = images.jpeg((50, 40))
    return data[:2] + b"\xff\xe2\x00\x02" * count + data[2:]


def jpeg_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = images.encoded(images.photo((400, 300)), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:-2] + data[at:-2] * count + data[-2:]


def jpeg_exif_loop() -> bytes:
    """EXIF whose directories point to themselves."""
    entry = b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0"
    block = b"Exif\0\0II*\0\x08\0\0\0" + b"\x02\0" + entry * 2 + b"\x08\0\0\0"
    data = images.jpeg((50, 40))
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def tiff_loop() -> bytes:
    """A directory whose next one is itself."""
    data = bytearray(images.tiff((20, 20)))
    order = "little" if data[:2] == b"II" else "big"
    at = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    end = at + 2 + 12 * int.from_bytes(data[at : at + 2], order)  # type: ignore[arg-type]
    data[end : end + 4] = data[4:8]
    return bytes(data)


def tiff_many_entries() -> bytes:
    """A directory of 65,535 entries."""
    return b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 256, 4, 1, 10) * 65_535 + bytes(4)


def bmp_claiming(size: tuple[int, int]) -> bytes:
    """A BMP whose header claims a size."""
    data = bytearray(images.bmp((8, 8)))
    data[18:26] = struct.pack("<ii", *size)
    return bytes(data)


def jxl_claiming() -> bytes:
    """A JPEG XL codestream of 2^30 x 2^30 pixels."""
    value, at = 0, 0
    for bits, count in ((0, 1), (3, 2), ((1 << 30) - 1, 30), (1, 3), (1, 1)):
        value |= bits << at
        at += count
    return b"\xff\x0a" + value.to_bytes(8, "little")


def boxes(first: bytes, count: int) -> bytes:
    """A container of so many empty boxes."""
    return first + struct.pack(">I4s", 8, b"free") * count


def pdf_page_loop() -> bytes:
    """A document whose tree of pages holds itself."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 1000000>>endobj\n"
        b"trailer<</Root 1 0 R/Size 3>>\n%%EOF"
    )


def pdf_huge_page() -> bytes:
    """A page of three kilometres."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9000000 9000000]>>endobj\ntrailer<</Root 1 0 R/Size 4>>\n%%EOF"
    )


def polyglot(picture: bytes) -> bytes:
    """A picture with a page of scripts and an archive behind it."""
    return picture + b"<html><script>alert(1)</script></html>PK\x05\x06" + bytes(18)


def crossing(segments: int = 40_000) -> bytes:
    """A drawing of one short path whose edges all cross each other: more than a minute of the processor."""
    source = random.Random(7)
    points = " ".join(f"{source.uniform(0, 60):.2f} {source.uniform(0, 40):.2f}" for _ in range(segments))
    return svg(f"<path d='M0 0L{points}z'/>")


REFUSED: dict[str, Maker] = {
    "png-bomb": lambda: images.png_bomb((20_000, 20_000)),
    **{f"{name}-claims": lambda make=make: make((16_383, 16_383)) for name, make in images.CLAIMING.items()},  # type: ignore[misc]
    "bmp-claims": lambda: bmp_claiming((30_000, 30_000)),
    "bmp-claims-from-the-top": lambda: bmp_claiming((30_000, -30_000)),
    "jxl-claims": jxl_claiming,
    "gif-10000-frames": lambda: gif(10_000),
    "gif-frames-of-many-pixels": lambda: gif(900, (1000, 1000)),
    "gif-comments": gif_comment_flood,
    "webp-3000-frames": lambda: webp_frames(3000),
    "png-chunks": lambda: png_chunks(*[(b"tEXt", b"a\0b")] * 20_000),
    "jpeg-segments": lambda: jpeg_segments(20_000),
    "tiff-entries": tiff_many_entries,
    "avif-boxes": lambda: boxes(b"\0\0\0\x10ftypavif\0\0\0\0", 100_000),
    "jxl-boxes": lambda: boxes(b"\0\0\0\x0cJXL \r\n\x87\n", 100_000),
    "svg-billion-laughs": billion_laughs,
    "svg-external-entity": external_entity,
    "svg-uses": use_bomb,
    "svg-patterns": pattern_bomb,
    "svg-image-bomb": lambda: svg_with_image(images.png_bomb((20_000, 20_000))),
    "svg-text-run": lambda: svg(f"<text font-size='1e9'>{'W' * 19_000}</text>"),
    "svg-text": lambda: svg(f"<text>{'W' * 1_000_000}</text>"),
    "svg-sheet": lambda: svg("<style>" + ".a .b .c{fill:red}" * 20_000 + "</style>" + "<g class='a b c'/>" * 20_000),
    "svg-huge": lambda: svg("", size='width="100000" height="100000"'),
    "svg-huge-view-box": lambda: svg("", size='viewBox="0 0 1e8 1e8"'),
    "svg-deep": lambda: svg("<g>" * 50_000),
    "svg-deep-and-whole": lambda: svg("<g>" * 5000 + "</g>" * 5000),
    "svg-many": lambda: svg("<g/>" * 200_000),
    "svg-unfinished": lambda: svg("")[:-5],
    "svg-of-another-root": lambda: b"<!DOCTYPE svg><html/>",
    "pdf-page-loop": pdf_page_loop,
    "pdf-huge": pdf_huge_page,
    "pdf-nothing": lambda: b"%PDF-1.7\n" + b"\0" * 1000,
    "text": lambda: b"just text",
    "program": lambda: b"\x7fELF" + bytes(200),
    "empty": lambda: b"",
}
"""Each must come to a SourceError."""

HARMLESS: dict[str, Maker] = {
    "jpeg-exif-loop": jpeg_exif_loop,
    "tiff-loop": tiff_loop,
    "gif-polyglot": lambda: polyglot(images.gif_animated((30, 20))),
    "png-polyglot": lambda: polyglot(images.png((30, 20))),
    "jpeg-polyglot": lambda: polyglot(images.jpeg((30, 20))),
    "svg-scripts": lambda: svg(
        "<script>alert(1)</script><rect width='30' height='40' fill='red' onload='alert(1)'/>"
        "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='http://127.0.0.1/'/></foreignObject>"
        "<animate attributeName='href' to='javascript:alert(1)'/>"
    ),
    "svg-references": lambda: svg(
        "<image href='file:///etc/passwd' width='9' height='9'/><image xlink:href='http://127.0.0.1/a.png' width='9' height='9'/>"
        "<use href='http://127.0.0.1/a.svg#b'/><style>@import url(http://127.0.0.1/a.css); rect{fill:url(http://127.0.0.1/#a)}</style>"
        "<rect width='30' height='40' style='fill:url(file:///etc/passwd#a)'/>"
    ),
    "svg-circle": lambda: svg("<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g><use href='#a'/>"),
}
"""Each must become a picture, without what was dangerous about it."""

EITHER: dict[str, Maker] = {
    "gif-second-frame-claims": lambda: gif(2, second=(60_000, 60_000)),
    "png-text-bomb": png_text_bomb,
    "png-profile-bomb": png_profile_bomb,
    "webp-chunks": webp_chunk_flood,
    "jpeg-scans": lambda: jpeg_scans(3000),
    "png-too-few-rows": lambda: png_chunks(size=(4000, 4000), pixels=zlib.compress(b"\0" * 100)),
    "png-too-many-rows": lambda: png_chunks(pixels=_deflated(1000)),
    "svg-blur": lambda: svg(
        "<filter id='f'><feGaussianBlur stdDeviation='1000'/><feTurbulence numOctaves='99999' baseFrequency='9'/></filter>"
        "<rect width='6000' height='6000' filter='url(#f)'/>",
        size="width='6000' height='6000'",
    ),
}
"""A picture or a fact, whatever the decoder makes of it, within its bounds."""


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """`data` with bits turned, bytes replaced, pieces cut out, doubled or cut off; headers more often than pixels."""
    source = random.Random(seed)
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(source.randint(1, 8)):
            reach = len(broken) if source.random() < 0.5 else min(len(broken), 512)
            at = source.randrange(max(1, reach))
            match source.randrange(6):
                case 0 | 1:
                    broken[at] ^= 1 << source.randrange(8)
                case 2:
                    broken[at] = source.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
                case 3:
                    broken[at : at + 4] = source.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)))
                case 4:
                    del broken[at : at + source.randint(1, 32)]
                case 5:
                    broken[at:at] = broken[at : at + source.randint(1, 64)]
            if not broken:
                break
        if source.random() < 0.15:
            del broken[source.randrange(len(broken) + 1) :]
        yield bytes(broken)


def small(name: str) -> bytes:
    """A small well-made file of each format, to be mutated."""
    size = (48, 36)
    makers: dict[str, Maker] = {
        "jpeg": lambda: images.jpeg(size),
        "png": lambda: images.encoded(Image.open(io.BytesIO(images.png_alpha(size))), "PNG"),
        "webp": lambda: images.webp_animated(size),
        "gif": lambda: images.gif_animated(size),
        "avif": lambda: images.avif(size),
        "tiff": lambda: images.encoded(images.photo(size), "TIFF", compression="tiff_lzw"),
        "heic": lambda: images.heic((64, 48)),
        "bmp": lambda: images.bmp(size),
        "jxl": lambda: images.jxl(size),
        "svg": lambda: images.svg(size, "<g transform='scale(2)'><path d='M0 0L9 9C1 2 3 4 5 6z'/></g><text>a</text>"),
        "pdf": lambda: images.pdf(size, 1),
    }
    return makers[name]()
