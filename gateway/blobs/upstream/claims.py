"""What deployments keep for themselves in a bucket: this one, and others that share it."""

from __future__ import annotations

import re

from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import Refused
from gateway.blobs.upstream.marker import MARKER_BYTES
from gateway.blobs.upstream.names import MARKER, Layout
from gateway.blobs.upstream.request import Request

FORM = re.compile(
    rb"((?:.*/)?)(?:deployment|probe-[0-9a-f]{16}|([0-9a-f]{16})/[0-9]+/p?[0-9]+|(?:cache|variants)/([0-9a-f]{16})/.+)",
    re.DOTALL,
)
"""How keys of any deployment look (see Layout): what its mark is below, and the deployment's id where the key has it."""
ID = re.compile(rb"[0-9a-f]{16}")
NO_MARK = frozenset({400, 403, 404, 405, 416})
"""Answers that say: none there, an empty object, or one that is not for us to read."""


class UpstreamClaims:
    """For one run: each mark is read once, and only where a key looks as if it belonged to it."""

    def __init__(self, client: Client, bucket: str, own: Layout | None) -> None:
        self._client = client
        self._bucket = bucket
        self._own = own
        self._seen: dict[bytes, bytes | None] = {}

    async def of(self, key: bytes) -> bytes | None:
        """The key of the mark whose deployment keeps this object for itself; None: it is like any other.

        Raises UpstreamError.
        """
        if self._own is not None and self._own.is_ours(key):
            return self._own.marker
        form = FORM.fullmatch(key)
        if form is None:
            return None
        root, *ids = form.groups()
        mark = root + MARKER
        if mark not in self._seen:
            self._seen[mark] = await self._deployment(mark)
        deployment = self._seen[mark]
        named = next(filter(None, ids), deployment)
        return mark if deployment is not None and named == deployment else None

    async def _deployment(self, mark: bytes) -> bytes | None:
        """The id that the mark holds; None where it is no mark. It may be an object of any size that is only called so."""
        request = Request("GetObject", "GET", self._bucket, mark, headers=(("range", f"bytes=0-{MARKER_BYTES - 1}"),))
        try:
            stream = await self._client.stream(request)
        except Refused as error:
            if error.status in NO_MARK:
                return None
            raise
        content = b""
        try:
            while len(content) <= MARKER_BYTES and (piece := await stream.read()):
                content += piece
        finally:
            stream.close()
        found = content.strip()
        return found if ID.fullmatch(found) else None
