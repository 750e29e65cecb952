"""A path of imgproxy: `/<signature>/<options>/plain/<source>@<extension>`, or `/<signature>/<options>/<base64>.<extension>`.

In its presets-only mode the options are one part, `<preset>:<preset>`. The path is cut as sent; only the source and a file name are decoded. A query is no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gateway.img.dialects.arguments import base64_text, refuse, unescaped_text, unsupported
from gateway.img.dialects.imgproxy.asked import Asked, ParsedPreset
from gateway.img.dialects.imgproxy.geometry import RESIZING_TYPES
from gateway.img.dialects.imgproxy.pairs import pairs_of
from gateway.img.dialects.imgproxy.table import BESIDE_PRESETS, PRESET_OPTIONS, apply
from gateway.img.dialects.reading import Pair, Reading, Split
from gateway.img.dialects.sources import Sources
from gateway.img.target import AddressError, ImageByKey
from transforms.formats import OUTPUT_FORMATS

UNSIGNED = ("unsafe", "insecure", "_")
"""What stands in the signature's place of a URL that has none."""
DEFAULT_PRESET = "default"
"""The preset that every URL begins with, where there is one."""
_COLLAPSED = re.compile(r"(/plain/[A-Za-z0-9]+):/(?!/)")
_LOCAL = "/plain/local"


@dataclass(frozen=True, slots=True)
class ImgproxyRules:
    """What imgproxy has in its configuration and we in our settings."""

    sources: Sources
    presets: Mapping[str, ParsedPreset] = field(default_factory=dict)
    watermark: str | None = None
    auto_format: bool = False
    only_presets: bool = False


def split(target: str) -> Split:
    """A raw path without the dialect's prefix. Raises AddressError."""
    path = target.partition("?")[0]
    signature, slash, rest = path.removeprefix("/").partition("/")
    if not slash or not signature or not rest:
        raise AddressError("The path is /<signature>/<options>/plain/<source>@<extension>.", missing=True)
    rest = _whole_schemes("/" + rest)
    return Split(None if signature in UNSIGNED else signature, (rest.encode("utf-8", "surrogateescape"),), rest)


def read(rest: str, rules: ImgproxyRules) -> Reading:
    """What stands behind the signature. Raises AddressError and OptionError."""
    asked, parts, by_presets = _options(rest, rules)
    source, extension = _source(parts)
    if extension and not asked.raw:
        apply(asked, "format", (extension,))
        # Its presets-only mode leaves the format to the URL. A drawing in its own size is no matter of format alone.
        by_presets = by_presets and rules.only_presets and asked.format in OUTPUT_FORMATS
    address = rules.sources.locate(source)
    pairs = pairs_of(
        asked,
        watermark=rules.watermark,
        locate=lambda text: _object(rules.sources.locate(text)),
        auto_format=rules.auto_format,
    )
    return Reading(
        dialect="imgproxy",
        source=source,
        address=address,
        pairs=(*pairs, *_delivery(asked, address)),
        expires=asked.expires,
        presets=asked.named,
        by_presets=by_presets,
    )


def _whole_schemes(rest: str) -> str:
    """The path with the slashes of `scheme://` that proxies on the way have made one."""

    def whole(match: re.Match[str]) -> str:
        return match[1] + (":///" if match[1] == _LOCAL else "://")

    return _COLLAPSED.sub(whole, rest, count=1)


def _options(rest: str, rules: ImgproxyRules) -> tuple[Asked, list[str], bool]:
    """What is asked, the parts of the path behind it, and whether presets say it all."""
    parts = rest[1:].split("/")
    asked = Asked(presets=rules.presets)
    if DEFAULT_PRESET in rules.presets:
        apply(asked, "preset", (DEFAULT_PRESET,))
        asked.named = ()
    if rules.only_presets:
        apply(asked, "preset", parts[0].split(":"))
        return asked, parts[1:], True
    if parts[0] in RESIZING_TYPES:
        raise unsupported(parts[0], "options as name:value; imgproxy's basic URLs ended with its version 3")
    beside = True
    for index, part in enumerate(parts):
        name, *arguments = part.split(":")
        if not arguments:
            return asked, parts[index:], beside and len(asked.named) == 1
        apply(asked, name, arguments)
        beside = beside and (name in PRESET_OPTIONS or name in BESIDE_PRESETS)
    return asked, [], False


def _source(parts: list[str]) -> tuple[str, str]:
    """The source, decoded, and the extension behind it, empty where there is none."""
    if len(parts) > 1 and parts[0] == "plain":
        encoded, *extensions = "/".join(parts[1:]).split("@")
        decode = unescaped_text
    elif parts and parts[0] == "enc":
        raise unsupported("enc", "a source that is not encrypted")
    else:
        encoded, *extensions = "".join(parts).split(".")
        decode = base64_text
    if not encoded:
        raise AddressError("The path names no source.", missing=True)
    if len(extensions) > 1:
        raise refuse("source", "one extension behind it")
    return decode("source", encoded), extensions[0] if extensions else ""


def _delivery(asked: Asked, address: ImageByKey) -> list[Pair]:
    if not asked.attachment:
        return []
    # What stands behind the dot follows from the picture.
    return [("dl", asked.filename or PurePosixPath(address.key.decode("utf-8")).stem)]


def _object(address: ImageByKey) -> str:
    return f"{address.bucket}/{address.key.decode('utf-8')}"
