"""The codec epoch: changes whenever the same request could render to other bytes. And the keys made with it.

It is read from the metadata of the installed distributions: the libvips that renders, with every codec inside it, is
the one that `pyvips-binary` carries (`transforms.codecs.vips` checks that in each decoder), so nothing of it needs to
be imported here. Processes that never decode compute the same epoch.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PIPELINE_REVISION = 3
"""Ours: raise it with every change of the pipeline, of a default or of an effort table that can change bytes."""

_DECIDING = {
    "vips": "pyvips-binary",
    "pillow": "Pillow",
    "heif": "pillow-heif",
    "jxl": "pillow-jxl-plugin",
    "pdf": "pypdfium2",
    "faces": "opencv-python-headless",
}
"""The distributions whose versions decide bytes."""


@cache
def codec_epoch() -> str:
    """A short readable text such as `3-x86_64-vips8.18.7-pillow13.0.0-heif1.8.1`; extras that are not installed are left out."""
    versions = ((name, _version(distribution)) for name, distribution in _DECIDING.items())
    codecs = "-".join(f"{name}{version}" for name, version in versions if version)
    return f"{PIPELINE_REVISION}-{platform.machine()}-{codecs}"


def derivative_key(
    content_uid: bytes,
    canonical: str,
    variant: str,
    epoch: str | None = None,
    *,
    tag: str = "",
    overlays: Sequence[bytes] = (),
) -> bytes:
    """The 32-byte name of a rendition, in every cache and (in hex) in its ETag.

    `canonical` is `Options.canonical()`, `variant` is `negotiate.variant(options, accept_class)`, `epoch` this
    process's unless given, `tag` is `Rendering.tag`, `overlays` the contents that are laid over it. Each part goes in
    with its length, so no two different requests share a key.
    """
    digest = hashlib.sha256(b"pixgate-derivative-v1")
    parts = (content_uid, canonical.encode(), variant.encode(), (epoch or codec_epoch()).encode(), tag.encode())
    for part in (*parts, *overlays):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
