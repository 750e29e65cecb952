"""What a bucket may say of its images: every value is checked when it is written, so that no request finds it broken."""

from __future__ import annotations

import re
from collections.abc import Collection

from gateway.errors import InvalidValue
from gateway.model.buckets import BucketImages
from gateway.model.objects import MAX_KEY_BYTES
from transforms.errors import OptionError
from transforms.options import compact_pairs, parse_compact, parse_request

MAX_PRESETS = 200
MAX_PRESET_CHARACTERS = 2_000
MAX_RENDITIONS = 20
MAX_WIDTH = 16_384
MAX_ORIGINS = 100
PRESET_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
VIEW_SEPARATOR = "--"
"""Between the names of a bucket and a preset in the name of a view."""
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?|https?://\[[0-9a-f:]+\](?::[0-9]{1,5})?")


def check_preset(name: str, text: str) -> None:
    """Raises InvalidValue where the name or the compact options of a preset are none."""
    if not PRESET_NAME.fullmatch(name):
        raise InvalidValue(f"A preset's name is 1 to 64 letters, digits, dots, underscores and hyphens, not {name!r}.")
    if len(text) > MAX_PRESET_CHARACTERS:
        raise InvalidValue(f"The preset {name} is longer than {MAX_PRESET_CHARACTERS} characters.")
    try:
        pairs = compact_pairs(text)
        for option, _ in pairs:
            if option in ("p", "preset", "v"):
                raise OptionError(option, "an option that a preset may hold", "is not available in a preset")
        parse_request(pairs)
    except OptionError as error:
        raise InvalidValue(f"The preset {name}: {error}") from None


def check_images(images: BucketImages, server_presets: Collection[str] = ()) -> None:
    """Raises InvalidValue for the first thing that would not work. `server_presets` are names beyond the bucket's own."""
    if len(images.presets) > MAX_PRESETS:
        raise InvalidValue(f"A bucket has at most {MAX_PRESETS} presets.")
    for name, text in images.presets.items():
        check_preset(name, text)
    if images.max_width is not None and not 1 <= images.max_width <= MAX_WIDTH:
        raise InvalidValue(f"The widest result is 1 to {MAX_WIDTH} pixels.")
    if images.fallback is not None and not 0 < len(images.fallback.encode("utf-8", "surrogateescape")) <= MAX_KEY_BYTES:
        raise InvalidValue(f"The key of the fallback image has 1 to {MAX_KEY_BYTES} bytes.")
    if len(images.renditions) > MAX_RENDITIONS:
        raise InvalidValue(f"At most {MAX_RENDITIONS} renditions are made of an upload.")
    for text in images.renditions:
        _check_rendition(text, {*images.presets, *server_presets})
    if len(images.cors) > MAX_ORIGINS:
        raise InvalidValue(f"At most {MAX_ORIGINS} origins may read renditions.")
    for origin in images.cors:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise InvalidValue(f"An origin is `*` or such as https://www.example.org, in lower case, not {origin!r}.")


def _check_rendition(text: str, presets: Collection[str]) -> None:
    if text.startswith("p:"):
        if text[2:] not in presets:
            raise InvalidValue(f"The rendition {text}: neither the bucket nor the server has a preset {text[2:]!r}.")
        return
    try:
        parse_compact(text)
    except OptionError as error:
        raise InvalidValue(f"The rendition {text}: {error}") from None


def view_readings(name: str) -> list[tuple[str, str]]:
    """The pairs of bucket and preset whose view `name` may be, the longest bucket first."""
    found = []
    at = name.rfind(VIEW_SEPARATOR)
    while at > 0:
        bucket, preset = name[:at], name[at + len(VIEW_SEPARATOR) :]
        if PRESET_NAME.fullmatch(preset):
            found.append((bucket, preset))
        at = name.rfind(VIEW_SEPARATOR, 0, at + len(VIEW_SEPARATOR) - 1)
    return found
