"""What else a rendition carries: nothing, who made the picture, or what the stored image said (`strip`, `icc`).

Never the camera's orientation, which is applied, nor its thumbnail, which may show what has been cut away.
Imports pyvips: decoders only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from xml.sax.saxutils import escape

import pyvips

from transforms.work import Work

PROFILE = "icc-profile-data"
_KEEP_EXIF, _KEEP_XMP, _KEEP_IPTC, _KEEP_ICC = 1, 2, 4, 8
_BLOCKS = ("exif-data", "xmp-data", "iptc-data")
_NEVER = ("orientation", "exif-ifd0-Orientation", "jpeg-thumbnail-data")
_THUMBNAIL = re.compile(r"exif-ifd1-")
_ASCII_TAIL = re.compile(r", ASCII, \d+ components, \d+ bytes\)\Z")
_IPTC_RECORDS = {"Artist": b"\x1c\x02\x50", "Copyright": b"\x1c\x02\x74"}
"""By-line and copyright notice: tag marker, record 2, data sets 80 and 116 (IPTC IIM 4.2, chapter 6)."""
_XMP_ELEMENTS = {"Artist": "creator", "Copyright": "rights"}
_LONGEST = 2000
"""Characters of an author or a copyright line that are kept."""

Fields = dict[str, tuple[int, object]]


def remember(image: pyvips.Image, work: Work) -> None:
    """Takes down what will be kept of the stored image's metadata; steps need not carry it from image to image."""
    if "metadata" in work.decided or work.options.strip == "1":
        return
    fields: Fields = {name: (image.get_typeof(name), image.get(name)) for name in _BLOCKS if image.get_typeof(name)}
    work.decided["metadata"] = fields if work.options.strip == "0" else _attribution(image, fields)


def remember_profile(image: pyvips.Image, work: Work) -> None:
    """Takes down the profile in which the picture's colours stay."""
    work.decided.setdefault("profile", image.get(PROFILE))


def dressed(image: pyvips.Image, work: Work) -> tuple[pyvips.Image, int]:
    """A copy of `image` with exactly what is kept, and libvips' flags for the saver."""
    image = image.copy()
    _remove(image, lambda name: name.startswith("exif-") or name in (*_BLOCKS, *_NEVER, PROFILE))
    keep = 0
    fields = work.decided.get("metadata")
    if isinstance(fields, dict) and fields:
        for name, (kind, value) in fields.items():
            image.set_type(kind, name, value)
        # libvips has read the whole block again by now; what is removed here is left out of it when it is written.
        _remove(image, lambda name: bool(_THUMBNAIL.match(name)) or name in _NEVER)
        keep |= _KEEP_EXIF | _KEEP_XMP | _KEEP_IPTC
    profile = work.decided.get("profile")
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, PROFILE, profile)
        keep |= _KEEP_ICC
    return image, keep


def _remove(image: pyvips.Image, unwanted: Callable[[str], bool]) -> None:
    for name in image.get_fields():
        if unwanted(name):
            image.remove(name)


def _attribution(image: pyvips.Image, fields: Fields) -> Fields:
    """Author and copyright, as EXIF and (for formats without it) as XMP; from EXIF, else IPTC, else XMP."""
    found = {name: text for name in ("Artist", "Copyright") if (text := _first(_candidates(name, image, fields)))}
    if not found:
        return {}
    exif: Fields = {f"exif-ifd0-{name}": (pyvips.GValue.gstr_type, text) for name, text in found.items()}
    return exif | {"xmp-data": (pyvips.GValue.blob_type, _xmp(found))}


def _candidates(name: str, image: pyvips.Image, fields: Fields) -> Iterable[str]:
    field = f"exif-ifd0-{name}"
    if image.get_typeof(field):
        yield _ascii(str(image.get(field)))
    iptc, xmp = (fields.get(block, (0, None))[1] for block in ("iptc-data", "xmp-data"))
    if isinstance(iptc, bytes):
        at = iptc.find(_IPTC_RECORDS[name])
        if at >= 0:
            yield iptc[at + 5 : at + 5 + int.from_bytes(iptc[at + 3 : at + 5], "big")].decode(errors="replace")
    if isinstance(xmp, bytes):
        element = _within(xmp.decode(errors="replace"), f"dc:{_XMP_ELEMENTS[name]}")
        yield html.unescape(_within(element, "rdf:li"))


def _within(text: str, element: str) -> str:
    """What stands in the first element of that name; no parser of XML, and a few passes over the text at most."""
    start = text.find(f"<{element}")
    begin = text.find(">", start) + 1
    end = text.find(f"</{element}>", begin)
    return text[begin:end] if start >= 0 and begin > 0 and end >= 0 else ""


def _first(candidates: Iterable[str]) -> str | None:
    for text in candidates:
        # Control characters have no business in a name, and the savers take strings that end with zero.
        plain = re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()[:_LONGEST]
        if plain:
            return plain
    return None


def _ascii(shown: str) -> str:
    """The text of a field as libvips shows it: `text (text, ASCII, 5 components, 5 bytes)`."""
    both, tails = _ASCII_TAIL.subn("", shown)
    half = both[: (len(both) - 2) // 2]
    return half if tails and both == f"{half} ({half}" else shown


def _xmp(found: dict[str, str]) -> bytes:
    containers = {"Artist": "Seq", "Copyright": "Alt"}
    languages = {"Artist": "", "Copyright": ' xml:lang="x-default"'}
    properties = "".join(
        f"<dc:{_XMP_ELEMENTS[name]}><rdf:{containers[name]}><rdf:li{languages[name]}>{escape(text)}</rdf:li>"
        f"</rdf:{containers[name]}></dc:{_XMP_ELEMENTS[name]}>"
        for name, text in found.items()
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{properties}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
