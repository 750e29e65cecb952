"""Differences that are known, a reason each: server -> case id -> why. One that goes away is reported too."""

from __future__ import annotations

KNOWN: dict[str, dict[str, str]] = {
    "pixgate": {
        "PutObject/checksum_by_default": "a checksum that nobody asked for is not computed: it would slow every upload",
        "CopyObject/of_a_multipart_object": "a copy shares the source's content, and so its ETag and its parts",
    },
    "minio": {},
}
