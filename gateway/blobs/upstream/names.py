"""Which object of which bucket is behind a blob's name.

    <prefix>/deployment                     the mark: id of the deployment that the place belongs to
    <prefix>/<deployment id>/<lease>/<n>    a blob of its own
    <prefix>/<deployment id>/<lease>/p<n>   several small ones

Names of adopted objects are `@<attachment>/v<version id>/<key>` or `@<attachment>/e<etag>/<key>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from signing.canonical import encode

NAME = re.compile(r"[0-9]+/p?[0-9]+", re.ASCII)
_ADOPTED = re.compile(r"@([0-9]+)/([ve])([^/]*)/(.+)", re.ASCII | re.DOTALL)
MARKER = b"deployment"
PROBE = b"probe"


@dataclass(frozen=True, slots=True)
class Adopted:
    """An object that somebody else wrote. Exactly one of `version_id` and `etag` is not None."""

    attachment: int
    key: bytes
    version_id: str | None
    etag: str | None

    @property
    def query(self) -> str:
        return "" if self.version_id is None else f"versionId={encode(self.version_id)}"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return () if self.etag is None else (("if-match", f'"{self.etag}"'),)


def parse_adopted(name: str) -> Adopted:
    """Raises ValueError."""
    match = _ADOPTED.fullmatch(name)
    if match is None:
        raise ValueError(f"not a blob's name: {name!r}")
    key = match[4].encode("utf-8", "surrogateescape")
    version = match[2] == "v"
    return Adopted(int(match[1]), key, match[3] if version else None, None if version else match[3])


def adopted_name(attachment: int, key: bytes, *, version_id: str | None = None, etag: str | None = None) -> str:
    """The name of an adopted object, for its row."""
    kept = f"v{version_id}" if version_id is not None else f"e{etag}"
    return f"@{attachment}/{kept}/{key.decode('utf-8', 'surrogateescape')}"


class Layout:
    """Keys below `prefix` (without slashes at its ends, perhaps empty) for one deployment."""

    def __init__(self, prefix: str, deployment: str) -> None:
        root = f"{prefix}/" if prefix else ""
        self.root = root.encode()
        self.base = f"{root}{deployment}/".encode()

    @property
    def marker(self) -> bytes:
        return self.root + MARKER

    def probe(self, token: str) -> bytes:
        return self.root + PROBE + f"-{token}".encode()

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
