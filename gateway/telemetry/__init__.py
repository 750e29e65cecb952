"""What the server says about itself: one log line a request, and metrics."""

from __future__ import annotations

import time

from gateway.telemetry.log import LogWriter, request_line
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.request import RequestRecord, new_request_id

__all__ = ["Metrics", "RequestRecord", "Telemetry", "new_request_id"]


class Telemetry:
    """What a door tells: `begin()` when a request starts, `finish(record)` when its last byte is out."""

    __slots__ = ("_requests_logged", "_writer", "metrics")

    def __init__(self, metrics: Metrics, writer: LogWriter, *, log_requests: bool = True) -> None:
        self.metrics = metrics
        self._writer = writer
        self._requests_logged = log_requests

    def begin(self) -> None:
        self.metrics.begin()

    def finish(self, record: RequestRecord) -> None:
        seconds = time.perf_counter() - record.started
        self.metrics.finish(record, seconds)
        if self._requests_logged:
            self._writer.write(request_line(record, seconds))
