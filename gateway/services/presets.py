"""Named sets of options: a bucket's own, and the server's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.model.buckets import Bucket


class Presets:
    """Compact forms by name. `server` are those of the settings."""

    def __init__(self, server: Mapping[str, str]) -> None:
        self._server = server

    def find(self, bucket: Bucket) -> Callable[[str], str | None]:
        """What finds the compact form of a name for images of `bucket`: its own win. None for a name of neither."""
        own, server = bucket.images.presets, self._server

        def named(name: str) -> str | None:
            return own[name] if name in own else server.get(name)

        return named

    def of_bucket(self, bucket: Bucket, name: str) -> bool:
        """Whether a preset is the bucket's own, so that its owner wrote it and not the server's administrator."""
        return name in bucket.images.presets
