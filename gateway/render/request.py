"""What a worker asks of the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.render.rendition import Rendition
from gateway.render.source import Reduced, Segment, SourceOpener
from gateway.render.task import RENDITION, Task
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.rendering import DEFAULT_RENDERING, Rendering


class Beyond(Protocol):
    """The memories beyond this node, for one rendition."""

    async def look(self) -> Rendition | None:
        """The rendition, with `tier` set. Called where this node has none, at most twice (if the broker is restarted)."""

    def settled(self, rendition: Rendition | None) -> None:
        """What became of it after `look` was called: the rendition, or None where it failed. Called once; never waits."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One rendition that is wanted."""

    key: bytes
    """`transforms.epoch.derivative_key`: 32 bytes that fix the result."""
    options: str
    """`Options.canonical()`."""
    variant: str
    """`transforms.negotiate.variant`: avif, webp or empty."""
    source: Sequence[Segment] | SourceOpener
    """The stored image in order; or a coroutine function that gives it and is called at most once, on a miss."""
    limits: Limits = DEFAULT_LIMITS
    beyond: Beyond | None = None
    """Where to look before the source is opened."""
    rendering: Rendering = DEFAULT_RENDERING
    kind: str = RENDITION
    """What is made, of `gateway.render.task.KINDS`."""
    content: str = ""
    """A name of the source's bytes, under which it is remembered that they cost decoders; empty: it is not."""
    reduced: Reduced | None = None
    """The mezzanine that is the source. Where the broker has it, the opener is not called."""
    hot: bool = True
    """Whether it is worth a place in this worker's own memory."""
    later: bool = False
    """Whether nobody waits for it: what others ask for comes first."""
    parts: Mapping[str, bytes] = field(default_factory=dict)
    """Keys by name of what is made along with it."""

    @property
    def task(self) -> Task:
        """What a decoder is told."""
        return Task(self.options, self.variant, self.kind, self.limits, self.rendering)
