"""The supervisor: one process without threads and without a database that keeps the others going.

It opens the one listening socket, forks a process that prepares the data folder, then the workers; starts the render
broker; hands out turns to write; restarts what dies, slower each time; passes SIGHUP on; and stops gracefully: readiness
drops, requests in flight finish, a second signal ends it. Nothing outlives it: the kernel tells its children of its death.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.collector import importing
from gateway.metadata.handover import HandoverServer
from gateway.settings.address import Address
from gateway.settings.settings import Settings
from gateway.supervisor.child import PR_SET_PDEATHSIG, finish_coverage, prctl, prctl_name
from gateway.supervisor.node import listen, lock_file, make_folder, raise_descriptor_limit
from gateway.supervisor.roles import AWAY, Roles, WorkerContext
from gateway.telemetry.metrics import Metrics

LOG = logging.getLogger("gateway.supervisor")

STEADY_SECONDS = 10.0
"""A process that lived so long starts anew without delay."""
FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
LONGEST_SELECT = 3600.0
"""Seconds: more than 24 days do not fit into epoll's milliseconds."""
GIVE_UP_AFTER = 5
"""Worker deaths in a row before any worker was ever ready."""
PREPARE_AGAIN_SECONDS = 2.0
PREPARE_PATIENCE = 1.5
"""Seconds after which workers start although the first preparation goes on: with what it stands on away, someone has to
answer 503."""
BROKER_GRACE = 3.0


@dataclass(slots=True)
class _Child:
    started: float
    deaths: int = 0


@dataclass(slots=True)
class Supervisor:
    settings: Settings
    roles: Roles
    on_ready: Callable[[Address], None]

    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _timers: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _serial: itertools.count[int] = field(default_factory=itertools.count)
    _workers: dict[int, int] = field(default_factory=dict)  # pid -> slot
    _slots: dict[int, _Child] = field(default_factory=dict)
    _unready: set[int] = field(default_factory=set)
    _ready_pipes: dict[int, int] = field(default_factory=dict)  # read end -> slot
    _preparing: int | None = None
    _broker: subprocess.Popen[bytes] | None = None
    _broker_life: _Child = field(default_factory=lambda: _Child(0.0))
    _early_deaths: int = 0
    _ever_ready: bool = False
    _stopping: bool = False
    _status: int = 0
    _metrics: Metrics | None = None
    _handover: HandoverServer | None = None
    _listening: socket.socket | None = None
    _address: Address = field(default_factory=lambda: Address("127.0.0.1", 0))
    _wake: tuple[socket.socket, socket.socket] | None = None
    _announced: bool = False
    _pid: int = field(default_factory=os.getpid)

    def run(self) -> int:
        """Serve until told to stop. Returns the exit status; raises StartRefused."""
        run_folder = self.settings.run_folder
        make_folder(self.settings.data)
        make_folder(run_folder)
        lock = lock_file(self.settings.server_lock)
        raise_descriptor_limit()
        self._listening, self._address = listen(self.settings.listen)
        self._install_signals()
        try:
            self._start_broker()
            others = self.settings.database_url is not None or bool(self.settings.all_stores)
            if others:
                # They are waited for meanwhile.
                self._prepare()
            # What exists then is shared with the workers.
            with importing():
                self._metrics = self.roles.load(self.settings)
            self._handover = HandoverServer(run_folder / "handover.sock", self._selector)
            if others:
                self._later(PREPARE_PATIENCE, self._start_workers)
            else:
                # A moment's work for a process that need not import anything.
                self._prepare()
            self._loop()
        finally:
            self._kill_all()
            if self._handover is not None:
                self._handover.close()
            self._listening.close()
            os.close(lock)
        return self._status

    # --- the loop

    def _loop(self) -> None:
        while self._workers or self._preparing is not None or not self._stopping:
            timeout = None
            if self._timers:
                timeout = min(max(0.0, self._timers[0][0] - time.monotonic()), LONGEST_SELECT)
            for key, _ in self._selector.select(timeout):
                key.data()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._serial), callback))

    # --- signals

    def _install_signals(self) -> None:
        reading, writing = socket.socketpair()
        for end in (reading, writing):
            end.setblocking(False)
        self._wake = (reading, writing)
        self._selector.register(reading, selectors.EVENT_READ, self._read_signals)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def _read_signals(self) -> None:
        assert self._wake is not None
        try:
            numbers = set(self._wake[0].recv(4096))
        except BlockingIOError:
            return
        if signal.SIGCHLD in numbers:
            self._reap()
        if signal.SIGHUP in numbers:
            LOG.info("SIGHUP: workers read certificates again")
            self._signal_workers(signal.SIGHUP)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop()

    # --- children

    def _fork(self, work: Callable[[], int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            self._become_child()
            status = work()
        except KeyboardInterrupt:
            status = 130
        except BaseException:  # the boundary of the process: nothing may return into the parent's code
            LOG.exception("a process ended by an error")
            import traceback

            traceback.print_exc()
        finally:
            finish_coverage()
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _become_child(self) -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor decides
        assert self._wake is not None
        for end in self._wake:
            end.close()
        for fd in self._ready_pipes:
            os.close(fd)
        if self._handover is not None:
            self._handover.close_in_child()
        self._selector.close()
        if os.getppid() != self._pid:
            os._exit(1)  # the supervisor died before the kernel knew whom to tell

    def _start_worker(self, slot: int) -> None:
        if self._stopping:
            return
        reading, writing = os.pipe()
        assert self._listening is not None
        assert self._metrics is not None
        metrics = self._metrics
        context = WorkerContext(slot, self.settings, self._listening, self._address, metrics, writing)

        def work() -> int:
            os.close(reading)
            prctl_name(f"pixgate w{slot}")
            metrics.adopt(slot)
            return self.roles.work(context)

        pid = self._fork(work)
        os.close(writing)
        self._workers[pid] = slot
        self._slots.setdefault(slot, _Child(0.0)).started = time.monotonic()
        self._unready.add(slot)
        self._ready_pipes[reading] = slot
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._worker_ready(reading))

    def _worker_ready(self, fd: int) -> None:
        slot = self._ready_pipes.pop(fd)
        said = os.read(fd, 1)
        self._selector.unregister(fd)
        os.close(fd)
        if said != b"R":
            return
        self._ever_ready = True
        self._unready.discard(slot)
        if not self._unready and not self._announced and len(self._workers) == self.settings.workers:
            self._announced = True
            LOG.info("ready", extra={"address": self.settings.scheme + "://" + str(self._address)})
            self.on_ready(self._address)

    def _reap(self) -> None:
        if self._preparing is not None:
            done, status = os.waitpid(self._preparing, os.WNOHANG)
            if done:
                self._preparing = None
                self._prepared(os.waitstatus_to_exitcode(status))
        for pid in tuple(self._workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._worker_ended(pid, os.waitstatus_to_exitcode(status))
        if self._broker is not None and self._broker.poll() is not None:
            status, self._broker = self._broker.returncode, None
            if not self._stopping:
                LOG.error("the render broker ended (%s)", _exit_text(status))
                self._later(_delay(self._broker_life), self._start_broker)

    def _prepare(self, *, again: bool = False) -> None:
        if not self._stopping:
            self._preparing = self._fork(lambda: self.roles.prepare(self.settings, self._address, again))

    def _prepared(self, status: int) -> None:
        if self._stopping:
            # Ended because it was told to, or too late to matter.
            return
        if status not in (0, AWAY):
            self._status = status
            if self._workers:
                self._stop()
            self._stopping = True
            return
        if status == AWAY:
            # The workers answer 503 meanwhile, and open what they need as soon as it is there and prepared.
            self._later(PREPARE_AGAIN_SECONDS, lambda: self._prepare(again=True))
        self._start_workers()

    def _start_workers(self) -> None:
        if not self._slots:
            for slot in range(self.settings.workers):
                self._start_worker(slot)

    def _worker_ended(self, pid: int, status: int) -> None:
        slot = self._workers.pop(pid)
        if self._metrics is not None:
            self._metrics.abandon(slot)
        if self._stopping:
            return
        LOG.error("worker %d ended (%s)", slot, _exit_text(status), extra={"worker": slot})
        if not self._ever_ready:
            self._early_deaths += 1
            if self._early_deaths >= GIVE_UP_AFTER:
                LOG.error("no worker could start")
                self._status = 1
                self._stop()
                return
        self._later(_delay(self._slots[slot]), lambda: self._start_worker(slot))

    def _start_broker(self) -> None:
        if self._stopping:
            return
        self._broker_life.started = time.monotonic()
        self._broker = self.roles.broker(self.settings)

    # --- the end

    def _stop(self) -> None:
        if self._stopping:
            LOG.warning("stopping at once")
            self._signal_workers(signal.SIGKILL)
            return
        self._stopping = True
        LOG.info("stopping")
        self._signal_workers(signal.SIGTERM)
        if self._preparing is not None:
            os.kill(self._preparing, signal.SIGTERM)
        assert self._listening is not None
        # The workers close theirs at the same time; with the last one, the system refuses connections.
        self._later(self.settings.drain_delay, self._listening.close)
        patience = self.settings.drain_delay + self.settings.stop_timeout + 5
        self._later(patience, lambda: self._signal_workers(signal.SIGKILL))

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _kill_all(self) -> None:
        if self._broker is not None and self._broker.poll() is None:
            self._broker.terminate()
            try:
                self._broker.wait(BROKER_GRACE)
            except subprocess.TimeoutExpired:
                self._broker.kill()
                self._broker.wait()
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _delay(life: _Child) -> float:
    """Seconds until the next start of what has just ended: longer each time it did not live long."""
    if time.monotonic() - life.started >= STEADY_SECONDS:
        life.deaths = 0
    delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0**life.deaths)
    life.deaths += 1
    return delay


def _exit_text(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
