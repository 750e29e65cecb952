"""One JSON object a line on standard output, through a bounded queue: a blocked output stops nothing.

Lines are gathered on the event loop and handed to a thread some times a second. When the thread cannot get rid of them
and the queue is full, lines are dropped and counted. Values that a client controls are escaped; queries, headers, keys
and secrets are not among the fields at all.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import queue
import select
import stat
import threading
import time
import traceback
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from gateway.telemetry.request import RequestRecord

FLUSH_INTERVAL = 0.05
QUEUE_LINES = 20_000
"""Lines that may wait for a blocked output."""
BATCH_LINES = 500


class LogWriter:
    """Writes lines to a file descriptor from a thread of its own. `dropped(n)` is told of lines that were lost."""

    def __init__(self, fd: int = 1, *, dropped: Callable[[int], None]) -> None:
        self._fd = fd
        self._dropped = dropped
        self._lines: list[str] = []
        self._batches: queue.SimpleQueue[tuple[bytes, int] | None] = queue.SimpleQueue()
        self._waiting = 0  # lines handed over and not yet written
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Several workers share the output. A pipe keeps writes of up to PIPE_BUF bytes whole, no more.
        self._piece = select.PIPE_BUF if stat.S_ISFIFO(os.fstat(fd).st_mode) else 1 << 20
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Gather lines on this loop from now on; until then each is handed over at once."""
        self._loop = loop

    def write(self, line: str) -> None:
        """Queue a line, newline included. Call on the attached loop's thread."""
        lines = self._lines
        lines.append(line)
        if self._loop is None or len(lines) >= BATCH_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_INTERVAL, self.flush)

    def write_from_anywhere(self, line: str) -> None:
        """Queue a line from any thread."""
        self._hand_over(line, 1)

    def flush(self) -> None:
        """Hand what is gathered to the thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._hand_over("".join(lines), len(lines))

    def close(self, timeout: float = 1.0) -> None:
        """Write what waits, for at most `timeout` seconds."""
        self.flush()
        self._batches.put(None)
        self._thread.join(timeout)

    def _hand_over(self, text: str, lines: int) -> None:
        with self._lock:
            fits = self._waiting + lines <= QUEUE_LINES
            if fits:
                self._waiting += lines
        if fits:
            self._batches.put((text.encode(), lines))
        else:
            self._dropped(lines)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            data, lines = batch
            try:
                for start, end in _cuts(data, self._piece):
                    _write_whole(self._fd, data[start:end])
            except OSError:
                self._dropped(lines)  # nobody reads any more
            with self._lock:
                self._waiting -= lines


def _cuts(data: bytes, size: int) -> list[tuple[int, int]]:
    """Cut lines into runs of at most `size` bytes, at line ends where a line is not longer than that itself."""
    cuts, start = [], 0
    while start < len(data):
        end = len(data) if len(data) - start <= size else data.rfind(b"\n", start, start + size) + 1
        if end <= start:
            end = data.find(b"\n", start) + 1 or len(data)
        cuts.append((start, end))
        start = end
    return cuts


def _write_whole(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


class _Clock:
    """UTC timestamps with milliseconds; the part down to the second is made once a second."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((now - second) * 1000):03d}Z"


_clock = _Clock()


def request_line(record: RequestRecord, seconds: float) -> str:
    """The log line of a request."""
    bucket, code, key, mode, remote = (
        record.bucket,
        record.error_code,
        record.access_key,
        record.body_mode,
        record.remote,
    )
    return (
        f'{{"time":"{_clock.now()}","level":"info","event":"request","request_id":"{record.request_id}",'
        f'"door":"{record.door}","operation":"{record.operation}","method":{quoted(record.method[:16])},'
        f'"bucket":{"null" if bucket is None else quoted(bucket[:64])},"status":{record.status},'
        f'"error":{"null" if code is None else quoted(code)},"bytes_in":{record.bytes_in},'
        f'"bytes_out":{record.bytes_out},"ms":{seconds * 1000:.2f},'
        f'"access_key":{"null" if key is None else quoted(key[:128])},'
        f'"body_mode":{"null" if mode is None else quoted(mode)},'
        f'"remote":{"null" if remote is None else quoted(remote)}}}\n'
    )


class JsonHandler(logging.Handler):
    """Sends what the standard logging gathers, ours and the libraries', through the same writer."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write_from_anywhere(event_line(record))
        except Exception:  # noqa: BLE001 -- a log line that cannot be made must not end what it tells about
            self.handleError(record)


def event_line(record: logging.LogRecord) -> str:
    """The log line of anything but a request. `extra={"request_id": ...}` adds its fields."""
    fields: dict[str, object] = {
        "time": _clock.now(),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
        "logger": record.name,
    }
    for name in ("request_id", "operation", "worker", "address"):
        if hasattr(record, name):
            fields[name] = getattr(record, name)
    if record.exc_info and record.exc_info[0] is not None:
        buffer = io.StringIO()
        traceback.print_exception(*record.exc_info, file=buffer)
        fields["exception"] = record.exc_info[0].__name__
        fields["traceback"] = buffer.getvalue()
    return json.dumps(fields, default=str) + "\n"


def configure_logging(writer: LogWriter, level: str) -> None:
    """Route the root logger to `writer`. The libraries speak from warnings up, unless the level is debug."""
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler(writer)]
    root.setLevel(level.upper())
    for name in ("aiohttp", "asyncio", "alembic", "botocore"):
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else max(logging.WARNING, root.level))
