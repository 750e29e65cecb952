"""What processes cost: their processor time, which neighbours on the machine hardly change, and their memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

RESET_PEAK = "5"
"""For /proc/<pid>/clear_refs. Source: proc_pid_clear_refs(5)."""


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def workers(pid: int) -> list[int]:
    """Our server's workers, by the supervisor that it was started as."""
    return [child.pid for child in psutil.Process(pid).children()]


def processor_seconds(pids: list[int]) -> float:
    """User and system time of living processes, with that of their children that ended."""
    seconds = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            seconds += sum(psutil.Process(pid).cpu_times()[:4])
    return seconds


class Costs:
    """Sums up processor time by who spent it, over several rounds."""

    def __init__(self, who: Mapping[str, Callable[[], list[int]]]) -> None:
        self._who = who
        self._spent = dict.fromkeys(who, 0.0)
        self._count = 0

    @contextmanager
    def measured(self, count: int) -> Iterator[None]:
        """Over the block, in which `count` requests are answered."""
        before = {name: processor_seconds(pids()) for name, pids in self._who.items()}
        yield
        for name, pids in self._who.items():
            self._spent[name] += processor_seconds(pids()) - before[name]
        self._count += count

    def __str__(self) -> str:
        """Microseconds a request, of each."""
        count = max(1, self._count)
        return ", ".join(f"{name} {spent / count * 1e6:,.0f}" for name, spent in self._spent.items())


def reset_peak(pids: list[int]) -> None:
    """Forget the largest resident memory so far."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK, encoding="ascii")


def peak_megabytes(pids: list[int]) -> float:
    """The largest resident memory of any of them since it was forgotten, in MB."""
    return max((_peak_kib(pid) for pid in pids), default=0) * 1024 / 1e6


def _peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
