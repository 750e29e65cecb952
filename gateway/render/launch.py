"""Starting the processes of rendering: by exec, with a bare environment, never by fork of a running interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

from gateway.render.settings import BrokerSettings

_ENVIRONMENT = {
    # One thread a render: more would change nothing but fairness, and bytes could depend on their order.
    "VIPS_CONCURRENCY": "1",
    # Intermediate images stay in memory, which is bounded; a decoder can open no file.
    "VIPS_DISC_THRESHOLD": "64g",
    "MALLOC_ARENA_MAX": "2",
    # Libraries that would start a thread a core as they load.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
}


def environment() -> dict[str, str]:
    """What a broker or decoder gets to see: where modules are, and nothing of this process's environment or secrets."""
    return {**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def start_broker(settings: BrokerSettings) -> subprocess.Popen[bytes]:
    """Starts a broker, which ends when this process does. Call it from the main thread.

    It answers on its socket some 150 ms later; a `RenderClient` waits that long by itself. End it with `terminate()`.
    """
    arguments = [f"--{field.name.replace('_', '-')}={getattr(settings, field.name)}" for field in fields(settings)]
    command = [sys.executable, "-P", "-m", "gateway.render.broker", f"--parent-pid={os.getpid()}", *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment())
