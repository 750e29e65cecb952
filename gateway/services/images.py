"""Image ids: every version whose bytes are an image's has one, for ever."""

from __future__ import annotations

import base64
import re
import secrets

from transforms.sniff import sniff

SHAPE = re.compile(r"I[A-Z2-7]{26}")
"""An upper-case letter first: no bucket can have such a name."""


def new_image_id(first: bytes) -> str | None:
    """A random 128-bit id where the first bytes (512 are enough) are an image's; None where they are not."""
    return None if sniff(first) is None else random_image_id()


def random_image_id() -> str:
    return "I" + base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")


def is_image_id(text: str) -> bool:
    return SHAPE.fullmatch(text) is not None
