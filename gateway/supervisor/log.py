"""The supervisor's log, which must never block."""

from __future__ import annotations

import logging
import os
import select


class PoliteHandler(logging.Handler):
    """The supervisor's log: JSON lines to a descriptor, dropped when nobody reads, since it must never block."""

    def __init__(self, fd: int = 1) -> None:
        super().__init__()
        self._fd = fd

    def emit(self, record: logging.LogRecord) -> None:
        from gateway.telemetry.log import event_line

        say(self._fd, event_line(record))


def say(fd: int, text: str) -> None:
    """Write a short text if that can be done without waiting."""
    poll = select.poll()
    try:
        poll.register(fd, select.POLLOUT)
        if poll.poll(0):
            os.write(fd, text.encode()[: select.PIPE_BUF])
    except OSError:
        pass


def configure_supervisor_logging(level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [PoliteHandler()]
    root.setLevel(level.upper())
    if level != "debug":
        logging.getLogger("alembic").setLevel(logging.WARNING)
