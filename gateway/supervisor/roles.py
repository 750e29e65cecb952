"""What the processes of a server are to do, and what a worker is given."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from gateway.settings.address import Address
from gateway.settings.settings import Settings
from gateway.telemetry.metrics import Metrics

AWAY = os.EX_TEMPFAIL
"""Exit status of a preparation that has to wait."""


class StartRefused(Exception):
    """The server cannot start, for a reason that its operator can change."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker gets from its supervisor."""

    slot: int
    settings: Settings
    listening: socket.socket
    address: Address
    metrics: Metrics
    ready_fd: int

    def say_ready(self) -> None:
        os.write(self.ready_fd, b"R")
        os.close(self.ready_fd)


@dataclass(frozen=True, slots=True)
class Roles:
    """What the processes do. `prepare` and `work` return an exit status; `broker` starts the broker.

    `prepare` that finds the database or a store away returns AWAY, and is asked again, with True for the last argument.

    `load` imports what workers will run, and gives the metrics that they share. With a database or stores elsewhere, these
    are asked meanwhile; a data folder alone is prepared afterwards, by a fork of what is loaded then.
    """

    prepare: Callable[[Settings, Address, bool], int]
    load: Callable[[Settings], Metrics]
    work: Callable[[WorkerContext], int]
    broker: Callable[[Settings], subprocess.Popen[bytes]]
