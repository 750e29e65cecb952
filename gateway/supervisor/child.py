"""What a forked process says to the kernel, and leaves behind at its end."""

from __future__ import annotations

import contextlib
import ctypes
import sys

PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def prctl_name(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def finish_coverage() -> None:
    """Save what coverage measured in a forked process, which ends without the interpreter's exit handlers."""
    coverage = sys.modules.get("coverage")
    current = coverage.Coverage.current() if coverage is not None else None
    if current is not None:
        with contextlib.suppress(Exception):
            current.stop()
            current.save()
