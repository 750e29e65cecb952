"""Renders that failed and would fail again: remembered for the whole node, for a while.

A picture that kills decoders or keeps them busy until they are ended does so under every name: once a few renditions of
one content ended so, nothing of that content is tried for a while.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from gateway.render import wire
from gateway.render.errors import RenderCrashed, RenderTimeout
from transforms.errors import DecodeFailed, DrawingTooSlow, NotAnImage, UnsupportedFormat

BROKEN = (NotAnImage, UnsupportedFormat, DecodeFailed)
"""Failures that the same bytes will meet again."""
POISONOUS = (RenderCrashed, RenderTimeout, DrawingTooSlow)
"""Failures that cost a decoder."""
POISONED_AT = 3
"""Renditions of one content that may cost a decoder."""
_MAX_KEYS = 4096
_MAX_CONTENTS = 1024


class FailureMemory:
    """Failures by key, and by content where it is poisonous.

    What is broken is remembered for `broken_seconds`, what cost a decoder for `poison_seconds`.
    """

    def __init__(
        self, broken_seconds: float, poison_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._broken_seconds = broken_seconds
        self._poison_seconds = poison_seconds
        self._clock = clock
        self._keys: OrderedDict[str, tuple[dict[str, Any], float]] = OrderedDict()
        self._contents: OrderedDict[str, deque[tuple[float, bool]]] = OrderedDict()

    def find(self, key: str, content: str) -> dict[str, Any] | None:
        """The head of the "fail" message for what need not be tried, else None. `content` may be empty: not known."""
        known = self._keys.get(key)
        now = self._clock()
        if known is not None and known[1] > now:
            return known[0]
        ends = self._contents.get(content)
        if ends is not None and len(ends) == POISONED_AT and ends[0][0] > now:
            if all(drawn for _, drawn in ends):
                return wire.failure_head(DrawingTooSlow())
            return wire.failure_head(RenderCrashed("Several renditions of this image ended their decoder."))
        return None

    def remember(self, key: str, content: str, error: Exception) -> None:
        """Takes note of a failure, if it is of those that come again."""
        now = self._clock()
        if isinstance(error, POISONOUS):
            ends = now + self._poison_seconds
            if content:
                known = self._contents.setdefault(content, deque(maxlen=POISONED_AT))
                known.append((ends, isinstance(error, DrawingTooSlow)))
                self._contents.move_to_end(content)
        if isinstance(error, BROKEN):
            ends = now + self._broken_seconds
        elif not isinstance(error, POISONOUS):
            return
        self._keys[key] = (wire.failure_head(error), ends)
        self._keys.move_to_end(key)
        if len(self._keys) > _MAX_KEYS:
            self._keys.popitem(last=False)
        if len(self._contents) > _MAX_CONTENTS:
            self._contents.popitem(last=False)
