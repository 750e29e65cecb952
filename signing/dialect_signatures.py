"""The signatures that URLs of imgproxy, thumbor and imagor carry, computed over the path as those programs see it.

imgproxy: HMAC-SHA256(key, salt + path), the path with its leading slash and without the signature's segment; cut to a
number of bytes; base64url without padding (docs.imgproxy.net, "Signing a URL").
thumbor: HMAC-SHA1(key, path), the path without a leading slash; base64url with padding (thumbor.readthedocs.io,
"Security"). imagor: the same, or SHA-256 or SHA-512, cut to a number of characters (its README, "Custom HMAC Signer").
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterable
from typing import Literal

Algorithm = Literal["sha1", "sha256", "sha512"]
IMGPROXY_SIZE = 32
"""Bytes of a whole imgproxy signature."""


def imgproxy_signature(key: bytes, salt: bytes, path: bytes, size: int = IMGPROXY_SIZE) -> str:
    """The signature of a path that starts with a slash; `size` in bytes before they are encoded."""
    return urlsafe_b64encode(_imgproxy(key, salt, path, size)).rstrip(b"=").decode("ascii")


def imgproxy_holds(signature: str, key: bytes, salt: bytes, path: bytes, size: int = IMGPROXY_SIZE) -> bool:
    """Whether a signature, padded or not, is that of the path; in constant time."""
    try:
        given = b64decode(signature.rstrip("=") + "=" * (-len(signature.rstrip("=")) % 4), b"-_", validate=True)
    except (Error, ValueError):
        given = b""
    return hmac.compare_digest(given, _imgproxy(key, salt, path, size))


def thumbor_signature(key: bytes, path: bytes, algorithm: Algorithm = "sha1", length: int = 0) -> str:
    """The signature of a path without its leading slash; `length` in characters, 0 for all of them."""
    signature = urlsafe_b64encode(hmac.digest(key, path, algorithm)).decode("ascii")
    return signature[:length] if length else signature


def thumbor_holds(
    signature: str, key: bytes, paths: Iterable[bytes], algorithm: Algorithm = "sha1", length: int = 0
) -> bool:
    """Whether a signature is that of one of the spellings of a path; in time that does not depend on which."""
    given = signature.encode("utf-8", "surrogateescape")
    found = False
    for path in paths:
        found |= hmac.compare_digest(given, thumbor_signature(key, path, algorithm, length).encode("ascii"))
    return found


def _imgproxy(key: bytes, salt: bytes, path: bytes, size: int) -> bytes:
    return hmac.digest(key, salt + path, "sha256")[:size]
