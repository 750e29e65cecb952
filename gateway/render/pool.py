"""The decoders of a broker: started one after the other, given one job each, ended when they hang, replaced.

Nothing that a decoder says is taken on trust: it has parsed a stranger's file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.render import wire
from gateway.render.endpoint import Endpoint
from gateway.render.errors import BrokerUnavailable, RenderCrashed, RenderTimeout
from gateway.render.launch import environment
from gateway.render.memory import Stored
from gateway.render.settings import BrokerSettings
from gateway.render.task import MEDIA_TYPES
from transforms.errors import DrawingTooSlow

_START_SECONDS = 120.0
"""A decoder stands back behind all that a machine does from its first step on: where that is much, it starts slowly."""
_MAX_BACKOFF = 30.0
_FAILED_STARTS = 3
"""After so many starts in a row that came to nothing, waiting jobs are told so."""

_COST_MARGIN = 4.0
"""How far what surrounds a drawing may pass its estimate."""


@dataclass(slots=True, eq=False)
class Job:
    """One render: the message for the decoder, the descriptors (owned by the job), and where the outcome goes."""

    head: dict[str, Any]
    fds: list[int]
    cost_ms: float
    done: Callable[[Stored | Exception], None]
    drawn: bool = False
    """Whether it draws an SVG, which has less time."""
    later: bool = False
    """Whether nobody waits for it: everything else comes first."""
    expected: frozenset[str] = frozenset()
    """The names of its parts."""
    parts: dict[str, Stored] = field(default_factory=dict)
    """Those that have come; whoever gets an outcome that is a rendition owns them."""

    def finish(self, outcome: Stored | Exception) -> None:
        """Closes the source and hands the outcome over."""
        self.close()
        if isinstance(outcome, Exception):
            while self.parts:
                self.parts.popitem()[1].close()
        self.done(outcome)

    def close(self) -> None:
        """Closes the source."""
        while self.fds:
            os.close(self.fds.pop())


@dataclass(slots=True, eq=False)
class _Decoder:
    process: subprocess.Popen[bytes]
    endpoint: Endpoint
    timer: asyncio.TimerHandle
    ready: bool = False
    job: Job | None = None
    jobs_done: int = 0
    timed_out: bool = False
    worn: bool = False
    """It has done its number of jobs, and works on until another one is ready in its place."""
    retiring: bool = False


@dataclass(slots=True)
class Tally:
    """What became of decoders, for the figures."""

    started: int = 0
    killed: int = 0
    crashed: int = 0
    recycled: int = 0
    sandbox_missing: list[str] = field(default_factory=list)
    vips: str | None = None
    problem: str | None = None


class DecoderPool:
    """Runs jobs on `settings.decoder_count` decoders, in the order in which they came; those that are for later last."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._decoders: list[_Decoder] = []
        self._queue: deque[Job] = deque()
        self._later: deque[Job] = deque()
        self._asked = -settings.quiet_seconds
        """When somebody last asked for what is not for later, on the loop's clock."""
        self._waking: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._failed_starts = 0
        self._backing_off: asyncio.TimerHandle | None = None
        self._closed = False
        self.wanted = settings.decoder_count
        self.cost_ms = 0.0
        """Estimated work that waits or runs, without what is for later."""
        self.later_ms = 0.0
        """The same of what is for later."""
        self.tally = Tally()

    @property
    def waiting(self) -> int:
        """Jobs that wait for a decoder, without those that are for later."""
        return len(self._queue)

    @property
    def waiting_later(self) -> int:
        """Jobs for later that wait."""
        return len(self._later)

    @property
    def busy(self) -> int:
        """Jobs that are being rendered."""
        return sum(decoder.job is not None for decoder in self._decoders)

    @property
    def pids(self) -> list[int]:
        """Process ids of the decoders that are ready."""
        return [decoder.process.pid for decoder in self._decoders if decoder.ready and not decoder.endpoint.closed]

    def start(self) -> None:
        """Begins to start decoders, one at a time so that a starting server keeps a core for itself."""
        self._grow()

    def submit(self, job: Job) -> None:
        """Queues a job; its outcome comes by `job.done`, later."""
        self._count(job, job.cost_ms)
        if job.later:
            self._later.append(job)
        else:
            self._asked = self._loop.time()
            self._queue.append(job)
        self._dispatch()
        self._give_up_if_hopeless()

    def cancel(self, job: Job) -> bool:
        """Takes a job out that has not begun. False if it is running or over."""
        with contextlib.suppress(ValueError):
            (self._later if job.later else self._queue).remove(job)
            self._count(job, -job.cost_ms)
            job.close()
            return True
        return False

    def has_begun(self, job: Job) -> bool:
        """Whether a decoder has it."""
        return any(decoder.job is job for decoder in self._decoders)

    def hurry(self, job: Job) -> None:
        """Somebody waits for what was for later."""
        with contextlib.suppress(ValueError):
            self._later.remove(job)
            self._count(job, -job.cost_ms)
            job.later = False
            self.submit(job)

    def close(self) -> None:
        """Ends all decoders; jobs get no outcome any more."""
        self._closed = True
        if self._backing_off is not None:
            self._backing_off.cancel()
        for decoder in list(self._decoders):
            decoder.process.kill()
            decoder.endpoint.close()
            decoder.process.wait()
        if self._waking is not None:
            self._waking.cancel()
        for queue in (self._queue, self._later):
            while queue:
                queue.popleft().close()

    def _count(self, job: Job, cost_ms: float) -> None:
        if job.later:
            self.later_ms += cost_ms
        else:
            self.cost_ms += cost_ms

    def _grow(self) -> None:
        starting = any(not decoder.ready for decoder in self._decoders)
        alive = sum(not (decoder.retiring or decoder.worn) for decoder in self._decoders)
        if self._closed or starting or self._backing_off is not None or alive >= self.wanted:
            return
        self._decoders.append(self._start_one())

    def _start_one(self) -> _Decoder:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            settings = self._settings
            arguments = [str(os.getpid()), str(settings.nice), settings.fonts]
            command = [sys.executable, "-P", "-m", "gateway.render.decoder", *arguments]
            process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # Codecs print what they think of a stranger's file; that is no log of ours.
                stderr=subprocess.DEVNULL,
                env=environment(),
            )
        self.tally.started += 1
        endpoint = Endpoint(ours, lambda message: self._heard(decoder, message), lambda: self._gone(decoder))
        decoder = _Decoder(process, endpoint, self._loop.call_later(_START_SECONDS, self._kill, process))
        return decoder

    def _heard(self, decoder: _Decoder, message: wire.Message) -> None:
        try:
            match message.head.get("t"):
                case "ready" if not decoder.ready:
                    self._ready(decoder, message.head)
                case "unfit" if not decoder.ready:
                    self.tally.problem = str(message.head.get("detail"))[:500]
                case "part" if decoder.job is not None:
                    _take_part(decoder.job, message)
                case "done" | "fail" if decoder.job is not None:
                    self._finish(decoder, _outcome(message, decoder.job))
                case _:
                    raise ValueError("out of turn")
        except (ValueError, KeyError, TypeError, OSError):
            # It no longer does what our program does.
            self._kill(decoder.process)
        finally:
            message.close()

    def _ready(self, decoder: _Decoder, head: dict[str, Any]) -> None:
        decoder.timer.cancel()
        decoder.ready = True
        self._failed_starts = 0
        self.tally.problem = None
        self.tally.vips = str(head["vips"])
        self.tally.sandbox_missing = [str(layer) for layer in head["missing"]]
        self._retire_worn()
        self._dispatch()
        self._grow()

    def _finish(self, decoder: _Decoder, outcome: Stored | Exception) -> None:
        job = decoder.job
        if job is None:
            return
        decoder.timer.cancel()
        decoder.job = None
        decoder.jobs_done += 1
        self._count(job, -job.cost_ms)
        if isinstance(outcome, RenderCrashed):
            # One that ran out of memory, or met what it should not have, may be in no state for the next.
            self._retire(decoder)
        elif decoder.jobs_done >= self._settings.jobs_per_decoder:
            decoder.worn = True
            self._grow()
            self._retire_worn()
        job.finish(outcome)
        self._dispatch()

    def _retire(self, decoder: _Decoder) -> None:
        if not decoder.endpoint.closed:
            decoder.retiring = True
            self.tally.recycled += 1
            decoder.endpoint.close()

    def _retire_worn(self) -> None:
        """Ends an idle decoder that has another one in its place."""
        ready = [decoder for decoder in self._decoders if decoder.ready and not decoder.retiring]
        for decoder in ready:
            if len(ready) > self.wanted and decoder.worn and decoder.job is None:
                self._retire(decoder)
                return

    def _dispatch(self) -> None:
        for decoder in self._decoders:
            if decoder.ready and decoder.job is None and not decoder.endpoint.closed:
                job = self._next()
                if job is None:
                    return
                self._give(decoder, job)

    def _next(self) -> Job | None:
        if self._queue:
            return self._queue.popleft()
        return self._later.popleft() if self._later and self._may_begin_later() else None

    def _may_begin_later(self) -> bool:
        """Whether another job for later may take a decoder; where not yet, it is looked at again in time."""
        busy = sum(decoder.job is not None and decoder.job.later for decoder in self._decoders)
        lasts = self._asked + self._settings.quiet_seconds - self._loop.time()
        if lasts <= 0 or busy < max(1, self.wanted - 1):
            return True
        if self._waking is None:
            self._waking = self._loop.call_later(lasts, self._wake)
        return False

    def _wake(self) -> None:
        self._waking = None
        self._dispatch()

    def _give(self, decoder: _Decoder, job: Job) -> None:
        decoder.job = job
        processor, lasts = self._allowed(job)
        decoder.timer = self._loop.call_later(lasts, self._time_out, decoder)
        head = {
            "t": "job",
            **job.head,
            "cpu_seconds": processor,
            "memory_bytes": self._settings.memory_bytes,
        }
        decoder.endpoint.send(head, fds=job.fds)

    def _allowed(self, job: Job) -> tuple[int, float]:
        """Seconds of the processor, and of the clock, that a job may take."""
        processor, lasts = self._settings.cpu_seconds, self._settings.job_seconds
        if not job.drawn:
            return processor, lasts
        short = self._settings.drawing_seconds + int(_COST_MARGIN * job.cost_ms / 1000)
        return min(processor, short), min(lasts, 2.0 * short)

    def _time_out(self, decoder: _Decoder) -> None:
        decoder.timed_out = True
        self._kill(decoder.process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        self.tally.killed += 1
        process.kill()

    def _gone(self, decoder: _Decoder) -> None:
        """The socket of a decoder is closed: it died, or was retired. Whatever it did is over."""
        decoder.timer.cancel()
        if self._closed:
            return
        if not decoder.retiring:
            decoder.process.kill()
        self._decoders.remove(decoder)
        job, decoder.job = decoder.job, None
        if job is not None:
            self._count(job, -job.cost_ms)
        if not decoder.ready:
            self._failed_starts += 1
            self.tally.problem = self.tally.problem or "a decoder died while it started"
            delay = min(_MAX_BACKOFF, 0.1 * 2**self._failed_starts)
            self._backing_off = self._loop.call_later(delay, self._try_again)
        _Reaper(self._loop, decoder.process, lambda: self._ended(decoder, job))
        self._grow()
        self._dispatch()
        self._give_up_if_hopeless()

    def _ended(self, decoder: _Decoder, job: Job | None) -> None:
        """A decoder that was gone has been collected: only now is it known what it died of."""
        # Who used up the processor time of a job is ended by the kernel, which counts in other steps than any clock.
        spent = decoder.process.returncode == -signal.SIGXCPU
        if decoder.ready and not decoder.retiring and not decoder.timed_out:
            if spent:
                self.tally.killed += 1
            else:
                self.tally.crashed += 1
        if job is None or self._closed:
            return
        if not (spent or decoder.timed_out):
            job.finish(RenderCrashed("The decoder died while it rendered this image."))
        else:
            job.finish(DrawingTooSlow() if job.drawn else RenderTimeout("The render took too long."))

    def _try_again(self) -> None:
        self._backing_off = None
        self._grow()

    def _give_up_if_hopeless(self) -> None:
        if self._failed_starts < _FAILED_STARTS or any(decoder.ready for decoder in self._decoders):
            return
        for job in (*self._queue, *self._later):
            self._count(job, -job.cost_ms)
            self._loop.call_soon(job.finish, BrokerUnavailable(f"No decoder can start: {self.tally.problem}."))
        self._queue.clear()
        self._later.clear()


class _Reaper:
    """Collects a process that has ended or is about to, without waiting for it, and says so."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes], ended: Callable[[], None]
    ) -> None:
        self._loop, self._process, self._tell = loop, process, ended
        if process.poll() is not None:
            ended()
            return
        self._pidfd = os.pidfd_open(process.pid)
        # A retired decoder ends by itself; one that does not is helped.
        self._timer = loop.call_later(5.0, process.send_signal, signal.SIGKILL)
        loop.add_reader(self._pidfd, self._ended)

    def _ended(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self._tell()


def _take_part(job: Job, message: wire.Message) -> None:
    name = message.head["name"]
    if name not in job.expected or name in job.parts:
        raise ValueError("a part that nobody asked for")
    job.parts[name] = stored_rendition(message)


def _outcome(message: wire.Message, job: Job) -> Stored | Exception:
    """What a decoder's answer is worth. Raises ValueError, KeyError, TypeError or OSError for one that is not right."""
    if message.head["t"] == "fail":
        return wire.failure(message.head)
    if job.parts.keys() != job.expected:
        raise ValueError("a part is missing")
    return stored_rendition(message)


def stored_rendition(message: wire.Message) -> Stored:
    """The rendition in a message, whose memfd it takes over. Raises ValueError, KeyError, TypeError or OSError."""
    head = message.head
    clean = {
        "t": "done",
        "format": head["format"],
        "width": int(head["width"]),
        "height": int(head["height"]),
        "ms": float(head["ms"]),
        "size": int(head["size"]),
    }
    if clean["format"] not in MEDIA_TYPES or clean["width"] < 1 or clean["height"] < 1:
        raise ValueError("no rendition")
    if not message.fds:
        if not 0 < clean["size"] == len(message.payload):
            raise ValueError("the payload is not as long as it says")
        return Stored(clean, message.payload, None)
    if len(message.fds) != 1 or not wire.is_sealed(message.fds[0], clean["size"]):
        raise ValueError("the memfd can still change")
    return Stored(clean, b"", message.fds.pop())
