"""Which object of which bucket is behind a blob's name.

    <prefix>/deployment                     the mark: id of the deployment that the place belongs to
    <prefix>/probe-<random>                 what the store is tried with, for a moment
    <prefix>/<deployment id>/<lease>/<n>    a blob of its own
    <prefix>/<deployment id>/<lease>/p<n>   several small ones

Names of adopted objects are made by `gateway.blobs.adopted`.
"""

from __future__ import annotations

import re
import secrets

LEASE = re.compile(rb"0|[1-9][0-9]*")
NAME = re.compile(r"(?:0|[1-9][0-9]*)/p?[0-9]+", re.ASCII)
MARKER = b"deployment"
PROBE = re.compile(rb"probe-[0-9a-f]{16}")


def new_probe(root: bytes) -> bytes:
    """A key below `root` (empty, or with a slash at its end) for an object that a store is tried with; new each time."""
    return root + b"probe-" + secrets.token_hex(8).encode()


def is_probe(key: bytes, root: bytes) -> bool:
    """Whether `new_probe` may have made this key."""
    return key.startswith(root) and PROBE.fullmatch(key, len(root)) is not None


class Layout:
    """Keys below `prefix` (without slashes at its ends, perhaps empty) for one deployment."""

    def __init__(self, prefix: str, deployment: str) -> None:
        root = f"{prefix}/" if prefix else ""
        self.root = root.encode()
        self.base = f"{root}{deployment}/".encode()
        # Where `gateway.cache.upstream` keeps renditions.
        self._cache = tuple(f"{root}{folder}/{deployment}/".encode() for folder in ("cache", "variants"))

    @property
    def marker(self) -> bytes:
        return self.root + MARKER

    def is_ours(self, key: bytes) -> bool:
        """Whether it is the mark, a probe, or a blob or rendition of this deployment."""
        if key == self.marker or key.startswith((self.base, *self._cache)):
            return True
        return is_probe(key, self.root)

    def key(self, name: str) -> bytes:
        """The object behind a name of ours. Raises ValueError."""
        if NAME.fullmatch(name) is None:
            raise ValueError(f"not a blob's name: {name!r}")
        return self.base + name.encode()

    def lease(self, lease: int) -> bytes:
        return self.base + f"{lease}/".encode()

    def name(self, key: bytes) -> str | None:
        """The name behind a key of a listing; None for what is not ours."""
        try:
            name = key.removeprefix(self.base).decode("ascii")
        except UnicodeDecodeError:
            return None
        return name if NAME.fullmatch(name) else None

    def stray(self, key: bytes) -> str | None:
        """What a key of a listing is called from the deployment's folder on; None for a blob and for what lies elsewhere.

        The folder itself, which some tools make as an empty object, is none.
        """
        if not key.startswith(self.base) or key == self.base or self.name(key) is not None:
            return None
        return key.removeprefix(self.base).decode("utf-8", "surrogateescape")

    def stray_key(self, name: str) -> bytes | None:
        """The object behind a stray's name; None where a server on the way might take the key for another one.

        Such are keys with `//` or with `.` or `..` between slashes, which some resolve as paths: what they would delete
        then could be a blob, or lie elsewhere. Raises ValueError for a blob's name.
        """
        if not name or NAME.fullmatch(name) is not None:
            raise ValueError(f"not a stray's name: {name!r}")
        if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
            return None
        return self.base + name.encode("utf-8", "surrogateescape")
