"""`/img/<id>/srcset`: the URLs of one image in several widths, ready for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from gateway.img.asker import Asker
from gateway.img.errors import ImageError
from gateway.img.signature import LinkSignature, link_key, signed_by
from gateway.img.target import ImageById, Target, changed_by_browsers, url_of
from gateway.model.buckets import Bucket
from gateway.policy.ladder import ladder_of, on_ladder
from signing.image_link import sign_link
from transforms.errors import OptionError
from transforms.option_table import MAX_SIDE
from transforms.options import ImageRequest, parse_request

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WIDTHS = 32
LIFETIME = 604_800
"""Seconds that links hold which are signed for somebody who has no link himself."""
_OWN = ("widths", "sizes", "alt")
_MODERN = (("avif", "image/avif"), ("webp", "image/webp"))
"""What a `<picture>` offers before the source's own format, the smaller first."""
_NOT_HERE = {
    "w": "widths", "width": "widths", "h": "ar", "height": "ar", "dpr": "widths", "raw": "nothing of the kind",
    "dl": "nothing of the kind", "download": "nothing of the kind",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked: `widths` in pixels (empty: the bucket's ladder), and the options that all have in common."""

    widths: tuple[int, ...]
    sizes: str
    alt: str
    pairs: tuple[tuple[str, str], ...]
    pinned: bool
    """The URLs are to carry `v=`, and may then be kept for ever."""


def parse_wanted(pairs: Sequence[tuple[str, str]]) -> Wanted:
    """The parameters of a request. Raises OptionError."""
    own: dict[str, str] = {}
    common: list[tuple[str, str]] = []
    pinned = False
    for name, value in pairs:
        if name in _OWN:
            if name in own:
                raise OptionError(name, "each parameter at most once", "is repeated")
            own[name] = value
        elif name in _NOT_HERE:
            raise OptionError(name, f"{_NOT_HERE[name]} instead", "is not available here")
        elif name == "v":
            pinned = True
        else:
            common.append((name, value))
    return Wanted(_widths(own.get("widths")), own.get("sizes", "100vw"), own.get("alt", ""), tuple(common), pinned)


def _widths(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    expected = f"1 to {MAX_WIDTHS} widths from 1 to {MAX_SIDE}, separated by commas"
    pieces = text.split(",")
    if len(pieces) > MAX_WIDTHS or not all(piece.isascii() and piece.isdigit() and len(piece) < 6 for piece in pieces):
        raise OptionError("widths", expected)
    widths = tuple(sorted({int(piece) for piece in pieces}))
    if not 1 <= widths[0] <= widths[-1] <= MAX_SIDE:
        raise OptionError("widths", expected)
    return widths


@dataclass(frozen=True, slots=True)
class Linker:
    """Makes URLs of one image for one asker, each beginning with `base`."""

    base: str
    bucket: Bucket
    target: Target
    asker: Asker
    find_preset: Callable[[str], str | None]
    only_presets: bool
    now: float
    image_id: str | None = None
    """Of what the key means now."""

    def url(self, pairs: Sequence[tuple[str, str]]) -> str:
        """A URL that the asker may use and pass on: unsigned where anyone may, else signed with the asker's key.

        Raises OptionError, ImageError NotOnLadder and PresetNeeded.
        """
        request = self.parse(pairs)
        path = self._path()
        signature = self.target.signature
        if isinstance(signature, LinkSignature) and self.asker.by_link:
            signed = signed_by(self.asker.principal, signature.claims, path, list(pairs))
            if signed is not None:
                return self.base + signed
        if self._open(request, frozenset(name for name, _ in pairs)):
            return self.base + url_of(path, pairs)
        key = self.asker.principal.access_key
        if key is None or self.asker.by_link:
            raise ImageError("PresetNeeded" if self.only_presets else "NotOnLadder")
        expires = int(self.now) + LIFETIME
        return self.base + sign_link(path, pairs, key_id=key.access_key, key=link_key(key), expires=expires)

    def parse(self, pairs: Sequence[tuple[str, str]]) -> ImageRequest:
        """What pairs ask for. Raises OptionError."""
        return parse_request(pairs, self.find_preset)

    def _path(self) -> str:
        address = self.target.address
        if isinstance(address, ImageById):
            return f"/img/{address.image_id}"
        if self.image_id is not None and changed_by_browsers(address.key):
            return f"/img/{self.image_id}"
        return f"/img/{address.bucket}/{address.key.decode('utf-8')}"

    def _open(self, request: ImageRequest, named: frozenset[str]) -> bool:
        bucket = self.bucket
        return (
            bucket.images_public
            and bucket.owner.enabled
            and not self.only_presets
            and on_ladder(request, named, bucket.ladder, bucket.images.max_width)
        )


def document(linker: Linker, wanted: Wanted, tag: Callable[[ImageRequest], str]) -> dict[str, object]:
    """What is answered. `tag` gives the value of `v=` for a request. Raises as `Linker.url` does."""
    bucket = linker.bucket
    if linker.only_presets:
        raise ImageError("PresetNeeded")
    widths = wanted.widths or ladder_of(bucket.ladder, bucket.images.max_width)
    if not widths:
        raise OptionError("widths", "at least one width", "is empty")

    def url(width: int, form: str | None) -> str:
        pairs = [("w", str(width)), *wanted.pairs]
        if form is not None:
            pairs.append(("f", form))
        if wanted.pinned:
            pairs.append(("v", tag(linker.parse(pairs))))
        return linker.url(pairs)

    def srcset(form: str | None) -> str:
        return ", ".join(f"{url(width, form)} {width}w" for width in widths)

    named_format = any(name in ("f", "format") for name, _ in wanted.pairs)
    sources = [] if named_format else [{"type": media, "srcset": srcset(form)} for form, media in _MODERN]
    src, plain = url(widths[-1], None), srcset(None)
    image = (
        f'<img src="{escape(src)}" srcset="{escape(plain)}" sizes="{escape(wanted.sizes)}" alt="{escape(wanted.alt)}" '
        'loading="lazy" decoding="async">'
    )
    offered = "".join(
        f'<source type="{one["type"]}" srcset="{escape(one["srcset"])}" sizes="{escape(wanted.sizes)}">'
        for one in sources
    )
    return {
        "src": src,
        "srcset": plain,
        "sizes": wanted.sizes,
        "widths": list(widths),
        "sources": sources,
        "img": image,
        "picture": f"<picture>{offered}{image}</picture>",
    }
