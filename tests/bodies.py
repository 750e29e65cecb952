"""Bodies of answers that a test asked for and did not read.

A boto3 client keeps a connection for a body that nobody has read until the garbage collector finds both, long after the
test and inside another one, which then fails for a socket that it has never seen. So what a test leaves is closed at its
end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.response import StreamingBody


@contextmanager
def closed_at_the_end() -> Iterator[None]:
    """Close every streamed body that boto3 clients hand out in the block, once it is over."""
    opened: list[StreamingBody] = []
    make = StreamingBody.__init__

    def remember(self: StreamingBody, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        opened.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamingBody, "__init__", remember)
        yield
    for body in opened:
        body.close()
