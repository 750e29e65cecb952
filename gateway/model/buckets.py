"""Buckets, and how the transform door treats their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.accounts import Account
from gateway.model.contents import Encryption


class Versioning(StrEnum):
    UNVERSIONED = "Unversioned"
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class BucketImages:
    """How the transform door treats a bucket's images, beyond whether it is open and its ladder."""

    presets: Mapping[str, str] = field(default_factory=dict)
    """The bucket's own presets: compact options by name. They win over the server's."""
    only_presets: bool = False
    """Links, signed or not, may name a preset and nothing else about pixels."""
    max_width: int | None = None
    """The widest result, and the highest, without a signature; in pixels."""
    fallback: str | None = None
    """Key in the bucket of the image that is shown for one that is missing or broken, with the error's status."""
    renditions: tuple[str, ...] = ()
    """Compact options, or `p:<preset>`, of the renditions that are made when an image is uploaded."""
    exif: bool = False
    """Whether `info` tells the EXIF, places too, to whoever may see the image; its owner always may."""
    raw: bool = True
    """Whether a signed link may have the stored bytes (`raw=1`)."""
    cors: tuple[str, ...] = ("*",)
    """Origins that scripts may read renditions from; `*` is all, as pictures carry no cookie."""
    purge: bool = False
    """Whether the purge webhook is told of what is overwritten or deleted."""
    catalogue: bool = False
    """Whether what S3 clients write is made known to apps and processed, as what apps upload is."""


@dataclass(frozen=True, slots=True)
class Bucket:
    id: int
    name: str
    owner: Account
    region: str
    versioning: Versioning
    created_ms: int
    images_public: bool = False
    ladder: tuple[int, ...] = ()
    store: str | None = None
    """Where its new blobs go; None: where the node's settings say."""
    encryption: Encryption | None = None
    """`AES256`: what is put without asking for encryption is encrypted all the same."""
    images: BucketImages = field(default_factory=BucketImages)
    known_images: bool = False
    """Some of its images have, or had, a row of their own, whose visibility counts instead of the bucket's."""
