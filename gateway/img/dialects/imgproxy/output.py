"""Reads imgproxy's options about format, quality and metadata of the result."""

from __future__ import annotations

from gateway.img.dialects.arguments import refuse, switch, unsupported, whole
from gateway.img.dialects.imgproxy.arguments import Arguments, few, given, one
from gateway.img.dialects.imgproxy.asked import Asked


def strip_metadata(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.strip_metadata = switch(name, one(name, arguments))


def keep_copyright(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.keep_copyright = switch(name, one(name, arguments))


def strip_profile(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.strip_profile = switch(name, one(name, arguments))


def quality(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.quality = whole(name, one(name, arguments), 0, 100)


def format_quality(asked: Asked, name: str, arguments: Arguments) -> None:
    if len(arguments) % 2:
        raise refuse(name, "pairs of a format and a quality")
    for kind, quality in zip(arguments[::2], arguments[1::2], strict=True):
        asked.format_quality[_format_name(kind)] = whole(name, quality, 0, 100)


def auto_quality(asked: Asked, name: str, arguments: Arguments) -> None:
    method, *rest = arguments
    if method not in ("none", "dssim") or any(rest):
        raise unsupported(name, "dssim without further arguments, which is our q=auto")
    asked.auto_quality = method == "dssim"


def max_bytes(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.max_bytes = whole(name, one(name, arguments))


def jpeg_options(asked: Asked, name: str, arguments: Arguments) -> None:
    if any(text and switch(name, text) for text in arguments[1:5]) or given(arguments, 5) not in ("", "0"):
        raise unsupported(name, "progressive alone")
    if arguments[0]:
        asked.progressive = switch(name, arguments[0])


def png_options(asked: Asked, name: str, arguments: Arguments) -> None:
    few(name, arguments, 3)
    if arguments[0]:
        asked.progressive = switch(name, arguments[0])
    if given(arguments, 1):
        colours = whole(name, given(arguments, 2) or "256", 2, 256)
        asked.palette = colours if switch(name, arguments[1]) else 0


def webp_options(asked: Asked, name: str, arguments: Arguments) -> None:
    if arguments[0] not in ("", "lossy", "lossless") or any(arguments[1:]):
        raise unsupported(name, "lossy or lossless, and nothing else")
    asked.lossless = arguments[0] == "lossless"


def output_format(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.format = _format_name(one(name, arguments))


def _format_name(text: str) -> str:
    return {"jpg": "jpeg", "tif": "tiff"}.get(text, text)


def page(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.page = whole(name, one(name, arguments), 0, 9999)


def disable_animation(asked: Asked, name: str, arguments: Arguments) -> None:
    asked.still = switch(name, one(name, arguments))


def skip(asked: Asked, name: str, arguments: Arguments) -> None:
    if not all(arguments):
        raise refuse(name, "formats")
    asked.skip |= {_format_name(kind) for kind in arguments}
