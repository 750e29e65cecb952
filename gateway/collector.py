"""Python's garbage collector while a process starts."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import without the collector, which looks at ever more objects and finds next to nothing to free.

    What is there afterwards stays, and is never looked at again: it is shared with forked processes for good.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
