"""What can go wrong with rendering besides the image itself (for that see `transforms.errors`).

RenderError
  RenderBusy          the queue is full; nothing was started
  RenderTimeout       this render took too long and was ended
  RenderCrashed       the process that rendered it died
  SourceUnreadable    the stored bytes could not be read as far as their segments say
  BrokerUnavailable   no render broker answers, or it cannot run a decoder
"""

from __future__ import annotations

from typing import Final


class RenderError(Exception):
    """Base of the facts about the render machinery; each concerns one request and may be retried later."""


class RenderBusy(RenderError):
    """More work is queued than allowed; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after: Final = max(1, retry_after)
        super().__init__(f"The render queue is full; try again in {self.retry_after} s.")


class RenderTimeout(RenderError):
    """The render passed its time limit; its decoder was replaced."""


class RenderCrashed(RenderError):
    """The decoder died during this render (a crash, or its memory or CPU limit); it was replaced."""


class SourceUnreadable(RenderError):
    """A file of the source is shorter than its segment says, or reading it failed: nothing is said about the image."""


class BrokerUnavailable(RenderError):
    """No broker answers on the socket, or it says that it cannot render at all."""
