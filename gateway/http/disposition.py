"""Content-Disposition for downloads (RFC 6266, with the encoding of RFC 8187)."""

from __future__ import annotations

import re
from urllib.parse import quote

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"\\/:*?<>|]")
_UNESCAPED = "!#$&+-.^_`|~"
"""What RFC 8187, section 3.2.1, leaves unescaped besides letters and digits."""


def attachment(name: str, kind: str = "attachment") -> str:
    """The value for saving under `name`, in which what no file system takes has become an underscore.

    `kind` is `inline` for what is shown, and saved under that name if at all. Clients that know only the old form get the
    name in ASCII, with underscores for the rest.
    """
    safe = _UNSAFE.sub("_", name).strip(" .") or "download"
    plain = "".join(character if character.isascii() else "_" for character in safe)
    value = f'{kind}; filename="{plain}"'
    if plain == safe and "%" not in safe:
        return value
    encoded = quote(safe.encode("utf-8", "replace"), safe=_UNESCAPED)
    return f"{value}; filename*=UTF-8''{encoded}"


def with_extension(name: str, media_type: str) -> str:
    """The name, ending as its media type wants: a picture is not saved as something that would be run."""
    endings = _ENDINGS.get(media_type, ())
    if not endings or name.lower().endswith(endings):
        return name
    return name + endings[0]


_ENDINGS: dict[str, tuple[str, ...]] = {
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/avif": (".avif",),
    "image/gif": (".gif",),
    "image/tiff": (".tif", ".tiff"),
    "image/svg+xml": (".svg",),
    "image/heic": (".heic", ".heif"),
    "image/jxl": (".jxl",),
    "image/bmp": (".bmp",),
    "application/pdf": (".pdf",),
}
