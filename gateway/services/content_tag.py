"""The tag of a content: what `v=` in an image URL must equal for the answer to be kept for ever."""

from __future__ import annotations

import hashlib

from gateway.model.objects import ObjectVersion
from transforms.options import Options

FOCAL_POINT = "x-amz-meta-focal-point"


def content_tag(uid: bytes, *extras: bytes) -> str:
    """16 hexadecimal digits for a content's uid. `extras` are what else decides the picture and is not in its URL.

    The uid is random, so the tag tells nothing of the bytes.
    """
    hashed = hashlib.sha256(b"pixgate-v\0" + uid)
    for extra in extras:
        hashed.update(len(extra).to_bytes(4, "big") + extra)
    return hashed.hexdigest()[:16]


def rendition_tag(
    version: ObjectVersion, options: Options, *, preset: str | None = None, overlays: tuple[bytes, ...] = ()
) -> str:
    """The tag for one URL of a version: with the text of the preset that it names, its watermarks' uids, and the focal
    point that is stored with the object, where it has an effect. Raises ValueError for a delete marker.
    """
    if version.content is None:
        raise ValueError("a delete marker has no content")
    extras = [] if preset is None else [b"p" + preset.encode()]
    extras += [b"o" + uid for uid in overlays]
    if options.g is None:
        extras += [b"f" + value.encode() for name, value in version.headers if name == FOCAL_POINT]
    return content_tag(version.content.uid, *extras)
