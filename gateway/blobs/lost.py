"""A blob that a store which answers does not have: told apart from a store that is away, as no waiting brings it back."""

from __future__ import annotations

import logging
import time

LOG = logging.getLogger("pixgate.stores")

PAUSE_SECONDS = 1.0
"""Between two lines, at least: whoever asks for what is lost asks often."""


class LostBlobs:
    """Of one store, in one process."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._again = 0.0

    def tell(self, name: str) -> None:
        """Log the blob's name, unless another was logged a moment ago."""
        now = time.monotonic()
        if now >= self._again:
            self._again = now + PAUSE_SECONDS
            LOG.error(
                "store %s answers, but does not have the blob %s: `pixgate fsck` lists whatever is missing",
                self._store,
                name,
            )
