"""What a CDN is told, and how it says that it understood."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Change:
    """An object that shows something else now, or (no key) a bucket. `tag` is the one that answers carry."""

    tag: str
    bucket: str
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be forgotten, each tag once."""

    items: tuple[Change, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(change.tag for change in self.items)


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """A request to the URL of the settings. `success` is a member of the JSON answer that must be true; None: any 2xx."""

    method: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = b""
    success: str | None = None

    def accepted(self, status: int, answer: bytes) -> bool:
        """Whether an answer says that it was done."""
        if not 200 <= status < 300:
            return False
        if self.success is None:
            return True
        try:
            document = json.loads(answer)
        except ValueError:
            return False
        return isinstance(document, dict) and document.get(self.success) is True


def batches(tags: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The tags, so many at a time."""
    for start in range(0, len(tags), size):
        yield tags[start : start + size]
