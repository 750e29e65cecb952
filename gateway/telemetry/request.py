"""What one request leaves behind for the log and the metrics. The door fills it in while it works."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from random import Random

_random = Random()  # noqa: S311 -- request ids need to differ, not to be secret


def seed_request_ids() -> None:
    """Give this process its own sequence. Call after a fork."""
    _random.seed(os.urandom(16))


def new_request_id() -> str:
    """16 upper-case hexadecimal digits."""
    return f"{_random.getrandbits(64):016X}"


@dataclass(slots=True)
class RequestRecord:
    """`started` is from `time.perf_counter()`; bytes are of bodies, without headers and framing."""

    request_id: str = field(default_factory=new_request_id)
    started: float = field(default_factory=time.perf_counter)
    door: str = "s3"
    method: str = ""
    operation: str = "Unknown"
    bucket: str | None = None
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    error_code: str | None = None
    access_key: str | None = None
    body_mode: str | None = None
    remote: str | None = None
