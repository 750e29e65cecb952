"""Names of adopted objects: blobs that somebody else wrote, and may change.

    @<attachment>.<blob>/<bucket>/v<version id>/<key>   a version, which never changes
    @<attachment>.<blob>/<bucket>/e<ETag>/<key>         the object as long as it has this ETag
    @<attachment>.<blob>/<bucket>/n<ETag>/<key>         the `null` version of a bucket with versions, likewise

A name tells all that reading takes, so that no process has to know of attachments. The id of its row makes each name one
of its own: an object that changes and changes back is two blobs. Version id and ETag are percent-encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

MARK = "@"
NULL_VERSION = "null"
_NAME = re.compile(r"@([0-9]+)\.([0-9]+)/([^/]+)/([ven])([^/]*)/(.+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AdoptedName:
    """What a name says. `version_id` and `etag` are what a read is pinned by; at least one is not None."""

    attachment: int
    bucket: str
    key: bytes
    version_id: str | None
    etag: str | None


def is_adopted(name: str) -> bool:
    return name.startswith(MARK)


def adopted_name(attachment: int, blob: int, bucket: str, key: bytes, version_id: str | None, etag: str) -> str:
    """The name of an adopted object. `version_id` is None where its bucket has no versions. `key` must be UTF-8."""
    if version_id is None:
        pin = "e" + quote(etag, safe="")
    elif version_id == NULL_VERSION:
        pin = "n" + quote(etag, safe="")
    else:
        pin = "v" + quote(version_id, safe="")
    return f"{MARK}{attachment}.{blob}/{bucket}/{pin}/{key.decode()}"


def parse_adopted(name: str) -> AdoptedName:
    """Raises ValueError."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"not the name of an adopted object: {name!r}")
    kind, pin = match[4], unquote(match[5])
    version_id = {"v": pin, "n": NULL_VERSION}.get(kind)
    return AdoptedName(int(match[1]), match[3], match[6].encode(), version_id, None if kind == "v" else pin)
